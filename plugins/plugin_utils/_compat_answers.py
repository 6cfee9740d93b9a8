# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. What the compatibility data answers with, and how versions and dates in it are read."""

from __future__ import annotations

import calendar
import re
import typing as t
from datetime import date

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _versions

# Later than any version of a branch: a branch is as good as the newest driver of it.
ANY = 10**6
OPEN = {"never": "proprietary", "only": "open"}


class Package(t.NamedTuple):
    """`pinned`: it has the driver's own version. `kind`: package, or module (a stream of dnf's)."""

    name: str
    pinned: bool
    kind: str = "package"


class Library(t.NamedTuple):
    """A package of cuDNN or NCCL. `match`: what its version has to be, as a pattern; None where any will do."""

    name: str
    match: str | None


class DistroDriver(t.NamedTuple):
    """A branch and flavour of the driver that a distribution has itself. `newest` is the newest version seen of it."""

    branch: int
    flavour: str
    newest: str | None
    source: str


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


class Card(t.NamedTuple):
    """What is special about one card. `modules` as of Architecture, None where it is as its generation is."""

    device: str
    name: str
    first_driver: str | None
    modules: str | None
    source: str


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
    source: str
    last_kubernetes: str | None
    last_kubernetes_source: str | None


class Change(t.NamedTuple):
    """What Kubernetes does differently from `since` on."""

    name: str
    since: str
    words: str
    source: str


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
