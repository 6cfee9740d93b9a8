# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, TimeoutError
from pathlib import Path

import pytest
from _run import cluster

SAYS = {
    "short": "",
    "on-a": "own_fleet: a\n",
    "long-on-a": "own_fleet: a\nminutes: 10\n",
    "long": "slow: true\nminutes: 3\n",
}


@pytest.fixture
def to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> cluster.ToGo:
    for name, text in SAYS.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "vars.yml").write_text(f"---\n{text}some_role_minutes: 99\n")
    monkeypatch.setattr(cluster, "SCENARIOS", tmp_path)
    waiting = cluster.ToGo()
    waiting.add(SAYS)
    return waiting


def test_the_longest_begin_first(to_go: cluster.ToGo) -> None:
    assert list(to_go.each()) == ["long-on-a", "long", "short", "on-a"]


def test_what_needs_hosts_that_are_taken_is_passed_over(to_go: cluster.ToGo) -> None:
    one, other = to_go.each(), to_go.each()
    assert [next(one), next(other), next(other)] == ["long-on-a", "long", "short"]
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(next, other)
        with pytest.raises(TimeoutError):
            waits.result(0.2)
        one.close()
        assert waits.result(10) == "on-a"


def test_a_scenario_that_fails_gives_its_hosts_back(to_go: cluster.ToGo) -> None:
    with pytest.raises(KeyboardInterrupt):
        for name in to_go.each():
            raise KeyboardInterrupt(name)
    assert "on-a" in list(to_go.each())


def one_that_says(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (folder / "one").mkdir()
    (folder / "one" / "vars.yml").write_text(f"---\n{text}\n")
    monkeypatch.setattr(cluster, "SCENARIOS", folder)


@pytest.mark.parametrize("text, said", [("slow: true", True), ("slow:  true  # why", True), ("slow: false", False)])
def test_what_is_said_is_read_as_yaml_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: bool
) -> None:
    one_that_says(tmp_path, monkeypatch, text)
    assert cluster._is("one", "slow") is said


@pytest.mark.parametrize(
    "text, told",
    [
        ("slow: true", {}),
        ("own_fleet: dnf", {"KUBEGPU_MOLECULE_FLEET": "dnf"}),
        ("one_host: true", {"KUBEGPU_MOLECULE_LIMIT": "gpu_nodes[0]:localhost"}),
    ],
)
def test_molecule_is_told_on_which_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: dict[str, str]
) -> None:
    one_that_says(tmp_path, monkeypatch, text)
    assert cluster._on_which_hosts("one") == told
