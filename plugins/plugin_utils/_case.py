# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. What a plan is made from: the facts of a host, the wishes, the compatibility data and the day.

Anything may be missing in facts, and null there is unknown; the questions here have an answer all the same.
"""

from __future__ import annotations

import datetime
import re
import typing as t
from collections.abc import Mapping
from functools import cached_property

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _compat, _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._gpus import is_card

Section = Mapping[str, t.Any]
FLAVOURS = ("open", "proprietary")

# The role holds the driver with it, whoever has installed that; see roles/nvidia_driver/vars/package_manager/apt.yml.
PIN_FILE = "/etc/apt/preferences.d/kubegpu-nvidia-driver"
# The same of a host with dnf, whose locks stand in a file of others': what came along with the driver's packages.
RECORD_FILE = "/var/lib/kubegpu-nvidia-driver.packages"
# What the role writes of the distribution's own packages; see roles/nvidia_driver/vars/package_manager/apt.yml.
COMPONENTS_FILE = "/etc/apt/sources.list.d/kubegpu-components.sources"
# What the role cuda writes of the packages that came along with the distribution's toolkit.
CUDA_RECORD = "/var/lib/kubegpu-cuda.packages"
# What the role writes down before it runs NVIDIA's installer; see roles/nvidia_driver/vars/main.yml.
RUNFILE_FILE = "/var/lib/kubegpu-nvidia-driver.runfile"
# Where a driver can come from: NVIDIA's repository, the distribution, or whoever has installed it already.
REPO, DISTRO, PREINSTALLED = "repo", "distro", "preinstalled"
# Or a file: NVIDIA's repository for one version as a package, or its own installer, which knows no packages.
LOCAL_REPO, RUNFILE = "local_repo", "runfile"
# The kernel's driver of devices that are handed on to virtual machines.
PASSED_ON = "vfio-pci"
# Ubuntu's kernels of which a release gets later ones, as its hardware enablement.
WITH_LATER_KERNELS = ("generic", "lowlatency", "nvidia")
# At the end of the names of those for arm64 that have large pages.
LARGE_PAGES = "-64k"


def part(value: t.Any, *keys: str) -> Section:
    """The mapping below these keys; empty where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def rows(value: Section, key: str) -> list[Section]:
    """The mappings of a list; none where there is no list."""
    found = value.get(key)
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, (list, tuple)) else []


def text(value: Section, key: str) -> str | None:
    found = value.get(key)
    return str(found) if found not in (None, "") else None


def flag(value: Section, key: str) -> bool | None:
    """True and false also as words, since a template may have made text of them. Null is unknown."""
    found = value.get(key)
    if found in (None, ""):
        return None
    return found.lower() in ("true", "yes", "on", "1") if isinstance(found, str) else bool(found)


def texts(value: Section, key: str) -> list[str]:
    found = value.get(key)
    return [str(item) for item in found] if isinstance(found, (list, tuple)) else []


class Card(t.NamedTuple):
    """A GPU on the bus. `modules`: whether the open kernel modules drive it, `never`, `either` or `only` they.

    `first_driver`: the oldest version that knows this very card, where that is not the first of a branch.
    """

    words: str
    architecture: _compat.Architecture | None
    modules: str | None
    modules_source: str | None
    first_driver: str | None
    first_source: str | None


