# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which stub packages there are: packages/packages.toml spelled out, one `Package` for each .deb."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from typing import Any, NamedTuple

from _rig.architecture import X86_64, Architecture
from _rig.cache import RIG
from _rig.nvml import Driver

PACKAGES = RIG / "packages"
RELATIONS = ("depends", "provides", "conflicts")


class Package(NamedTuple):
    name: str
    version: str  # with the revision
    upstream: str  # without: the driver's, toolkit's or CUDA's own version
    relations: dict[str, list[str]]
    content: tuple[str, ...]  # kinds of files, see debs.py
    architecture: Architecture = X86_64

    @property
    def file_name(self) -> str:
        return f"{self.name}_{self.version}_{self.architecture.deb}.deb"


class Repository(NamedTuple):
    name: str
    paths: dict[str, str]  # folders with the same packages below the served one; the public key's file, seen from each
    packages: list[Package]
    origin: str = "NVIDIA"
    architecture: Architecture = X86_64


def table() -> dict[str, Any]:
    return tomllib.loads((PACKAGES / "packages.toml").read_text())


def drivers(entries: dict[str, Any]) -> list[Driver]:
    return [Driver(entry["version"], entry["cuda"]) for entry in entries["driver"]]


def repositories(entries: dict[str, Any]) -> list[Repository]:
    """As NVIDIA lays them out: one flat folder for each release of a distribution, one for the container toolkit."""
    found = of_drivers_and_cuda(entries, X86_64)
    rows, versions = entries["toolkit"]["package"], entries["toolkit"]["versions"]
    toolkit = [_package(row, version, "1") for version in versions for row in rows]
    found.append(Repository("container-toolkit", {"libnvidia-container/stable/deb/amd64": "../../../gpgkey"}, toolkit))
    own, version = entries["system"]["package"], entries["system"]["version"]
    system = [_package(row, version, "1") for row in own]
    found.append(Repository("system", {"system": "key.asc"}, system, "Debian"))
    return found


def of_drivers_and_cuda(entries: dict[str, Any], architecture: Architecture) -> list[Repository]:
    """One for each family of distributions that NVIDIA has packages of this architecture for."""
    found = []
    for family, entry in entries["family"].items():
        if architecture.machine in entry["machines"]:
            place = f"compute/cuda/repos/{{}}/{architecture.nvidia}"
            paths = {place.format(release): key_name for release, key_name in entry["releases"].items()}
            driver = [package for driver in drivers(entries) for package in _driver_packages(entry, driver)]
            offered = made_for(architecture, [*driver, *cuda_packages(entries)])
            found.append(Repository(f"cuda-{family}", paths, offered, architecture=architecture))
    return found


def made_for(architecture: Architecture, packages: Iterable[Package]) -> list[Package]:
    return [package._replace(architecture=architecture) for package in packages]


def of_driver(entries: dict[str, Any], family: str, driver: Driver) -> list[Package]:
    """All packages of one driver, as a family of distributions has them."""
    return _driver_packages(entries["family"][family], driver)


def _driver_packages(family: dict[str, Any], driver: Driver) -> list[Package]:
    branch = int(driver.version.split(".")[0])
    rows = [row for row in family["package"] if row.get("from", 0) <= branch < row.get("below", 10**6)]
    return [_package(row, driver.version, family["revision"]) for row in rows]


def _package(row: dict[str, Any], version: str, revision: str) -> Package:
    words = {"version": version, "branch": version.split(".")[0], "deb": f"{version}-{revision}"}
    words["kernel"] = os.uname().release
    relations = {name: [item.format(**words) for item in row[name]] for name in RELATIONS if name in row}
    return Package(row["name"].format(**words), words["deb"], version, relations, tuple(row.get("content", ())))


def cuda_packages(entries: dict[str, Any]) -> list[Package]:
    """Each row for each release of CUDA, the newest one first; what releases share is there once."""
    found: dict[tuple[str, str], Package] = {}
    for release in reversed(entries["cuda"]):
        for row in entries["cuda_package"]:
            package = _cuda(row, release)
            found.setdefault((package.name, "" if row.get("newest") else package.version), package)
    return list(found.values())


def _cuda(row: dict[str, Any], entry: dict[str, Any]) -> Package:
    release = entry["release"]
    words = {"tag": release.replace(".", "-"), "major": release.split(".")[0], "release": release}
    upstream = row.get("own_version", entry["version"])
    words |= {"version": entry["version"], "driver": entry["driver"]}
    words["deb"] = f"{upstream}-{row.get('revision', '1').format(**words)}"
    relations = {name: [item.format(**words) for item in row[name]] for name in RELATIONS if name in row}
    content = tuple(f"{kind} {release}" for kind in row.get("content", ()))
    return Package(row["name"].format(**words), words["deb"], upstream, relations, content)
