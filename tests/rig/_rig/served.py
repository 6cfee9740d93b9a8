# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the package server has for some fleets only: it is put there when one comes that wants it."""

from __future__ import annotations

import shutil
from pathlib import Path

from _rig.state import state

# Where the server sees the folder of the state that all of it is in.
MOUNT = "/srv/kubegpu-rig-more"
# Each kind, and where it has its files, seen from the root of what is served.
KINDS = {
    "dnf": ("compute/cuda/repos/rhel9/x86_64", "compute/cuda/repos/rhel10/x86_64", "el"),
    "dnf-arm64": ("compute/cuda/repos/rhel9/sbsa", "compute/cuda/repos/rhel10/sbsa", "el-aarch64"),
    "apt-arm64": tuple(f"compute/cuda/repos/ubuntu{release}/sbsa" for release in ("2204", "2404", "2604")),
    "driver-files": ("tesla", "compute/nvidia-driver"),
    "ubuntu": ("ubuntu",),
    "ubuntu-arm64": ("ubuntu-ports",),
}


def more() -> Path:
    """The folder of the state; the control plane has it mounted from its start."""
    return state() / "more"


def link(root: Path) -> None:
    """Let what is always served point to what may come."""
    for kind, paths in KINDS.items():
        for path in paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(f"{MOUNT}/{kind}/{path}")


def publish(kind: str, made: Path) -> None:
    """Let the server have it, as the cache has it now."""
    target = more() / kind
    mark = more() / f".{kind}-{made.name}"
    if not mark.exists():
        for old in more().glob(f".{kind}-*"):
            old.unlink()
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target)
        mark.touch()
