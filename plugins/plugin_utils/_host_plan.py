# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. What else a driver needs of its host: headers of the kernels it is built for, and the switches' manager."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _effect, _kernels, _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import (
    DISTRO,
    RUNFILE,
    Case,
    Section,
    flag,
    part,
    text,
)
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._driver_plan import Target, missing

# Actions of the driver's that bring packages.
INSTALLS = ("install", "change")
# What the facts call a switch, as the data calls what it needs.
SWITCHES = {"nvswitch": "nvswitch", "nvlink-bridge": "nvlink5"}
SWITCH_WORDS = {
    "nvswitch": "this host has NVSwitches",
    "nvlink-bridge": "this host reaches the switches of NVLink 5 through a bridge",
}

# Kernel modules through which a fabric manager reaches switches that are no PCI devices of the host's.
REACHED_THROUGH = {"nvswitch": [], "nvlink-bridge": ["mlx5_core", "ib_umad"]}


def kernel(case: Case, wanted: Target | None, driver: Section) -> dict[str, t.Any]:
    """The modules are built on the host, for the kernel that runs and for the one that boots next."""
    installs = driver["action"] in INSTALLS
    boots = {**_kernels.boots(case), "ready": _is_ready(case, wanted)}
    if wanted is None or wanted.kept or not case.wants_driver or not case.builds_modules:
        nothing: dict[str, list[str]] = {"headers": [], "tools": [], "missing": [], "build": []}
        return {"action": "none", **nothing, "boots": boots, "why": "no modules are built here"}
    releases = _kernels.releases(case)
    needs = [name for name in _kernels.without_headers(case) if installs or _kernels.module(case, name) is None]
    tools = case.data.build_packages(case.manager, case.source)
    lacking = [name for release in needs for name in case.data.header_packages(case.manager, release)]
    if installs and (case.packages or part(case.facts, "sources", "packages").get("ok") is True):
        to_come = [name for name in tools if name not in case.packages]
        lacking += [*_kernels.matched(case, to_come), *to_come]
    build = _unbuilt(case, wanted, tools)
    return {
        "action": "install" if lacking or build else "none",
        "headers": _once(name for release in releases for name in case.data.header_packages(case.manager, release)),
        "tools": tools,
        "missing": _once(lacking),
        "build": build,
        "boots": boots,
        "why": _kernel_words(case, releases),
    }


def _is_ready(case: Case, wanted: Target | None) -> bool:
    """Whether a host that boots now comes up with the wanted driver."""
    return wanted is not None and wanted.is_met_by(_kernels.boots(case)["version"])


def _unbuilt(case: Case, wanted: Target, tools: list[str]) -> list[str]:
    """Kernels that DKMS has passed over, though the driver and what builds it are there."""
    there = wanted.is_met_by(case.installed) if case.source == RUNFILE else not missing(case, wanted)
    if not there or not all(name in case.packages for name in tools):
        return []
    # Of the kernel that runs NVIDIA's installer takes care, which is run again.
    found = [_unbuilt_now(case) if case.source != RUNFILE else None, _unbuilt_next(case, wanted)]
    return [release for release in found if release]


def _unbuilt_now(case: Case) -> str | None:
    """The kernel that runs, where a build for it has failed while it came: that fails no transaction."""
    release = _kernels.running(case)
    known = part(case.facts, "sources", "modinfo").get("ok") is True and text(case.driver, "on_disk") is None
    return release if known and release != _kernels.left_out(case) else None


def _unbuilt_next(case: Case, wanted: Target) -> str | None:
    """The kernel that boots next. It came after the driver, or a newer one runs that is none of the host's own."""
    release = _kernels.following(case)
    if release in (None, _kernels.running(case)) or _kernels.module(case, str(release)) is not None:
        return None
    there = _kernels.left_out(case) or _unbuilt_now(case) or wanted.is_met_by(text(case.driver, "on_disk"))
    return release if there else None


def _kernel_words(case: Case, releases: list[str]) -> str:
    without = _kernels.left_out(case)
    words = f"modules are built for {' and '.join(releases) or 'kernels that are not known'}"
    return (
        f"{words}; not for {without}, which runs but is none of the host's own, so that it has no headers"
        if without
        else words
    )


