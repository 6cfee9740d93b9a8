# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Rules about the words of wishes: what YAML made of them, or what means something else than it seems to."""

from __future__ import annotations

import re

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _versions, _wishes
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import Case, part, text
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules.finding import Findings, Planned, Rule, refuse

STATES = {"driver": "nvidia_driver_state", "cuda": "cuda_state", "toolkit": "nvidia_container_toolkit_state"}


def bad_state(case: Case, planned: Planned) -> Findings:
    for name, variable in STATES.items():
        state = text(part(case.wishes, name), "state")
        if state not in (None, "present", "absent"):
            way_out = f"set {variable} to present or absent"
            yield refuse("bad-state", str(state), "present or absent", way_out, f"{state} is no state of {variable}")


def version_as_branch(case: Case, planned: Planned) -> Findings:
    """Of its branch any other version would do as well, which is not what was asked for."""
    branch = text(case.wish, "branch")
    if not case.wants_driver or text(case.wish, "version") or not _versions.is_driver_version(branch or ""):
        return
    own = _versions.branch_of(str(branch))
    way_out = f'set nvidia_driver_branch to "{own}" and nvidia_driver_version to "{branch}"'
    reason = f"{branch} is a version of the driver, not a branch"
    yield refuse("version-as-branch", str(branch), "a branch", way_out, reason)


def bad_kubernetes_version(case: Case, planned: Planned) -> Findings:
    wished = text(part(case.wishes, "kubernetes"), "version")
    if wished and not _wishes.is_kubernetes(wished):
        way_out = 'write kubegpu_kubernetes_version as a text such as "1.30" or "1.36.3", in quotes'
        reason = f"{wished} is not a version of Kubernetes that a node can have"
        yield refuse("bad-kubernetes-version", wished, "1.36.3", way_out, reason)


def bad_toolkit_version(case: Case, planned: Planned) -> Findings:
    """Packages are looked for by all three numbers."""
    wished = text(case.toolkit_wish, "version")
    if case.wants_toolkit and wished and not re.match(r"\d+\.\d+\.\d+", wished):
        way_out = "set nvidia_container_toolkit_version to a full one such as 1.20.0, or leave it empty"
        reason = f"{wished} is not a whole version of the container toolkit"
        yield refuse("bad-toolkit-version", wished, "1.20.0", way_out, reason)


RULES: tuple[Rule, ...] = (bad_state, version_as_branch, bad_kubernetes_version, bad_toolkit_version)
