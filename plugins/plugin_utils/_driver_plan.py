# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. What has to happen with the driver of one host: facts and a wish in, a value out."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import (
    _branch_choice,
    _compat,
    _driver_files,
    _effect,
    _kernels,
    _versions,
)
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import (
    DISTRO,
    FLAVOURS,
    LOCAL_REPO,
    PIN_FILE,
    REPO,
    RUNFILE,
    RUNFILE_FILE,
    Case,
    part,
    text,
)

# Drivers of the kernel's own that claim an NVIDIA card; ours can only take over after a reboot.
RIVALS = ("nouveau", "nova", "nova_core", "nova_drm")
# Packages that pin the others to a branch; their own version is not the driver's.
PINNING = "nvidia-driver-pinning-"
NOTHING: dict[str, t.Any] = {
    "source": None,
    "version": None,
    "version_expected": None,
    "branch": None,
    "branch_reason": None,
    "flavour": None,
    "flavour_reason": None,
    "packages": [],
    "pin": None,
    "file": None,
    "remove": [],
    "uninstall": False,
    "obsolete": [],
    "parameters": {},
    "disruption": "none",
    "disruption_reason": None,
}
NOT_ASKED: dict[str, t.Any] = {"action": "none", "reason": "not asked for", **NOTHING, "reasons": []}


class Target(t.NamedTuple):
    """What the wish means on this host. `version` is None where any of the branch will do; `kept` is what stays."""

    branch: int
    version: str | None
    flavour: str | None
    branch_reason: str
    flavour_reason: str
    kept: bool
    packages: list[dict[str, t.Any]]

    def is_met_by(self, version: str | None) -> bool:
        if version is None:
            return False
        return version == self.version if self.version else _versions.branch_of(version) == self.branch

    @property
    def pin(self) -> str | None:
        """As apt matches versions; the revision of the package is its maker's."""
        if self.kept:
            return None
        return f"{self.version}-*" if self.version else f"{self.branch}.*"

    @property
    def words(self) -> str:
        wanted = f"driver {self.version}" if self.version else f"the newest driver of branch {self.branch}"
        return f"{wanted} with {self.flavour or 'its'} kernel modules"


def target(case: Case, chosen: _branch_choice.Chosen) -> Target | None:
    """None where the data has no answer; the rules say why."""
    if chosen.branch is None:
        return None
    kept = _branch_choice.keeps(case.wish)
    flavour, why = _kept_flavour(case) if kept else _flavour(case, chosen.branch)
    version = chosen.version if kept else chosen.version or _lagging(case, chosen.branch, flavour)
    wanted = Target(chosen.branch, version, flavour, chosen.reason, why, kept, [])
    if kept or case.source == RUNFILE:
        return wanted
    if case.source == DISTRO:
        found = case.distro_packages(chosen.branch, str(flavour))
    else:
        found = case.data.driver_packages(case.manager, chosen.branch, str(flavour), text(case.platform, "version"))
    if case.source == LOCAL_REPO:
        # It has one version alone, and the role's own pin holds the host at that.
        found = [package for package in found if package.pinned]
    return wanted._replace(packages=[_package(item, str(wanted.pin)) for item in found])


def _lagging(case: Case, branch: int, flavour: str | None) -> str | None:
    """The version of a distribution's modules that are behind its libraries, which have to be of the same."""
    lines = [line for line in case.distro_drivers if line.branch == branch] if case.source == DISTRO else []
    newest = {line.flavour: line.newest for line in lines if line.newest}
    own = newest.get(str(flavour))
    return own if own and any(_versions.order(own) < _versions.order(other) for other in newest.values()) else None


def _kept_flavour(case: Case) -> tuple[str | None, str]:
    driver = case.driver
    flavour = text(driver, "on_disk_flavour") if text(driver, "on_disk") else text(driver, "flavour")
    return flavour, "that is how it is installed"


def _flavour(case: Case, branch: int) -> tuple[str, str]:
    """What is wished for, or else what `auto` means here. One card can decide: a host has one driver for all."""
    wished = text(case.wish, "flavour") or "auto"
    if wished != "auto":
        return wished, "as wished"
    only = _branch_choice.flavour_of_cards(case)
    if only:
        card = next(card for card in case.cards if card.modules in ("never", "only"))
        return only, f"card {card.words} has only these modules ({card.modules_source})"
    recommended = case.data.default_flavour(branch)
    return recommended.value, f"what NVIDIA recommends for branch {branch} ({recommended.source})"


def _package(package: _compat.Package, pin: str) -> dict[str, t.Any]:
    version_pin = pin if package.pinned else None
    return {
        "name": package.name,
        "kind": package.kind,
        "version_pin": version_pin,
        "spec": f"{package.name}={version_pin}" if version_pin else package.name,
    }


