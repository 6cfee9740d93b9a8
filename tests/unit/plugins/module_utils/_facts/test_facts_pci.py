# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The devices on the bus, and what their names and ids tell of them."""

from __future__ import annotations

import re
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import cards, pci, pci_names
from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host
from ansible_collections.kubegpu.nodes.tests.unit.plugins.module_utils._facts.folder import Folder
from hypothesis import given
from hypothesis import strategies as st

RECORDED = (Path(__file__).resolve().parents[3] / "fixtures/pci/pci.ids-2026.08.22-excerpt").read_text(encoding="utf-8")
# Devices of a GPU's chip that are no GPU.
NO_GPU = re.compile("Audio|USB|NVSwitch|host|I2C|Bridge|FPGA|UCSI", re.I)
OK = {"ok": True, "reason": None}


class Slots(Folder):
    """The bus of a host that is a folder."""

    def __init__(self, root: Path, names: str | None = RECORDED) -> None:
        self.root = root
        (root / "sys/bus/pci/devices").mkdir(parents=True)
        if names is not None:
            self.file("/usr/share/misc/pci.ids", names)

    def device(self, address: str, device: str, class_: str = "0x030200", vendor: str = "0x10de", **more: str) -> None:
        values = {"vendor": vendor, "device": f"0x{device}", "class": class_, "numa_node": "1", **more}
        for name, value in values.items():
            self.file(f"/sys/bus/pci/devices/{address}/{name}", f"{value}\n")

    def infiniband(self, name: str, address: str, product_data: str) -> None:
        self.device(address, "1021", "0x020700", "0x15b3", vpd=product_data)
        link = self.root / f"sys/class/infiniband/{name}/device"
        link.parent.mkdir(parents=True)
        link.symlink_to(f"../../../bus/pci/devices/{address}")

    def read(self) -> tuple[list[dict[str, t.Any]], dict[str, t.Any]]:
        reading = pci.read(Host(str(self.root)))
        return reading.value, {name: source.as_dict() for name, source in reading.sources.items()}


