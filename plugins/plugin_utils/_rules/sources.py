# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Rules about where packages come from: mirrors, and sources that somebody else has written."""

from __future__ import annotations

import re

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _cuda_plan, _distribution, _host_plan
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import (
    DISTRO,
    LOCAL_REPO,
    PREINSTALLED,
    REPO,
    RUNFILE,
    Case,
    flag,
    part,
    rows,
    text,
)
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules.finding import Findings, Planned, Rule, refuse

DRIVER_SOURCES = (REPO, DISTRO, LOCAL_REPO, RUNFILE, PREINSTALLED)
SOURCES = "/etc/apt/sources.list.d/"
# All that apt reads there; a file with another ending, such as .save, it leaves alone.
SOURCE_ENDINGS = (".list", ".sources")
# Addresses of folders of the host: a repository that came as a package has nobody to quarrel with about its key.
LOCAL = "file:"


def _mirrors(case: Case) -> list[str]:
    """The mirror of all wishes, and the toolkit's where it has one of its own."""
    found = [text(case.wishes, "mirror"), text(case.toolkit_wish, "mirror")]
    return list(dict.fromkeys(mirror for mirror in found if mirror))


def _host_of(mirror: str) -> str:
    """What stands between the scheme and the path, credentials and all."""
    return re.split(r"[/?#]", mirror.partition("://")[2] or mirror, maxsplit=1)[0]


def _without_credentials(mirror: str) -> str:
    """An address as it may be shown: logs keep what a refusal says."""
    return re.sub(r"^([A-Za-z]+://)?.*@", r"\1", mirror)


def mirror_without_tls(case: Case, planned: Planned) -> Findings:
    plain = [_without_credentials(mirror) for mirror in _mirrors(case) if not mirror.startswith("https://")]
    if plain:
        found = ", ".join(plain)
        reason = f"The mirror {found} is not reached over TLS"
        yield refuse("mirror-without-tls", found, "https://...", "set kubegpu_mirror to an https:// address", reason)


def mirror_with_credentials(case: Case, planned: Planned) -> Findings:
    """The address itself is told nowhere, since what is refused here is that others get to read it."""
    if any("@" in _host_of(mirror) for mirror in _mirrors(case)):
        way_out = "take them out of the address and put them into a file in /etc/apt/auth.conf.d on the hosts"
        reason = (
            "The address of the mirror has credentials in it, and it would be written into a file that all may read"
        )
        yield refuse("mirror-with-credentials", "credentials before the host", "an address without", way_out, reason)


def foreign_source(case: Case, planned: Planned) -> Findings:
    """With two sources of one repository that name different keys, apt reads no source at all any more."""
    names = {path: path[len(SOURCES) :] for path in case.files if path.startswith(SOURCES)}
    local = {
        text(row, "file") for row in rows(case.facts, "package_sources") if (text(row, "uri") or "").startswith(LOCAL)
    }
    theirs = {path: name.lower() for path, name in sorted(names.items()) if _is_foreign_source(name.lower())}
    theirs = {path: name for path, name in theirs.items() if path not in local}
    foreign = [path for path, name in theirs.items() if _is_in_the_way(case, planned, name)]
    if foreign:
        found = ", ".join(foreign)
        way_out = (
            "remove it (if by the package cuda-keyring: apt purge cuda-keyring) and run again; the role brings its own"
        )
        reason = f"{found} is not by this collection, and apt fails for all packages if one repository has two keys"
        yield refuse("foreign-source", found, "no other source of NVIDIA's packages", way_out, reason)


def _is_foreign_source(name: str) -> bool:
    theirs = "cuda" in name or "nvidia" in name
    return theirs and "kubegpu" not in name and name.endswith(SOURCE_ENDINGS)


def _is_in_the_way(case: Case, planned: Planned, name: str) -> bool:
    """NVIDIA's container toolkit has a repository of its own, with which one of drivers and CUDA does not quarrel."""
    if "container" in name or "docker" in name:
        return case.wants_toolkit
    return _wishes_packages(case, planned)


def _wishes_packages(case: Case, planned: Planned) -> bool:
    """Whether anything is to be installed from NVIDIA's repository of drivers and CUDA."""
    kept = planned.target is not None and planned.target.kept
    return (case.wants_driver and not kept and case.source == REPO) or _cuda_plan.wants_packages(case)


def repository_architecture(case: Case, planned: Planned) -> Findings:
    """Of some distributions NVIDIA has packages for fewer machines than the distribution has itself."""
    architecture = text(case.platform, "architecture")
    if architecture is None or not case.line or architecture not in case.line["architectures"]:
        return
    if not _wishes_packages(case, planned):
        return
    there, source = case.data.repository_architectures(case.line)
    if architecture not in there:
        name = text(case.platform, "name") or "this distribution"
        way_out = "take the driver from the distribution with nvidia_driver_source: distro, and CUDA from runfiles"
        reason = f"NVIDIA's repository for {name} has no packages for {architecture}"
        yield refuse("repository-architecture", ", ".join(there), architecture, way_out, reason, source)


