# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. What has to happen with the driver of one host: facts and a wish in, a value out."""

from __future__ import annotations

import re
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
# Packages that bring kernel modules, built or to be built: with them the driver itself goes.
WITH_MODULES = re.compile(r"(nvidia-.*dkms|kmod-nvidia|linux-modules-nvidia)")
# Of Ubuntu's modules those for one kernel: the package that is asked for brings more of them with each new kernel.
FOR_ONE_KERNEL = re.compile(r"linux-(modules|objects|signatures)-nvidia-.*\d+\.\d+\.\d+-\d+-")
# Ubuntu's modules and firmware have the driver in their names, so that nothing takes their place: branch and flavour.
OF_ONE_DRIVER = re.compile(r"(?:linux-(?:modules|objects)-nvidia|nvidia-firmware)-(\d+)-server(-open)?-")
# Debian's modules of both flavours can be there side by side, with what tells the kernel which of them to load.
OF_ONE_FLAVOUR = re.compile(r"nvidia-(open-)?kernel-(?:dkms|support)$")
# What the data calls the kinds of switches, and what reaches GPUs of other hosts through them.
KINDS = ("nvswitch", "nvlink5", "imex")
NOBODY: dict[str, t.Any] = {"version": None, "pin": None, "packages": []}
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
    "stream": None,
    "lock": None,
    "file": None,
    "remove": [],
    "goes": False,
    "uninstall": False,
    "parts": [],
    "obsolete": [],
    "superseded": [],
    "before": NOBODY,
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
    # As the package manager matches versions; None where nothing is installed.
    pin: str | None = None
    # The stream of dnf's modules that has the packages.
    stream: str | None = None

    def is_met_by(self, version: str | None) -> bool:
        if version is None:
            return False
        return version == self.version if self.version else _versions.branch_of(version) == self.branch

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
        # It has one version alone, and the role's own pin holds the host at that. A stream is what its packages are in.
        found = [package for package in found if package.pinned or package.kind == "module"]
    pin = case.pin(wanted.version, wanted.branch)
    return wanted._replace(
        packages=[_package(case, item, pin) for item in found if item.kind == "package"],
        pin=pin,
        stream=next((item.name for item in found if item.kind == "module"), None),
    )


def _lagging(case: Case, branch: int, flavour: str | None) -> str | None:
    """The version of a distribution's modules that are behind its libraries, which have to be of the same."""
    lines = [line for line in case.distro_drivers if line.branch == branch] if case.source == DISTRO else []
    newest = {line.flavour: line.newest for line in lines if line.newest}
    own = newest.get(str(flavour))
    if not own or all(_versions.order(own) >= _versions.order(other) for other in newest.values()):
        return None
    return max(own, _whole(case, branch, str(flavour)) or own, key=_versions.order)


def _whole(case: Case, branch: int, flavour: str) -> str | None:
    """The version of the distribution's driver that is there with all its parts. The data may not have seen it yet."""
    found = {case.package_version(item.name) for item in case.distro_packages(branch, flavour) if item.pinned}
    version = found.pop() if len(found) == 1 else None
    return version if version and _versions.branch_of(version) == branch else None


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


def _package(case: Case, package: _compat.Package, pin: str) -> dict[str, t.Any]:
    version_pin = pin if package.pinned else None
    return {
        "name": package.name,
        "kind": package.kind,
        "version_pin": version_pin,
        "spec": case.spec(package.name, version_pin),
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
        parts=parts(case),
        stream=wanted.stream,
        lock=_lock(case, wanted),
        obsolete=_obsolete(case, wanted),
        superseded=_superseded(case, wanted),
        before=_before(case, action),
        parameters=_effect.parameters(case),
        disruption=disruption,
        disruption_reason=why,
    )


def _lock(case: Case, wanted: Target) -> str | None:
    """What dnf is to keep: the version that is there, once it is, or else the branch that it comes from."""
    if wanted.kept or case.manager != "dnf":
        return None
    there_already = case.installed if wanted.is_met_by(case.installed) and not missing(case, wanted) else None
    return case.pin(wanted.version or there_already, wanted.branch)


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
    """Where the kernel that runs gets no module, the driver begins with the next one."""
    following = part(case.driver, "next_boot")
    return (
        _has_no_module(case)
        and wanted.is_met_by(text(following, "version"))
        and text(following, "flavour") in (None, wanted.flavour)
    )


def _obsolete(case: Case, wanted: Target) -> list[str]:
    """Packages that hold the host at another branch: the new one cannot come before they go."""
    found = [] if wanted.kept else [name for name in sorted(case.packages) if name.startswith(PINNING)]
    return [name for name in found if not _pins_the_same(wanted, name[len(PINNING) :])]


def _pins_the_same(wanted: Target, pinned: str) -> bool:
    """A branch, or a version of one, in the name of a package that pins it."""
    return wanted.is_met_by(pinned) if "." in pinned else pinned == str(wanted.branch)


def _superseded(case: Case, wanted: Target) -> list[str]:
    """What the role has brought of the distribution's other drivers, and what kernels have brought of those since."""
    if wanted.kept or case.source != DISTRO or wanted.flavour is None:
        return []
    drivers = {_driver_of(name) for name in case.brought}
    branch = str(wanted.branch)
    stays = {(branch, wanted.flavour), (branch, None), (None, wanted.flavour), None}
    return sorted(name for name in case.packages if _driver_of(name) in drivers - stays)


