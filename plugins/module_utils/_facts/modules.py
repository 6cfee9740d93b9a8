# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the loaded kernel modules of NVIDIA GPUs, whoever wrote them, and their parameters."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

LOADED = "/sys/module"
PARAMETERS = "/proc/driver/nvidia/params"
# Instances of MIG, as the kernel module shows them, whether NVML answers or not. Source: NVIDIA Multi-Instance GPU User
# Guide, chapter "Device Nodes and Capabilities".
INSTANCES = "/proc/driver/nvidia/capabilities/gpu*/mig/gi*"
INSTANCE = re.compile(r"/gpu([0-9]{1,4})/mig/gi[0-9]+$", re.ASCII)
# NVIDIA's, the kernel's own drivers for the same cards, GDRCopy's, which keeps NVIDIA's in use, and those through which
# a fabric manager reaches the switches of NVLink 5.
NAMES = re.compile(r"^(nvidia([_-].*)?|nouveau|nova([_-].*)?|gdrdrv|mlx5_core|ib_umad)$")
COUNT = re.compile(r"^-?[0-9]{1,9}$", re.ASCII)
# "EnableMSI: 1", "RegistryDwords: """
PARAMETER = re.compile(r"^([A-Za-z][A-Za-z0-9_]*): ?(.*)$", re.ASCII)


def parse_count(text: str) -> int | None:
    return int(text) if COUNT.match(text.strip()) else None


def parse_parameters(text: str) -> dict[str, str]:
    """Values as text, without the quotes that the driver puts around words."""
    found = {}
    for match in filter(None, map(PARAMETER.match, text.splitlines())):
        value = match.group(2).strip()
        found[match.group(1)] = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    return found


def _module(host: Host, name: str) -> dict[str, t.Any]:
    """A module that is built into the kernel counts nobody."""
    folder = f"{LOADED}/{name}"
    try:
        count = parse_count(host.read(f"{folder}/refcnt", limit=64))
    except KubeGpuError:
        count = None
    return {
        "refcount": count,
        "used_by": host.list_dir(f"{folder}/holders") if host.is_dir(f"{folder}/holders") else [],
    }


def read(host: Host) -> Reading:
    try:
        names = [name for name in host.list_dir(LOADED) if NAMES.match(name)]
        return Reading({name: _module(host, name) for name in names}, {"modules": OK})
    except KubeGpuError as exc:
        return Reading(None, {"modules": Source(False, str(exc))})


def read_partitioned(host: Host) -> Reading:
    """Minor numbers of the GPUs that are divided into instances of MIG."""
    found = {int(match.group(1)) for match in map(INSTANCE.search, host.glob(INSTANCES)) if match}
    return Reading(sorted(found), {})


def read_parameters(host: Host) -> Reading:
    """What the loaded module runs with; none without a module."""
    try:
        parameters = parse_parameters(host.read(PARAMETERS, limit=256 * 1024))
    except KubeGpuError as exc:
        if exc.details.get("missing") and not host.is_dir(f"{LOADED}/nvidia"):
            return Reading({}, {"parameters": OK})
        return Reading(None, {"parameters": Source(False, str(exc))})
    if not parameters:
        return Reading(None, {"parameters": Source(False, f"{PARAMETERS}: nothing that this collection understands")})
    return Reading(parameters, {"parameters": OK})
