# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Rules about cards: which driver serves them, with which kernel modules, and whether one does all."""

from __future__ import annotations

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._branch_choice import (
    allowed,
    card_limits,
    ended,
    flavour_of_cards,
    limits,
)
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import Card, Case, text
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_answers import reach
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules.finding import Findings, Planned, Rule, refuse

# By the flavour of the kernel modules: the cards that it does not serve, and the rule that says so.
AGAINST = {"open": ("never", "open-modules-old-card"), "proprietary": ("only", "proprietary-modules-new-card")}
APART = "put them into different hosts, or hand one of them to a virtual machine with vfio-pci"


def _words(cards: list[Card]) -> str:
    return ", ".join(card.words for card in cards)


def _branch_source(cards: list[Card]) -> str | None:
    return cards[0].architecture.source if cards[0].architecture else None


def _opposed(case: Case) -> tuple[list[Card], list[Card]]:
    """Cards with no open kernel modules, and cards with no others."""
    never = [card for card in case.cards if card.modules == "never"]
    return never, [card for card in case.cards if card.modules == "only"]


def _is_mixed(case: Case) -> bool:
    return all(_opposed(case))


def mixed_modules(case: Case, planned: Planned) -> Findings:
    """A host has one driver for all its cards, with one kind of kernel modules."""
    never, only = _opposed(case)
    if case.wants_driver and never and only:
        found = f"{_words(never)} beside {_words(only)}"
        reason = f"No driver serves {found}: the former have no open kernel modules, the latter no proprietary ones"
        yield refuse("mixed-cards", found, "cards that one driver serves", APART, reason, never[0].modules_source)


def _ends(case: Case) -> tuple[int | None, int | None]:
    """The last branch that serves all old cards, and the first that serves all new ones."""
    known = [card.architecture for card in case.cards if card.architecture]
    last = min((found.last_branch for found in known if found.last_branch), default=None)
    return last, max((found.first_branch for found in known if found.first_branch), default=None)


def are_mixed(case: Case) -> bool:
    """Whether no driver serves all cards, of which one refusal is enough."""
    last, first = _ends(case)
    return _is_mixed(case) or bool(last and first and last < first)


def mixed_branches(case: Case, planned: Planned) -> Findings:
    """The last branch of one card is older than the first of another."""
    last, first = _ends(case)
    if not case.wants_driver or last is None or first is None or last >= first or _is_mixed(case):
        return
    old = [card for card in case.cards if card.architecture and card.architecture.last_branch == last]
    new = [card for card in case.cards if card.architecture and card.architecture.first_branch == first]
    words = f"{_words(old)} beside {_words(new)}"
    reason = f"No driver serves {words}: the former end with branch {last}, the latter begin with {first}"
    yield refuse("mixed-cards", words, "cards that one driver serves", APART, reason, _branch_source(old))


def modules_of_the_card(case: Case, planned: Planned) -> Findings:
    """A flavour that was wished for by name, or that is kept, against what the cards can do."""
    flavour = planned.target.flavour if planned.target else text(case.wish, "flavour")
    if not case.wants_driver or flavour not in ("open", "proprietary") or _is_mixed(case):
        return
    modules, rule = AGAINST[flavour]
    cards = [card for card in case.cards if card.modules == modules]
    if cards:
        other = "proprietary" if flavour == "open" else "open"
        reason = f"There are no {flavour} kernel modules for {_words(cards)}"
        way_out = f"set nvidia_driver_flavour to auto or {other}"
        if planned.target and planned.target.kept:
            way_out = "set nvidia_driver_branch to a branch or to newest, so that another driver is installed"
        yield refuse(rule, _words(cards), f"{flavour} kernel modules", way_out, reason, cards[0].modules_source)


def modules_of_the_branch(case: Case, planned: Planned) -> Findings:
    """Old branches have no open modules yet, new ones no proprietary ones any more."""
    target = planned.target
    if target is None or target.kept or target.flavour not in AGAINST:
        return
    there = case.data.flavours(target.branch)
    if target.flavour in there or not there or not _served(case, target.branch):
        return
    fitting = [branch for branch in allowed(case, limits(case)) if target.flavour in case.data.flavours(branch)]
    alive = [branch for branch in fitting if not ended(case, branch)]
    way_out = f"set nvidia_driver_branch to one of {', '.join(map(str, alive or fitting)) or 'none'}"
    if not flavour_of_cards(case):
        way_out += f", or nvidia_driver_flavour to {' or '.join(there)}"
    reason = f"Branch {target.branch} has no {target.flavour} kernel modules"
    wanted = f"{target.flavour} kernel modules of branch {target.branch}"
    yield refuse("modules-not-in-branch", ", ".join(there), wanted, way_out, reason, [*there.values()][0])


def _served(case: Case, branch: int) -> bool:
    return all(limit.allows(branch) for limit in card_limits(case))


def branch_of_the_card(case: Case, planned: Planned) -> Findings:
    """Past the last branch that knows a card, or before the first."""
    branch = planned.chosen.branch if planned.chosen else None
    if branch is None or are_mixed(case):
        return
    past = [card for card in case.cards if card.architecture and branch > (card.architecture.last_branch or branch)]
    early = [card for card in case.cards if card.architecture and branch < (card.architecture.first_branch or branch)]
    for rule, cards, word in (("branch-past-card", past, "last"), ("branch-before-card", early, "first")):
        if cards:
            ends = [getattr(card.architecture, f"{word}_branch") for card in cards]
            end = min(ends) if word == "last" else max(ends)
            reason = f"Branch {branch} has no driver for {_words(cards)}, for which {end} is the {word} branch"
            way_out = f"set nvidia_driver_branch to {end}{'' if word == 'last' else ' or a later one'}"
            way_out += ", or take the card out of the host"
            yield refuse(rule, _words(cards), f"branch {branch}", way_out, reason, _branch_source(cards))


def version_of_the_card(case: Case, planned: Planned) -> Findings:
    """Some cards came after the first drivers of the branch that knows their generation."""
    version = planned.version
    if planned.target is None or version is None:
        return
    late = [card for card in case.cards if card.first_driver and reach(version) < reach(card.first_driver)]
    served = [card for card in late if _served(case, planned.target.branch)]
    if served:
        first = max((str(card.first_driver) for card in served), key=_versions.order)
        reason = f"Driver {version} does not know {_words(served)}, which came with driver {first}"
        way_out = f"set nvidia_driver_branch to {_versions.branch_of(first)} or a later one, and name no older version"
        source = served[0].first_source
        yield refuse("driver-before-card", f"driver {version}", f"driver {first}", way_out, reason, source)


RULES: tuple[Rule, ...] = (
    mixed_modules,
    mixed_branches,
    modules_of_the_card,
    modules_of_the_branch,
    branch_of_the_card,
    version_of_the_card,
)
