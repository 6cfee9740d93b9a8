# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What removal takes, what it leaves, and when it is refused; and what another driver may take the place of."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import PIN_FILE
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._plan import plan
from ansible_collections.kubegpu.nodes.tests.unit.plugins.plugin_utils.plan_hosts import (
    BUSY,
    H100,
    IDLE,
    LOADED,
    NVSWITCH,
    Facts,
    brought,
    host,
    rules,
    wish,
    with_driver,
)

ABSENT = wish(state="absent")
PINNED = {PIN_FILE: "0" * 64}
OURS = ["libcuda1", "libnvidia-ml1", "nvidia-kernel-open-dkms", "nvidia-open-580"]
MANAGER = {"fabric_manager": {"present": True, "version": "570.211.01", "active": True}}

# After a first installation whose modules could not be built: the libraries are whole, what needs the modules is not.
BROKEN = host(
    packages={"libnvidia-ml1": {"version": "580.95.05-1"}, "libcuda1": {"version": "580.95.05-1"}},
    driver={
        "userland": "580.95.05",
        "brought": {
            **brought("libcuda1", "libnvidia-ml1"),
            **brought("nvidia-kernel-open-dkms", "nvidia-open-580", whole=False),
            **brought("dkms", version="3.0.10"),
        },
    },
    files=PINNED,
)
# The same, and not even the libraries were configured.
UNPACKED = host(driver={"brought": brought(*OURS, whole=False)}, files=PINNED)
WITH_MANAGER = with_driver("580.95.05")
WITH_MANAGER["driver"]["brought"] = brought("nvidia-fabricmanager", "nvlsm")

REMOVED: dict[str, tuple[Facts, list[str], bool, str]] = {
    # name: (facts, what is removed, whether the driver itself goes, words of the reason)
    "all of it": (with_driver("580.95.05"), OURS, True, "driver 580.95.05 was installed by this collection"),
    "what broke off": (BROKEN, OURS, True, "driver 580.95.05 was installed"),
    "what broke off early": (UNPACKED, OURS, True, "was installed by this collection"),
    "what came along with it goes by itself": (
        with_driver("580.95.05", driver={"brought": brought("dkms", version="3.0.10")}),
        [],
        False,
        "driver 580.95.05 was there before and stays",
    ),
    "a driver of others that was only pinned": (
        with_driver("580.95.05", driver={"brought": {}}),
        [],
        False,
        "only files of ours are left; driver 580.95.05 was there before and stays",
    ),
    "what the switches needed, beside a driver of others": (
        WITH_MANAGER,
        ["nvidia-fabricmanager", "nvlsm"],
        False,
        "a part of a driver was installed by this collection",
    ),
    "the record is there, the pin is not": (
        with_driver("580.95.05", files={}, driver={"brought": brought(*OURS)}),
        OURS,
        True,
        "was installed by this collection",
    ),
}


@pytest.mark.parametrize("facts, remove, goes, words", REMOVED.values(), ids=REMOVED.keys())
def test_what_this_collection_has_brought_goes(facts: Facts, remove: list[str], goes: bool, words: str) -> None:
    driver = plan(facts, ABSENT)["driver"]
    assert (driver["action"], driver["remove"], driver["goes"]) == ("absent", remove, goes)
    assert words in driver["reason"]
    assert driver["disruption"] == ("unload" if goes and facts["driver"]["loaded"] else "none")


def test_what_others_have_installed_since_stays() -> None:
    facts = with_driver("580.95.05")
    facts["packages"]["libnvidia-encode1"] = {"version": "580.95.05-1"}
    assert plan(facts, ABSENT)["driver"]["remove"] == OURS
    assert plan(with_driver("580.95.05", files={}), ABSENT)["driver"]["action"] == "none"


