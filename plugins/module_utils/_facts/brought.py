# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: packages that the role nvidia_driver has brought onto the host, as far as they are there.

The role writes their names down before the package manager begins: a transaction that broke off is told of too.
"""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import packages
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

# One name in a line.
RECORD = "/var/lib/kubegpu-nvidia-driver.packages"
# What dpkg calls a package that is gone, or of which only configuration files are left.
GONE = ("n", "c")


def of_dpkg(names: t.Collection[str], text: str, machine: str) -> dict[str, dict[str, t.Any]]:
    """Half of a package is there as well: it takes removal to be rid of it."""
    return {
        name: {"version": row.version, "whole": packages.is_whole(row)}
        for name, row in ((packages.dpkg_name(row, machine), row) for row in packages.rows(text))
        if name in names and row.more[1:2] not in GONE
    }


def of_rpm(names: t.Collection[str], text: str) -> dict[str, dict[str, t.Any]]:
    return {row.name: {"version": row.version, "whole": True} for row in packages.rows(text) if row.name in names}


def read(host: Host) -> Reading:
    try:
        names = frozenset(host.read(RECORD).split())
    except KubeGpuError as exc:
        missing = bool(exc.details.get("missing"))
        return Reading({} if missing else None, {"record": OK if missing else Source(False, str(exc))})
    try:
        debian, text = packages.database(host)
    except KubeGpuError as exc:
        return Reading(None, {"record": Source(False, f"packages: {exc}")})
    return Reading(of_dpkg(names, text, host.machine()) if debian else of_rpm(names, text), {"record": OK})
