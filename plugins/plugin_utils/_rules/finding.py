# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. What a rule is asked with, and what it answers."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils._branch_choice import Chosen
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import Case
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._driver_plan import Target


class Planned(t.NamedTuple):
    """What was decided. `version`: of the driver that is to be, or its branch, or None where nothing is known of it."""

    chosen: Chosen | None
    target: Target | None
    version: str | None
    driver: dict[str, t.Any]
    cuda: dict[str, t.Any]
    images: list[dict[str, t.Any]]
    toolkit: dict[str, t.Any]
    fabric: dict[str, t.Any]
    kernel: dict[str, t.Any]
    services: dict[str, t.Any]
    components: dict[str, t.Any]

    @property
    def installs_driver(self) -> bool:
        return self.driver["action"] in ("install", "change")


class Refusal(t.NamedTuple):
    """`sentence` says all of it to a person, the other fields the same to a program. `source` is the rule's."""

    rule: str
    found: str
    wanted: str
    way_out: str
    source: str | None
    sentence: str


# A warning is its sentence.
Finding = t.Union[Refusal, str]
Findings = t.Iterator[Finding]
Rule = t.Callable[[Case, Planned], Findings]


def refuse(rule: str, found: str, wanted: str, way_out: str, reason: str, source: str | None = None) -> Refusal:
    because = f"{reason} ({source})" if source else reason
    return Refusal(rule, found, wanted, way_out, source, f"{because}; {way_out}.")
