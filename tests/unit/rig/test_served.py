# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the package server has for some fleets only."""

from __future__ import annotations

from pathlib import Path

import pytest
from _rig import served
from _rig.build import More


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUBEGPU_RIG_STATE", str(tmp_path / "state"))
    served.more().mkdir(parents=True)
    return tmp_path / "state"


def made(folder: Path, name: str) -> Path:
    (folder / name / "el").mkdir(parents=True)
    (folder / name / "el" / "which").write_text(name)
    return folder / name


def test_each_kind_is_there_in_its_newest_form_alone(tmp_path: Path, state: Path) -> None:
    files = made(tmp_path, "files")
    served.publish("driver-files", files)
    for name in ("first", "second", "second"):
        served.publish("dnf", made(tmp_path, name) if not (tmp_path / name).exists() else tmp_path / name)
        assert (state / "more" / "dnf" / "el" / "which").read_text() == name
    assert (state / "more" / "driver-files" / "el" / "which").read_text() == "files"


def test_what_was_published_is_not_copied_again(tmp_path: Path, state: Path) -> None:
    files = made(tmp_path, "files")
    served.publish("dnf", files)
    (state / "more" / "dnf" / "el" / "which").write_text("as it was")
    served.publish("dnf", files)
    assert (state / "more" / "dnf" / "el" / "which").read_text() == "as it was"


def test_links_lead_to_where_the_server_has_it(tmp_path: Path) -> None:
    served.link(tmp_path)
    for kind, paths in served.KINDS.items():
        for path in paths:
            assert (tmp_path / path).readlink() == Path(served.MOUNT, kind, path)


def test_every_kind_is_known() -> None:
    more = More(*(Path(name) for name in More._fields))
    assert more.served().keys() == served.KINDS.keys()
    assert More().served() == {}