def _driver_of(name: str) -> tuple[str | None, str | None] | None:
    """Branch and flavour in a package's name, as far as they are. Firmware is the same for both flavours."""
    match = OF_ONE_FLAVOUR.match(name)
    if match:
        return None, "open" if match.group(1) else "proprietary"
    match = OF_ONE_DRIVER.match(name)
    if match is None:
        return None
    if name.startswith("nvidia-firmware"):
        return match.group(1), None
    return match.group(1), "open" if match.group(2) else "proprietary"


def _before(case: Case, action: str) -> dict[str, t.Any]:
    """The whole driver that another one takes the place of: what comes back where that one breaks off half-way.

    Where the kernel that runs has no module of it, it may wait for the one that boots next.
    """
    version = text(case.driver, "on_disk") or text(part(case.driver, "next_boot"), "version")
    if action not in ("change", "install") or version is None or text(case.driver, "userland") != version:
        return NOBODY
    if case.source == RUNFILE:
        return NOBODY
    specs = [case.spec(name, str(case.packages[name]["version"])) for name in parts(case)]
    return {"version": version, "pin": case.pin(version, 0), "packages": specs}


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
        return "reboot", _kernels.unserved(case) or "the kernel that runs has no module"
    return _effect.way(case, f"driver {loaded} is loaded")


def _has_no_module(case: Case) -> bool:
    """Whether the kernel that runs has none, and gets none."""
    return text(case.driver, "on_disk") is None and _kernels.unserved(case) is not None


def rivals(case: Case) -> list[str]:
    """Cards that another driver holds, in words."""
    return [f"{card.get('address')} by {card['driver']}" for card in case.devices if card.get("driver") in RIVALS]


def _absent(case: Case) -> dict[str, t.Any]:
    """What was there before this collection stays, even if it was pinned and loaded by it since."""
    # Written before NVIDIA's installer runs: of one that broke off the facts may know no driver.
    run = RUNFILE_FILE in case.files
    if case.mark not in case.files and not case.brought and not run:
        return _value("none", f"this collection has not installed a driver here: there is no {case.mark}")
    gone = _ours(case)
    goes = run or any(WITH_MODULES.match(name) for name in gone)
    loaded = text(case.driver, "loaded")
    disruption = ("unload", f"driver {loaded} is loaded") if goes and loaded else ("none", None)
    what = f"driver {case.installed}" if case.installed and goes else "a part of a driver"
    reason = f"{what} was installed by this collection" if gone or (run and case.installed) else _adopted_words(case)
    changes = {"remove": gone, "goes": goes, "uninstall": run, "parts": parts(case)}
    return _value("absent", reason, **changes, disruption=disruption[0], disruption_reason=disruption[1])


def _adopted_words(case: Case) -> str:
    there_before = f"; driver {case.installed} was there before and stays" if case.installed else ""
    return f"only files of ours are left{there_before}"


def _ours(case: Case) -> list[str]:
    """What this collection has brought of the driver, whole or not; what else came along goes where nobody needs it."""
    known = _versions_of_the_driver(case)
    known.update(version for name, version in case.brought.items() if name in case.metapackage_names)
    beside = _beside(case)
    named = beside | _for_switches(case)
    found = {
        name for name, version in case.brought.items() if version in known or name in named or name.startswith(PINNING)
    }
    came_later = _for_kernels(case) if any(WITH_MODULES.match(name) for name in found & beside) else set()
    return sorted(found | came_later)


def driver_packages(case: Case) -> list[str]:
    """Installed packages that belong to the driver: all have its version, but for the one that pins a branch."""
    known = _versions_of_the_driver(case)
    found = [name for name in sorted(case.packages) if case.package_version(name) in known]
    return sorted([*found, *(name for name in case.packages if found and name.startswith(PINNING))])


def _versions_of_the_driver(case: Case) -> set[str]:
    names = ("on_disk", "userland")
    return {*case.metapackages.values(), *filter(None, (text(case.driver, name) for name in names))}


def parts(case: Case) -> list[str]:
    """Installed packages that another driver may take the place of."""
    beside = _beside(case) | _for_kernels(case) if text(case.driver, "installed_by") == DISTRO else set()
    return sorted({*driver_packages(case), *(name for name in beside if name in case.packages)})


def _beside(case: Case) -> set[str]:
    """A distribution's packages that belong to its driver and have a version of their own."""
    branches = {line.branch for line in case.distro_drivers}
    packages = [item for branch in branches for name in FLAVOURS for item in case.distro_packages(branch, name)]
    return {item.name for item in packages if not item.pinned}


def _for_kernels(case: Case) -> set[str]:
    return {name for name in case.packages if FOR_ONE_KERNEL.match(name)}


def _for_switches(case: Case) -> set[str]:
    """What the role asks for by name on hosts with switches, of any branch."""
    found = (case.data.fabric_packages(case.manager, branch, kind) for branch in case.data.branches() for kind in KINDS)
    return {package.name for packages in found for package in packages}