IN_USE: dict[str, tuple[Facts, dict[str, t.Any], list[str]]] = {
    # name: (facts, wishes, refusals)
    "nobody": (with_driver("580.95.05", driver=IDLE), ABSENT, []),
    "nobody can tell": (with_driver("580.95.05"), ABSENT, []),
    "a job": (with_driver("580.95.05", driver=BUSY), ABSENT, ["driver-in-use"]),
    "a job, on switches": (with_driver("580.95.05", driver=BUSY, pci=[H100, NVSWITCH]), ABSENT, ["driver-in-use"]),
    "a job, and a reboot is allowed": (
        with_driver("580.95.05", driver=BUSY),
        wish(state="absent", reboot=True),
        [],
    ),
    "a job on a driver of others": (with_driver("580.95.05", driver={**BUSY, "brought": {}}), ABSENT, []),
    "a console": (
        with_driver("580.95.05", driver={**IDLE, "modules": {**LOADED, "nvidia_drm": {"refcount": 1, "used_by": []}}}),
        ABSENT,
        ["driver-in-use"],
    ),
    "another branch, a job, no switches": (with_driver("570.211.01", driver=BUSY), wish(), []),
    "another branch, a job on switches": (
        with_driver("570.211.01", driver={**BUSY, **MANAGER}, pci=[H100, NVSWITCH]),
        wish(),
        ["fabric-in-use"],
    ),
    "another branch, nobody on switches": (
        with_driver("570.211.01", driver={**IDLE, **MANAGER}, pci=[H100, NVSWITCH]),
        wish(),
        [],
    ),
    "another branch, a job on switches, and a reboot is allowed": (
        with_driver("570.211.01", driver={**BUSY, **MANAGER}, pci=[H100, NVSWITCH]),
        wish(reboot=True),
        [],
    ),
    "switches whose manager is only missing": (
        with_driver("580.95.05", driver=BUSY, pci=[H100, NVSWITCH]),
        wish(),
        [],
    ),
}


@pytest.mark.parametrize("facts, wishes, refused", IN_USE.values(), ids=IN_USE.keys())
def test_nothing_is_taken_from_under_a_job(facts: Facts, wishes: dict[str, t.Any], refused: list[str]) -> None:
    value = plan(facts, wishes)
    assert [refusal["rule"] for refusal in value["refusals"]] == refused
    if refused and facts["driver"]["holders"] == BUSY["holders"]:
        assert "python3 (pid 4711, train.service)" in value["refusals"][0]["sentence"]
        assert "nvidia_driver_reboot: true" in value["refusals"][0]["way_out"]


STRAYS = ["nvidia-modprobe", "nvidia-persistenced", "nvidia-driver-pinning-580"]


@pytest.mark.parametrize("name", STRAYS)
def test_a_stray_package_makes_no_packaged_driver_of_a_foreign_one(name: str) -> None:
    packages = {name: {"version": "535.171.04-1~deb12u1"}}
    loaded = {"loaded": "580.95.05", "flavour": "open"}
    assert rules(host(packages=packages, driver=loaded), wish()) == ["loaded-from-elsewhere"]
    on_disk = {**loaded, "on_disk": "580.95.05", "on_disk_flavour": "open", "installed_by": "unknown"}
    assert rules(host(packages=packages, driver=on_disk), wish()) == ["foreign-driver"]


def test_what_another_driver_may_take_the_place_of_is_the_driver() -> None:
    facts = with_driver("570.211.01")
    facts["packages"]["cuda-12-8"] = {"version": "12.8.1-1"}
    assert plan(facts, wish())["driver"]["parts"] == [*OURS[:3], "nvidia-open-570"]
    assert plan(host(), wish())["driver"]["parts"] == []


GPU = {"index": 0, "mig": {"current": "disabled"}, "compute_mode": "default"}
SETTINGS: dict[str, tuple[list[Facts], Facts, str, str]] = {
    # name: (GPUs, facts of the driver, disruption, words of the reason)
    "none": ([GPU], {}, "reload", "nobody uses a GPU"),
    "MIG": (
        [GPU, {**GPU, "index": 1, "mig": {"current": "enabled"}}],
        {},
        "reboot",
        "would undo what MIG has made of GPU 1",
    ),
    "instances of MIG, while NVML is silent": ([], {"partitioned": [0]}, "reboot", "what MIG has made of GPU 0"),
    "a compute mode": (
        [{**GPU, "compute_mode": "exclusive_process"}],
        {},
        "reload",
        "with it go the compute mode exclusive_process of GPU 0",
    ),
    "a power limit": (
        [{**GPU, "power": {"limit_w": 500.0, "default_limit_w": 700.0}}],
        {},
        "reload",
        "the power limit of 500.0 W of GPU 0",
    ),
    "the usual power limit": ([{**GPU, "power": {"limit_w": 700.0, "default_limit_w": 700.0}}], {}, "reload", "a GPU"),
}


@pytest.mark.parametrize("gpus, driver, disruption, words", SETTINGS.values(), ids=SETTINGS.keys())
def test_what_a_reload_would_undo_is_told(gpus: list[Facts], driver: Facts, disruption: str, words: str) -> None:
    planned = plan(with_driver("570.211.01", driver={**IDLE, **driver}, gpus=gpus), wish())["driver"]
    assert (planned["action"], planned["disruption"]) == ("change", disruption)
    assert words in planned["disruption_reason"]
