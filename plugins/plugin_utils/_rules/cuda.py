# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Rules about CUDA: what the driver that is to be can run, and what the cards can."""

from __future__ import annotations

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import (
    _branch_choice,
    _cuda_plan,
    _cuda_runfiles,
    _versions,
)
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import (
    DISTRO,
    REPO,
    Card,
    Case,
    Section,
    flag,
    part,
    rows,
    text,
)
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules.finding import (
    Findings,
    Planned,
    Refusal,
    Rule,
    refuse,
)


def bad_version(case: Case, planned: Planned) -> Findings:
    wished = [*_cuda_plan.versions(case), *_cuda_runfiles.versions(case)]
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
    if case.wants_own_cuda and default in _cuda_plan.versions(case):
        reason = (
            f"CUDA {default} comes from the distribution, which has it in no folder that /usr/local/cuda could lead to"
        )
        yield refuse("default-toolkit", "no folder of its own", default, 'set cuda_default to ""', reason)
    elif default not in [*case.toolkits, *_cuda_plan.there(case)]:
        reason = f"CUDA {default} cannot be the default toolkit, since it is neither installed nor asked for"
        yield refuse("default-toolkit", "no such toolkit", default, f"add {default} to cuda_versions", reason)


def components(case: Case, planned: Planned) -> Findings:
    """The role's argument specs say so too; preflight reads the same variables without them."""
    wished = _cuda_plan.components(case)
    if wished not in _cuda_plan.COMPONENTS:
        words = ", ".join(_cuda_plan.COMPONENTS)
        reason = f"cuda_components is {wished}, which is none of {words}"
        yield refuse("bad-cuda-components", wished, words, f"set cuda_components to one of {words}", reason)


def distribution(case: Case, planned: Planned) -> Findings:
    """A distribution has one toolkit, as it is."""
    source = text(case.cuda_wish, "source") or REPO
    if source not in (REPO, DISTRO):
        words = f"{REPO}, {DISTRO}"
        reason = f"There is no source of CUDA toolkits called {source}"
        yield refuse("unknown-cuda-source", source, words, f"set cuda_source to one of {words}", reason)
    if not case.wants_own_cuda or not case.line:
        return
    name, own = text(case.platform, "name") or "This distribution", case.data.distro_cuda(case.line)
    other = [version for version in _cuda_plan.versions(case) if version != own]
    if other:
        ways = [f'set cuda_versions to ["{own}"]'] if own else []
        way_out = ", or ".join([*ways, "take the toolkits from NVIDIA's repository with cuda_source: repo"])
        reason = f"{name} has {f'CUDA {own}' if own else 'no CUDA that is known'} itself, not {', '.join(other)}"
        yield refuse("distribution-cuda", own or "none", ", ".join(other), way_out, reason)
    elif not _cuda_plan.own_packages(case):
        wished = _cuda_plan.components(case)
        reason = f"{name} has no packages that are cuda_components: {wished}"
        way_out = "set cuda_components to compiler, toolkit or full"
        yield refuse("distribution-cuda-components", "compiler, toolkit, full", wished, way_out, reason)
    if _cuda_plan.wanted_libraries(case):
        found = " and ".join(_cuda_plan.wanted_libraries(case))
        way_out = "do without (cuda_cudnn, cuda_nccl), or take the toolkits from there too with cuda_source: repo"
        reason = f"{found} would come from NVIDIA's repository, and the toolkit from the distribution"
        yield refuse("library-of-another-source", found, "libraries of one source with the toolkit", way_out, reason)


def library_of_the_driver(case: Case, planned: Planned) -> Findings:
    """Debian's toolkit needs libcuda.so.1. Where a driver is there or comes first, that is the driver's."""
    if case.wants_own_cuda and planned.cuda["missing"] and not case.wants_driver and not case.installed:
        yield (
            "The distribution's CUDA toolkit brings libraries of the distribution's driver (libcuda1), though no kernel"
            " modules: install a driver first where one of another source is to come."
        )


def libraries(case: Case, planned: Planned) -> Findings:
    wished = _cuda_plan.wanted_libraries(case)
    if not wished or case.cuda_wish.get("state") == "absent":
        return
    names = " and ".join(wished)
    if _cuda_plan.major(case) is None:
        way_out = "name a toolkit in cuda_versions, cuda_runfiles or cuda_default"
        reason = f"{names} cannot be chosen without a CUDA to match"
        yield refuse("library-without-toolkit", "no version of CUDA", names, way_out, reason)
    unknown = [name for name in wished if not case.data.cuda_libraries(case.manager, name, 0)]
    if unknown:
        reason = f"No packages of {', '.join(unknown)} are known for {case.manager}"
        yield refuse("unknown-library", ", ".join(unknown), "cuDNN 9", 'set cuda_cudnn to "9" or to ""', reason)


def runfiles(case: Case, planned: Planned) -> Findings:
    """Before anything is downloaded: these files are of several gigabytes, and run as root."""
    if case.cuda_wish.get("state") == "absent":
        return
    for runfile in _cuda_runfiles.wished(case):
        version = text(runfile, "version") or ""
        for words, line in _files(version, runfile):
            wrong = _cuda_runfiles.fault(line)
            if wrong:
                way_out = "give it url (https) or path (on the host), and the sha256 that NVIDIA's file has"
                yield refuse(
                    "bad-runfile", wrong, "url or path, and sha256", way_out, f"The {words} cannot be used: {wrong}"
                )
        yield from _patches(version, runfile)
        yield from _in_the_way(case, version, text(runfile, "release"))


