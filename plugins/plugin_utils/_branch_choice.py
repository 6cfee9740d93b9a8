# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Which branch of the driver a wish means on one host, and what speaks against the others."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _driver_files, _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import DISTRO, PREINSTALLED, Case, Section, flag, text
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_answers import reach

NEWEST, NEEDED, KEEP = "newest", "needed", "keep"
WORDS = (NEWEST, NEEDED, KEEP)
# What NVIDIA corrects for a year or for three comes before what the next branch replaces.
RANKS = {"LTSB": 2, "PB": 2, "NFB": 1}
# By whether the open kernel modules drive a card: the only modules that there are for it.
FLAVOURS: dict[str | None, str] = {"never": "proprietary", "only": "open"}
TYPE_WORDS = {"LTSB": "long-term support", "PB": "production", "NFB": "new features"}


class Limit(t.NamedTuple):
    """What rules branches out. `kind`: card, cuda, flavour, distro or installed. `words` say why, `source` where."""

    kind: str
    words: str
    source: str | None
    allows: t.Callable[[int], bool]


class Chosen(t.NamedTuple):
    """`branch` is None where nothing was chosen; `against` says why where branches were looked for."""

    branch: int | None
    version: str | None
    reason: str
    against: list[Limit]


def word_of(wish: Section) -> str | None:
    """The wish as a word, if it is one."""
    branch = text(wish, "branch")
    return branch if branch in WORDS else None


def keeps(wish: Section) -> bool:
    """Whether the driver that is there is to stay, so that no branch is to be chosen."""
    return word_of(wish) == KEEP or text(wish, "source") == PREINSTALLED


def choose(case: Case) -> Chosen:
    word = word_of(case.wish)
    if keeps(case.wish):
        version = case.installed
        branch = _versions.branch_of(version) if version else None
        return Chosen(branch, version, f"driver {version} is installed and stays", [])
    version = _driver_files.version(case)
    if word and (word == NEWEST or case.images) and not _driver_files.is_asked(case):
        return _search(case, word)
    branch = _versions.branch_of((None if word else text(case.wish, "branch")) or version or "")
    return Chosen(branch if branch in case.data.branches() else None, version, "as wished", [])


def _search(case: Case, word: str) -> Chosen:
    known = limits(case)
    fitting = allowed(case, known)
    alive = [branch for branch in fitting if not ended(case, branch)]
    if not fitting:
        return Chosen(None, None, "no branch fits", _opposed(case, known))
    if not alive:
        last = max(fitting)
        return Chosen(last, None, "the newest branch that fits, though all that fit are past their end of life", [])
    sign = 1 if word == NEWEST else -1
    best = max(alive, key=lambda branch: (rank(case, branch), sign * branch))
    kind = TYPE_WORDS.get(str(_type(case, best)), "unknown kind")
    purpose = "that fits this host" if word == NEWEST else f"that runs CUDA {', '.join(case.images)} here"
    return Chosen(best, None, f"the {'newest' if word == NEWEST else 'oldest'} branch ({kind}) {purpose}", [])


def allowed(case: Case, known: list[Limit]) -> list[int]:
    """Branches that none of these limits rules out, the newest first."""
    return [branch for branch in case.data.branches() if all(limit.allows(branch) for limit in known)]


def _opposed(case: Case, known: list[Limit]) -> list[Limit]:
    """Of limits that leave no branch those that do so by themselves: without any one of them a branch would fit."""
    for limit in known:
        rest = [other for other in known if other is not limit]
        if not allowed(case, rest):
            return _opposed(case, rest)
    return known


def rank(case: Case, branch: int) -> int:
    return RANKS.get(str(_type(case, branch)), 0)


def _type(case: Case, branch: int) -> str | None:
    line = case.data.branch(branch)
    return line.type if line else None


def ended(case: Case, branch: int) -> bool:
    """Whether the branch is known to be past its end of life."""
    line = case.data.branch(branch)
    return bool(line and case.today and line.ended(case.today))


