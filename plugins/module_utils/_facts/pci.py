# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: NVIDIA's devices on the PCI bus, as the kernel lists them, before any driver."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

DEVICES = "/sys/bus/pci/devices"
VENDOR = "10de"
# PCI code and ID assignment: base class 03 is a display controller, 0680 is "other bridge" (an NVSwitch).
CLASSES = ("03", "0680")

ADDRESS = re.compile(r"^([0-9a-fA-F]{4,8}):([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-7])$")


def normal_address(text: str) -> str | None:
    """``00000000:1B:00.0`` of NVML and ``0000:1b:00.0`` of the kernel are the same place; the kernel's words win."""
    match = ADDRESS.match(text.strip())
    if not match:
        return None
    domain, bus, device, function = match.groups()
    return f"{int(domain, 16):04x}:{bus}:{device}.{function}".lower()


def hexadecimal(text: str) -> str | None:
    """``0x10de`` without its 0x."""
    match = re.match(r"^0x([0-9a-fA-F]{1,8})\s*$", text)
    return match.group(1).lower() if match else None


def numa_node(text: str) -> int | None:
    """The kernel says -1 where it does not know."""
    match = re.match(r"^(\d{1,6})\s*$", text)
    return int(match.group(1)) if match else None


def _attribute(host: Host, address: str, name: str) -> str:
    try:
        return host.read(f"{DEVICES}/{address}/{name}", limit=64)
    except KubeGpuError:
        return ""


def _device(host: Host, address: str) -> dict[str, t.Any] | None:
    vendor = hexadecimal(_attribute(host, address, "vendor"))
    class_ = hexadecimal(_attribute(host, address, "class"))
    if vendor != VENDOR or class_ is None or not class_.startswith(CLASSES):
        return None
    driver = host.real_path(f"{DEVICES}/{address}/driver")
    return {
        "address": normal_address(address) or address,
        "vendor": vendor,
        "device": hexadecimal(_attribute(host, address, "device")),
        "subsystem_vendor": hexadecimal(_attribute(host, address, "subsystem_vendor")),
        "subsystem_device": hexadecimal(_attribute(host, address, "subsystem_device")),
        "class": class_,
        "driver": driver.rsplit("/", 1)[-1] if driver else None,
        "numa_node": numa_node(_attribute(host, address, "numa_node")),
    }


def read(host: Host) -> Reading:
    try:
        addresses = host.list_dir(DEVICES)
    except KubeGpuError as exc:
        return Reading([], {"pci": Source(False, str(exc))})
    devices = [_device(host, address) for address in addresses]
    return Reading([device for device in devices if device], {"pci": OK})
