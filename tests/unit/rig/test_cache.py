# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thing in the cache is whole or not there, and has another name as soon as anything in it differs."""

from __future__ import annotations

from pathlib import Path

import pytest
from _rig.cache import key, made_once, scratch


def fill(folder: Path) -> None:
    (folder / "file").write_text("whole")


def test_it_is_made_once(tmp_path: Path) -> None:
    made = []

    def count(folder: Path) -> None:
        made.append(folder)
        fill(folder)

    for _ in range(2):
        assert (made_once(tmp_path / "thing", count, "make a thing") / "file").read_text() == "whole"
    assert len(made) == 1


def test_what_failed_has_no_name_and_is_swept_by_the_next(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        scratch(folder).mkdir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made_once(tmp_path / "thing", fail, "make a thing")
    assert not (tmp_path / "thing").exists()

    made = made_once(tmp_path / "thing", fill, "make a thing")
    assert [path.name for path in made.iterdir()] == ["file"]
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["thing"]


def test_a_key_follows_names_modes_and_contents(tmp_path: Path) -> None:
    file = tmp_path / "file"
    keys = set()
    for text, mode in [("a", 0o644), ("b", 0o644), ("b", 0o755)]:
        file.write_text(text)
        file.chmod(mode)
        keys.add(key(tmp_path))
    (tmp_path / "link").symlink_to("file")
    keys.add(key(tmp_path))
    assert len(keys) == 4
    assert key("ab", "c") != key("a", "bc")
