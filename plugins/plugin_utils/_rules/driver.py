# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Rules about the wish for a driver: its branch, its version, its age."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _branch_choice, _driver_files, _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._branch_choice import (
    NEEDED,
    NEWEST,
    WORDS,
    Limit,
    allowed,
    limits,
)
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import PREINSTALLED, Case, flag, part, text
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules.cards import are_mixed
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules.finding import (
    Finding,
    Findings,
    Planned,
    Rule,
    refuse,
)

DOWNGRADE = "nvidia_driver_allow_downgrade: true"


def unknown_branch(case: Case, planned: Planned) -> Findings:
    named = not _branch_choice.word_of(case.wish) and not _branch_choice.keeps(case.wish)
    if planned.chosen is None or planned.chosen.branch is not None or not named:
        return
    wanted = text(case.wish, "branch") or text(case.wish, "version") or "none"
    known = ", ".join(str(branch) for branch in case.data.branches())
    way_out = f"set nvidia_driver_branch to {', '.join(WORDS)} or one of {known}"
    reason = f"Driver branch {wanted} is not known"
    yield refuse("unknown-branch", known, wanted, way_out, reason)


def kept_is_not_known(case: Case, planned: Planned) -> Findings:
    """What was installed by others may be of a branch that the data does not have; it is not refused for that."""
    target = planned.target
    if target and target.kept and case.data.branch(target.branch) is None:
        yield f"Nothing is known of driver branch {target.branch}, which is kept: neither its end nor its cards."


def needed_by_nothing(case: Case, planned: Planned) -> Findings:
    if _branch_choice.keeps(case.wish):
        return
    if case.wants_driver and _branch_choice.word_of(case.wish) == NEEDED and not case.images:
        way_out = (
            "name the CUDA versions of your images in nvidia_driver_cuda_images, or set nvidia_driver_branch to newest"
        )
        reason = "The branch is to be the one that the images need, but no image's CUDA version is named"
        yield refuse("needed-by-nothing", "no CUDA version", "nvidia_driver_cuda_images", way_out, reason)


def no_branch_fits(case: Case, planned: Planned) -> Findings:
    """Of cards that no driver serves together another rule tells."""
    against = planned.chosen.against if planned.chosen else []
    if not against or are_mixed(case):
        return
    found = "; ".join(limit.words for limit in against)
    source = next((limit.source for limit in against if limit.source), None)
    reason = f"No branch of the driver fits: {found}"
    yield refuse("no-branch-fits", found, str(text(case.wish, "branch")), _relax(case, against), reason, source)


def _relax(case: Case, against: list[Limit]) -> str:
    """What to give up so that a branch fits: the mildest of what is opposed."""
    kinds = {limit.kind for limit in against}
    if kinds == {"installed"}:
        return f"leave it as it is with nvidia_driver_branch: keep, or allow the downgrade with {DOWNGRADE}"
    if "installed" in kinds:
        return f"allow the downgrade with {DOWNGRADE}"
    if "distro" in kinds:
        return "take the driver from NVIDIA's repository with nvidia_driver_source: repo"
    if "cuda" in kinds:
        rest = allowed(case, [limit for limit in limits(case) if limit.kind != "cuda"])
        cuda = _newest_cuda(case, max(rest)) if rest else None
        return f"use CUDA {cuda or 'of an older version'} or older in nvidia_driver_cuda_images and cuda_versions"
    if case.wish.get("flavour") not in (None, "", "auto"):
        return "set nvidia_driver_flavour to auto"
    return "take one of these cards out of the host"


def _newest_cuda(case: Case, branch: int) -> str | None:
    """The newest CUDA whose programs run on a branch and on the cards here."""
    last = [card.architecture.cuda_last for card in case.cards if card.architecture and card.architecture.cuda_last]
    end = min(map(_versions.order, last), default=None)
    return next(
        (
            cuda
            for cuda in case.data.cudas()
            if case.data.cuda_runs_on(branch, cuda).ok and (end is None or _versions.order(cuda) <= end)
        ),
        None,
    )


def version_of_the_branch(case: Case, planned: Planned) -> Findings:
    version, branch = _driver_files.version(case), text(case.wish, "branch")
    if not case.wants_driver or version is None:
        return
    if not _versions.is_driver_version(version):
        way_out = "set nvidia_driver_version to a full one such as 580.95.05, or leave it empty"
        yield refuse("bad-version", version, "580.95.05", way_out, f"{version} is not a version of a driver")
    elif case.source == PREINSTALLED:
        yield from _kept_version(version, planned)
    elif branch not in (None, str(_versions.branch_of(version))):
        own = _versions.branch_of(version)
        way_out = f"set nvidia_driver_branch to {own} as well"
        way_out += ", or leave nvidia_driver_version empty" if text(case.wish, "version") else ""
        reason = f"Driver version {version} is not of branch {branch}"
        if branch in WORDS:
            reason = f"Driver version {version} is named, and the branch is to be found all the same ({branch})"
        yield refuse("version-not-in-branch", version, f"branch {branch}", way_out, reason)


def _kept_version(version: str, planned: Planned) -> Findings:
    """Of a driver that others have installed no branch is asked, but a version may be."""
    there = planned.target.version if planned.target else None
    if there and there != version:
        way_out = "have it installed in this version, or leave nvidia_driver_version empty"
        reason = f"Driver {there} is installed by others, and {version} is wanted"
        yield refuse("preinstalled-version", there, version, way_out, reason)


