# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Rules about what is on the host already: others' drivers, held packages, users of the GPU, daemons."""

from __future__ import annotations

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _driver_plan, _effect, _host_plan, _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import (
    DISTRO,
    LOCAL_REPO,
    REPO,
    RUNFILE,
    RUNFILE_FILE,
    Case,
    flag,
    part,
    rows,
    text,
)
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules.finding import Findings, Planned, Rule, refuse

KEEP_WORDS = "or leave it as it is with nvidia_driver_branch: keep"


def foreign_driver(case: Case, planned: Planned) -> Findings:
    """Packages beside a driver that came another way are two drivers in each other's files."""
    if not case.wants_driver or (planned.target and planned.target.kept):
        return
    on_disk, by = text(case.driver, "on_disk"), text(case.driver, "installed_by")
    evidence = text(case.driver, "installed_by_evidence")
    why = f" ({evidence})" if evidence else ""
    by_run, unpackaged = by == RUNFILE, by in (None, "unknown") and not _driver_plan.driver_packages(case)
    if by_run and case.source == RUNFILE:
        return
    if by_run or (on_disk and unpackaged):
        version = on_disk or _driver_plan.there(case)
        ours = by_run and RUNFILE_FILE in case.files
        way_out = "remove it the way it was installed (nvidia-uninstall, if by NVIDIA's .run file)"
        way_out = f"{_removal(case) if ours else way_out}, {KEEP_WORDS}"
        reason = f"Driver {version} is installed, but not by a package{why}"
        yield refuse("foreign-driver", f"driver {version} without packages", "packages", way_out, reason)
    elif case.source == RUNFILE:
        yield from _packages_there(case, why)
    elif by == DISTRO and case.source in (REPO, LOCAL_REPO):
        version = _driver_plan.there(case)
        way_out = f"{_removal(case)}, stay with them (nvidia_driver_source: distro), {KEEP_WORDS}"
        reason = f"Driver {version} is installed from the distribution, and NVIDIA's packages do not go beside it{why}"
        yield refuse("distribution-driver", f"the distribution's driver {version}", "NVIDIA's", way_out, reason)
    elif by == REPO and case.source == DISTRO:
        version = _driver_plan.there(case)
        way_out = f"{_removal(case)}, stay with them (nvidia_driver_source: repo), {KEEP_WORDS}"
        reason = f"Driver {version} is installed from NVIDIA's repository, and the distribution's does not go beside it"
        yield refuse("repository-driver", f"NVIDIA's driver {version}", "the distribution's", way_out, reason + why)


def _packages_there(case: Case, why: str) -> Findings:
    """NVIDIA's installer writes over the files of packages, and the next update of those over its own."""
    there = _driver_plan.driver_packages(case)
    if not there:
        return
    found = _effect.some(there, 3)
    way_out = f"{_removal(case)}, choose their source in nvidia_driver_source, {KEEP_WORDS}"
    reason = (
        f"Driver {_driver_plan.there(case)} is installed by packages, and NVIDIA's installer does not go beside them"
    )
    yield refuse("packaged-driver", found, "no packages of a driver", way_out, reason + why)


def _removal(case: Case) -> str:
    if case.brought or RUNFILE_FILE in case.files:
        return "remove it first with nvidia_driver_state: absent"
    return "remove its packages first"


def loaded_from_elsewhere(case: Case, planned: Planned) -> Findings:
    """A driver container brings its files itself; packages beside it would be a second driver under the loaded one."""
    loaded = text(case.driver, "loaded")
    if not (case.wants_driver and loaded) or case.installed or _driver_plan.driver_packages(case):
        return
    way_out = (
        "if a driver container has loaded it, as the GPU Operator's does, take that off this host first"
        " (label nvidia.com/gpu.deploy.driver=false on its node); then unload it or reboot the host"
    )
    reason = f"Driver {loaded} is loaded, but nothing of it is installed on this host"
    yield refuse(
        "loaded-from-elsewhere", f"driver {loaded}, loaded only", "a driver of this host's own", way_out, reason
    )


def held_packages(case: Case, planned: Planned) -> Findings:
    """A package manager does not change what somebody holds, and this collection does not undo it behind their back."""
    changed = _changed_packages(case, planned)
    held = [name for name in changed if flag(case.packages[name], "held") is True]
    if held:
        found = ", ".join(held)
        command = (
            f"apt-mark unhold {' '.join(held)}" if case.manager == "apt" else f"dnf versionlock delete {' '.join(held)}"
        )
        way_out = f"release them ({command}), or wish for the version that is installed"
        reason = f"Somebody holds packages that would have to change: {found}"
        yield refuse("held-packages", found, "packages that may change", way_out, reason)


