# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Drivers that come as one file: NVIDIA's repository of one version as a package, or NVIDIA's own installer.

Which options an installer knows is told by its source: https://github.com/NVIDIA/nvidia-installer (option_table.h).
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _cuda_runfiles, _kernels, _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import LOCAL_REPO, RUNFILE, Case, Section, part, text

SOURCES = (LOCAL_REPO, RUNFILE)
# Where the file is: to be downloaded, on the controller, or on the host already.
PLACES = ("url", "path", "host_path")
# NVIDIA-Linux-x86_64-580.95.05.run, nvidia-driver-local-repo-debian12-580.95.05_1.0-1_amd64.deb
IN_A_NAME = re.compile(r"-([0-9]{3}\.[0-9]{1,4}(?:\.[0-9]{1,4})?)(?:[-_][^/]*)?\.(?:run|deb|rpm)$", re.ASCII)

# The first installers with these options.
KNOWS_FLAVOUR_FOLDERS = (470, 42)
KNOWS_FLAVOURS = (555, 42)
GOES_ON_WHILE_LOADED = (545, 23)
LOADS_NOTHING = (550, 40)
FOLDERS = {"open": "kernel-open", "proprietary": "kernel"}
FINGERPRINT = re.compile(r"(?:[0-9A-Fa-f]{4}[ :]*){10}", re.ASCII)


def is_asked(case: Case) -> bool:
    """Whether the driver is to come from a file."""
    return case.wants_driver and case.source in SOURCES


def wished(case: Case) -> Section:
    return part(case.wish, "file")


def place(line: Section) -> str | None:
    """The file, wherever it is."""
    return next((found for found in (text(line, name) for name in PLACES) if found), None)


def named_version(line: Section) -> str | None:
    """The version in the name of the file."""
    match = IN_A_NAME.search(place(line) or "")
    return match.group(1) if match else None


def version(case: Case) -> str | None:
    """The version that is wished for by its number, or by a file that is named after its own."""
    named = text(case.wish, "version")
    return named or (named_version(wished(case)) if is_asked(case) else None)


def fault(line: Section) -> str | None:
    """What is wrong first with where the file is to come from, if anything is."""
    places = [name for name in PLACES if text(line, name)]
    if len(places) != 1:
        return f"it needs one of {', '.join(PLACES)}"
    given = {"url": text(line, "url"), "path": text(line, "host_path") or text(line, "path")}
    found = _cuda_runfiles.fault({**given, "sha256": text(line, "sha256")})
    key = text(line, "key_fingerprint")
    if found is None and key and not FINGERPRINT.fullmatch(key):
        return "key_fingerprint is not 40 hexadecimal digits"
    return found


def step(case: Case, version: str | None, flavour: str | None) -> dict[str, t.Any] | None:
    """The file to fetch, and with which arguments NVIDIA's installer is run."""
    if not is_asked(case):
        return None
    line = wished(case)
    found: dict[str, t.Any] = {name: text(line, name) for name in (*PLACES, "sha256", "key_fingerprint")}
    return {**found, "arguments": _arguments(case, version, flavour) if case.source == RUNFILE else []}


def _arguments(case: Case, version: str | None, flavour: str | None) -> list[str]:
    """Silently and with DKMS. The role itself keeps other drivers off the card, and loads the modules afterwards."""
    number = _versions.order(version or "")[:2]
    found = ["--silent", "--dkms", "--no-nouveau-check"]
    if flavour and number >= KNOWS_FLAVOURS:
        found.append(f"--kernel-module-type={flavour}")
    elif flavour and number >= KNOWS_FLAVOUR_FOLDERS:
        found.append(f"--kernel-module-build-directory={FOLDERS[flavour]}")
    if number >= GOES_ON_WHILE_LOADED:
        found.append("--allow-installation-with-running-driver")
    if number >= LOADS_NOTHING:
        found.append("--skip-module-load")
    if _kernels.left_out(case):
        found.append(f"--kernel-name={_kernels.following(case)}")
    return found
