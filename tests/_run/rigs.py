# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig as the checks use it: up, down, and the environment in which ansible finds its cluster."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from _rig.cache import CHECKOUT
from _rig.shell import RigError, run

from _run import venvs

RIG = CHECKOUT / "tests" / "rig" / "rig"


def rig(*words: str) -> None:
    """Call the rig with its progress on the terminal; it has said itself what went wrong when it fails."""
    status = subprocess.run([sys.executable, str(RIG), *words], stdin=subprocess.DEVNULL).returncode
    if status != 0:
        raise RigError(f"tests/rig/rig {' '.join(words)} ended with {status}")


def environment(tools: Path) -> dict[str, str]:
    """The environment of a venv, with what `rig env` exports on top."""
    found = venvs.environment(tools)
    for line in run(sys.executable, RIG, "env").splitlines():
        words = shlex.split(line)
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            found[name] = value.replace("$PATH", found["PATH"])
    return found
