# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Rules about cards: which driver serves them, with which kernel modules, and whether one does all."""

from __future__ import annotations

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _compat, _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._branch_choice import card_limits, flavour_of_cards
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import Card, Case, text
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules.finding import Findings, Planned, Rule, refuse

# By the flavour of the kernel modules: the cards that it does not serve, and the rule that says so.
AGAINST = {"open": ("never", "open-modules-old-card"), "proprietary": ("only", "proprietary-modules-new-card")}
APART = "put them into different hosts, or hand one of them to a virtual machine with vfio-pci"


def _words(cards: list[Card]) -> str:
    return ", ".join(card.words for card in cards)


def _branch_source(cards: list[Card]) -> str | None:
    return cards[0].architecture.source if cards[0].architecture else None


def mixed_modules(case: Case, planned: Planned) -> Findings:
    """A host has one driver for all its cards, with one kind of kernel modules."""
    only = [card for card in case.cards if card.modules == "only"]
    never = [card for card in case.cards if card.modules == "never"]
    if case.wants_driver and only and never:
        found = f"{_words(never)} beside {_words(only)}"
        reason = (
            f"No driver serves {found}: the open kernel modules do not know the former, the proprietary not the latter"
        )
        yield refuse("mixed-cards", found, "cards that one driver serves", APART, reason, never[0].modules_source)


def mixed_branches(case: Case, planned: Planned) -> Findings:
    """The last branch of one card is older than the first of another."""
    known = [(card, card.architecture) for card in case.cards if card.architecture]
    old = [(found.last_branch, card) for card, found in known if found.last_branch]
    new = [(found.first_branch, card) for card, found in known if found.first_branch]
    if not case.wants_driver or not old or not new:
        return
    last, first = min(line[0] for line in old), max(line[0] for line in new)
    if last < first:
        early, late = ([card for number, card in lines if number == end] for lines, end in ((old, last), (new, first)))
        words = f"{_words(early)} beside {_words(late)}"
        reason = f"No driver serves {words}: the former end with branch {last}, the latter begin with {first}"
        yield refuse("mixed-branches", words, "cards that one driver serves", APART, reason, _branch_source(early))


def modules_of_the_card(case: Case, planned: Planned) -> Findings:
    """A flavour that was wished for by name, or that is kept, against what the cards can do."""
    flavour = planned.target.flavour if planned.target else text(case.wish, "flavour")
    if not case.wants_driver or flavour not in ("open", "proprietary") or _is_mixed(case):
        return
    modules, rule = (
        ("never", "open-modules-old-card") if flavour == "open" else ("only", "proprietary-modules-new-card")
    )
    cards = [card for card in case.cards if card.modules == modules]
    if cards:
        other = "proprietary" if flavour == "open" else "open"
        reason = f"There are no {flavour} kernel modules for {_words(cards)}"
        way_out = f"set nvidia_driver_flavour to auto or {other}"
        if planned.target and planned.target.kept:
            way_out = "set nvidia_driver_branch to a branch or to newest, so that another driver is installed"
        yield refuse(rule, _words(cards), f"{flavour} kernel modules", way_out, reason, cards[0].modules_source)


def _is_mixed(case: Case) -> bool:
    return {"only", "never"} <= {card.modules for card in case.cards}


def modules_of_the_branch(case: Case, planned: Planned) -> Findings:
    """Old branches have no open modules yet, new ones no proprietary ones any more."""
    target = planned.target
    if target is None or target.kept or target.flavour is None:
        return
    there = case.data.flavours(target.branch)
    if target.flavour in there or not there or not _served(case, target.branch):
        return
    fitting = [str(branch) for branch in case.data.branches() if target.flavour in case.data.flavours(branch)]
    way_out = f"set nvidia_driver_branch to one of {', '.join(fitting)}"
    if not flavour_of_cards(case):
        way_out += f", or nvidia_driver_flavour to {' or '.join(there)}"
    reason = f"Branch {target.branch} has no {target.flavour} kernel modules"
    wanted = f"{target.flavour} kernel modules of branch {target.branch}"
    yield refuse("modules-not-in-branch", ", ".join(there), wanted, way_out, reason, next(iter(there.values())))


def _served(case: Case, branch: int) -> bool:
    return all(limit.allows(branch) for limit in card_limits(case))


def branch_of_the_card(case: Case, planned: Planned) -> Findings:
    """Past the last branch that knows a card, or before the first."""
    branch = planned.chosen.branch if planned.chosen else None
    if branch is None:
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
    late = [
        card for card in case.cards if card.first_driver and _compat.reach(version) < _compat.reach(card.first_driver)
    ]
    served = [card for card in late if _served(case, planned.target.branch)]
    if served:
        first = max((str(card.first_driver) for card in served), key=_versions.order)
        reason = f"Driver {version} does not know {_words(served)}, which came with driver {first}"
        way_out = f"set nvidia_driver_branch to {_versions.branch_of(first)} or a later one, and name no older version"
        yield refuse(
            "driver-before-card", f"driver {version}", f"driver {first}", way_out, reason, served[0].first_source
        )


RULES: tuple[Rule, ...] = (
    mixed_modules,
    mixed_branches,
    modules_of_the_card,
    modules_of_the_branch,
    branch_of_the_card,
    version_of_the_card,
)
