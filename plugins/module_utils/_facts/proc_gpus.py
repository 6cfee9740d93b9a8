# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the GPUs as the loaded kernel module lists them, for when no library answers."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import gpu_words as words
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

PATTERN = "/proc/driver/nvidia/gpus/*/information"
LINE = re.compile(r"^([A-Z][A-Za-z ]{1,30}):[ \t]*(\S.*?)\s*$", re.M)
# What a GPU without an answer has in its place: question marks for every digit.
UNKNOWN = re.compile(r"\?\?")


def parse(text: str) -> words.Gpu:
    """``Model``, ``GPU UUID``, ``Video BIOS``, ``Bus Location`` and ``Device Minor`` of one file."""
    lines = {name: value for name, value in LINE.findall(text) if not UNKNOWN.search(value)}
    gpu = words.blank()
    gpu.update(
        name=words.text(lines.get("Model")),
        uuid=words.text(lines.get("GPU UUID")),
        vbios=words.text(lines.get("Video BIOS")),
        pci_address=words.address(lines.get("Bus Location")),
        minor=words.count(lines.get("Device Minor")),
    )
    return gpu


def read(host: Host) -> Reading:
    """In time, since the kernel module takes its locks before it answers."""
    gpus: list[words.Gpu] = []
    source = OK
    for path in host.glob(PATTERN):
        try:
            gpus.append(parse(host.read_in_time(path)))
        except KubeGpuError as exc:
            source = Source(False, str(exc))
            break
    return Reading(sorted(gpus, key=lambda gpu: gpu["pci_address"] or ""), {"proc_gpus": source})
