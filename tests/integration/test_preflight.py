# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""preflight.yml reads and decides, says so to people and to programs, and changes nothing.

Of its three hosts one can become a GPU node, one is refused, and one cannot be reached.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import CHECKOUT, Played, Rig
from executions import count_executions

GOOD, REFUSED, GONE = "ref-debian", "ref-plain", "ref-gone"
PLAYBOOK = "playbooks/preflight.yml"
INVENTORY = ("-i", "tests/integration/inventory")
# Nobody listens there, which is known at once.
NOBODY = {"gpu_nodes": {"hosts": {GONE: {"ansible_host": "127.0.0.1", "ansible_port": 1}}}}
# What differs although nobody does anything: the host's own daemons, and Ansible's folder for temporary files.
RESTLESS = ("/var/log/", "/var/lib/kubelet/", "/var/lib/containerd/", "/root/.ansible/")


class Run(NamedTuple):
    played: Played
    report: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]
    written: list[str]
    asked: dict[str, int]


@pytest.fixture(scope="module")
def rig(small_fleet: Rig) -> Rig:
    return small_fleet


@pytest.fixture(scope="module", params=["real", "check"])
def run(request: pytest.FixtureRequest, rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run over all hosts, watched from all sides."""
    folder = tmp_path_factory.mktemp(request.param)
    inventory, report, log = folder / "gone.json", folder / "report.json", folder / "ssh.log"
    inventory.write_text(json.dumps(NOBODY))
    log.touch()
    words = [PLAYBOOK, *INVENTORY, "-i", str(inventory), "-e", f"gpu_preflight_report_file={report}"]
    before = state(rig)
    for host in (GOOD, REFUSED):
        rig.on(host, "touch /run/before")
    played = rig.play(
        *words,
        *(["--check"] if request.param == "check" else []),
        ANSIBLE_SHOW_CUSTOM_STATS="true",
        ANSIBLE_SSH_EXECUTABLE=str(CHECKOUT / "tests" / "bench" / "ssh"),
        KUBEGPU_BENCH_LOG=str(log),
    )
    after = state(rig)
    written = [path for host in (GOOD, REFUSED) for path in written_on(rig, host)]
    asked = count_executions(log.read_text().splitlines())
    assert report.stat().st_mode & 0o777 == 0o600
    return Run(played, json.loads(report.read_text()), before, after, written, asked)


def state(rig: Rig) -> dict[str, Any]:
    found: dict[str, Any] = {host: {"host": rig.picture(host)} for host in (GOOD, REFUSED)}
    for host in (GOOD, REFUSED):
        node = rig.node(host)
        found[host]["node"] = [node["metadata"].get("labels"), node["metadata"].get("annotations"), node["spec"]]
    return found


def written_on(rig: Rig, host: str) -> list[str]:
    """Files of the host's own file system that somebody has written since /run/before."""
    paths = rig.on(host, "find / -xdev -type f -newercm /run/before").splitlines()
    return [f"{host}:{path}" for path in paths if not path.startswith(RESTLESS)]


def without_words(text: str) -> str:
    return " ".join(text.split())


def test_nothing_is_changed_on_any_host_nor_node(run: Run) -> None:
    assert len(run.before[GOOD]["host"]) > 100, "the picture shows the host"
    assert run.after == run.before
    assert run.written == []
    assert set(run.played.changed.values()) == {0}


def test_each_host_is_read_once_and_by_nothing_else(run: Run) -> None:
    assert len(run.asked) == 2 and set(run.asked.values()) == {1}, run.asked


def test_only_refused_and_unreachable_hosts_fail(run: Run) -> None:
    assert run.played.status != 0
    recap = run.played.recap
    assert [(recap[host]["failed"], recap[host]["unreachable"]) for host in (GOOD, REFUSED, GONE)] == [
        (0, 0),
        (1, 0),
        (0, 1),
    ]
    assert "Traceback" not in run.played.text


def test_the_report_counts_all_hosts(run: Run) -> None:
    summary = run.report["summary"]
    assert summary["hosts"] == 3
    assert summary["decisions"] == {"install": 1, "refused": 1, "unreachable": 1}
    assert summary["drivers"] == {"none": 2, "not known": 1}
    models = dict(summary["models"])
    assert models.pop("no NVIDIA GPU") == models.pop("not known") == {"hosts": 1, "gpus": 0}
    assert list(models.values()) == [{"hosts": 1, "gpus": 1}]


def test_the_report_tells_each_host(run: Run) -> None:
    hosts = {row["host"]: row for row in run.report["hosts"]}
    assert list(hosts) == [GOOD, REFUSED, GONE]
    good, refused, gone = hosts.values()
    assert (good["decision"], good["node"], good["driver"]) == ("install", GOOD, None)
    assert good["os"].startswith("Debian") and good["kernel"] and good["changes"] and good["reasons"]
    assert [refusal["rule"] for refusal in refused["refusals"]] == ["no-nvidia-hardware"]
    assert gone["gpus"] is None and "refused" in gone["reasons"][0]


def test_people_are_told_in_words(run: Run) -> None:
    text = without_words(run.played.text)
    for words in (
        "Decision install",
        "Would do Install the driver",
        "Disturbs",
        "has no NVIDIA GPU",
        "3 hosts decision",
    ):
        assert words in text, words
    assert f"1 refused: {REFUSED}" in text and f"1 unreachable: {GONE}" in text


def test_awx_gets_the_same(run: Run) -> None:
    stats = without_words(run.played.text.partition("CUSTOM STATS")[2])
    assert "gpu_preflight" in stats and "decision: install" in stats and "unreachable: 1" in stats


@pytest.mark.parametrize("run", ["real"], indirect=True)
def test_a_part_of_the_fleet_is_decided_alike(run: Run, rig: Rig, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    narrow = ("--limit", GOOD, "--tags", "gpu_preflight", "-e", f"gpu_preflight_report_file={report}")
    played = rig.play(PLAYBOOK, *INVENTORY, *narrow)
    assert played.status == 0, played.text
    rows = json.loads(report.read_text())["hosts"]
    assert rows == [row for row in run.report["hosts"] if row["host"] == GOOD]
    assert "1 host decision" in without_words(played.text)


MISTAKES = {
    "no folder for the report": ("gpu_preflight_report_file=/nowhere/report.json", "there is no folder /nowhere"),
    "no compatibility data": (
        "kubegpu_compatibility=/nowhere.yml",
        "/nowhere.yml (kubegpu_compatibility) cannot be used",
    ),
}


@pytest.mark.parametrize("setting, words", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_before_any_host_is_asked(rig: Rig, setting: str, words: str) -> None:
    played = rig.play(PLAYBOOK, *INVENTORY, "-e", setting)
    assert played.status != 0 and words in without_words(played.text), played.text
    assert "Read the host" not in played.text
