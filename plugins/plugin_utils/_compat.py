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