def bad_flavour(case: Case, planned: Planned) -> Findings:
    flavour = text(case.wish, "flavour")
    if case.wants_driver and flavour not in (None, "auto", "open", "proprietary"):
        way_out = "set nvidia_driver_flavour to auto, open or proprietary"
        yield refuse(
            "bad-flavour", str(flavour), "auto, open or proprietary", way_out, f"There are no {flavour} modules"
        )


def downgrade(case: Case, planned: Planned) -> Findings:
    target, before = planned.target, case.installed
    if target is None or before is None or target.kept or target.is_met_by(before) or case.allows_downgrade:
        return
    if _versions.order(before) < _versions.order(target.version or str(target.branch)):
        return
    found, words = f"driver {before}", target.version or f"branch {target.branch}"
    way_out = (
        "ask for what is installed or newer, allow it with nvidia_driver_allow_downgrade: true,"
        " or remove it first with nvidia_driver_state: absent"
    )
    yield refuse("downgrade", found, words, way_out, f"Driver {before} is installed and newer than {words}")


def past_its_end(case: Case, planned: Planned) -> Findings:
    branch = case.data.branch(planned.target.branch) if planned.target else None
    if branch is None or case.today is None or not branch.ended(case.today):
        return
    when = f"on {branch.eol}" if branch.eol else "already"
    advice = _younger(case, branch.branch)
    yield (
        f"Driver branch {branch.branch} ended {when} and gets no corrections any more ({branch.source})"
        f"{f'; {advice} fits this host and has not ended' if advice else ''}."
    )


def _younger(case: Case, branch: int) -> int | None:
    """The branch that `newest` would mean here."""
    alive = [other for other in allowed(case, limits(case)) if not _branch_choice.ended(case, other)]
    ranked = [other for other in alive if other > branch]
    return max(ranked, key=lambda other: (_branch_choice.rank(case, other), other), default=None)


def known_bad(case: Case, planned: Planned) -> Findings:
    """Whatever is to be on the host, or is there and stays."""
    toolkit = planned.toolkit["version"] or case.package_version("nvidia-container-toolkit")
    versions = {
        "driver": planned.version if planned.target else None,
        "container-toolkit": toolkit if case.wants_toolkit else None,
        "containerd": text(part(case.container, "containerd"), "version"),
    }
    for product, version in versions.items():
        for bad in case.data.known_bad(version, product):
            name = {"driver": "Driver", "container-toolkit": "Container toolkit"}.get(product, product)
            yield f"{name} {version} is known for this: {bad.words} ({bad.source})."


def kept(case: Case, planned: Planned) -> Findings:
    """What stays has to be there, to be what is wished for, and to be whole."""
    if not case.wants_driver or not _branch_choice.keeps(case.wish):
        return
    target = planned.target
    if target is None:
        way_out = f"set nvidia_driver_branch to a branch or to {NEWEST}, so that one is installed"
        if case.source == PREINSTALLED:
            way_out = "install one, or let the role do so with nvidia_driver_source: repo or distro"
        yield refuse("nothing-to-keep", "no driver", "a driver", way_out, "There is no driver on this host to keep")
        return
    yield from _kept_flavour(case, planned)
    yield from _kept_parts(case, planned)


def _kept_flavour(case: Case, planned: Planned) -> Findings:
    wished, there = text(case.wish, "flavour"), planned.target.flavour if planned.target else None
    if wished in ("open", "proprietary") and there and wished != there:
        way_out = "set nvidia_driver_flavour to auto, or name a branch, so that the driver is installed anew"
        reason = f"The driver is to stay, and it has {there} kernel modules, not {wished} ones"
        yield refuse("kept-flavour", f"{there} kernel modules", f"{wished} ones", way_out, reason)


def _kept_parts(case: Case, planned: Planned) -> Findings:
    on_disk, libraries = text(case.driver, "on_disk"), text(case.driver, "userland")
    looked = flag(part(case.facts, "sources", "modinfo"), "ok") is True
    if looked and on_disk is None and text(case.driver, "loaded") is None:
        running = text(part(case.platform, "kernel"), "running") or "that runs"
        way_out = "install it anew the way it was installed, or boot a kernel that it has a module for"
        reason = f"The driver is to stay, but it has no module for kernel {running}"
        yield refuse("kept-driver-broken", f"libraries {libraries}", "a kernel module as well", way_out, reason)
    elif libraries is None:
        yield f"The libraries of driver {on_disk}, which is kept, did not answer: whether they fit it is not known."
    elif on_disk and libraries != on_disk:
        found = f"module {on_disk}, libraries {libraries}"
        way_out = "install it anew the way it was installed"
        way_out += "" if case.source == PREINSTALLED else ", or name a branch in nvidia_driver_branch"
        reason = f"The driver is to stay, but its parts do not agree ({found})"
        yield refuse("kept-driver-broken", found, "one version of all parts", way_out, reason)


def broken_facts(case: Case, planned: Planned) -> t.Iterator[Finding]:
    """What the facts say of a mismatch, where the plan does not put it right by itself."""
    mismatch = text(case.driver, "mismatch")
    if mismatch and case.wants_driver and planned.driver["action"] == "none":
        yield f"The parts of the driver do not agree: {mismatch.rstrip('.')}."


RULES: tuple[Rule, ...] = (
    unknown_branch,
    kept_is_not_known,
    needed_by_nothing,
    no_branch_fits,
    version_of_the_branch,
    bad_flavour,
    downgrade,
    past_its_end,
    known_bad,
    kept,
    broken_facts,
)
