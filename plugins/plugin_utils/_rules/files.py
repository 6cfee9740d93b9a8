# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Rules about what comes as one file: a driver's repository of one version, and NVIDIA's own installers."""

from __future__ import annotations

import re

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _cuda_runfiles, _driver_files, _host_plan
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import LOCAL_REPO, RUNFILE, Case, Section, rows, text
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules.finding import Findings, Planned, Rule, refuse

WORDS = {LOCAL_REPO: "package", RUNFILE: "installer"}
# NVIDIA's words for a machine in the names of its files, toolkits and drivers alike, and uname's for it.
MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "sbsa": "aarch64"}
IN_A_NAME = re.compile(r"[-_.](x86_64|amd64|aarch64|arm64|sbsa|ppc64le)[-_.][^/]*$", re.ASCII)
# That for the most usual machine does not name it: cuda_12.6.3_560.35.05_linux.run
OF_X86_64 = re.compile(r"/cuda_[^/]*_linux(?:[.]run)?$")


def bad_file(case: Case, planned: Planned) -> Findings:
    line = _driver_files.wished(case)
    if not _driver_files.is_asked(case):
        if line and case.wants_driver:
            sources = " and ".join(_driver_files.SOURCES)
            yield f"nvidia_driver_file counts for nothing: only the sources {sources} ask for it."
        return
    fault = _driver_files.fault(line)
    if fault:
        found = f"nvidia_driver_file: {fault}"
        wanted = f"one of {', '.join(_driver_files.PLACES)}, and sha256"
        way_out = f"name the {WORDS[case.source]} and its SHA-256 sum in nvidia_driver_file"
        reason = f"NVIDIA's {WORDS[case.source]} cannot be fetched and proven ({fault})"
        yield refuse("bad-driver-file", found, wanted, way_out, reason)


def version_of_the_file(case: Case, planned: Planned) -> Findings:
    """A file is of one version, and nothing is fetched to find out which."""
    line = _driver_files.wished(case)
    if not _driver_files.is_asked(case) or _driver_files.fault(line):
        return
    wished, named = _driver_files.version(case), _driver_files.named_version(line)
    found = str(_driver_files.place(line))
    if wished is None:
        reason = f"It cannot be told which version of the driver {found} is"
        way_out = "name it in nvidia_driver_version"
        yield refuse("driver-file-version", found, "a version", way_out, reason)
    elif named not in (None, wished):
        reason = f"Driver {wished} is wanted, but {found} is called {named}"
        way_out = f"name the file of {wished}, or set nvidia_driver_version to {named}"
        yield refuse("driver-file-version", str(named), wished, way_out, reason)


def machine_of_the_file(case: Case, planned: Planned) -> Findings:
    """Files for other machines are as large, and as well proven by their sums."""
    own = text(case.platform, "architecture")
    for place in filter(None, map(_driver_files.place, _files(case))):
        named = named_machine(place)
        if own and named not in (None, own):
            way_out = f"name NVIDIA's file for {own}, and its SHA-256 sum; if it is that one, let its name say so"
            reason = f"{place} is for {named}, and this host is {own}"
            yield refuse("file-architecture", str(named), own, way_out, reason)


def named_machine(place: str) -> str | None:
    """The machine that a file is for, by its name, as uname calls it."""
    match = IN_A_NAME.search(place)
    if match:
        return MACHINES.get(match.group(1), match.group(1))
    return "x86_64" if OF_X86_64.search(place) else None


def _files(case: Case) -> list[Section]:
    """Of the driver and of CUDA toolkits. One whose address is refused is left out, for that may not be shown."""
    driver = [_driver_files.wished(case)] if _driver_files.is_asked(case) else []
    runfiles = [] if case.cuda_wish.get("state") == "absent" else _cuda_runfiles.wished(case)
    cuda = [file for runfile in runfiles for file in (runfile, *rows(runfile, "patches"))]
    sound = [line for line in driver if _driver_files.fault(line) is None]
    return [*sound, *(line for line in cuda if _cuda_runfiles.fault(line) is None)]


def switches(case: Case, planned: Planned) -> Findings:
    """An installer brings the driver alone."""
    if not case.wants_driver or case.source != RUNFILE:
        return
    if _host_plan.wants_imex(case):
        way_out = "take the driver from packages (nvidia_driver_source: local_repo, or repo), or do without IMEX"
        reason = "NVIDIA's installer brings no IMEX service"
        yield refuse("imex-without-packages", "an installer alone", "packages of IMEX", way_out, reason)
    if planned.fabric["needed"]:
        way_out = "take the driver from packages that have it: nvidia_driver_source: local_repo, or repo"
        reason = f"NVIDIA's installer brings no fabric manager, and {planned.fabric['why']}"
        yield refuse("runfile-without-fabric", "an installer alone", "a fabric manager", way_out, reason)


RULES: tuple[Rule, ...] = (bad_file, version_of_the_file, machine_of_the_file, switches)
