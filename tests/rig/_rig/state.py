# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the running rig: files under $KUBEGPU_RIG_STATE, gone after `rig down`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path


def state() -> Path:
    return Path(os.environ.get("KUBEGPU_RIG_STATE", "/run/kubegpu-rig"))


def lock_file() -> Path:
    """Beside the state folder, for that folder comes and goes."""
    return state().with_name(f".{state().name}.lock")


def kept(folder: Path, make: Callable[[Path], None]) -> Path:
    """A folder of secrets that `make` fills when it is missing; whole or not at all, readable by its owner only."""
    if not folder.is_dir():
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True, mode=0o700)
        make(part)
        part.rename(folder)
    return folder


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file at once: who looks for it finds it whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    part.chmod(mode)
    part.rename(path)
