# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the processes that hold the driver's device files open, and so keep it loaded."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import processes
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

DEVICES = "/dev/nvidia"
MODULE = "/sys/module/nvidia"
GONE = " (deleted)"


def devices(targets: t.Iterable[str]) -> list[str]:
    """The device files among the targets of a process's open files. One whose name was removed still holds."""
    held = {target for target in targets if target.startswith(DEVICES)}
    return sorted({target[: -len(GONE)] if target.endswith(GONE) else target for target in held})


def _held_by(host: Host, pid: int) -> list[str]:
    """A process that is gone holds nothing. Raises where it may not be looked at."""
    try:
        return devices(host.links(f"/proc/{pid}/fd"))
    except KubeGpuError as exc:
        if exc.details.get("missing"):
            return []
        raise


def holder(host: Host, pid: int, held: list[str]) -> dict[str, t.Any]:
    owner = processes.owner(host, pid)
    return {
        "pid": pid,
        "name": processes.name(host, pid),
        "unit": owner.unit,
        "container": owner.container,
        "devices": held,
    }


def read(host: Host) -> Reading:
    """The holders by pid. Half a list would be taken for the whole, so it is all processes or none."""
    if not host.is_dir(MODULE) and not host.glob(f"{DEVICES}*"):
        return Reading([], {"holders": OK})
    if host.uid() != 0:
        return Reading(None, {"holders": Source(None, "not asked: other users' processes are root's to look at")})
    try:
        pids = sorted(int(name) for name in host.list_dir("/proc") if name.isascii() and name.isdigit())
        held = {pid: _held_by(host, pid) for pid in pids}
    except KubeGpuError as exc:
        return Reading(None, {"holders": Source(False, str(exc))})
    return Reading([holder(host, pid, files) for pid, files in held.items() if files], {"holders": OK})
