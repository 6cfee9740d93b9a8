# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""hardware.ini: what a host's simulated GPUs are."""

from __future__ import annotations

import configparser

import pytest
from _rig.nvml import card_names, hardware_ini, most
from _rig.shell import RigError

each_card = pytest.mark.parametrize("card", card_names())


def read(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read_string(text)
    return parser


def values(text: str, key: str) -> list[str]:
    parser = read(text)
    return [parser[name][key] for name in parser.sections() if name.startswith("gpu ")]


def test_there_is_a_card_of_each_generation_that_users_have() -> None:
    assert {"t4", "a100", "l40s", "h100", "b200", "gb200", "gb300"} <= set(card_names())


@each_card
def test_every_gpu_has_a_place_and_a_name_of_its_own(card: str) -> None:
    text = hardware_ini(card, most(card), "node-1")
    for key in ("minor", "uuid", "serial", "address"):
        assert len(set(values(text, key))) == most(card), key


@each_card
def test_every_card_answers_the_same_questions(card: str) -> None:
    asked = set(read(hardware_ini("h100", 1, "node-1"))["card"])
    assert set(read(hardware_ini(card, 1, "node-1"))["card"]) == asked


def test_names_outlive_a_reboot_and_differ_between_hosts() -> None:
    assert hardware_ini("h100", 8, "node-1") == hardware_ini("h100", 8, "node-1")
    own, other = (set(values(hardware_ini("h100", 8, host), "uuid")) for host in ("node-1", "node-2"))
    assert not own & other


def test_more_gpus_keep_the_names_of_the_first() -> None:
    assert values(hardware_ini("t4", 4, "node-1"), "uuid") == values(hardware_ini("t4", 8, "node-1"), "uuid")[:4]


def test_a_machine_with_two_sockets_has_gpus_on_both() -> None:
    assert values(hardware_ini("h100", 8, "node-1"), "numa_node") == ["0"] * 4 + ["1"] * 4


def test_only_machines_that_have_them_show_nvswitches() -> None:
    switches = {card: "[switch 0]" in hardware_ini(card, 8, "node-1") for card in ("h100", "a100", "t4")}
    assert switches == {"h100": True, "a100": True, "t4": False}


def test_a_gpu_may_be_cut_into_mig_devices_with_names_of_their_own() -> None:
    devices = [read(hardware_ini("a100-mig", 2, host)) for host in ("node-1", "node-2")]
    names = {parser[name]["uuid"] for parser in devices for name in parser.sections() if name.startswith("mig 0.")}
    assert len(names) == 6


def test_addresses_name_their_pci_domain() -> None:
    assert values(hardware_ini("h100", 1, "node-1"), "address") == ["0000:1b:00.0"]
    assert values(hardware_ini("gb200", 1, "node-1"), "address") == ["0008:01:00.0"]


def test_no_gpus_is_no_hardware() -> None:
    assert read(hardware_ini("h100", 0, "node-1")).sections() == []


@pytest.mark.parametrize(("card", "count"), [("h100", 9), ("h100", -1), ("voodoo2", 1)])
def test_what_cannot_be_is_refused(card: str, count: int) -> None:
    with pytest.raises(RigError):
        hardware_ini(card, count, "node-1")
