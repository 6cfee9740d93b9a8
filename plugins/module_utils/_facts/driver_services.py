# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the services that go with the driver: their versions, and whether they run."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import programs, services
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

# Key of the facts: program and unit.
SERVICES = {
    "persistenced": ("nvidia-persistenced", "nvidia-persistenced.service"),
    "fabric_manager": ("nv-fabricmanager", "nvidia-fabricmanager.service"),
    "imex": ("nvidia-imex", "nvidia-imex.service"),
}
# "Fabric Manager version is : 580.95.05", "IMEX version is: 580.95.05", "nvidia-persistenced:  version 580.95.05"
VERSION = re.compile(r"(?:^|[ \t:])([0-9]{3,4}\.[0-9]{1,4}(?:\.[0-9]{1,4})?)(?![0-9.])", re.M | re.ASCII)


def parse_version(text: str) -> str | None:
    match = VERSION.search(text)
    return match.group(1) if match else None


def read(host: Host, name: str) -> Reading:
    program, unit = SERVICES[name]
    if host.which(program) is None:
        return Reading({"present": False, "version": None, "active": None, "enabled": None}, {name: OK})
    service, sources = services.read(host, unit)
    version, reason = programs.version(host, program, "--version", parse=parse_version)
    value = {"present": True, "version": version, "active": service.active, "enabled": service.enabled}
    return Reading(value, {name: Source(reason is None, reason), **sources})
