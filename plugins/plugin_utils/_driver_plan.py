# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. What has to happen with the driver of one host: facts and a wish in, a value out."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _compat, _versions

Data = t.Mapping[str, t.Any]

# A role that finds this file on a host has installed the driver there; see roles/nvidia_driver/vars/main.yml.
PIN_FILE = "/etc/apt/preferences.d/kubegpu-nvidia-driver"
# Drivers of the kernel's own that claim an NVIDIA card; ours can only take over after a reboot.
RIVALS = ("nouveau", "nova", "nova_core", "nova_drm")


class OldCard(t.NamedTuple):
    """A GPU that not every driver serves."""

    words: str
    generation: _compat.Generation


class Target(t.NamedTuple):
    """What the wish means on this host. `version` is None where any of the branch will do."""

    branch: int
    version: str | None
    flavour: str
    flavour_reason: str
    packages: list[dict[str, t.Any]]

    def is_met_by(self, version: str | None) -> bool:
        if version is None:
            return False
        return version == self.version if self.version else _versions.branch_of(version) == self.branch

    @property
    def pin(self) -> str:
        """As apt matches versions; the revision of the package is its maker's."""
        return f"{self.version}-*" if self.version else f"{self.branch}.*"

    @property
    def words(self) -> str:
        wanted = f"driver {self.version}" if self.version else f"the newest driver of branch {self.branch}"
        return f"{wanted} with {self.flavour} kernel modules"


def wished_branch(wish: Data) -> int | None:
    return _versions.branch_of(str(wish.get("branch") or wish.get("version") or ""))


def target(facts: Data, wish: Data) -> Target | None:
    """None where the data has no answer; the rules say why."""
    platform = facts.get("platform") or {}
    branch = wished_branch(wish)
    if branch is None or branch not in _compat.branches():
        return None
    line = _compat.platform(platform.get("id"), platform.get("version"))
    manager = line["package_manager"] if line else platform.get("package_manager")
    flavour, why = str(wish.get("flavour") or "auto"), "as wished"
    if flavour == "auto":
        flavour, why = _own_flavour(facts, branch)
    wanted = Target(branch, str(wish.get("version") or "") or None, flavour, why, [])
    packages = [_package(item, wanted.pin) for item in _compat.driver_packages(str(manager), branch, flavour)]
    return wanted._replace(packages=packages)


def _own_flavour(facts: Data, branch: int) -> tuple[str, str]:
    """What `auto` means here, and why. One card without open modules decides: a host has one driver for all."""
    old = old_cards(facts)
    if old:
        flavour, source = old[0].generation.flavour
        return flavour, f"card {old[0].words} is {old[0].generation.name}, which has only these modules ({source})"
    flavour, source = _compat.default_flavour(branch)
    return flavour, f"what NVIDIA recommends for branch {branch} ({source})"


def old_cards(facts: Data) -> list[OldCard]:
    """GPUs of an older generation. A bridge or an audio device beside a GPU is none."""
    cards = [card for card in facts.get("pci") or [] if str(card.get("class", "")).startswith("03")]
    found = [(card, _compat.old_generation(card.get("device"))) for card in cards]
    return [
        OldCard(f"{card.get('address')} ({card['device']})", generation) for card, generation in found if generation
    ]


def _package(package: _compat.Package, pin: str) -> dict[str, t.Any]:
    version_pin = pin if package.pinned else None
    return {
        "name": package.name,
        "version_pin": version_pin,
        "spec": f"{package.name}={version_pin}" if version_pin else package.name,
    }


def metapackages(facts: Data) -> dict[str, str]:
    """Installed packages that stand for a whole driver, with the driver's version."""
    manager = str((facts.get("platform") or {}).get("package_manager"))
    names = {
        package.name
        for branch in _compat.branches()
        for flavour in ("open", "proprietary")
        for package in _compat.driver_packages(manager, branch, flavour)
        if package.pinned
    }
    packages = facts.get("packages") or {}
    return {name: _versions.upstream(packages[name]["version"]) for name in sorted(names) if name in packages}


def installed(facts: Data) -> str | None:
    """The version that is installed, loaded or not."""
    driver = facts.get("driver") or {}
    known = [driver.get("on_disk"), driver.get("userland"), *metapackages(facts).values()]
    return next((str(version) for version in known if version), None)


