# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is missing on a machine is one sentence, before anything is touched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from _rig import needs, parts
from _rig.shell import RigError


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with apt and no podman, on which nothing may be run."""
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "podman" else f"/usr/bin/{name}")
    monkeypatch.setattr(needs, "attempt", lambda *words, **_more: pytest.fail(f"ran {words}"))
    monkeypatch.setattr(parts, "to_be_built", lambda: [])
    return monkeypatch


def test_missing_programs_are_named_with_their_packages(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(Path, "exists", lambda _path: True)
    assert needs.missing_programs() == {"podman": "podman"}


def test_without_root_it_says_so_and_what_else_is_missing(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(RigError, match=r"^the test rig .* run it as root \(it also needs .*podman"):
        needs.check()


def test_where_there_is_no_apt_it_names_the_packages(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(os, "geteuid", lambda: 0)
    bare.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(RigError, match=r"with its package manager .* called podman\)$"):
        needs.install({"podman": "podman"})


def test_without_go_the_way_to_get_it_is_told(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(os, "geteuid", lambda: 0)
    bare.setattr(parts, "to_be_built", lambda: ["kubernetes"])
    bare.setenv("PATH", "/nowhere")
    with pytest.raises(RigError, match=r"^Go is missing: .*install it from .*KUBEGPU_RIG_BIN"):
        needs.check()
