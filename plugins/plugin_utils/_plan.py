# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. The plan of one host: facts x wishes x compatibility data -> value. It reads nothing and changes nothing."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import (
    _branch_choice,
    _compat,
    _cuda_plan,
    _distribution,
    _driver_plan,
    _host_plan,
    _rules,
    _wishes,
)
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import DISTRO, REPO, RUNFILE, Case, Section, text
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules.finding import Planned


def plan(facts: Section, wishes: Section, compatibility: Section | None = None) -> dict[str, t.Any]:
    """A part that nobody wishes for is left alone: its action is `none`. CompatError says what is wrong in the data."""
    case = Case(facts, _wishes.understood(wishes), _compat.data(compatibility), today(wishes))
    planned = _planned(case)
    refusals, warnings = _rules.judge(case, planned)
    value = {
        "refusals": [refusal._asdict() for refusal in refusals],
        "warnings": warnings,
        "driver": planned.driver,
        "cuda": planned.cuda,
        "cuda_images": planned.images,
        "toolkit": planned.toolkit,
        "fabric": planned.fabric,
        "kernel": planned.kernel,
        "services": planned.services,
        "repository": {"needed": _repository_needed(case, planned), "components_needed": _distribution.needed(case)},
        "components": planned.components,
    }
    value["summary"] = _summary(value)
    return value


def today(wishes: Section) -> datetime.date | None:
    """The day that ends of life are compared with; without one nothing is said of them."""
    found = wishes.get("today")
    if isinstance(found, datetime.date):
        return found
    return datetime.date.fromisoformat(str(found)) if found else None


def _planned(case: Case) -> Planned:
    chosen = _branch_choice.choose(case) if case.wants_driver else None
    target = _driver_plan.target(case, chosen) if chosen else None
    driver = _driver_plan.decide(case, target) if case.wish else dict(_driver_plan.NOT_ASKED)
    version = _driver_plan.version_to_be(case, target) if target else _driver_plan.there(case)
    judged = version or (str(target.branch) if target else None)
    return Planned(
        chosen=chosen,
        target=target,
        version=judged,
        driver=driver,
        cuda=_cuda_plan.decide(case),
        images=_cuda_plan.images(case, judged),
        toolkit=_toolkit(case),
        fabric=_host_plan.fabric(case, target, version),
        kernel=_host_plan.kernel(case, target, driver),
        services=_host_plan.services(case, target, driver),
        components=_distribution.components(case),
    )


def _toolkit(case: Case) -> dict[str, t.Any]:
    wish = case.wishes.get("toolkit")
    if not isinstance(wish, Mapping):
        return {"action": "none", "version": None, "packages": []}
    names = case.data.toolkit_packages(case.manager)
    version = text(wish, "version")
    there = {name: case.package_version(name) for name in names if name in case.packages}
    if wish.get("state") == "absent":
        return {"action": "absent" if there else "none", "version": None, "packages": sorted(there)}
    met = len(there) == len(names) and all(version in (None, found) for found in there.values())
    action = "none" if met else "change" if there else "install"
    packages = [
        {
            "name": name,
            "version_pin": f"{version}-*" if version else None,
            "spec": f"{name}={version}-*" if version else name,
        }
        for name in names
    ]
    return {"action": action, "version": version, "packages": packages}


def _repository_needed(case: Case, planned: Planned) -> bool:
    """Whether something is, or is to be, installed from NVIDIA's repository of drivers and CUDA after these wishes."""
    if case.wants_driver and not (planned.target and planned.target.kept):
        with_driver = case.source == REPO
    else:
        ours = case.mark in case.files and text(case.driver, "installed_by") not in (DISTRO, RUNFILE)
        with_driver = ours and case.wish.get("state") != "absent"
    return with_driver or _cuda_plan.needs_the_repository(case, planned.cuda)


def _summary(value: Section) -> list[str]:
    """One sentence for each change that is to come. What it disturbs, the driver's part tells."""
    driver, cuda, toolkit = value["driver"], value["cuda"], value["toolkit"]
    sentences = _host_sentences(value)
    if driver["action"] != "none":
        sentences.append(f"{DRIVER_WORDS[driver['action']]}: {driver['reason']}.")
    sentences += _cuda_plan.sentences(cuda)
    if toolkit["action"] != "none":
        words = "Remove" if toolkit["action"] == "absent" else "Install"
        sentences.append(f"{words} the NVIDIA container toolkit {toolkit['version'] or ''}".rstrip() + ".")
    return sentences


def _host_sentences(value: Section) -> list[str]:
    """What the host gets besides the driver."""
    kernel, fabric, services = value["kernel"], value["fabric"], value["services"]
    builds = kernel["build"]
    return [
        *([f"Install what modules are built with: {', '.join(kernel['missing'])}."] if kernel["missing"] else []),
        *([f"Build the modules for kernel {' and '.join(builds)}."] if builds else []),
        *([f"Install beside the driver, in its version: {', '.join(fabric['missing'])}."] if fabric["missing"] else []),
        *([f"Remove what is of another branch: {', '.join(fabric['obsolete'])}."] if fabric["obsolete"] else []),
        *([f"Load now and at each boot: {', '.join(fabric['load'])}."] if fabric["load"] else []),
        *([f"Start now and at each boot: {', '.join(services['start'])}."] if services["start"] else []),
    ]


DRIVER_WORDS = {
    "install": "Install the driver",
    "change": "Change the driver",
    "load": "Load the driver",
    "reload": "Load the installed driver instead of what is loaded",
    "reboot": "Make the installed driver the loaded one",
    "absent": "Remove the driver",
}
