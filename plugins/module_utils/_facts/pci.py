# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: NVIDIA's devices on the PCI bus, as the kernel lists them, before any driver."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import cards, pci_names
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

DEVICES = "/sys/bus/pci/devices"
VENDOR = "10de"
# PCI code and ID assignment: base class 03 is a display controller, 0680 is "other bridge" (an NVSwitch).
CLASSES = ("03", "0680")
GPU_CLASS = "03"
# With NVLink 5 (Blackwell) the switches are managed through InfiniBand devices, whose product data say so.
INFINIBAND = "/sys/class/infiniband/*/device"
MANAGES_SWITCHES = "SW_MNG"
VPD_LIMIT = 4096

SPEED = re.compile(r"^([0-9]{1,3}(?:\.[0-9])?) GT/s")
WIDTHS = frozenset({1, 2, 4, 8, 12, 16, 32})
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


def link_speed(text: str) -> float | None:
    """``16.0 GT/s PCIe`` of the kernel, without its unit."""
    match = SPEED.match(text)
    return float(match.group(1)) if match else None


def link_width(text: str) -> int | None:
    """Lanes. The kernel says 0 or 255 where it does not know."""
    match = re.match(r"^([0-9]{1,2})\s*$", text, re.A)
    return int(match.group(1)) if match and int(match.group(1)) in WIDTHS else None


def kind_of(class_: str, name: str | None) -> str:
    """A bridge that pci.ids does not know is a switch; one that it knows as something else is not."""
    if class_.startswith(GPU_CLASS):
        return "gpu"
    return "nvswitch" if name is None or "nvswitch" in name.lower() else "other"


def _attribute(host: Host, address: str, name: str) -> str:
    try:
        return host.read(f"{DEVICES}/{address}/{name}", limit=64)
    except KubeGpuError:
        return ""


def _is_wanted(host: Host, address: str) -> bool:
    if hexadecimal(_attribute(host, address, "vendor")) != VENDOR:
        return False
    return (hexadecimal(_attribute(host, address, "class")) or "").startswith(CLASSES)


class Bus:
    """The devices of a host, and the names that its pci.ids has for them."""

    def __init__(self, host: Host, names: pci_names.Names) -> None:
        self._host = host
        self._names = names

    def nvidia_device(self, address: str) -> dict[str, t.Any]:
        found = self._device(address)
        kind = kind_of(found["class"] or "", found["name"])
        known = cards.Card(None, None, None, None)
        if kind == "gpu":
            known = cards.card(found["chip"], found["device"], self._host.machine())
        return {
            **found,
            "kind": kind,
            "architecture": known.architecture,
            "architecture_source": known.source,
            "mig_capable": known.mig_capable,
            "open_modules": known.open_modules,
        }

    def nvlink_bridge(self, address: str) -> dict[str, t.Any]:
        nothing = dict.fromkeys(("architecture", "architecture_source", "mig_capable", "open_modules"))
        return {**self._device(address), "kind": "nvlink-bridge", **nothing}

    def _device(self, address: str) -> dict[str, t.Any]:
        ids = {
            name: hexadecimal(_attribute(self._host, address, name))
            for name in ("vendor", "device", "subsystem_vendor", "subsystem_device", "class")
        }
        driver = self._host.real_path(f"{DEVICES}/{address}/driver")
        named = pci_names.understand(self._names.entry(ids["vendor"], ids["device"]))
        return {
            "address": normal_address(address) or address,
            **ids,
            "name": named.name,
            "chip": named.chip,
            "driver": driver.rsplit("/", 1)[-1] if driver else None,
            "numa_node": numa_node(_attribute(self._host, address, "numa_node")),
            "link": {
                "speed_gts": link_speed(_attribute(self._host, address, "current_link_speed")),
                "speed_max_gts": link_speed(_attribute(self._host, address, "max_link_speed")),
                "width": link_width(_attribute(self._host, address, "current_link_width")),
                "width_max": link_width(_attribute(self._host, address, "max_link_width")),
            },
        }


def _bridges(host: Host, gpus: list[dict[str, t.Any]]) -> tuple[list[str], Source]:
    """Addresses of NVLink bridges. Product data are slow to read, so they are read only where a GPU may need one."""
    if not any(cards.newer_than(gpu["architecture"], "hopper") in (True, None) for gpu in gpus):
        return [], Source(None, "not asked: no GPU is of Blackwell or newer")
    places = {place for place in map(host.real_path, host.glob(INFINIBAND)) if place}
    problems, found = [], []
    for place in sorted(places):
        try:
            if MANAGES_SWITCHES in host.read(f"{place}/vpd", limit=VPD_LIMIT):
                found.append(place.rsplit("/", 1)[-1])
        except KubeGpuError as exc:  # a virtual function has no product data
            problems += [] if exc.details.get("missing") else [str(exc)]
    return found, Source(False, "; ".join(problems)) if problems else OK


def _nothing(pci: Source, reason: str) -> Reading:
    not_asked = Source(None, f"not asked: {reason}")
    return Reading([], {"pci": pci, "pci_ids": not_asked, "nvlink_bridges": not_asked})


def read(host: Host) -> Reading:
    try:
        addresses = host.list_dir(DEVICES)
    except KubeGpuError as exc:
        return _nothing(Source(False, str(exc)), "the bus cannot be read")
    wanted = [address for address in addresses if _is_wanted(host, address)]
    if not wanted:
        return _nothing(OK, "nothing of NVIDIA's is on the bus")
    names, names_source = pci_names.read(host)
    bus = Bus(host, names)
    devices = [bus.nvidia_device(address) for address in wanted]
    bridges, bridges_source = _bridges(host, [device for device in devices if device["kind"] == "gpu"])
    devices += [bus.nvlink_bridge(address) for address in bridges]
    value = sorted(devices, key=lambda device: str(device["address"]))
    return Reading(value, {"pci": OK, "pci_ids": names_source, "nvlink_bridges": bridges_source})
