# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. The compatibility data of this folder's data/*.yml, as answers to questions. It decides nothing.

`data(overlay)` gives the `Data` of a play. Versions are texts and are compared as numbers: 580.95.05 < 580.105.08.
"""

from __future__ import annotations

import calendar
import re
import typing as t
from datetime import date
from functools import cache

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _compat_data, _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_data import CompatError, Line

__all__ = ["CompatError", "Data", "data"]

# Later than any version of a branch: a branch is as good as the newest driver of it.
ANY = 10**6
OPEN = {"never": "proprietary", "only": "open"}


class Package(t.NamedTuple):
    """`pinned`: it has the driver's own version. `kind`: package, module (dnf stream) or lock (dnf versionlock)."""

    name: str
    pinned: bool
    kind: str = "package"


class Choice(t.NamedTuple):
    """What the data says, and where it says so."""

    value: str
    source: str


class Branch(t.NamedTuple):
    """`type`: LTSB, PB, NFB or None. `eol`: the last day with corrections, None where it is not known."""

    branch: int
    type: str | None
    newest: str | None
    eol: date | None
    eol_words: str | None
    source: str

    def ended(self, today: date) -> bool | None:
        """Whether its time is over; None where nobody said when it ends."""
        if self.eol is None:
            return True if self.eol_words else None
        return today > self.eol


class Architecture(t.NamedTuple):
    """`modules`: whether open kernel modules serve it: `never`, `either` or `only`. `source` is of its branches.

    CUDA versions are those of toolkits that make programs for it.
    """

    name: str
    first_branch: int | None
    last_branch: int | None
    modules: str
    cuda_first: str | None
    cuda_last: str | None
    source: str
    modules_source: str

    @property
    def flavour(self) -> str | None:
        """The only flavour of modules that there is for it, None where both serve."""
        return OPEN.get(self.modules)


class Cuda(t.NamedTuple):
    """`full_driver` has all that this CUDA can ask for; from `minor_driver` on its programs run, with less of it."""

    version: str
    full_driver: str
    full_source: str
    minor_driver: str | None
    minor_source: str | None

    @property
    def needed(self) -> Choice:
        """The oldest driver on which its programs run."""
        if self.minor_driver and _versions.order(self.minor_driver) < _versions.order(self.full_driver):
            return Choice(self.minor_driver, str(self.minor_source))
        return Choice(self.full_driver, self.full_source)


class Verdict(t.NamedTuple):
    """`ok` is None where the data does not know this CUDA. `rule`: full, minor-version, too-old or unknown."""

    ok: bool | None
    full: bool
    needed: str | None
    rule: str
    source: str | None


class KnownBad(t.NamedTuple):
    name: str
    product: str
    versions: str
    words: str
    source: str


class Runtime(t.NamedTuple):
    """A minor version of Kubernetes or containerd. `last_kubernetes`: the last that works with it, if there is one."""

    version: str
    eol: date | None
    eol_words: str | None
    last_kubernetes: str | None
    source: str


class Change(t.NamedTuple):
    """What Kubernetes does differently from `since` on."""

    name: str
    since: str
    words: str
    source: str


