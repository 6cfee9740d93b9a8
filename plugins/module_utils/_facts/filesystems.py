# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the file systems that a driver or a toolkit needs room on."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

MOUNTS = "/proc/self/mounts"
PATHS = ("/", "/boot", "/usr", "/var", "/var/lib")
MIB = 1024 * 1024
# The kernel writes blanks and backslashes of a mount point in octal.
OCTAL = re.compile(r"\\([0-3][0-7]{2})")


def parse_mounts(text: str) -> list[str]:
    """The mount points."""
    lines = (line.split(" ") for line in text.splitlines())
    return [OCTAL.sub(lambda match: chr(int(match.group(1), 8)), words[1]) for words in lines if len(words) > 2]


def mount_of(path: str, mounts: list[str]) -> str | None:
    """The mount point that holds a path: the longest one that it begins with."""
    holders = [mount for mount in mounts if mount == "/" or f"{path}/".startswith(f"{mount.rstrip('/')}/")]
    return max(holders, key=len, default=None)


def read(host: Host) -> Reading:
    problems = []
    mounts: list[str] = []
    try:
        mounts = parse_mounts(host.read(MOUNTS))
    except KubeGpuError as exc:
        problems.append(str(exc))
    value = {}
    for path in PATHS:
        found: dict[str, t.Any] = {"mount": None, "total_mib": None, "available_mib": None}
        place = host.real_path(path)
        try:
            if place is not None:
                space = host.space(path)
                found = {
                    "mount": mount_of(place or "/", mounts),
                    "total_mib": space.total_bytes // MIB,
                    "available_mib": space.available_bytes // MIB,
                }
        except KubeGpuError as exc:
            problems.append(str(exc))
        value[path] = found
    return Reading({"filesystems": value}, {"filesystems": Source(False, "; ".join(problems)) if problems else OK})
