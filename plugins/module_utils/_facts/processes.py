# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: whose a process is, by the control group that it runs in."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

# <hierarchy>:<controllers>:<path>; hierarchy 0 is cgroup v2, the controller name=systemd is systemd's own in v1.
LINE = re.compile(r"^([0-9]+):([^:]*):(/.*)$", re.ASCII)
# docker-<id>.scope, cri-containerd-<id>.scope, crio-<id>.scope, libpod-<id>.scope; with the cgroupfs driver a bare
# <id>, crio-<id>, or <slice>:cri-containerd:<id> where runtime and kubelet disagree about the driver.
CONTAINER = re.compile(r"^(?:.*[:-])?([0-9a-f]{64})(?:\.scope)?$")
# conmon watches over a container; it does not run in it.
WATCHER = re.compile(r"(^|-)conmon-")
UNIT = re.compile(r"^[^/]+\.(service|scope)$")
SLICE = re.compile(r"^[^/]+\.slice$")


class Owner(t.NamedTuple):
    """What a process belongs to. In a container the unit is left out: the container says more."""

    unit: str | None
    container: str | None


NOBODY = Owner(None, None)


def owner_of_cgroup(text: str) -> Owner:
    """For the text of ``/proc/<pid>/cgroup``: the system's unit, or the id of the container."""
    paths = _paths(text)
    container = next((found for path in paths for found in [_container(path)] if found), None)
    if container:
        return Owner(None, container)
    return Owner(next((found for path in paths for found in [_unit(path)] if found), None), None)


def name(host: Host, pid: int) -> str | None:
    """The kernel's name of a process. Its command line may hold secrets, so nobody looks there."""
    try:
        return host.read(f"/proc/{pid}/comm", limit=64).strip() or None
    except KubeGpuError:
        return None


def owner(host: Host, pid: int) -> Owner:
    """The same for a process of the host. One that is gone, or may not be looked at, belongs to nobody known."""
    try:
        return owner_of_cgroup(host.read(f"/proc/{pid}/cgroup"))
    except KubeGpuError:
        return NOBODY


def _paths(text: str) -> list[list[str]]:
    """The paths in their parts, the ones that systemd made first."""
    lines = [found.groups() for found in map(LINE.match, text.splitlines()) if found]
    ranked = sorted(lines, key=lambda line: (line[0] != "0", line[1] != "name=systemd"))
    return [_without_deleted(path).split("/") for _number, _controllers, path in ranked]


def _without_deleted(path: str) -> str:
    ending = " (deleted)"
    return path[: -len(ending)] if path.endswith(ending) else path


def _container(parts: list[str]) -> str | None:
    """The innermost: the one that the process itself was started in."""
    for part in reversed(parts):
        found = None if WATCHER.search(part) else CONTAINER.match(part)
        if found:
            return found.group(1)
    return None


def _unit(parts: list[str]) -> str | None:
    """As systemd reads a path: the first part that is no slice, if it is a unit. What is below is its own affair."""
    inner = next((part for part in parts if part and part != ".." and not SLICE.match(part)), "")
    return inner if UNIT.match(inner) else None
