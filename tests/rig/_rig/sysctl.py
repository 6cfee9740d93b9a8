# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rig changes on the machine beside podman's objects, and how it is put back: sysctls."""

from __future__ import annotations

import json
from pathlib import Path

PROC = Path("/proc/sys")

# Written by podman's network (ip_forward), by kubelets in privileged containers (vm.*, kernel.*), and by the rig.
TOUCHED = (
    "fs.inotify.max_user_instances",
    "kernel.keys.root_maxbytes",
    "kernel.keys.root_maxkeys",
    "kernel.panic",
    "kernel.panic_on_oops",
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "vm.overcommit_memory",
    "vm.panic_on_oom",
)
# Each container with systemd takes some inotify instances of the one allowance that all of root's processes share.
INOTIFY_INSTANCES = 8192


def prepare(record: Path) -> None:
    """Write down what the touched sysctls are, unless an earlier `up` did, then raise what many hosts need."""
    if not record.exists():
        part = record.with_suffix(".part")
        part.write_text(json.dumps({name: value for name in TOUCHED if (value := _read(name)) is not None}, indent=2))
        part.rename(record)
    if int(_read("fs.inotify.max_user_instances") or INOTIFY_INSTANCES) < INOTIFY_INSTANCES:
        _write("fs.inotify.max_user_instances", str(INOTIFY_INSTANCES))


def put_back(record: Path) -> None:
    if not record.exists():
        return
    for name, value in json.loads(record.read_text()).items():
        if _read(name) != value:
            _write(name, value)


def _file(name: str) -> Path:
    return PROC / name.replace(".", "/")


def _read(name: str) -> str | None:
    try:
        return _file(name).read_text().strip()
    except OSError:
        return None  # this kernel has no such knob


def _write(name: str, value: str) -> None:
    _file(name).write_text(value)
