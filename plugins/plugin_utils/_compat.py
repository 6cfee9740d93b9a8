# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. The compatibility data of this folder's data/*.yml, as answers to questions. It decides nothing."""

from __future__ import annotations

import re
import typing as t
from functools import cache
from pathlib import Path

import yaml

Line = dict[str, t.Any]

DATA = Path(__file__).parent / "data"


class Package(t.NamedTuple):
    """`pinned`: the package has the driver's own version."""

    name: str
    pinned: bool


class Choice(t.NamedTuple):
    """What the data says, and where it says so."""

    value: str
    source: str


class Generation(t.NamedTuple):
    """An older generation of cards, and what NVIDIA's drivers still do for it."""

    name: str
    flavour: Choice
    last_branch: int
    last_branch_source: str


@cache
def load(name: str) -> dict[str, t.Any]:
    with (DATA / f"{name}.yml").open(encoding="utf-8") as stream:
        return dict(yaml.safe_load(stream))


def platform(id_: str | None, version: str | None) -> Line | None:
    """The line of a distribution. A point release is served as its release is: 12.4 by 12, but 24.10 not by 24.04."""
    for line in platforms():
        wanted = line["version"]
        if line["id"] == id_ and version and (version == wanted or version.startswith(f"{wanted}.")):
            return line
    return None


def platforms() -> list[Line]:
    return list(load("platforms")["platforms"])


def branches() -> list[int]:
    """Known branches of the driver, the newest first."""
    return [line["branch"] for line in load("branches")["branches"]]


def driver_packages(package_manager: str, branch: int, flavour: str) -> list[Package]:
    return [
        Package(line["name"].format(branch=branch), line["pinned"])
        for line in load("packages")["driver"]
        if line["package_manager"] == package_manager and line["flavour"] == flavour and _serves(line, branch)
    ]


def default_flavour(branch: int) -> Choice:
    data = load("packages")
    line = next(line for line in data["flavours"] if _serves(line, branch))
    return Choice(line["flavour"], data["sources"][line["source"]])


def old_generation(device: str | None) -> Generation | None:
    """The older generation that a PCI device id is of. None for a newer card, and for an id that says nothing."""
    if not re.fullmatch(r"[0-9a-f]{4}", str(device or "").lower()):
        return None
    data = load("cards")
    line = next((line for line in data["generations"] if int(str(device), 16) < line["below"]), None)
    if line is None:
        return None
    name, sources = line["name"], data["sources"]
    flavour, last = (_of_generation(data[key], name) for key in ("flavours", "last_branches"))
    choice = Choice(flavour["flavour"], sources[flavour["source"]])
    return Generation(name, choice, last["branch"], sources[last["source"]])


def _of_generation(lines: list[Line], name: str) -> Line:
    return next(line for line in lines if line["generation"] == name)


def cuda_packages(package_manager: str, version: str) -> list[str]:
    """Packages of one toolkit: 13.0 is cuda-toolkit-13-0."""
    return [
        line["name"].format(version=version.replace(".", "-"))
        for line in load("packages")["cuda"]
        if line["package_manager"] == package_manager
    ]


def toolkit_packages(package_manager: str) -> list[str]:
    return [line["name"] for line in load("packages")["toolkit"] if line["package_manager"] == package_manager]


def _serves(line: Line, branch: int) -> bool:
    return bool(line.get("from", 0) <= branch < line.get("below", branch + 1))
