# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Which components of its distribution a host's own package sources leave out, and how they are added.

No host is named here: what is added repeats the host's own entries, with other components.
"""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import (
    COMPONENTS_FILE,
    CUDA_RECORD,
    DISTRO,
    PIN_FILE,
    Case,
    Section,
    part,
    rows,
    text,
    texts,
)

# Suites of a release beside the one that is called after it. Backports and what is only proposed are nobody's default.
BESIDE = ("-updates", "-security")
BASE = "main"


class Place(t.NamedTuple):
    """An address and a suite, and what the host takes from there."""

    uri: str
    suite: str
    components: list[str]
    options: Section
    obstacle: str | None


def components(case: Case) -> dict[str, t.Any]:
    """`needed` components, and the entries (`missing`) that are to be added: null where that cannot be told."""
    with_driver = case.source == DISTRO and case.wants_driver
    if not (with_driver or case.wants_own_cuda) or not case.line:
        return {"needed": [], "missing": []}
    needed = case.data.components(case.line)
    places = own_places(case)
    known = any(place.suite == codename(case) for place in places) and not obstacles(case)
    if not known and not _has_all(case, needed):
        return {"needed": needed, "missing": None}
    return {"needed": needed, "missing": _entries(places, needed)}


def needed(case: Case) -> bool:
    """Whether a driver or a toolkit stays that came from what was added."""
    ours = PIN_FILE in case.files and text(case.driver, "installed_by") == DISTRO
    with_driver = ours and case.wish.get("state") != "absent"
    return with_driver or (CUDA_RECORD in case.files and case.cuda_wish.get("state") != "absent")


def codename(case: Case) -> str | None:
    return text(case.platform, "codename")


def obstacles(case: Case) -> list[str]:
    """Why entries cannot be repeated."""
    return [f"{place.uri} {place.suite}: {place.obstacle}" for place in own_places(case) if place.obstacle]


def own_places(case: Case) -> list[Place]:
    """The distribution's own repository of this release, of its updates and of its security, as the host has them."""
    places: dict[tuple[str, str], Place] = {}
    for row in _others_rows(case):
        uri, suite, names = text(row, "uri") or "", text(row, "suite") or "", texts(row, "components")
        if not _is_of_the_release(case, suite) or not _is_the_distributions(case, row):
            continue
        before = places.get((uri, suite))
        known = [*before.components, *names] if before else names
        obstacle = text(row, "obstacle") or (before.obstacle if before else None)
        places[uri, suite] = Place(uri, suite, known, part(row, "options"), obstacle)
    return [place for place in places.values() if BASE in place.components]


def _entries(places: list[Place], needed: list[str]) -> list[dict[str, t.Any]]:
    wanted = [(place, [name for name in needed if name not in place.components]) for place in places]
    return [
        {"uri": place.uri, "suite": place.suite, "components": names, "options": dict(place.options)}
        for place, names in wanted
        if names and not place.obstacle
    ]


def _has_all(case: Case, needed: list[str]) -> bool:
    """Whether somebody has seen to it already, from wherever the packages come."""
    release = codename(case)
    mine = [row for row in _others_rows(case) if release and text(row, "suite") == release]
    return {name for row in mine for name in texts(row, "components")}.issuperset(needed)


def _others_rows(case: Case) -> list[Section]:
    return [row for row in rows(case.facts, "package_sources") if text(row, "file") != COMPONENTS_FILE]


def _is_of_the_release(case: Case, suite: str) -> bool:
    release = codename(case)
    return release is not None and suite in (release, *(f"{release}{name}" for name in BESIDE))


def _is_the_distributions(case: Case, row: Section) -> bool:
    """As the repository says itself. Before apt has read its lists, by the key that it is signed with."""
    id_ = text(case.platform, "id") or ""
    origin = text(row, "origin")
    if origin:
        return origin.lower() == id_
    return f"/{id_}-archive-" in (text(part(row, "options"), "Signed-By") or "")
