# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. What else a driver needs of its host: headers of the kernels it is built for, and the switches' manager."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import Case, flag, part, rows, text
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._driver_plan import Target

# What the facts call a switch, as the data calls what it needs.
SWITCHES = {"nvswitch": "nvswitch", "nvlink-bridge": "nvlink5"}
SWITCH_WORDS = {
    "nvswitch": "this host has NVSwitches",
    "nvlink-bridge": "this host reaches the switches of NVLink 5 through a bridge",
}


def kernel(case: Case, wanted: Target | None) -> dict[str, t.Any]:
    """The modules are built on the host, for the kernel that runs and for the one that boots next."""
    if wanted is None or wanted.kept or not case.wants_driver:
        return {"headers": [], "missing": [], "why": "no modules are built here"}
    wished = {release: case.data.header_packages(case.manager, release) for release in releases(case)}
    missing = [name for release in without_headers(case) for name in wished.get(release, [])]
    return {
        "headers": _once(name for names in wished.values() for name in names),
        "missing": _once(missing),
        "why": f"modules are built for {' and '.join(wished) or 'kernels that are not known'}",
    }


def releases(case: Case) -> list[str]:
    """The kernel that runs, and the one that boots next."""
    known = part(case.platform, "kernel")
    return _once(release for release in (text(known, "running"), text(known, "next_boot")) if release)


def without_headers(case: Case) -> list[str]:
    """Kernels of these that are known to have no headers."""
    known = {text(line, "release"): flag(line, "headers") for line in rows(case.platform, "kernels")}
    return [release for release in releases(case) if known.get(release) is False]


def fabric(case: Case, wanted: Target | None, version: str | None) -> dict[str, t.Any]:
    """A fabric manager works with no other version of the driver than its own."""
    kinds = [kind for kind in SWITCHES if any(device.get("kind") == kind for device in case.devices)]
    if not kinds:
        return {"needed": False, "kind": None, "packages": [], "why": "no NVSwitch and no NVLink bridge was found"}
    value = {"needed": True, "kind": kinds[-1], "packages": [], "why": SWITCH_WORDS[kinds[-1]]}
    branch = wanted.branch if wanted else _versions.branch_of(version or "")
    if branch is None or not case.wants_driver:
        return value
    pin = _pin(wanted, version, case)
    value["packages"] = [
        {
            "name": package.name,
            "version_pin": pin if package.pinned else None,
            "spec": f"{package.name}={pin}" if package.pinned else package.name,
        }
        for package in case.data.fabric_packages(case.manager, branch, SWITCHES[kinds[-1]])
    ]
    return value


def _pin(wanted: Target | None, version: str | None, case: Case) -> str:
    """The driver's own version where it is settled, or else what the driver itself is asked for by."""
    settled = wanted is None or wanted.version or wanted.is_met_by(text(case.driver, "on_disk"))
    return f"{version}-*" if settled or wanted is None else str(wanted.pin)


def _once(items: t.Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))
