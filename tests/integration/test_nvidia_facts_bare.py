# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of hosts without a driver: one has a GPU, the other nothing of NVIDIA's."""

from __future__ import annotations

import pytest
import read_facts
from conftest import Rig
from read_facts import Facts

BARE, PLAIN = "ref-debian", "ref-plain"
INVENTORY = "tests/integration/inventory"


@pytest.fixture(scope="module")
def rig(small_fleet: Rig) -> Rig:
    return small_fleet


@pytest.fixture(scope="module", params=[BARE, PLAIN])
def told(request: pytest.FixtureRequest, rig: Rig) -> Facts:
    return read_facts.ask(rig, INVENTORY, request.param)


def test_what_is_not_there_is_no_trouble(told: Facts) -> None:
    assert read_facts.unasked_or_ok(told) == {}
    assert told["gpus"] == [] == told["cuda"]["toolkits"]
    assert told["driver"]["loaded"] is told["driver"]["userland"] is told["driver"]["mismatch"] is None
    assert not [name for name in told["packages"] if "nvidia" in name]


def test_the_documentation_has_every_field_and_no_other(told: Facts) -> None:
    assert list(read_facts.compare(told, read_facts.documentation(), "nvidia")) == []


def test_a_gpu_is_known_before_any_driver(rig: Rig) -> None:
    (gpu,) = (device for device in read_facts.ask(rig, INVENTORY, BARE, subset="pci")["pci"] if device["kind"] == "gpu")
    assert (gpu["driver"], gpu["architecture"], gpu["chip"]) == (None, "hopper", "GH100")
    assert gpu["link"] == {"speed_gts": 32.0, "speed_max_gts": 32.0, "width": 16, "width_max": 16}


def test_a_host_without_nvidia_hardware_has_none_in_its_facts(rig: Rig) -> None:
    assert read_facts.ask(rig, INVENTORY, PLAIN, subset="pci")["pci"] == []
