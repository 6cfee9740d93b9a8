# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. The compatibility data of this folder's data/*.yml, as answers to questions. It decides nothing.

`data(overlay)` gives the `Data` of a play. Versions are texts and are compared as numbers: 580.95.05 < 580.105.08.
"""

from __future__ import annotations

import typing as t
from functools import cache

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _compat_data
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_answers import (
    Architecture,
    Branch,
    Card,
    Change,
    Choice,
    Cuda,
    DistroDriver,
    KnownBad,
    Library,
    Package,
    Runtime,
    Verdict,
    minor,
    reach,
)
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_data import CompatError, Line
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_drivers import Drivers
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_software import Software

__all__ = [
    "Architecture",
    "Branch",
    "Card",
    "Change",
    "Choice",
    "CompatError",
    "Cuda",
    "Data",
    "DistroDriver",
    "KnownBad",
    "Library",
    "Line",
    "Package",
    "Runtime",
    "Verdict",
    "data",
    "minor",
    "reach",
]


class Data(Drivers, Software):
    """All answers, those of `Drivers` (branches, cards, CUDA) and of `Software` (platforms, packages, Kubernetes)."""


@cache
def _builtin() -> Data:
    return Data(_compat_data.builtin())


def data(overlay: t.Mapping[str, t.Any] | None = None) -> Data:
    """The collection's data, with the user's own lines over it. Raises CompatError where those cannot be understood."""
    return _builtin() if overlay is None else Data(_compat_data.merged(overlay))


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
