# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Compatibility data of software: platforms and their packages, Kubernetes, versions known to be bad."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_answers import (
    Change,
    Choice,
    DistroDriver,
    KnownBad,
    Library,
    Package,
    Repository,
    Runtime,
    last_day,
    minor,
)
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_data import Line, Lines, unusable


class Software(Lines):
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

    def repository(self, platform: Line) -> Repository:
        """What NVIDIA's repository for a distribution, a line of `platforms`, has of what the distribution can use."""
        names = (platform["id"], platform["version"])
        line = next(
            (line for line in self._lines("platforms", "repositories") if (line["id"], line["version"]) == names),
            platform,
        )
        architectures = line.get("architectures") or platform["architectures"]
        return Repository(tuple(architectures), line.get("first_branch"), self._source("platforms", line))

    def driver_packages(self, manager: str, branch: int, flavour: str, release: str | None = None) -> list[Package]:
        """Those of NVIDIA's repository. `release` is an Enterprise Linux's version, such as 9.4; apt needs none."""
        lines = self._packages("driver", manager, branch, release)
        return [_package(line, branch=branch) for line in lines if line["flavour"] == flavour and not _of_distro(line)]

    def distro_packages(self, platform: Line, branch: int, flavour: str, kernel: str | None) -> list[Package]:
        """Those of a distribution, a line of `platforms`. `kernel`: the flavour of its kernel, where it has several."""
        lines = self._packages("driver", platform["package_manager"], branch, platform["version"])
        return [
            _package(line, branch=branch, kernel=kernel)
            for line in lines
            if line["flavour"] == flavour and _of_distro(line) and platform["id"] in (line.get("platforms") or [])
        ]

    def distro_drivers(self, platform: Line) -> list[DistroDriver]:
        """What a distribution has of NVIDIA's driver, the newest branch first."""
        lines = [line for line in self._lines("platforms", "drivers") if _same_release(line, platform)]
        lines.sort(key=lambda line: int(line["branch"]), reverse=True)
        return [
            DistroDriver(line["branch"], line["flavour"], line.get("newest"), self._source("platforms", line))
            for line in lines
        ]

    def components(self, platform: Line) -> list[str]:
        """Components that a distribution has its driver in."""
        return [line["name"] for line in self._lines("platforms", "components") if line["id"] == platform["id"]]

    def first_kernel(self, platform: Line) -> str | None:
        """The kernel that a release came with, where packages for a later one are called otherwise."""
        lines = [line for line in self._lines("platforms", "kernels") if _same_release(line, platform)]
        return lines[0]["kernel"] if lines else None

    def fabric_packages(self, manager: str, branch: int, purpose: str) -> list[Package]:
        """`purpose` is nvswitch, nvlink5 or imex."""
        lines = self._packages("fabric", manager, branch, None)
        return [_package(line, branch=branch) for line in lines if purpose in line["for"]]

    def header_packages(self, manager: str, kernel: str) -> list[str]:
        """What modules for this kernel are built against.

        {base} and {variant} are what stands before and behind a plus, as in 5.14.0-570.el9.aarch64+64k.
        """
        base, _plus, variant = kernel.partition("+")
        words = {"release": kernel, "base": base, "variant": variant and f"-{variant}"}
        return [_package(line, **words).name for line in self._packages("headers", manager)]

    def build_packages(self, manager: str, source: str) -> list[str]:
        """What builds modules on a host, besides headers. `source`: where the driver comes from."""
        lines = self._packages("build", manager)
        return [line["name"] for line in lines if not line.get("for") or source in line["for"]]

    def matched_packages(self, manager: str, tools: t.Sequence[str]) -> dict[str, str]:
        """By a kernel's package the one that these of the tools want with it, in the kernel's own version."""
        lines = self._packages("matched", manager)
        return {line["kernel"]: line["name"] for line in lines if line["build"] in tools}

    def cuda_packages(self, manager: str, version: str, components: str = "full") -> list[str]:
        """Packages of one toolkit: all of 13.0 is cuda-toolkit-13-0."""
        lines = [line for line in self._packages("cuda", manager) if components in line["for"] and not _of_distro(line)]
        return [_package(line, version=version.replace(".", "-")).name for line in lines]

    def distro_cuda(self, platform: Line) -> str | None:
        """The version of the one toolkit that a distribution has itself."""
        lines = [line for line in self._lines("platforms", "toolkits") if _same_release(line, platform)]
        return lines[0]["cuda"] if lines else None

    def distro_cuda_packages(self, platform: Line, components: str = "full") -> list[str]:
        """Those of that toolkit."""
        return [
            line["name"]
            for line in self._packages("cuda", platform["package_manager"])
            if components in line["for"] and _of_distro(line) and platform["id"] in (line.get("platforms") or [])
        ]

    def cuda_libraries(self, manager: str, library: str, major: int, components: str = "full") -> list[Library]:
        """`library` is cudnn-9 or nccl; who only runs programs needs no headers of it."""
        lines = [line for line in self._packages("cuda_libraries", manager) if line["library"] == library]
        return [
            Library(line["name"].format(major=major), (line.get("match") or "").format(major=major) or None)
            for line in lines
            if components in line["for"]
        ]

    def toolkit_packages(self, manager: str) -> list[str]:
        return [line["name"] for line in self._packages("toolkit", manager)]

    def default_flavour(self, branch: int) -> Choice:
        line = next((line for line in self._lines("packages", "defaults") if _serves(line, branch)), None)
        if line is None:
            raise unusable(f"packages.defaults says nothing of branch {branch}", "a line for every branch")
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

    # Kubernetes, and versions that are known to be bad.

    def kubernetes(self, version: str | None) -> Runtime | None:
        return self._runtime("kubernetes", version)

    def containerd(self, version: str | None) -> Runtime | None:
        return self._runtime("containerd", version)

    def containerd_runs(self, containerd: str | None, kubernetes: str | None) -> bool | None:
        """Whether a kubelet works with a containerd; None where either is not known."""
        found = self.containerd(containerd)
        if found is None or not kubernetes:
            return None
        last = found.last_kubernetes
        return last is None or _versions.order(minor(kubernetes)) <= _versions.order(last)

    def gates(self) -> dict[str, Line]:
        """Feature gates of the kubelet by name."""
        return {line["name"]: line for line in self._lines("kubelet_gates", "gates")}

    def gates_complete(self) -> list[str]:
        """Minor versions of Kubernetes of which every gate is known."""
        return [line["version"] for line in self._lines("kubelet_gates", "complete")]

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
        eol, last = line.get("eol"), line.get("last_kubernetes")
        source = self._source("kubernetes", line)
        reason = self._source("kubernetes", line, "last_kubernetes_source") if last else None
        return Runtime(line["version"], last_day(eol), eol, source, last, reason)


def _package(line: Line, **values: t.Any) -> Package:
    try:
        name = line["name"].format(**values)
    except (LookupError, ValueError, AttributeError, TypeError):
        known = ", ".join(f"{{{key}}}" for key in values)
        raise unusable(f"the name {line['name']} of a package has other braces", f"{known} or none") from None
    return Package(name, bool(line.get("pinned")), line.get("kind") or "package")


def _of_distro(line: Line) -> bool:
    return line.get("origin") == "distro"


def _same_release(line: Line, platform: Line) -> bool:
    return (line["id"], line["version"]) == (platform["id"], platform["version"])


def _serves(line: Line, branch: int) -> bool:
    return bool((line.get("from") or 0) <= branch < (line.get("below") or branch + 1))


def _within(line: Line, version: tuple[int, ...]) -> bool:
    first, end = line.get("from"), line.get("below")
    return (not first or _versions.order(first) <= version) and (not end or version < _versions.order(end))


def _range(line: Line) -> str:
    parts = [f"from {line['from']}" if line.get("from") else "", f"below {line['below']}" if line.get("below") else ""]
    return " ".join(filter(None, parts)) or "all"