def _changed_packages(case: Case, planned: Planned) -> list[str]:
    """Installed packages that the plan replaces or removes."""
    driver, toolkit = planned.driver, planned.toolkit
    names = [*driver["remove"], *planned.cuda["remove"]]
    if driver["action"] == "change":
        names += driver["parts"]
    if driver["action"] == "install":
        names += [package["name"] for package in driver["packages"]]
    names += [*planned.fabric["missing"], *planned.fabric["obsolete"], *driver["obsolete"]]
    if toolkit["action"] in ("change", "absent"):
        names += [line["name"] if isinstance(line, dict) else line for line in toolkit["packages"]]
    return sorted({name for name in names if name in case.packages})


def users_of_the_gpu(case: Case, planned: Planned) -> Findings:
    holders = rows(case.driver, "holders")
    disruption = planned.driver["disruption"]
    if holders and (disruption == "reboot" or (disruption == "unload" and case.allows_reboot)):
        named = _effect.some([_effect.holder_words(line) for line in holders])
        yield f"These use a GPU now and are stopped by the reboot: {named}."


def removal_while_in_use(case: Case, planned: Planned) -> Findings:
    """Before anything of the driver is stopped: with half of it gone its users would stand without it as well."""
    using = _effect.users(case) if planned.driver["disruption"] == "unload" else None
    if using and not case.allows_reboot:
        found = f"in use by {_effect.some(using)}"
        way_out = "stop them first, or allow the reboot with nvidia_driver_reboot: true"
        reason = f"The driver is to be removed, and its kernel modules are {found}"
        yield refuse("driver-in-use", found, "nobody who uses a GPU", way_out, reason)


def switches_in_use(case: Case, planned: Planned) -> Findings:
    """Another fabric manager ends the one that runs, and the memory that jobs share over the switches with it."""
    manager = part(case.driver, "fabric_manager")
    anew = planned.driver["action"] == "change" and planned.fabric["needed"] and planned.fabric["missing"]
    replaced = anew and flag(manager, "present")
    using = _effect.users(case) if replaced and text(case.driver, "loaded") else None
    if using and not case.allows_reboot:
        found = f"in use by {_effect.some(using)}"
        way_out = "stop them first, or allow the reboot that stops them with nvidia_driver_reboot: true"
        reason = f"Another driver needs another fabric manager ({planned.fabric['why']}), and the GPUs are {found}"
        yield refuse("fabric-in-use", found, "nobody who uses a GPU", way_out, reason)


def daemons_of_the_driver(case: Case, planned: Planned) -> Findings:
    """Fabric manager and IMEX work with no other driver than that of their own version."""
    for key, name in (("fabric_manager", "fabric manager"), ("imex", "IMEX daemon")):
        daemon = part(case.driver, key)
        if planned.fabric["missing"] and (key == "fabric_manager" or _host_plan.wants_imex(case)):
            continue
        version = text(daemon, "version")
        if flag(daemon, "present") is not True or version is None or planned.version is None:
            continue
        if not _is_the_same(version, planned.version):
            yield (
                f"The {name} is version {version} and works only with a driver of that version, not with"
                f" {planned.version}: it has to be installed in the driver's version as well."
            )


def _is_the_same(version: str, driver: str) -> bool:
    """A driver of which only the branch is settled may still come in the daemon's version."""
    if "." not in driver:
        return _versions.branch_of(version) == _versions.branch_of(driver)
    return _versions.upstream(version) == driver


def fabric_manager_is_missing(case: Case, planned: Planned) -> Findings:
    daemon = part(case.driver, "fabric_manager")
    if planned.fabric["missing"] or not case.wants_driver:
        return
    if planned.fabric["needed"] and flag(daemon, "present") is False:
        names = ", ".join(package["spec"] for package in planned.fabric["packages"])
        yield (
            f"CUDA does not start here without a fabric manager of the driver's version, for {planned.fabric['why']};"
            f" none is installed{f' (packages {names})' if names else ''}."
        )


RULES: tuple[Rule, ...] = (
    foreign_driver,
    loaded_from_elsewhere,
    held_packages,
    users_of_the_gpu,
    removal_while_in_use,
    switches_in_use,
    daemons_of_the_driver,
    fabric_manager_is_missing,
)
