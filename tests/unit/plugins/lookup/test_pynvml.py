# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's pynvml is found, or a warning says that there is none."""

from __future__ import annotations

import hashlib
import sys
import typing as t
from pathlib import Path

import pytest
from ansible.plugins.loader import lookup_loader
from ansible.utils.display import Display

NOTHING = {"path": None, "version": None, "sha256": None}


def look_up() -> dict[str, t.Any]:
    (found,) = lookup_loader.get("kubegpu.nodes.pynvml").run([], {})
    return dict(found)


@pytest.fixture(name="warnings")
def _warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _display, message, *_rest, **_options: said.append(message))
    return said


@pytest.fixture(name="library")
def _library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A controller whose Python has the package's metadata only."""
    (tmp_path / "nvidia_ml_py-13.1.dist-info").mkdir()
    (tmp_path / "nvidia_ml_py-13.1.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: nvidia-ml-py\nVersion: 13.1\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


def test_found(library: Path, warnings: list[str]) -> None:
    (library / "pynvml.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
    digest = hashlib.sha256((library / "pynvml.py").read_bytes()).hexdigest()
    assert look_up() == {"path": str(library / "pynvml.py"), "version": "13.1", "sha256": digest}
    assert warnings == []


def test_no_package(monkeypatch: pytest.MonkeyPatch, warnings: list[str]) -> None:
    monkeypatch.setattr(sys, "path", [])
    assert look_up() == NOTHING
    assert len(warnings) == 1 and "Install nvidia-ml-py beside Ansible" in warnings[0]


def test_no_file(library: Path, warnings: list[str]) -> None:
    assert look_up() == NOTHING
    assert len(warnings) == 1 and "pynvml.py" in warnings[0]
