# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rig needs of the machine. Missing Debian packages are installed; anything else is one sentence."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from _rig import parts
from _rig.debian import KEYRING
from _rig.shell import RigError, attempt, last_words, say


def check(more: Mapping[str, str] | None = None) -> None:
    """Refuse what cannot work, before anything is touched; install what is missing where that is ours to do.

    `more` programs, with their packages, are wanted by some fleets only.
    """
    missing = missing_programs(more)
    if os.geteuid() != 0:
        wants = f" (it also needs {', '.join(missing)})" if missing else ""
        raise RigError(f"the test rig starts privileged containers: run it as root{wants}")
    if parts.to_be_built():
        parts.need_go()
    if missing:
        install(missing)


def missing_programs(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Program (or file) -> Debian package, of those that this machine lacks."""
    wanted = {**parts.table()["machine"], str(KEYRING): "debian-archive-keyring", **(more or {})}
    return {name: package for name, package in wanted.items() if not _there(name)}


def _there(name: str) -> bool:
    return Path(name).exists() if name.startswith("/") else shutil.which(name) is not None


def install(missing: dict[str, str]) -> None:
    packages = sorted(set(missing.values()))
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise RigError(
            f"missing on this machine: {', '.join(missing)}; install them with its package manager "
            f"(on Debian and Ubuntu the packages are called {' '.join(packages)})"
        )
    say(f"install the distribution's packages {', '.join(packages)}")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    attempt("apt-get", "update", "--quiet", env=environment)
    words = ["install", "--yes", "--quiet", "--no-install-recommends", *packages]
    result = attempt("apt-get", *words, env=environment)
    if result.returncode != 0:
        raise RigError(
            f"`apt-get install {' '.join(packages)}` failed; install them by hand and start again. apt said:\n"
            + last_words(result.stderr, 4)
        )