def imex_of_the_branch(case: Case, planned: Planned) -> Findings:
    target = planned.target
    if target is None or target.kept or case.source not in (REPO, LOCAL_REPO) or not _host_plan.wants_imex(case):
        return
    if not case.data.fabric_packages(case.manager, target.branch, "imex"):
        known = [branch for branch in case.data.branches() if case.data.fabric_packages(case.manager, branch, "imex")]
        way_out = f"set nvidia_driver_branch to {min(known)} or newer, or do without (nvidia_driver_imex: false)"
        reason = f"Branch {target.branch} has no IMEX service"
        yield refuse("imex-without-packages", f"branch {target.branch}", "packages of IMEX", way_out, reason)


def unknown_source(case: Case, planned: Planned) -> Findings:
    if case.wants_driver and case.source not in DRIVER_SOURCES:
        words = ", ".join(DRIVER_SOURCES)
        reason = f"There is no source of the driver called {case.source}"
        yield refuse("unknown-source", case.source, words, f"set nvidia_driver_source to one of {words}", reason)


def branch_of_the_distribution(case: Case, planned: Planned) -> Findings:
    """Of words another rule tells that no branch fits."""
    target = planned.target
    if target is None or target.kept or case.source != DISTRO or not case.line:
        return
    lines = [line for line in case.distro_drivers if line.flavour == target.flavour]
    known = [str(line.branch) for line in lines]
    if str(target.branch) in known:
        return
    name, has = text(case.platform, "name") or "This distribution", ", ".join(known) or "none"
    ways = [f"set nvidia_driver_branch to {' or '.join(known)}"] if known else []
    way_out = ", or ".join([*ways, "take the driver from NVIDIA's repository with nvidia_driver_source: repo"])
    reason = f"{name} has no driver of branch {target.branch} with {target.flavour} modules itself, only branch {has}"
    yield refuse("distribution-branch", f"branch {has}", f"branch {target.branch}", way_out, reason)


def components(case: Case, planned: Planned) -> Findings:
    """Where the host's own entries are not understood, nobody adds any beside them."""
    if planned.components["missing"] is not None:
        return
    needed = " ".join(planned.components["needed"])
    obstacles = _distribution.obstacles(case)
    found = "; ".join(obstacles) or "no package source of the host is known to be its distribution's"
    way_out = f"enable {needed} yourself in the host's package sources"
    way_out += "" if obstacles else ", or let apt read its lists (apt-get update), which say whose they are"
    reason = f"The packages are in the components {needed}, and they cannot be enabled: {found}"
    yield refuse("distribution-components", found, needed, way_out, reason)


def kernel_without_modules(case: Case, planned: Planned) -> Findings:
    """Ubuntu's signed modules are named after the kernel that they are for."""
    target = planned.target
    if target is None or target.kept or case.builds_modules or case.kernel_flavour:
        return
    running = text(part(case.platform, "kernel"), "running") or "unknown"
    way_out = "boot a kernel of the distribution, or take NVIDIA's own packages with nvidia_driver_source: repo"
    reason = f"The distribution has modules for its own kernels only, and {running} is none of them"
    yield refuse("foreign-kernel", running, "a kernel of the distribution", way_out, reason)


def fabric_of_the_distribution(case: Case, planned: Planned) -> Findings:
    """Without a fabric manager of its very version CUDA does not start beside switches, and the data names none."""
    target = planned.target
    if target is None or target.kept or case.source != DISTRO:
        return
    if _host_plan.wants_imex(case):
        way_out = "take the driver from NVIDIA's repository (nvidia_driver_source: repo), or do without IMEX"
        reason = "No distribution's own IMEX service is known"
        yield refuse("imex-without-packages", "none", "packages of IMEX", way_out, reason)
    if not planned.fabric["needed"]:
        return
    if flag(part(case.driver, "fabric_manager"), "present") is True:
        return
    name = text(case.platform, "name") or "This distribution"
    reason = (
        f"CUDA does not start here without a fabric manager of the driver's version, for {planned.fabric['why']},"
        f" and none of {name}'s own is known"
    )
    way_out = "take the driver from NVIDIA's repository with nvidia_driver_source: repo"
    yield refuse("distribution-fabric", planned.fabric["why"], "a fabric manager", way_out, reason)


RULES: tuple[Rule, ...] = (
    mirror_without_tls,
    mirror_with_credentials,
    foreign_source,
    repository_architecture,
    unknown_source,
    branch_of_the_distribution,
    components,
    kernel_without_modules,
    fabric_of_the_distribution,
    imex_of_the_branch,
)
