# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's machine is called, and where that name stands: in packages, addresses of repositories and paths."""

from __future__ import annotations

from typing import NamedTuple

from _rig.shell import RigError


class Architecture(NamedTuple):
    machine: str  # uname's word, and rpm's
    deb: str  # dpkg's
    nvidia: str  # NVIDIA's folder for it in a repository of drivers and CUDA
    cuda: str  # what a toolkit is for, in its own folder
    ubuntu: str  # the archive of Ubuntu that has it
    enterprise: str  # the folder of the rig's Enterprise Linux

    @property
    def libraries(self) -> str:
        return f"usr/lib/{self.machine}-linux-gnu"


X86_64 = Architecture("x86_64", "amd64", "x86_64", "x86_64-linux", "ubuntu", "el")
AARCH64 = Architecture("aarch64", "arm64", "sbsa", "sbsa-linux", "ubuntu-ports", "el-aarch64")


def of(machine: str) -> Architecture:
    """By uname's word, where a host says another than the machine's own, for which all parts of the rig are."""
    if machine not in ("", AARCH64.machine):
        raise RigError(f"no host can say that it is {machine}, only {AARCH64.machine}")
    return AARCH64 if machine else X86_64