class Data:
    """All answers. Lists are as the files have them: the newest first."""

    def __init__(self, files: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
        self.files = files

    def _lines(self, file: str, name: str | None = None) -> list[Line]:
        return list(self.files[file][name or file])

    def _source(self, file: str, line: Line, field: str = "source") -> str:
        return str(self.files[file]["sources"][line[field]])

    # Platforms, and what packages are called there.

    def platforms(self) -> list[Line]:
        """Distributions that the roles serve."""
        return self._lines("platforms")

    def platform(self, id_: str | None, version: str | None) -> Line | None:
        """A point release is served as its release is: 12.4 by the line of 12, but 24.10 not by that of 24.04."""
        for line in self.platforms():
            wanted = line["version"]
            if line["id"] == id_ and version and (version == wanted or version.startswith(f"{wanted}.")):
                return line
        return None

    def driver_packages(self, manager: str, branch: int, flavour: str, release: str | None = None) -> list[Package]:
        """`release` is the version of an Enterprise Linux, such as 9.4; apt needs none."""
        lines = self._packages("driver", manager, branch, release)
        return [_package(line, branch=branch) for line in lines if line["flavour"] == flavour]

    def fabric_packages(self, manager: str, branch: int, purpose: str) -> list[Package]:
        """`purpose` is nvswitch, nvlink5 or imex."""
        lines = self._packages("fabric", manager, branch, None)
        return [_package(line, branch=branch) for line in lines if purpose in line["for"]]

    def header_packages(self, manager: str, kernel: str) -> list[str]:
        """What modules for this kernel are built against."""
        return [_package(line, release=kernel).name for line in self._packages("headers", manager)]

    def cuda_packages(self, manager: str, version: str) -> list[str]:
        """Packages of one toolkit: 13.0 is cuda-toolkit-13-0."""
        return [_package(line, version=version.replace(".", "-")).name for line in self._packages("cuda", manager)]

    def toolkit_packages(self, manager: str) -> list[str]:
        return [line["name"] for line in self._packages("toolkit", manager)]

    def default_flavour(self, branch: int) -> Choice:
        line = next(line for line in self._lines("packages", "defaults") if _serves(line, branch))
        return Choice(line["flavour"], self._source("packages", line))

    def flavours(self, branch: int) -> dict[str, str]:
        """The kernel modules that a branch has at all, each with its source."""
        lines = [line for line in self._lines("packages", "modules") if _serves(line, branch)]
        return {line["flavour"]: self._source("packages", line) for line in lines}

    def _packages(self, kind: str, manager: str, branch: int = 0, release: str | None = None) -> list[Line]:
        major = (release or "").partition(".")[0]
        return [
            line
            for line in self._lines("packages", kind)
            if line["package_manager"] == manager
            and _serves(line, branch)
            and (not line.get("releases") or major in line["releases"])
        ]

    # Branches of the driver.

    def branches(self) -> list[int]:
        """The newest first."""
        return sorted((line["branch"] for line in self._lines("branches")), reverse=True)

    def branch(self, number: int | str | None) -> Branch | None:
        line = next((line for line in self._lines("branches") if str(line["branch"]) == str(number)), None)
        if line is None:
            return None
        eol = line.get("eol")
        return Branch(
            line["branch"],
            line.get("type"),
            line.get("newest"),
            last_day(eol),
            eol,
            self._source("branches", line),
        )

    # Cards.

    def architecture(self, name: str | None) -> Architecture | None:
        line = next((line for line in self._lines("architectures") if line["name"] == name), None)
        if line is None:
            return None
        capabilities = [line for line in self._lines("architectures", "capabilities") if line["architecture"] == name]
        first = [str(item["cuda_first"]) for item in capabilities]
        last = [item.get("cuda_last") for item in capabilities]
        return Architecture(
            line["name"],
            line.get("first_branch"),
            line.get("last_branch"),
            line["modules"],
            min(first, key=_versions.order, default=None),
            None if None in last else max(map(str, last), key=_versions.order, default=None),
            self._source("architectures", line),
            self._source("architectures", line, "modules_source"),
        )

    def architecture_of(self, device: str | None) -> Architecture | None:
        """As far as the id alone tells: for a card whose facts name no architecture."""
        if not re.fullmatch(r"[0-9a-fA-F]{4}", str(device or "")):
            return None
        lines = self._lines("architectures", "device_ids")
        line = next((line for line in lines if int(str(device), 16) < line["below"]), None)
        return self.architecture(line["architecture"]) if line else None

    def capability(self, compute: str | None) -> Architecture | None:
        """As `architecture`, for a compute capability such as 3.7: one generation can end with several toolkits."""
        lines = self._lines("architectures", "capabilities")
        line = next((line for line in lines if line["capability"] == compute), None)
        whole = self.architecture(line["architecture"]) if line else None
        if line is None or whole is None:
            return None
        source = self._source("architectures", line)
        return whole._replace(cuda_first=line["cuda_first"], cuda_last=line.get("cuda_last"), source=source)

    # CUDA.

    def cudas(self) -> list[str]:
        """Known minor versions of CUDA, the newest first."""
        return sorted({minor(line["version"]) for line in self._releases()}, key=_versions.order, reverse=True)

    def cuda(self, version: str) -> Cuda | None:
        """12.8 is the oldest release of it, 8.0.61 exactly that one, or else the newest that is not newer."""
        lines = [line for line in self._releases() if minor(line["version"]) == minor(version)]
        if not lines:
            return None
        asked = _versions.order(version)
        older = [line for line in lines if _versions.order(line["version"]) <= asked]
        line = older[0] if older else lines[-1]
        rule = self._family(version)
        return Cuda(
            version,
            line["driver"],
            self._source("cuda", line),
            rule["driver"] if rule else None,
            self._source("cuda", rule) if rule else None,
        )

    def cuda_runs_on(self, driver: str | int, cuda: str) -> Verdict:
        """Whether images of this CUDA run on a driver (580.95.05), or on the newest driver of a branch (580)."""
        known = self.cuda(cuda)
        if known is None:
            return Verdict(None, False, None, "unknown", None)
        there = reach(driver)
        full = there >= _versions.order(known.full_driver)
        ok = full or there >= _versions.order(known.needed.value)
        rule = "full" if full else "minor-version" if ok else "too-old"
        source = known.full_source if full else known.needed.source
        return Verdict(ok, full, known.needed.value, rule, source)

    def newest_cuda(self, driver: str | int) -> str | None:
        """The newest CUDA that a driver, or a branch, serves in full: what nvidia-smi shows beside it."""
        there = reach(driver)
        served = [line["version"] for line in self._releases() if _versions.order(line["driver"]) <= there]
        return minor(max(served, key=_versions.order)) if served else None

    def forward(self) -> Line | None:
        """Libraries that run a newer CUDA on an older module: `package`, `words` and `source`."""
        lines = self._lines("cuda", "forward")
        return {**lines[0], "source": self._source("cuda", lines[0])} if lines else None

    def _releases(self) -> list[Line]:
        return sorted(self._lines("cuda", "releases"), key=lambda line: _versions.order(line["version"]), reverse=True)

    def _family(self, version: str) -> Line | None:
        asked = _versions.order(minor(version))
        lines = [line for line in self._lines("cuda", "families") if line["major"] == asked[0]]
        return next((line for line in lines if _versions.order(line["since"]) <= asked), None)

    # Kubernetes, and what is known to be broken.

    def kubernetes(self, version: str | None) -> Runtime | None:
        return self._runtime("kubernetes", version)

    def containerd(self, version: str | None) -> Runtime | None:
        return self._runtime("containerd", version)

    def containerd_runs(self, containerd: str | None, kubernetes: str | None) -> bool | None:
        """Whether a kubelet works with a containerd; None where either is not known."""
        found = self.containerd(containerd)
        if found is None or not kubernetes:
            return None
        return found.last_kubernetes is None or _order(minor(kubernetes)) <= _order(found.last_kubernetes)

    def change(self, name: str) -> Change:
        """A change of Kubernetes: cgroup-v1, dockershim."""
        line = next(line for line in self._lines("kubernetes", "changes") if line["name"] == name)
        return Change(line["name"], line["since"], line["words"], self._source("kubernetes", line))

    def known_bad(self, version: str | None, product: str = "driver") -> list[KnownBad]:
        asked = _versions.order(version or "")
        return [
            KnownBad(line["name"], product, _range(line), line["words"], self._source("known_bad", line))
            for line in self._lines("known_bad")
            if asked and line["product"] == product and _within(line, asked)
        ]

    def _runtime(self, name: str, version: str | None) -> Runtime | None:
        wanted = minor(version or "")
        line = next((line for line in self._lines("kubernetes", name) if line["version"] == wanted), None)
        if line is None:
            return None
        eol = line.get("eol")
        source = self._source("kubernetes", line)
        return Runtime(line["version"], last_day(eol), eol, line.get("last_kubernetes"), source)


@cache
def _builtin() -> Data:
    return Data(_compat_data.builtin())


def data(overlay: t.Mapping[str, t.Any] | None = None) -> Data:
    """The collection's data, with the user's own lines over it. Raises CompatError where those cannot be understood."""
    return Data(_compat_data.merged(overlay)) if overlay else _builtin()


def minor(version: str) -> str:
    """12.8 of 12.8.1, of 12.8 and of v12.8."""
    return ".".join(re.findall(r"\d+", version)[:2])


def reach(driver: str | int) -> tuple[int, ...]:
    """To compare a driver with a version that is needed; a whole branch reaches as far as its newest one."""
    found = _versions.order(str(driver))
    return (*found, ANY) if len(found) == 1 else found


def last_day(text: str | None) -> date | None:
    """The day itself, or the last one of a month; None for words such as `ended`."""
    found = re.fullmatch(r"(\d{4})-(\d{2})(?:-(\d{2}))?", text or "")
    if not found:
        return None
    year, month = int(found[1]), int(found[2])
    return date(year, month, int(found[3]) if found[3] else calendar.monthrange(year, month)[1])


def _package(line: Line, **values: t.Any) -> Package:
    return Package(line["name"].format(**values), bool(line.get("pinned")), line.get("kind") or "package")


def _serves(line: Line, branch: int) -> bool:
    return bool((line.get("from") or 0) <= branch < (line.get("below") or branch + 1))


def _order(version: str) -> tuple[int, ...]:
    return _versions.order(version)


def _within(line: Line, version: tuple[int, ...]) -> bool:
    first, end = line.get("from"), line.get("below")
    return (not first or _order(first) <= version) and (not end or version < _order(end))


def _range(line: Line) -> str:
    parts = [f"from {line['from']}" if line.get("from") else "", f"below {line['below']}" if line.get("below") else ""]
    return " ".join(filter(None, parts)) or "all"


# Gone as soon as nothing asks the module itself any more.


class Generation(t.NamedTuple):
    """An older generation of cards, and what NVIDIA's drivers still do for it."""

    name: str
    flavour: Choice
    last_branch: int
    last_branch_source: str


load = _compat_data.load


def platform(id_: str | None, version: str | None) -> Line | None:
    return data().platform(id_, version)


def platforms() -> list[Line]:
    return data().platforms()


def branches() -> list[int]:
    return data().branches()


def driver_packages(package_manager: str, branch: int, flavour: str) -> list[Package]:
    return data().driver_packages(package_manager, branch, flavour)


def default_flavour(branch: int) -> Choice:
    return data().default_flavour(branch)


def old_generation(device: str | None) -> Generation | None:
    found = data().architecture_of(device)
    if found is None or found.flavour is None or found.last_branch is None:
        return None
    return Generation(found.name, Choice(found.flavour, found.modules_source), found.last_branch, found.source)


def cuda_packages(package_manager: str, version: str) -> list[str]:
    return data().cuda_packages(package_manager, version)


def toolkit_packages(package_manager: str) -> list[str]:
    return data().toolkit_packages(package_manager)