def services(case: Case, wanted: Target | None, driver: Section) -> dict[str, t.Any]:
    """The driver's own services that are not as they should be. Those that its packages bring are started then."""
    if wanted is None or wanted.kept or not case.wants_driver:
        return {"action": "none", "start": []}
    keys = ["persistenced", *(["fabric_manager"] if _switches(case) else [])]
    brings = driver["action"] in INSTALLS
    start = [_effect.UNITS[key] for key in keys if _is_to_start(part(case.driver, key), brings)]
    return {"action": "change" if start else "none", "start": start}


def _is_to_start(service: Section, brings: bool) -> bool:
    if flag(service, "present") is not True:
        return brings
    return flag(service, "active") is False or flag(service, "enabled") is False


def _switches(case: Case) -> list[str]:
    return [kind for kind in SWITCHES if any(device.get("kind") == kind for device in case.devices)]


def wants_imex(case: Case) -> bool:
    """Whether this host shares memory of its GPUs with others over NVLink, as machines with GB200 do."""
    return case.wants_driver and flag(case.wish, "imex") is True


def fabric(case: Case, wanted: Target | None, version: str | None) -> dict[str, t.Any]:
    """A fabric manager works with no other version of the driver than its own, and IMEX neither."""
    value = _switched(case)
    purposes = [*([SWITCHES[value["kind"]]] if value["kind"] else []), *(["imex"] if wants_imex(case) else [])]
    branch = wanted.branch if wanted else _versions.branch_of(version or "")
    if branch is None or not case.wants_driver or case.source in (DISTRO, RUNFILE):
        return value
    pin = _pin(wanted, version, case)
    found = [item for purpose in purposes for item in case.data.fabric_packages(case.manager, branch, purpose)]
    value["packages"] = [
        {
            "name": package.name,
            "version_pin": pin if package.pinned else None,
            "spec": case.spec(package.name, pin if package.pinned else None),
        }
        for package in found
    ]
    if wanted and not wanted.kept:
        loaded = part(case.driver, "modules")
        value["modules"] = REACHED_THROUGH.get(value["kind"], [])
        value["load"] = [name for name in value["modules"] if name not in loaded]
        value["missing"] = [package["name"] for package in value["packages"] if not _has(case, wanted, package)]
        value["obsolete"] = _of_other_branches(case, wanted.branch)
    return {**value, "action": "install" if value["missing"] or value["obsolete"] else "none"}


def _of_other_branches(case: Case, branch: int) -> list[str]:
    """Packages of ours whose names say another branch: they work with no driver of this one."""
    names = {number: _names_of_fabric(case, number) for number in case.data.branches()}
    others = set().union(*names.values()) - names.get(branch, set())
    return sorted(others & case.packages.keys() & case.brought.keys())


def _names_of_fabric(case: Case, branch: int) -> set[str]:
    purposes = (*SWITCHES.values(), "imex")
    found = (case.data.fabric_packages(case.manager, branch, purpose) for purpose in purposes)
    return {package.name for packages in found for package in packages if package.pinned}


def _switched(case: Case) -> dict[str, t.Any]:
    """What a host has of switches, and nothing that is to be done about it yet."""
    kinds = _switches(case)
    names = ("packages", "missing", "obsolete", "modules", "load")
    nothing: dict[str, t.Any] = {"action": "none", **{name: [] for name in names}}
    if not kinds:
        return {"needed": False, "kind": None, **nothing, "why": "no NVSwitch and no NVLink bridge was found"}
    return {"needed": True, "kind": kinds[-1], **nothing, "why": SWITCH_WORDS[kinds[-1]]}


def _has(case: Case, wanted: Target, package: Section) -> bool:
    """In the version of the driver that is there, or in one that will do."""
    version = case.package_version(package["name"])
    if version is None or not package["version_pin"]:
        return version is not None
    on_disk = text(case.driver, "on_disk")
    return version == on_disk if wanted.is_met_by(on_disk) else wanted.is_met_by(version)


def _pin(wanted: Target | None, version: str | None, case: Case) -> str:
    """The driver's own version where it is settled, or else what the driver itself is asked for by."""
    settled = wanted is None or wanted.version or wanted.is_met_by(text(case.driver, "on_disk"))
    return case.pin(version, 0) if settled or wanted is None else str(wanted.pin)


def _once(items: t.Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))