def limits(case: Case) -> list[Limit]:
    """What can be given up most easily comes last."""
    return [
        *flavour_limits(case),
        *card_limits(case),
        *cuda_limits(case),
        *distro_limits(case),
        *installed_limits(case),
    ]


def distro_limits(case: Case) -> list[Limit]:
    """A distribution has few branches, and not always both flavours of them."""
    if case.source != DISTRO:
        return []
    only = flavour_of_cards(case) or text(case.wish, "flavour")
    lines = [line for line in case.distro_drivers if only in (None, "auto", line.flavour)]
    branches = {line.branch for line in lines}
    source = lines[0].source if lines else None
    return [Limit("distro", distro_words(case), source, branches.__contains__)]


def distro_words(case: Case) -> str:
    names = ", ".join(str(branch) for branch in sorted({line.branch for line in case.distro_drivers}))
    return f"{text(case.platform, 'name') or 'this distribution'} has only branch {names or 'none'} itself"


def card_limits(case: Case) -> list[Limit]:
    found = []
    for card in case.cards:
        known = card.architecture
        if known and known.last_branch:
            words = f"branch {known.last_branch} is the last one for {card.words}"
            found.append(Limit("card", words, known.source, _at_most(known.last_branch)))
        if known and known.first_branch:
            words = f"branch {known.first_branch} is the first one for {card.words}"
            found.append(Limit("card", words, known.source, _at_least(known.first_branch)))
        if card.first_driver:
            words = f"driver {card.first_driver} is the first one for {card.words}"
            found.append(Limit("card", words, card.first_source, _reaches(case, card.first_driver)))
    return found


def _reaches(case: Case, version: str) -> t.Callable[[int], bool]:
    """A branch whose newest driver is not known may have that version or not; it is not ruled out."""

    def allows(branch: int) -> bool:
        line = case.data.branch(branch)
        newest = line.newest if line and line.newest else str(branch)
        return reach(newest) >= reach(version)

    return allows


def _at_most(last: int) -> t.Callable[[int], bool]:
    return lambda branch: branch <= last


def _at_least(first: int) -> t.Callable[[int], bool]:
    return lambda branch: branch >= first


def cuda_limits(case: Case) -> list[Limit]:
    """What runs on the host asks for a driver that is new enough."""
    images = [_cuda_limit(case, f"an image with CUDA {version}", version) for version in case.images]
    toolkits = [] if flag(case.cuda_wish, "build_only") else case.toolkits
    return images + [_cuda_limit(case, f"the CUDA toolkit {version}", version) for version in toolkits]


def _cuda_limit(case: Case, words: str, version: str) -> Limit:
    known = case.data.cuda(version)
    if known is None:
        return Limit("cuda", f"nothing is known of {words}", None, lambda branch: True)
    needed = known.needed
    least = _versions.order(needed.value)
    says = f"{words} needs driver {needed.value} or newer"
    return Limit("cuda", says, needed.source, lambda branch: reach(branch) >= least)


def flavour_limits(case: Case) -> list[Limit]:
    """One card or a wish can leave only one flavour of kernel modules, and not every branch has both."""
    only = flavour_of_cards(case) or text(case.wish, "flavour")
    if only not in ("open", "proprietary"):
        return []
    words = f"not every branch has {only} kernel modules, which this host needs"
    return [Limit("flavour", words, None, lambda branch: only in case.data.flavours(branch))]


def flavour_of_cards(case: Case) -> str | None:
    """The only flavour that all cards allow; None where both do, or none does."""
    found = {FLAVOURS[card.modules] for card in case.cards if card.modules in FLAVOURS}
    return found.pop() if len(found) == 1 else None


def installed_limits(case: Case) -> list[Limit]:
    before = case.installed
    branch = _versions.branch_of(before) if before else None
    if branch is None or case.allows_downgrade:
        return []
    words = f"driver {before} is installed, and nothing allows a downgrade"
    return [Limit("installed", words, None, _at_least(branch))]
