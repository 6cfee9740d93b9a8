# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the versions of the driver: in the kernel, in the libraries, on disk."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source, first_line

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

PROC_VERSION = "/proc/driver/nvidia/version"
# Where distributions and NVIDIA's own installer put the library that must match the kernel module.
LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
    "/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1",
    "/usr/lib64/libnvidia-ml.so.1",
    "/usr/lib/libnvidia-ml.so.1",
)
VERSION = r"([0-9]{3,4}\.[0-9]{1,4}(?:\.[0-9]{1,4})?)"
# "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.107.02  ..." and
# "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  615.71.09  ..."
NVRM = re.compile(rf"^NVRM version:[^\n]*?\b(Open )?Kernel Module\b(?: for \S+)?\s+{VERSION}\b", re.M | re.A)
LIBRARY_VERSION = re.compile(rf"\.so\.{VERSION}$", re.A)
MODINFO_LINE = re.compile(r"^(version|license):[ \t]*(\S.*?)\s*$", re.M)
# The licence that the module declares to the kernel tells the flavour.
LICENCES = {"NVIDIA": "proprietary", "Dual MIT/GPL": "open"}


class Module(t.NamedTuple):
    version: str | None
    flavour: str | None


def parse_proc_version(text: str) -> Module | None:
    """The loaded module. None where neither wording is there."""
    match = NVRM.search(text)
    return Module(match.group(2), "open" if match.group(1) else "proprietary") if match else None


def parse_modinfo(text: str) -> Module:
    """The module on disk."""
    fields = dict(MODINFO_LINE.findall(text))
    return Module(fields.get("version"), LICENCES.get(fields.get("license", "")))


def library_version(path: str) -> str | None:
    """``libnvidia-ml.so.580.95.05`` carries its version in its name."""
    match = LIBRARY_VERSION.search(path)
    return match.group(1) if match else None


def mismatch(loaded: Module, userland: str | None, on_disk: Module) -> str | None:
    """Where parts that must be of one version are not. Unknown parts contradict nobody."""
    sentences = []
    if loaded.version and userland and loaded.version != userland:
        sentences.append(f"the loaded kernel module is {loaded.version} but the libraries are {userland}")
    if loaded.version and on_disk.version and loaded.version != on_disk.version:
        sentences.append(f"the loaded kernel module is {loaded.version} but the one on disk is {on_disk.version}")
    if not loaded.version and userland and on_disk.version and userland != on_disk.version:
        sentences.append(f"the libraries are {userland} but the kernel module on disk is {on_disk.version}")
    if loaded.flavour and on_disk.flavour and loaded.flavour != on_disk.flavour:
        sentences.append(f"the loaded kernel module is {loaded.flavour} but the one on disk is {on_disk.flavour}")
    return "; ".join(sentences) or None


def _loaded(host: Host) -> tuple[Module, Source]:
    nothing = Module(None, None)
    try:
        module = parse_proc_version(host.read(PROC_VERSION, limit=65536))
    except KubeGpuError as exc:
        return nothing, OK if exc.details.get("missing") else Source(False, str(exc))
    if module is None:
        return nothing, Source(False, f"{PROC_VERSION}: no version that this collection understands")
    return module, OK


def _on_disk(host: Host) -> tuple[Module, Source]:
    try:
        answer = host.run("modinfo", "nvidia")
    except KubeGpuError as exc:
        return Module(None, None), Source(False, str(exc))
    if answer.rc == 0:
        return parse_modinfo(answer.out), OK
    if "not found" in answer.err:
        return Module(None, None), OK
    return Module(None, None), Source(False, f"exit status {answer.rc}: {first_line(answer.err, answer.out)}")


def _library(host: Host) -> tuple[str | None, Source]:
    paths = [path for path in map(host.real_path, LIBRARIES) if path]
    if not paths:
        return None, OK
    version = next((version for version in map(library_version, paths) if version), None)
    return version, OK if version else Source(False, f"{paths[0]} carries no version in its name")


class Observation(t.NamedTuple):
    """What the host's files tell, without a word of the running driver."""

    loaded: Module
    on_disk: Module
    library: str | None


def read(host: Host) -> Reading:
    loaded, proc = _loaded(host)
    on_disk, modinfo = _on_disk(host)
    library, libraries = _library(host)
    return Reading(Observation(loaded, on_disk, library), {"proc": proc, "modinfo": modinfo, "libraries": libraries})


def conclude(seen: Observation, reported: str | None) -> dict[str, t.Any]:
    """``reported``: the version that NVML or nvidia-smi told; they refuse to talk where libraries and kernel differ."""
    userland = reported or seen.library
    return {
        "loaded": seen.loaded.version,
        "flavour": seen.loaded.flavour,
        "userland": userland,
        "on_disk": seen.on_disk.version,
        "on_disk_flavour": seen.on_disk.flavour,
        "mismatch": mismatch(seen.loaded, userland, seen.on_disk),
    }
