# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Rules about CUDA: what the driver that is to be can run, and what the cards can."""

from __future__ import annotations

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _branch_choice, _cuda_plan, _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import Card, Case, text
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules.finding import (
    Findings,
    Planned,
    Refusal,
    Rule,
    refuse,
)


def bad_version(case: Case, planned: Planned) -> Findings:
    wished = [str(version) for version in case.cuda_wish.get("versions") or []]
    bad = ", ".join(version for version in wished if not _versions.is_cuda_version(version))
    if bad:
        way_out = 'write cuda_versions as texts such as "13.0", in quotes'
        yield refuse("bad-cuda-version", bad, "13.0", way_out, f"{bad} is not a version of the CUDA toolkit")
    bad = ", ".join(version for version in case.images if not _versions.is_cuda_image(version))
    if bad:
        way_out = 'write nvidia_driver_cuda_images as texts such as "12.8" or "12.8.1", in quotes'
        yield refuse("bad-cuda-image", bad, "12.8", way_out, f"{bad} is not a version of CUDA")


def default_toolkit(case: Case, planned: Planned) -> Findings:
    default = text(case.cuda_wish, "default")
    if default is None or case.cuda_wish.get("state") == "absent":
        return
    if default not in [*case.toolkits, *_cuda_plan.there(case)]:
        reason = f"CUDA {default} cannot be the default toolkit, since it is neither installed nor asked for"
        yield refuse("default-toolkit", "no such toolkit", default, f"add {default} to cuda_versions", reason)


def images(case: Case, planned: Planned) -> Findings:
    for image in planned.images:
        cuda = image["cuda"]
        if not _versions.is_cuda_image(cuda) or _cuda_plan.all_without(case, cuda):
            continue
        if image["runs"] is False:
            yield _too_old(case, planned, "cuda-image-needs-driver", f"an image with CUDA {cuda}", cuda)
        elif image["runs"] is None:
            yield f"It is not known whether an image with CUDA {cuda} will run: {image['why']}."
        elif not image["full"]:
            yield f"An image with CUDA {cuda} will run, though not with everything: {image['why']}."


def toolkits(case: Case, planned: Planned) -> Findings:
    """A host that only builds needs no driver; and where none is wished for, another role may bring a newer one."""
    for cuda in case.toolkits:
        if planned.version is None or not _versions.is_cuda_version(cuda):
            continue
        verdict = case.data.cuda_runs_on(planned.version, cuda)
        if verdict.ok is False and planned.target:
            yield _too_old(case, planned, "cuda-toolkit-needs-driver", f"what the CUDA toolkit {cuda} builds", cuda)
        elif verdict.ok is False:
            yield f"Driver {planned.version} cannot run what CUDA toolkit {cuda} builds: that needs {verdict.needed}."


def _too_old(case: Case, planned: Planned, rule: str, what: str, cuda: str) -> Refusal:
    verdict = case.data.cuda_runs_on(str(planned.version), cuda)
    limit = case.data.newest_cuda(str(planned.version))
    upto = f", whose newest CUDA is {limit}" if limit else ""
    reason = f"Driver {planned.version}{upto}, cannot run {what}, which needs driver {verdict.needed} or newer"
    way_out = _newer_driver(case, planned, cuda) or f"use CUDA {limit or 'of an older version'} or older"
    return refuse(rule, f"driver {planned.version}", f"driver {verdict.needed}", way_out, reason, verdict.source)


def _newer_driver(case: Case, planned: Planned, cuda: str) -> str | None:
    """The branch to ask for instead, if one runs this CUDA and serves the cards."""
    fitting = _branch_choice.allowed(case, _branch_choice.limits(case))
    alive = [branch for branch in fitting if not _branch_choice.ended(case, branch)]
    if not fitting:
        return None
    best = max(alive or fitting, key=lambda branch: (_branch_choice.rank(case, branch), branch))
    if planned.target and best == planned.target.branch:
        return f"leave nvidia_driver_version empty, so that the newest driver of branch {best} is taken"
    return f"set nvidia_driver_branch to {best}"


def dropped_cards(case: Case, planned: Planned) -> Findings:
    """CUDA 13 makes no programs for Volta. Beside a younger card such an image still has one to run on."""
    for cuda in case.images:
        cards = _cuda_plan.without(case, cuda)
        if _cuda_plan.all_without(case, cuda):
            yield _dropped(cuda, cards)
        elif cards:
            yield f"An image with CUDA {cuda} cannot use {_words(cards)}: CUDA {_last(cards)} is the last one for it."
    for cuda in case.toolkits:
        cards = _cuda_plan.without(case, cuda)
        if cards:
            yield f"CUDA toolkit {cuda} builds nothing for {_words(cards)}: CUDA {_last(cards)} is the last one for it."


def _dropped(cuda: str, cards: list[Card]) -> Refusal:
    last = _last(cards)
    reason = f"An image with CUDA {cuda} has nothing for {_words(cards)}, for which CUDA {last} is the last one"
    way_out = f"run images with CUDA {last} or older on this host"
    source = next((card.architecture.source for card in cards if card.architecture), None)
    return refuse("cuda-without-card", _words(cards), f"CUDA {cuda}", way_out, reason, source)


def older_than_cards(case: Case, planned: Planned) -> Findings:
    """Such an image has to translate its PTX for the card, if it has any."""
    for cuda in case.images:
        cards = _cuda_plan.before(case, cuda)
        if cards:
            yield (
                f"An image with CUDA {cuda} is older than {_words(cards)}: it starts slowly, since the driver"
                " translates its code, or not at all if it has none to translate."
            )


def _words(cards: list[Card]) -> str:
    return ", ".join(card.words for card in cards)


def _last(cards: list[Card]) -> str:
    known = [card.architecture.cuda_last for card in cards if card.architecture and card.architecture.cuda_last]
    return min(known, key=_versions.order)


RULES: tuple[Rule, ...] = (bad_version, default_toolkit, images, toolkits, dropped_cards, older_than_cards)