class Case:
    """One host, and what is wished for it."""

    def __init__(self, facts: Section, wishes: Section, data: _compat.Data, today: datetime.date | None) -> None:
        self.facts = facts
        self.wishes = wishes
        self.data = data
        self.today = today
        self.platform = part(facts, "platform")
        self.driver = part(facts, "driver")
        self.kubelet = part(facts, "kubelet")
        self.container = part(facts, "container")
        self.files = part(facts, "files")
        self.wish = part(wishes, "driver")
        self.cuda_wish = part(wishes, "cuda")
        self.toolkit_wish = part(wishes, "toolkit")

    @property
    def wants_driver(self) -> bool:
        """Whether there is a wish for a driver, and not for its absence."""
        return bool(self.wish) and self.wish.get("state", "present") == "present"

    @property
    def source(self) -> str:
        """Where the driver is to come from."""
        return text(self.wish, "source") or REPO

    @property
    def wants_toolkit(self) -> bool:
        return self.wishes.get("toolkit") is not None and self.toolkit_wish.get("state", "present") == "present"

    @cached_property
    def toolkits(self) -> list[str]:
        """Versions of CUDA that are to be installed, from packages or from NVIDIA's runfiles."""
        if self.cuda_wish.get("state", "present") != "present":
            return []
        files = [text(runfile, "version") for runfile in rows(self.cuda_wish, "runfiles")]
        return [*texts(self.cuda_wish, "versions"), *(version for version in files if version)]

    @property
    def wants_own_cuda(self) -> bool:
        """Whether a toolkit is to come from the distribution."""
        there = self.cuda_wish.get("state", "present") == "present" and bool(texts(self.cuda_wish, "versions"))
        return there and text(self.cuda_wish, "source") == DISTRO

    @cached_property
    def images(self) -> list[str]:
        """Versions of CUDA of the images that are to run."""
        return texts(self.wish, "cuda_images") if self.wants_driver else []

    @property
    def allows_reboot(self) -> bool:
        return flag(self.wish, "reboot") is True

    @property
    def allows_downgrade(self) -> bool:
        return flag(self.wish, "allow_downgrade") is True

    @cached_property
    def packages(self) -> dict[str, Section]:
        """Installed packages whose version is known."""
        found = part(self.facts, "packages")
        return {name: line for name, line in found.items() if isinstance(line, Mapping) and line.get("version")}

    @cached_property
    def brought(self) -> dict[str, str]:
        """Packages that this collection has installed, by its record, with their versions. Half of one counts too."""
        found = part(self.driver, "brought")
        lines = {name: line for name, line in found.items() if isinstance(line, Mapping) and line.get("version")}
        return {str(name): _versions.upstream(str(line["version"])) for name, line in lines.items()}

    def package_version(self, name: str) -> str | None:
        line = self.packages.get(name)
        return _versions.upstream(str(line["version"])) if line else None

    @cached_property
    def metapackages(self) -> dict[str, str]:
        """Installed packages that stand for a whole driver, with the driver's version."""
        names = sorted(self.metapackage_names)
        return {name: str(self.package_version(name)) for name in names if name in self.packages}

    @cached_property
    def metapackage_names(self) -> set[str]:
        release = text(self.platform, "version")
        names = {
            package.name
            for branch in self.data.branches()
            for flavour in FLAVOURS
            for package in self.data.driver_packages(self.manager, branch, flavour, release)
            if package.pinned
        }
        return names | self._distro_modules

    @property
    def _distro_modules(self) -> set[str]:
        """The distribution's packages that stand for a driver: those that the other flavour does not have."""
        found: set[str] = set()
        for branch in {line.branch for line in self.distro_drivers}:
            packages = [self.distro_packages(branch, name) for name in FLAVOURS]
            names = [{package.name for package in items if package.pinned} for items in packages]
            found |= names[0] ^ names[1]
        return found

    @cached_property
    def distro_drivers(self) -> list[_compat.DistroDriver]:
        """What the distribution has itself."""
        return self.data.distro_drivers(self.line) if self.line else []

    def distro_driver(self, branch: int, flavour: str | None) -> _compat.DistroDriver | None:
        lines = [line for line in self.distro_drivers if line.branch == branch]
        return next((line for line in lines if line.flavour == flavour), None)

    def distro_packages(self, branch: int, flavour: str) -> list[_compat.Package]:
        return self.data.distro_packages(self.line, branch, flavour, self.kernel_flavour) if self.line else []

    @property
    def builds_modules(self) -> bool:
        """Whether the modules are built on the host; Ubuntu's own come built and signed."""
        return self.source != DISTRO or not self.distro_signs

    @property
    def distro_signs(self) -> bool:
        """Whether the distribution has modules that it has built and signed for its own kernels."""
        return self.line is not None and self.data.first_kernel(self.line) is not None

    @cached_property
    def kernel_flavour(self) -> str | None:
        """What Ubuntu calls the kernel that runs in the names of its packages: generic, generic-hwe-24.04, aws."""
        first = self.data.first_kernel(self.line) if self.line else None
        running = text(part(self.platform, "kernel"), "running") or ""
        found = re.match(r"(\d+\.\d+)\.\d+-\d+-([a-z][a-z0-9-]*)$", running)
        if not first or not found or not self.line:
            return None
        later = found[1] != first and found[2].removesuffix(LARGE_PAGES) in WITH_LATER_KERNELS
        return f"{found[2]}-hwe-{self.line['version']}" if later else found[2]

    @cached_property
    def installed(self) -> str | None:
        """The version of the driver that is installed, loaded or not."""
        known = [text(self.driver, "on_disk"), text(self.driver, "userland"), *self.metapackages.values()]
        return next((version for version in known if version), None)

    @cached_property
    def line(self) -> _compat.Line | None:
        """The data's line of this distribution."""
        return self.data.platform(text(self.platform, "id"), text(self.platform, "version"))

    @cached_property
    def manager(self) -> str:
        return str((self.line or self.platform).get("package_manager"))

    @property
    def mark(self) -> str:
        """The file by which a host tells that the role has installed a driver there."""
        return RECORD_FILE if self.manager == "dnf" else PIN_FILE

    def pin(self, version: str | None, branch: int) -> str:
        """As the package manager matches versions; the revision of the package is its maker's.

        dnf takes a name and what follows it apart at the hyphens: only with release and architecture there is one way.
        """
        if self.manager == "dnf":
            return f"{version or f'{branch}.*'}-*.*"
        return f"{version}-*" if version else f"{branch}.*"

    def spec(self, name: str, pin: str | None) -> str:
        """A package in these versions, as the package manager is asked for it."""
        between = "-" if self.manager == "dnf" else "="
        return f"{name}{between}{pin}" if pin else name

    @cached_property
    def devices(self) -> list[Section]:
        return rows(self.facts, "pci")

    @cached_property
    def cards(self) -> list[Card]:
        """The GPUs that a driver here is for: no audio device beside a GPU, and none that virtual machines have."""
        mine = [device for device in self.devices if is_card(device) and device.get("driver") != PASSED_ON]
        return [self._card(device) for device in mine]

    @cached_property
    def passed_on(self) -> list[str]:
        """Addresses of the GPUs that virtual machines have, or are to have."""
        mine = [device for device in self.devices if is_card(device) and device.get("driver") == PASSED_ON]
        return [text(device, "address") or "a card" for device in mine]

    def _card(self, device: Section) -> Card:
        name, id_ = text(device, "architecture"), text(device, "device")
        architecture = self.data.architecture(name) if name else self.data.architecture_of(id_)
        special = self.data.card(id_)
        first = (special.first_driver, special.source) if special else (None, None)
        return Card(_called(device, architecture), architecture, *_modules(device, special, architecture), *first)


def _called(device: Section, architecture: _compat.Architecture | None) -> str:
    kind = architecture.name if architecture else text(device, "architecture")
    brackets = ", ".join(filter(None, [text(device, "name") or text(device, "device"), kind]))
    return " ".join(filter(None, [text(device, "address") or "a card", f"({brackets})" if brackets else ""]))


def _modules(
    device: Section, special: _compat.Card | None, architecture: _compat.Architecture | None
) -> tuple[str | None, str | None]:
    """The user's data and ours go before what the facts say, which stands in the collection's code."""
    if special and special.modules:
        return special.modules, special.source
    said = text(device, "open_modules")
    if architecture and said in (None, architecture.modules):
        return architecture.modules, architecture.modules_source
    return said, "facts of the host" if said else None
