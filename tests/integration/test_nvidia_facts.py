# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of a converged host with eight GPUs: whole, documented, harmless, and patient with GPUs in trouble."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import read_facts
from conftest import Rig
from read_facts import Facts

HOST, GPUS = "rig-h100", 8
INVENTORY = "inventories/demo"
SUBSETS = ("platform", "pci", "gpus", "driver", "cuda", "packages", "container", "kubelet", "files")
# What an H100 does not have: its rows are remapped instead of pages retired, and it has no such object in its InfoROM;
# what its machine does not have: a cluster of several machines with one NVLink fabric.
UNKNOWN = {
    *("retired_pages.single_bit", "retired_pages.double_bit", "retired_pages.pending"),
    *("inforom.power", "fabric.cluster_uuid"),
}
LIMIT = "did not answer within 30 s"


@pytest.fixture(scope="module")
def rig(converged: Rig) -> Rig:
    return converged


@pytest.fixture(scope="module")
def whole(rig: Rig) -> Facts:
    return ask(rig)


def ask(rig: Rig, *words: str, subset: str = "all") -> Facts:
    return read_facts.ask(rig, INVENTORY, HOST, *words, subset=subset)


@contextmanager
def trouble(rig: Rig, text: str) -> Iterator[None]:
    """GPUs of which the driver tells other things than of healthy ones."""
    path = rig.state / "hosts" / HOST / "gpus.ini"
    path.write_text(text)
    try:
        yield
    finally:
        path.unlink()


def test_every_source_answered_or_says_why_it_was_not_asked(whole: Facts) -> None:
    assert read_facts.unasked_or_ok(whole) == {}
    assert whole["sources"]["nvml"]["ok"] is True


def test_of_every_gpu_all_is_known(rig: Rig, whole: Facts) -> None:
    assert [gpu["index"] for gpu in whole["gpus"]] == list(range(GPUS))
    there = rig.on(HOST, "nvidia-smi --query-gpu=uuid --format=csv,noheader").split()
    assert [gpu["uuid"] for gpu in whole["gpus"]] == there
    for gpu in whole["gpus"]:
        assert set(read_facts.nulls(gpu)) == UNKNOWN
        assert len(gpu["nvlink"]) == 18 and {link["state"] for link in gpu["nvlink"]} == {"active"}


def test_all_ways_to_the_hardware_agree(whole: Facts) -> None:
    on_the_bus = {device["address"]: device for device in whole["pci"]}
    assert {gpu["pci_address"] for gpu in whole["gpus"]} == {
        address for address, device in on_the_bus.items() if device["kind"] == "gpu"
    }
    switches = {address for address, device in on_the_bus.items() if device["kind"] == "nvswitch"}
    assert len(switches) == 4
    for gpu in whole["gpus"]:
        device = on_the_bus[gpu["pci_address"]]
        assert (device["driver"], device["architecture"], device["chip"]) == ("nvidia", gpu["architecture"], "GH100")
        assert device["link"]["width"] == gpu["pcie"]["width"] == 16
        assert {link["remote_pci"] for link in gpu["nvlink"]} == switches


def test_the_documentation_has_every_field_and_no_other(whole: Facts) -> None:
    assert list(read_facts.compare(whole, read_facts.documentation(), "nvidia")) == []


def test_eight_gpus_are_not_too_much_to_carry(whole: Facts) -> None:
    assert len(json.dumps(whole)) < 200_000


def test_check_mode_tells_the_same(rig: Rig, whole: Facts) -> None:
    assert read_facts.at_rest(ask(rig, "--check")) == read_facts.at_rest(whole)


def test_asking_changes_nothing(rig: Rig) -> None:
    before = rig.picture(HOST)
    ask(rig)
    assert rig.picture(HOST) == before


@pytest.mark.parametrize("subset", [*SUBSETS, "pci,driver"])
def test_only_what_is_asked_is_told(rig: Rig, whole: Facts, subset: str) -> None:
    told = ask(rig, subset=subset)
    names = subset.split(",")
    assert sorted(told) == sorted([*names, "sources"])
    assert told["sources"].keys() <= whole["sources"].keys()
    assert read_facts.at_rest({name: told[name] for name in names}) == read_facts.at_rest(
        {name: whole[name] for name in names}
    )


def test_processes_are_named_with_their_unit_or_container(rig: Rig) -> None:
    unit = rig.on(HOST, "systemctl show --property=MainPID --value containerd").strip()
    pod = rig.on(HOST, "pgrep --oldest --full nvidia-device-plugin").strip()
    with trouble(rig, f"[gpu 3]\nprocess = {unit} compute 1000\nprocess = {pod} graphics 24\n"):
        gpus = ask(rig, subset="gpus")["gpus"]
    assert [len(gpu["processes"]) for gpu in gpus] == [0, 0, 0, 2, 0, 0, 0, 0]
    by_pid = {process["pid"]: process for process in gpus[3]["processes"]}
    assert gpus[3]["memory"]["used_mib"] == 1024
    assert (by_pid[int(unit)]["unit"], by_pid[int(unit)]["container"]) == ("containerd.service", None)
    assert (by_pid[int(unit)]["type"], by_pid[int(pod)]["type"]) == ("compute", "graphics")
    assert by_pid[int(pod)]["container"] in rig.on(HOST, "ctr --namespace k8s.io containers list --quiet").split()


def test_a_lost_gpu_does_not_take_the_others_along(rig: Rig, whole: Facts) -> None:
    with trouble(rig, "[gpu 2]\nstate = lost\n"):
        told = ask(rig, subset="gpus")
    healthy = [gpu for gpu in told["gpus"] if gpu["uuid"]]
    assert healthy == [gpu for gpu in whole["gpus"] if gpu["index"] != 2]
    assert told["sources"]["nvml"]["ok"] is False
    assert "GPU 2" in told["sources"]["nvml"]["reason"]


def test_a_gpu_that_hangs_does_not_hang_the_play(rig: Rig, whole: Facts) -> None:
    library = "grep --files-with-matches --no-messages libnvidia-ml /proc/[0-9]*/maps"
    in_use = rig.on(HOST, library)
    with trouble(rig, "[gpu 5]\nstate = hang\n"):
        told = ask(rig)
    assert rig.on(HOST, library) == in_use, "something of the module still hangs there"
    assert [gpu["uuid"] for gpu in told["gpus"]] == [gpu["uuid"] for gpu in whole["gpus"]], "the kernel names them"
    assert {gpu["index"] for gpu in told["gpus"]} == {None}
    assert told["sources"]["nvml"]["ok"] is False and LIMIT in told["sources"]["nvml"]["reason"]
    concerned = {"nvml", "cuda_limit", "nvidia_smi", "nvidia_smi_xml", "proc_gpus"}
    assert {name for name in told["sources"] if told["sources"][name] != whole["sources"][name]} == concerned
    for name in ("platform", "pci", "packages", "container", "kubelet", "files"):
        assert read_facts.at_rest(told[name]) == read_facts.at_rest(whole[name])
    assert told["driver"]["loaded"] == whole["driver"]["loaded"]