def test_everything_of_a_gpu(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    slots.device(
        "0000:1b:00.0",
        "2330",
        subsystem_vendor="0x10de",
        subsystem_device="0x16c1",
        current_link_speed="2.5 GT/s PCIe",
        max_link_speed="32.0 GT/s PCIe",
        current_link_width="8",
        max_link_width="16",
    )
    devices, sources = slots.read()
    assert devices == [
        {
            "address": "0000:1b:00.0",
            "vendor": "10de",
            "device": "2330",
            "subsystem_vendor": "10de",
            "subsystem_device": "16c1",
            "class": "030200",
            "kind": "gpu",
            "name": "H100 SXM5 80GB",
            "chip": "GH100",
            "architecture": "hopper",
            "architecture_source": "pci.ids",
            "mig_capable": True,
            "open_modules": "either",
            "driver": None,
            "numa_node": 1,
            "link": {"speed_gts": 2.5, "speed_max_gts": 32.0, "width": 8, "width_max": 16},
        }
    ]
    not_asked = {"ok": None, "reason": "not asked: no GPU is of Blackwell or newer"}
    assert sources == {"pci": OK, "pci_ids": OK, "nvlink_bridges": not_asked}


def test_gpus_and_switches_are_told_from_the_rest(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    slots.device("0000:1b:00.0", "2330")
    slots.device("0000:1b:00.1", "22bc", "0x040300")
    slots.device("0000:05:00.0", "22a3", "0x068000")
    slots.device("0000:00:02.0", "9a49", "0x030000", vendor="0x8086")
    slots.file("/sys/bus/pci/devices/0000:ff:00.0/vendor", "garbled")
    slots.file("/sys/bus/pci/drivers/nouveau/bind")
    (tmp_path / "sys/bus/pci/devices/0000:1b:00.0/driver").symlink_to("../../../../bus/pci/drivers/nouveau")
    devices, _ = slots.read()
    assert [(device["address"], device["class"], device["driver"]) for device in devices] == [
        ("0000:05:00.0", "068000", None),
        ("0000:1b:00.0", "030200", "nouveau"),
    ]


def test_kinds_of_bridges(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    slots.device("0000:01:00.0", "22a3", "0x068000")
    slots.device("0000:02:00.0", "1ac2", "0x068000")
    slots.device("0000:03:00.0", "07c8", "0x068000")
    slots.device("0000:04:00.0", "22d8", "0x060400")
    devices, _ = slots.read()
    assert [(device["kind"], device["chip"]) for device in devices] == [
        ("nvswitch", "GH100"),
        ("nvswitch", None),
        ("other", "MCP73"),
    ]
    assert {device["architecture"] for device in devices} == {None}
    assert {device["mig_capable"] for device in devices} == {device["open_modules"] for device in devices} == {None}


def test_nvlink_bridges_of_blackwell(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    slots.device("0000:1b:00.0", "2901")
    slots.infiniband("mlx5_0", "0000:05:00.0", "\x82\x10ConnectX-7 mezz\x90V0SW_MNG\x78")
    slots.infiniband("mlx5_1", "0000:06:00.0", "\x82\x10ConnectX-7 HHHL\x90\x78")
    devices, sources = slots.read()
    assert [(device["address"], device["kind"], device["vendor"]) for device in devices] == [
        ("0000:05:00.0", "nvlink-bridge", "15b3"),
        ("0000:1b:00.0", "gpu", "10de"),
    ]
    assert devices[0].keys() == devices[1].keys()
    assert devices[0]["name"] == "ConnectX-7"
    assert sources["nvlink_bridges"] == OK


def test_product_data_that_cannot_be_read(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    slots.device("0000:1b:00.0", "2901")
    slots.infiniband("mlx5_0", "0000:05:00.0", "")
    product_data = tmp_path / "sys/bus/pci/devices/0000:05:00.0/vpd"
    product_data.unlink()
    devices, sources = slots.read()
    assert (len(devices), sources["nvlink_bridges"]) == (1, OK)  # a virtual function
    product_data.mkdir()
    devices, sources = slots.read()
    assert len(devices) == 1
    assert sources["nvlink_bridges"]["reason"].endswith("/0000:05:00.0/vpd: Is a directory")


@pytest.mark.parametrize("names", [None, "# older than the card\n10de  NVIDIA Corporation\n\t1db1  GV100GL [V100]\n"])
def test_without_a_name_the_device_id_tells(tmp_path: Path, names: str | None) -> None:
    slots = Slots(tmp_path, names)
    slots.device("0000:1b:00.0", "2901")
    devices, sources = slots.read()
    gpu = devices[0]
    assert (gpu["name"], gpu["chip"]) == (None, None)
    assert (gpu["architecture"], gpu["architecture_source"]) == ("blackwell", "device id")
    assert (gpu["mig_capable"], gpu["open_modules"]) == (True, "only")
    assert sources["pci_ids"]["ok"] is (names is not None)


def test_an_unknown_card_is_not_guessed_at(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    slots.device("0000:1b:00.0", "fffe")
    gpu = slots.read()[0][0]
    assert {gpu[name] for name in ("name", "chip", "architecture", "architecture_source")} == {None}
    assert (gpu["mig_capable"], gpu["open_modules"]) == (None, None)


def test_a_bus_without_nvidia_asks_nobody_else(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    slots.device("0000:00:02.0", "9a49", vendor="0x8086")
    devices, sources = slots.read()
    reason = "not asked: nothing of NVIDIA's is on the bus"
    assert devices == []
    assert sources == {"pci": OK, **dict.fromkeys(("pci_ids", "nvlink_bridges"), {"ok": None, "reason": reason})}


# device id, machine -> chip, name, architecture, MIG, open modules
CARDS: dict[str, tuple[str, str, str | None, str | None, str | None, bool | None, str | None]] = {
    "K80": ("102d", "x86_64", "GK210", "Tesla K80", "kepler", False, "never"),
    "M60": ("13f2", "x86_64", "GM204", "Tesla M60", "maxwell", False, "never"),
    "P100": ("15f8", "x86_64", "GP100", "Tesla P100 PCIe 16GB", "pascal", False, "never"),
    "V100": ("1db1", "x86_64", "GV100", "Tesla V100 SXM2 16GB", "volta", False, "never"),
    "T4": ("1eb8", "x86_64", "TU104", "Tesla T4", "turing", False, "either"),
    "A30": ("20b7", "x86_64", "GA100", "A30 PCIe", "ampere", True, "either"),
    "A40": ("2235", "x86_64", "GA102", "A40", "ampere", False, "either"),
    "L40S": ("26b9", "x86_64", "AD102", "L40S", "ada-lovelace", False, "either"),
    "H200": ("2335", "x86_64", "GH100", "H200 SXM 141GB", "hopper", True, "either"),
    "GH200": ("2342", "aarch64", "GH100", "GH200 120GB / 480GB", "hopper", True, "only"),
    "B200": ("2901", "x86_64", "GB100", "B200", "blackwell", True, "only"),
    "B300": ("3182", "x86_64", "GB110", "B300 SXM6 AC", "blackwell", True, "only"),
    "RTX PRO": ("2bb5", "x86_64", "GB202", "RTX PRO 6000 Blackwell Server Edition", "blackwell", None, "only"),
    "RTX 5060": ("2d05", "x86_64", "GB206", "GeForce RTX 5060", "blackwell", False, "only"),
    "GB10": ("2e12", "aarch64", "GB20B", "GB10", "blackwell", None, "only"),
    "Rubin": ("3000", "aarch64", "GR100", "Reserved Dev ID A", "rubin", None, "only"),
    "GTX 280": ("05e1", "x86_64", "GT200", "GeForce GTX 280", "tesla", False, "never"),
    "before CUDA": ("0091", "x86_64", "G70", "GeForce 7800 GTX", None, None, None),
    "no chip in its name": ("2c2c", "x86_64", None, "GB6-256(N22W-ES-A1)", "blackwell", None, "only"),
}


@pytest.mark.parametrize("device, machine, chip, name, architecture, mig, modules", CARDS.values(), ids=CARDS.keys())
def test_cards(
    device: str,
    machine: str,
    chip: str | None,
    name: str | None,
    architecture: str | None,
    mig: bool | None,
    modules: str | None,
) -> None:
    named = pci_names.understand(pci_names.Names(RECORDED).entry("10de", device))
    known = cards.card(named.chip, device, machine)
    assert named == (name, chip)
    assert (known.architecture, known.mig_capable, known.open_modules) == (architecture, mig, modules)
    by_id = cards.card(None, device, machine)
    assert (by_id.architecture, by_id.mig_capable, by_id.open_modules) == (architecture, mig, modules)


def recorded_gpus() -> dict[str, pci_names.Name]:
    names = pci_names.Names(RECORDED)
    lines = re.findall(r"^\t([0-9a-f]{4})  (.*)$", names._block("10de"), re.M)
    return {device: pci_names.understand(entry) for device, entry in lines if not NO_GPU.search(entry)}


def test_blocks_of_ids_are_those_of_the_recorded_pci_ids() -> None:
    """Each GPU with a chip is in a block of its architecture, and no block reaches beyond its first and last GPU."""
    ids: dict[cards.Block, list[int]] = {block: [] for block in cards.BLOCKS}
    for device, named in recorded_gpus().items():
        block = cards._block(device)
        known = cards.card(named.chip, device, "x86_64")
        if known.source == "pci.ids":
            assert block is not None and block.architecture == known.architecture, (device, named)
            assert block.mig == known.mig_capable, (device, named)
            ids[block].append(int(device, 16))
        elif block is not None:
            assert named.chip is None, (device, named)
    assert {block: (block.first, block.last) for block in ids} == {
        block: (min(found), max(found)) for block, found in ids.items()
    }


def test_blocks_are_in_order_and_apart() -> None:
    ends = [end for block in cards.BLOCKS for end in (block.first, block.last)]
    assert ends == sorted(ends) and len({(block.first, block.last) for block in cards.BLOCKS}) == len(cards.BLOCKS)


def test_names_stay_with_their_vendor() -> None:
    names = pci_names.Names(RECORDED)
    assert names.entry("15b3", "1021") == "MT2910 Family [ConnectX-7]"
    assert names.entry("10de", "1021") == "GK110GL [Tesla K20Xm]"
    assert names.entry("10df", "2330") is None and names.entry("beef", "0001") is None
    assert names.entry(None, "2330") is None and names.entry("10de", None) is None


def test_names_are_found_in_no_time(tmp_path: Path) -> None:
    """The whole file has 1.7 MB, most of it other vendors'."""
    strangers = "".join(f"{vendor:04x}  Vendor\n" + "\t0001  Device\n" * 20 for vendor in range(0x1100, 0x2400))
    slots = Slots(tmp_path, RECORDED + strangers)
    host = Host(str(slots.root))
    began = time.process_time()
    names, source = pci_names.read(host)
    assert names.entry("10de", "2330") and names.entry("23ff", "0001") and source.ok
    assert time.process_time() - began < 0.15


SPEEDS = {"16.0 GT/s PCIe\n": 16.0, "2.5 GT/s": 2.5, "8 GT/s\n": 8.0, "64.0 GT/s PCIe": 64.0, "Unknown": None, "": None}


@pytest.mark.parametrize("text, speed", SPEEDS.items())
def test_link_speed(text: str, speed: float | None) -> None:
    assert pci.link_speed(text) == speed


@pytest.mark.parametrize("text, width", {"16\n": 16, "1": 1, "0": None, "255": None, "63": None, "x": None}.items())
def test_link_width(text: str, width: int | None) -> None:
    assert pci.link_width(text) == width


PIECES = st.sampled_from(
    ["10de  ", "\n", "\t", "2330  ", "GH100", " [", "]", "C 03", "#", "0x", "GT/s", "16", "²", "٣"]
)
GARBLED = st.text(max_size=40) | st.lists(PIECES, max_size=25).map("".join)


@given(text=GARBLED)
def test_nonsense(text: str) -> None:
    named = pci_names.understand(pci_names.Names(text).entry("10de", "2330"))
    assert cards.card(named.chip, "2330", "x86_64").architecture
    assert cards.card(text, None, text).source in (None, "pci.ids")
    assert isinstance(pci.link_speed(text), (float, type(None)))
    assert pci.link_width(text) in (None, *pci.WIDTHS)
    assert pci.kind_of(text, text) in ("gpu", "nvswitch", "other")


@given(end=st.integers(0, len(RECORDED)))
def test_truncated_names(end: int) -> None:
    entry = pci_names.Names(RECORDED[:end]).entry("10de", "2330")
    assert entry is None or "GH100 [H100 SXM5 80GB]".startswith(entry)