def there(case: Case) -> str | None:
    """The driver that is on the host now, installed or only still loaded."""
    return case.installed or text(case.driver, "loaded")


def version_to_be(case: Case, wanted: Target) -> str | None:
    """The version that the host has after the plan: what is there if that will do, or the newest that is known."""
    before = case.installed
    if wanted.version or wanted.is_met_by(before):
        return wanted.version or before
    if case.source == DISTRO:
        own = case.distro_driver(wanted.branch, wanted.flavour)
        return own.newest if own else None
    line = case.data.branch(wanted.branch)
    return line.newest if line else None


def decide(case: Case, wanted: Target | None) -> dict[str, t.Any]:
    if case.wish.get("state") == "absent":
        return _absent(case)
    if wanted is None:
        return _value("none", "see the refusals")
    how = kept_action if wanted.kept else _run_action if case.source == RUNFILE else _action
    action, reason = how(case, wanted)
    disruption, why = _disruption(case, action)
    return _value(
        "reload" if (action, disruption) == ("reboot", "reload") else action,
        reason,
        source=case.source,
        version=wanted.version,
        version_expected=version_to_be(case, wanted),
        branch=str(wanted.branch),
        branch_reason=wanted.branch_reason,
        flavour=wanted.flavour,
        flavour_reason=wanted.flavour_reason,
        packages=wanted.packages,
        pin=wanted.pin if wanted.packages else None,
        file=None if wanted.kept else _driver_files.step(case, wanted.version, wanted.flavour),
        obsolete=_obsolete(case, wanted),
        parameters=_effect.parameters(case),
        disruption=disruption,
        disruption_reason=why,
    )


def _value(action: str, reason: str, **other: t.Any) -> dict[str, t.Any]:
    value = {"action": action, "reason": reason, **NOTHING, **other}
    branch, flavour = value["branch"], value["flavour"]
    value["reasons"] = [
        *([f"Branch {branch}: {value['branch_reason']}."] if branch else []),
        *([f"Kernel modules {flavour}: {value['flavour_reason']}."] if flavour else []),
    ]
    return value


def _action(case: Case, wanted: Target) -> tuple[str, str]:
    if missing(case, wanted):
        before = case.installed
        if before is None:
            return "install", f"no driver is installed; {wanted.words} is wanted"
        return "change", f"driver {before} is installed; {wanted.words} is wanted"
    if _waits_for_its_kernel(case, wanted):
        return "reboot", f"driver {there(case)} is built for kernel {_kernels.following(case)}, which boots next"
    if not (wanted.is_met_by(text(case.driver, "on_disk")) and case.driver.get("on_disk_flavour") == wanted.flavour):
        return "install", f"its packages are installed, but {versions(case)}"
    return _loading(case) or _agreement(case)


def _run_action(case: Case, wanted: Target) -> tuple[str, str]:
    """No package tells what NVIDIA's installer has done; what it has put on the disk does."""
    before, on_disk = case.installed, text(case.driver, "on_disk")
    if before is None:
        return "install", f"no driver is installed; {wanted.words} is wanted"
    if _waits_for_its_kernel(case, wanted):
        return "reboot", f"driver {there(case)} is built for kernel {_kernels.following(case)}, which boots next"
    if on_disk is None and wanted.is_met_by(before):
        return "install", f"NVIDIA's installer has been here, but {versions(case)}"
    if not (wanted.is_met_by(before) and case.driver.get("on_disk_flavour") == wanted.flavour):
        return (
            "change",
            f"driver {_flavoured(before, text(case.driver, 'on_disk_flavour'))} is installed; {wanted.words} is wanted",
        )
    return _loading(case) or _agreement(case)


def kept_action(case: Case, wanted: Target) -> tuple[str, str]:
    """What is kept can be loaded, but not repaired; whether it needs to be, a rule asks."""
    if text(case.driver, "on_disk") is None:
        return "none", f"driver {wanted.version} is kept ({versions(case)})"
    return _loading(case) or ("none", f"driver {wanted.version} is kept ({versions(case)})")


def _loading(case: Case) -> tuple[str, str] | None:
    driver = case.driver
    if driver.get("loaded") is None:
        return "load", f"driver {driver.get('on_disk')} is installed but not loaded"
    if driver.get("loaded") != driver.get("on_disk") or driver.get("flavour") != driver.get("on_disk_flavour"):
        return "reboot", f"driver {driver.get('on_disk')} is installed but {driver.get('loaded')} is still loaded"
    differing = _effect.differing(case)
    return (
        ("reboot", f"driver {driver.get('loaded')} is loaded with other parameters: {', '.join(differing)}")
        if differing
        else None
    )