def _files(version: str, runfile: Section) -> list[tuple[str, Section]]:
    patches = [(f"patch {patch.get('version')} of CUDA {version}", patch) for patch in rows(runfile, "patches")]
    return [(f"runfile of CUDA {version}", runfile), *patches]


def _patches(version: str, runfile: Section) -> Findings:
    patches = rows(runfile, "patches")
    if patches and not _cuda_runfiles.has_patches(version):
        reason = f"A CUDA {version} does not say which patches it has, so that nothing could prove them"
        way_out = "take the runfile of a newer release of it, which has all earlier corrections"
        yield refuse("unprovable-patch", f"{len(patches)} patches", "CUDA 10.0 or older", way_out, reason)
    bad = [text(patch, "version") or "" for patch in patches]
    bad = [name for name in bad if not name.startswith(f"{version}.")]
    if bad:
        reason = f"{', '.join(bad) or 'A patch'} is not the version of a patch of CUDA {version}"
        yield refuse("bad-patch", ", ".join(bad), f"{version}.148.1", "write it as version.txt will, in quotes", reason)


def _in_the_way(case: Case, version: str, release: str | None) -> Findings:
    """A runfile is never run over what is there: what would be left of both no record could tell."""
    if version in _cuda_plan.versions(case) or version in _cuda_plan.installed(case):
        reason = (
            f"CUDA {version} is installed, or to be, from packages, and its runfile would write into the same folder"
        )
        way_out = f"take {version} out of cuda_versions and remove its packages, or take it out of cuda_runfiles"
        yield refuse("runfile-beside-packages", "packages", "a runfile", way_out, reason)
        return
    there = _cuda_runfiles.installed(case, version)
    found = text(there or {}, "release")
    if there and release and found != release:
        reason = f"{there.get('path')} has release {found or 'unknown'} of CUDA, and not {release}"
        way_out = "remove it first with cuda_state: absent, or name the release that is there"
        yield refuse("other-runfile-release", found or "unknown", release, way_out, reason)


def unlisted(case: Case, planned: Planned) -> Findings:
    """Packages are known to be a toolkit's; whose a folder without any is, nobody can tell."""
    if not planned.cuda["remove"] or case.cuda_wish.get("state") == "absent":
        return
    mine = _cuda_plan.installed(case) | set(case.toolkits)
    left = [row["path"] for row in rows(part(case.facts, "cuda"), "toolkits") if row.get("version") not in mine]
    if left:
        yield f"{', '.join(map(str, left))} is of no package, so that it stays, though no variable lists it."


def of_others(case: Case, planned: Planned) -> Findings:
    """A role's runfile has its own folder. In another one somebody else has put it."""
    if case.cuda_wish.get("state") != "absent":
        return
    packaged = _cuda_plan.installed(case)
    files = [version for version in _cuda_runfiles.versions(case) if version not in packaged]
    found = [_cuda_runfiles.installed(case, version) for version in files]
    paths = [str(toolkit.get("path")) for toolkit in found if toolkit]
    left = [path for path in paths if path not in planned.cuda["folders"]]
    if left:
        yield f"{', '.join(left)} was put there by somebody else, and stays though cuda_runfiles lists its version."


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
    """Without a wish for a driver the one that is there is judged: it will stay. A host that only builds needs none."""
    if planned.version is None or flag(case.cuda_wish, "build_only"):
        return
    for cuda in filter(_versions.is_cuda_version, case.toolkits):
        verdict = case.data.cuda_runs_on(planned.version, cuda)
        forward = _forward(case, cuda)
        if verdict.ok is False and forward:
            yield f"Driver {planned.version} runs what CUDA toolkit {cuda} builds only by {forward}."
        elif verdict.ok is False and (planned.target or not case.wish):
            yield _too_old(case, planned, "cuda-toolkit-needs-driver", f"what the CUDA toolkit {cuda} builds", cuda)
        elif verdict.ok and not verdict.full:
            yield (
                f"Driver {planned.version} runs what CUDA toolkit {cuda} builds by minor-version compatibility only:"
                " not with every feature, and no code that it has to translate."
            )


def _forward(case: Case, cuda: str) -> str | None:
    """Libraries of a newer driver that somebody has installed for this CUDA."""
    line = case.data.forward()
    name = f"{line['package']}-{cuda.replace('.', '-')}" if line else None
    return f"{name}, {line['words']}" if line and name in case.packages else None


def _too_old(case: Case, planned: Planned, rule: str, what: str, cuda: str) -> Refusal:
    verdict = case.data.cuda_runs_on(str(planned.version), cuda)
    limit = case.data.newest_cuda(str(planned.version))
    upto = f", whose newest CUDA is {limit}" if limit else ""
    reason = f"Driver {planned.version}{upto}, cannot run {what}, which needs driver {verdict.needed} or newer"
    newer = _newer_driver(case, planned, cuda)
    way_out = newer or f"use CUDA {limit or 'of an older version'} or older"
    if rule == "cuda-toolkit-needs-driver":
        first = " (with the role nvidia_driver, before cuda)" if newer and not case.wish else ""
        way_out = f"{way_out}{first}, or set cuda_build_only to true if this host only builds for others"
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


RULES: tuple[Rule, ...] = (
    bad_version,
    default_toolkit,
    components,
    distribution,
    library_of_the_driver,
    libraries,
    runfiles,
    unlisted,
    of_others,
    images,
    toolkits,
    dropped_cards,
    older_than_cards,
)