def decide(facts: Data, wish: Data, wanted: Target | None) -> dict[str, t.Any]:
    if wish.get("state") == "absent":
        return _absent(facts)
    if wanted is None:
        return _value("none", "see the refusals")
    action, reason = _action(facts, wanted)
    return _value(
        action,
        reason,
        version=wanted.version,
        branch=str(wanted.branch),
        flavour=wanted.flavour,
        flavour_reason=wanted.flavour_reason,
        packages=wanted.packages,
        pin=wanted.pin,
        disruption=_disruption(facts, wanted, action),
    )


def _value(action: str, reason: str, **other: t.Any) -> dict[str, t.Any]:
    empty: dict[str, t.Any] = {
        "version": None,
        "branch": None,
        "flavour": None,
        "flavour_reason": None,
        "packages": [],
        "pin": None,
    }
    return {"action": action, "reason": reason, "disruption": "none", "remove": [], **empty, **other}


def _action(facts: Data, wanted: Target) -> tuple[str, str]:
    driver = facts.get("driver") or {}
    missing = _missing(facts, wanted)
    if missing:
        before = installed(facts)
        if before is None:
            return "install", f"no driver is installed; {wanted.words} is wanted"
        return "change", f"driver {before} is installed; {wanted.words} is wanted"
    if not _on_disk(facts, wanted):
        return "install", f"its packages are installed, but {versions(facts)}"
    if driver.get("loaded") is None:
        return "load", f"driver {driver.get('on_disk')} is installed but not loaded"
    if driver.get("loaded") != driver.get("on_disk") or driver.get("flavour") != driver.get("on_disk_flavour"):
        return "reboot", f"driver {driver.get('on_disk')} is installed but {driver.get('loaded')} is still loaded"
    if driver.get("userland") != driver.get("loaded"):
        return "install", f"the parts of the driver do not agree: {versions(facts)}"
    return "none", f"driver {driver.get('loaded')} ({driver.get('flavour')}) is loaded and all its parts agree"


def _missing(facts: Data, wanted: Target) -> list[str]:
    """Wanted packages that are not installed, or not in a wanted version."""
    packages = facts.get("packages") or {}
    return [
        package["name"]
        for package in wanted.packages
        if package["name"] not in packages
        or (package["version_pin"] and not wanted.is_met_by(_versions.upstream(packages[package["name"]]["version"])))
    ]


def _on_disk(facts: Data, wanted: Target) -> bool:
    driver = facts.get("driver") or {}
    return wanted.is_met_by(driver.get("on_disk")) and driver.get("on_disk_flavour") == wanted.flavour


def versions(facts: Data) -> str:
    """All the versions that must agree, in words."""
    driver = facts.get("driver") or {}
    parts = {
        "loaded": _flavoured(driver.get("loaded"), driver.get("flavour")),
        "on disk for the running kernel": _flavoured(driver.get("on_disk"), driver.get("on_disk_flavour")),
        "libraries": driver.get("userland") or "none",
    }
    return ", ".join(f"{name}: {value}" for name, value in parts.items())


def _flavoured(version: str | None, flavour: str | None) -> str:
    return f"{version} ({flavour})" if version else "none"


def _disruption(facts: Data, wanted: Target, action: str) -> str:
    if action == "none":
        return "none"
    loaded = (facts.get("driver") or {}).get("loaded")
    if rivals(facts) or action == "reboot" or (loaded is not None and action == "change"):
        return "reboot"
    return "load" if loaded is None else "none"


def rivals(facts: Data) -> list[str]:
    """Cards that another driver holds, in words."""
    return [f"{card['address']} by {card['driver']}" for card in facts.get("pci") or [] if card.get("driver") in RIVALS]


def _absent(facts: Data) -> dict[str, t.Any]:
    if PIN_FILE not in (facts.get("files") or {}):
        return _value("none", f"this collection has not installed a driver here: there is no {PIN_FILE}")
    gone = driver_packages(facts)
    loaded = (facts.get("driver") or {}).get("loaded")
    disruption = "unload" if loaded else "none"
    reason = f"driver {installed(facts)} was installed by this collection" if gone else "only files of ours are left"
    return _value("absent", reason, remove=gone, disruption=disruption)


def driver_packages(facts: Data) -> list[str]:
    """Installed packages that belong to the driver: all have its version, but for the one that pins a branch."""
    known = set(metapackages(facts).values())
    known.update(filter(None, [(facts.get("driver") or {}).get("on_disk")]))
    return [
        name
        for name, package in sorted((facts.get("packages") or {}).items())
        if _versions.upstream(package["version"]) in known or name.startswith("nvidia-driver-pinning-")
    ]