def _waits_for_its_kernel(case: Case, wanted: Target) -> bool:
    """Where nothing can be built for the kernel that runs, the driver begins with the next one."""
    following = part(case.driver, "next_boot")
    return (
        _kernels.left_out(case) is not None
        and text(case.driver, "on_disk") is None
        and wanted.is_met_by(text(following, "version"))
        and text(following, "flavour") in (None, wanted.flavour)
    )


def _obsolete(case: Case, wanted: Target) -> list[str]:
    """Packages that hold the host at another branch: the new one cannot come before they go."""
    names = [package["name"] for package in wanted.packages]
    return (
        []
        if wanted.kept
        else [name for name in sorted(case.packages) if name.startswith(PINNING) and name not in names]
    )


def _agreement(case: Case) -> tuple[str, str]:
    driver = case.driver
    if driver.get("userland") != driver.get("loaded"):
        return "install", f"the parts of the driver do not agree: {versions(case)}"
    return "none", f"driver {driver.get('loaded')} ({driver.get('flavour')}) is loaded and all its parts agree"


def missing(case: Case, wanted: Target) -> list[str]:
    """Wanted packages that are not installed, or not in a wanted version."""
    return [
        package["name"]
        for package in wanted.packages
        if package["name"] not in case.packages
        or (package["version_pin"] and not wanted.is_met_by(case.package_version(package["name"])))
    ]


def versions(case: Case) -> str:
    """All the versions that must agree, in words."""
    driver = case.driver
    parts = {
        "loaded": _flavoured(driver.get("loaded"), driver.get("flavour")),
        "on disk for the running kernel": _flavoured(driver.get("on_disk"), driver.get("on_disk_flavour")),
        "libraries": driver.get("userland") or "none",
    }
    return ", ".join(f"{name}: {value}" for name, value in parts.items())


def _flavoured(version: str | None, flavour: str | None) -> str:
    return f"{version} ({flavour})" if version else "none"


def _disruption(case: Case, action: str) -> tuple[str, str | None]:
    if action == "none":
        return "none", None
    loaded = text(case.driver, "loaded")
    held = rivals(case)
    if held:
        return "reboot", f"another driver of the kernel holds the card ({', '.join(held)})"
    if action == "reboot" or (loaded and action == "change") or _has_no_module(case):
        return _way(case, loaded)
    if loaded is None:
        return "load", "no driver is loaded yet"
    return "none", None


def _way(case: Case, loaded: str | None) -> tuple[str, str]:
    if _has_no_module(case):
        return "reboot", f"nothing can be built for kernel {_kernels.left_out(case)}, which runs"
    return _effect.way(case, f"driver {loaded} is loaded")


def _has_no_module(case: Case) -> bool:
    """Whether the kernel that runs has none, and none can be built for it."""
    return text(case.driver, "on_disk") is None and _kernels.left_out(case) is not None


def rivals(case: Case) -> list[str]:
    """Cards that another driver holds, in words."""
    return [f"{card.get('address')} by {card['driver']}" for card in case.devices if card.get("driver") in RIVALS]


def _absent(case: Case) -> dict[str, t.Any]:
    if PIN_FILE not in case.files and RUNFILE_FILE not in case.files:
        return _value("none", f"this collection has not installed a driver here: there is no {PIN_FILE}")
    gone = driver_packages(case) if PIN_FILE in case.files else []
    # Whatever it had begun: of an installer that broke off the facts may know no driver.
    run = RUNFILE_FILE in case.files
    loaded = text(case.driver, "loaded")
    disruption = ("unload", f"driver {loaded} is loaded") if loaded else ("none", None)
    ours = f"driver {case.installed} was installed by this collection"
    reason = ours if gone or (run and case.installed) else "only files of ours are left"
    return _value(
        "absent", reason, remove=gone, uninstall=run, disruption=disruption[0], disruption_reason=disruption[1]
    )


def driver_packages(case: Case) -> list[str]:
    """Installed packages that belong to the driver: all have its version, but for the one that pins a branch."""
    known = set(case.metapackages.values())
    known.update(filter(None, [text(case.driver, "on_disk")]))
    beside = _beside(case) if text(case.driver, "installed_by") != REPO else set()
    return [
        name
        for name in sorted(case.packages)
        if case.package_version(name) in known or name in beside or name.startswith(PINNING)
    ]


def _beside(case: Case) -> set[str]:
    """A distribution's packages that belong to its driver and have a version of their own."""
    branches = {line.branch for line in case.distro_drivers}
    packages = [item for branch in branches for name in FLAVOURS for item in case.distro_packages(branch, name)]
    return {item.name for item in packages if not item.pinned}
