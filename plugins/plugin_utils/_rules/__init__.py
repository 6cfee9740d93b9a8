# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. The rules by which a host or a wish is refused or warned of, by subject. All are asked at once."""

from __future__ import annotations

from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import Case
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules import (
    cards,
    cluster,
    cuda,
    driver,
    files,
    host,
    installed,
    kernel,
    sources,
    wishes,
)
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules.finding import Finding, Planned, Refusal, Rule

SUBJECTS = (host, sources, wishes, driver, files, installed, cards, cuda, kernel, cluster)
RULES: tuple[Rule, ...] = tuple(rule for subject in SUBJECTS for rule in subject.RULES)


def judge(case: Case, planned: Planned) -> tuple[list[Refusal], list[str]]:
    """Refusals, and sentences that a person should read although nothing is refused."""
    found: list[Finding] = [finding for rule in RULES for finding in rule(case, planned)]
    refusals = [finding for finding in found if isinstance(finding, Refusal)]
    return refusals, [finding for finding in found if isinstance(finding, str)]
