# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which stub packages there are: packages/packages.toml spelled out, one `Package` for each .deb."""

from __future__ import annotations

import tomllib
from typing import Any, NamedTuple

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

    @property
    def file_name(self) -> str:
        return f"{self.name}_{self.version}_amd64.deb"


class Repository(NamedTuple):
    name: str
    paths: list[str]  # below the served folder; all have the same packages
    key_name: str  # the file with the public key, seen from each path
    packages: list[Package]


def table() -> dict[str, Any]:
    return tomllib.loads((PACKAGES / "packages.toml").read_text())


def drivers(entries: dict[str, Any]) -> list[Driver]:
    return [Driver(entry["version"], entry["cuda"]) for entry in entries["driver"]]


def repositories(entries: dict[str, Any]) -> list[Repository]:
    """As NVIDIA lays them out: one flat folder for each release of a distribution, one for the container toolkit."""
    cuda = [_cuda(entry) for entry in entries["cuda"]]
    found = []
    for family, entry in entries["family"].items():
        paths = [f"compute/cuda/repos/{release}/x86_64" for release in entry["releases"]]
        driver = [package for driver in drivers(entries) for package in _driver_packages(entry, driver)]
        found.append(Repository(f"cuda-{family}", paths, "3bf863cc.pub", [*driver, *cuda]))
    rows, versions = entries["toolkit"]["package"], entries["toolkit"]["versions"]
    toolkit = [_package(row, version, "1") for version in versions for row in rows]
    found.append(Repository("container-toolkit", ["libnvidia-container/stable/deb/amd64"], "../../../gpgkey", toolkit))
    return found


def _driver_packages(family: dict[str, Any], driver: Driver) -> list[Package]:
    branch = int(driver.version.split(".")[0])
    rows = [row for row in family["package"] if row.get("from", 0) <= branch < row.get("below", 10**6)]
    return [_package(row, driver.version, family["revision"]) for row in rows]


def _package(row: dict[str, Any], version: str, revision: str) -> Package:
    words = {"version": version, "branch": version.split(".")[0], "deb": f"{version}-{revision}"}
    relations = {name: [item.format(**words) for item in row[name]] for name in RELATIONS if name in row}
    return Package(row["name"].format(**words), words["deb"], version, relations, tuple(row.get("content", ())))


def _cuda(entry: dict[str, Any]) -> Package:
    return Package(entry["name"], f"{entry['version']}-1", entry["version"], {}, (f"cuda-toolkit-{entry['release']}",))
