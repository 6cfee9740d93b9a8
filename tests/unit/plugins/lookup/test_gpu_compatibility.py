# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of the user's is data, or one sentence that says why it is none."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader


def look_up(*terms: str) -> list[dict[str, t.Any]]:
    return list(lookup_loader.get("kubegpu.nodes.gpu_compatibility").run(list(terms), {}))


def test_no_file_is_no_data() -> None:
    assert look_up("") == [{}]


def test_files_are_read_in_order(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"{{branches: {{branches: [], note: {name}}}}}")
    notes = [data["branches"]["note"] for data in look_up(str(tmp_path / "a"), str(tmp_path / "b"))]
    assert notes == ["a", "b"]


def test_a_path_starts_where_ansible_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.yml").write_text("cuda: {}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert look_up("own.yml", "~/own.yml") == [{"cuda": {}}] * 2


def test_a_day_without_quotes_is_a_text(tmp_path: Path) -> None:
    path = tmp_path / "own.yml"
    path.write_text("{branches: [{branch: 630, eol: 2028-01-31, newest: 630.10.01}, {branch: 640, eol: 2028-02}]}")
    assert look_up(str(path)) == [
        {"branches": [{"branch": 630, "eol": "2028-01-31", "newest": "630.10.01"}, {"branch": 640, "eol": "2028-02"}]}
    ]


BROKEN = {
    "missing": (None, "no such file or directory"),
    "no YAML": (b"branches: [\n", "it is not YAML in line 2, column 1"),
    "no YAML at all": (b"a: \x00", "it is not YAML"),
    "no number": (b"branch: !!int none\n", "invalid literal for int()"),
    "no text": (b"\xff\xfe\xfa", "it is not a text in UTF-8"),
    "empty": (b"", "it has no keys"),
    "a list": (b"- 580\n", "it has no keys"),
}


@pytest.mark.parametrize("content, reason", BROKEN.values(), ids=BROKEN.keys())
def test_what_cannot_be_used_is_said_in_a_sentence(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "own.yml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AnsibleLookupError) as caught:
        look_up(str(path))
    said = str(caught.value)
    assert reason in said and str(path) in said and "kubegpu_compatibility" in said
    assert "\n" not in said
