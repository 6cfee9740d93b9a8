# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts become the labels that GPU Feature Discovery would set, or none. The facts here are synthetic."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubegpu.nodes.plugins.filter import gpu_labels, gpu_labels_pending
from ansible_collections.kubegpu.nodes.plugins.module_utils._node_rules import key_problem, value_problem
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._labels import (
    COUNT,
    FROM_DRIVER,
    PREFIX,
    family,
    labels,
    pending,
    sanitise,
)
from hypothesis import given
from hypothesis import strategies as st


def gpu(mib: int | None = 81559, mig: str | None = "disabled", **changes: t.Any) -> dict[str, t.Any]:
    return {
        "name": "NVIDIA H100 80GB HBM3",
        "memory": {"total_mib": mib, "reserved_mib": None, "used_mib": None},
        "compute_capability": "9.0",
        "mig": {"current": mig, "pending": mig, "instances": []},
        **changes,
    }


def card(device: str = "2330", cls: str = "030200") -> dict[str, t.Any]:
    return {"vendor": "10de", "device": device, "class": cls}


def host(*gpus: dict[str, t.Any], **changes: t.Any) -> dict[str, t.Any]:
    return {
        "platform": {},
        "pci": [card() for _each in gpus],
        "gpus": list(gpus),
        "driver": {"userland": "580.95.05"},
        "cuda": {"driver_limit": "13.0"},
        **changes,
    }


FRESH = host(pci=[card(), card(), card(cls="068000")], driver={"userland": None}, cuda={"driver_limit": None})


def short(found: dict[str, str]) -> dict[str, str]:
    assert all(key.startswith(PREFIX) for key in found)
    return {key[len(PREFIX) :]: value for key, value in found.items()}


def test_eight_h100() -> None:
    assert short(labels(host(*[gpu()] * 8))) == {
        "gpu.present": "true",
        "gpu.product": "NVIDIA-H100-80GB-HBM3",
        "gpu.count": "8",
        "gpu.memory": "81559",
        "gpu.family": "hopper",
        "gpu.compute.major": "9",
        "gpu.compute.minor": "0",
        "mig.capable": "true",
        "cuda.driver-version.major": "580",
        "cuda.driver-version.minor": "95",
        "cuda.driver-version.revision": "05",
        "cuda.driver-version.full": "580.95.05",
        "cuda.runtime-version.major": "13",
        "cuda.runtime-version.minor": "0",
        "cuda.runtime-version.full": "13.0",
    }


def test_a_host_without_gpus_has_no_labels() -> None:
    assert labels(host()) == {}
    assert pending(host()) == []
    assert labels({}) == {}
    assert labels(host(pci=[card(cls="068000")])) == {}


def test_a_fresh_host_shows_what_the_bus_tells() -> None:
    assert short(labels(FRESH)) == {"gpu.present": "true"}
    assert pending(FRESH) == sorted(PREFIX + key for key in (*FROM_DRIVER, COUNT))


def test_a_fresh_host_and_its_plan() -> None:
    assert short(labels(FRESH, {"driver": {"version": "580.95.05"}})) == {
        "gpu.present": "true",
        "gpu.count": "2",
        "cuda.driver-version.major": "580",
        "cuda.driver-version.minor": "95",
        "cuda.driver-version.revision": "05",
        "cuda.driver-version.full": "580.95.05",
    }
    assert short(labels(FRESH, {"driver": {"version": None}})) == {"gpu.present": "true", "gpu.count": "2"}


def test_different_cards_are_not_counted_before_the_driver_is_there() -> None:
    facts = {**FRESH, "pci": [card("2330"), card("20b0")]}
    assert COUNT not in short(labels(facts, {"driver": {"version": "580.95.05"}}))


def test_a_driver_that_answers_is_believed_more_than_the_plan() -> None:
    facts = host(gpu(), pci=[card(), card()])
    found = short(labels(facts, {"driver": {"version": "999.1"}}))
    assert (found["gpu.count"], found["cuda.driver-version.major"]) == ("1", "580")


def test_the_most_frequent_model_speaks_for_the_node() -> None:
    other = gpu(name="NVIDIA A2", mib=15356, compute_capability="8.6", mig=None)
    found = short(labels(host(gpu(), other, other)))
    assert (found["gpu.product"], found["gpu.count"], found["gpu.memory"]) == ("NVIDIA-A2", "2", "15356")
    assert (found["gpu.family"], found["mig.capable"]) == ("ampere", "true")
    assert short(labels(host(gpu(), other)))["gpu.product"] == "NVIDIA-A2"
    assert short(labels(host(other, gpu())))["gpu.product"] == "NVIDIA-A2"


def test_with_mig_on_the_strategy_decides_so_gfd_speaks() -> None:
    facts = host(gpu(mig="enabled"), gpu())
    found = short(labels(facts))
    assert not {"gpu.product", "gpu.count", "gpu.memory"} & set(found)
    assert found["mig.capable"] == "true"
    assert set(pending(facts)) == {PREFIX + key for key in ("gpu.product", "gpu.count", "gpu.memory")}


@pytest.mark.parametrize(
    ("mode", "capability", "capable"),
    [
        ("enabled", "9.0", "true"),
        ("disabled", "12.0", "true"),
        (None, "7.5", "false"),
        (None, "8.6", "false"),
        (None, "8.9", "false"),
        (None, "8.0", None),
        (None, "12.0", None),
        (None, None, None),
    ],
)
def test_mig_capable(mode: str | None, capability: str | None, capable: str | None) -> None:
    assert short(labels(host(gpu(mig=mode, compute_capability=capability)))).get("mig.capable") == capable


@pytest.mark.parametrize(
    "changes",
    [{"mib": None}, {"mib": 0}, {"memory": None}, {"compute_capability": None}, {"compute_capability": "?"}],
)
def test_what_is_unknown_gives_no_label_and_is_pending(changes: dict[str, t.Any]) -> None:
    facts = host(gpu(**changes))
    gone = (
        {"gpu.memory"} if {"mib", "memory"} & set(changes) else {"gpu.family", "gpu.compute.major", "gpu.compute.minor"}
    )
    assert not gone & set(short(labels(facts)))
    assert set(pending(facts)) == {PREFIX + key for key in gone}


def test_a_driver_version_of_two_parts_has_an_empty_revision() -> None:
    found = short(labels(host(gpu(), driver={"userland": "396.44"})))
    assert (found["cuda.driver-version.revision"], found["cuda.driver-version.full"]) == ("", "396.44")


@pytest.mark.parametrize("version", ["580", "1.2.3.4", None])
def test_an_odd_driver_version_gives_no_label(version: str | None) -> None:
    assert not [key for key in labels(host(gpu(), driver={"userland": version})) if "driver-version" in key]


def test_machine_only_if_known() -> None:
    assert short(labels(host(platform={"product_name": "DGX H100 (rev. 2)"})))["gpu.machine"] == "DGX-H100-rev.-2"
    assert "gpu.machine" not in short(labels(host(gpu())))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("NVIDIA H100 80GB HBM3", "NVIDIA-H100-80GB-HBM3"),
        ("Tesla  T4 ", "Tesla-T4"),
        ("NVIDIA GeForce RTX™ 4090 (Laptop)", "NVIDIA-GeForce-RTX-4090-Laptop"),
        ("a\tb/c_d.e-f", "abc_d.e-f"),
        ("™", ""),
    ],
)
def test_sanitise(text: str, clean: str) -> None:
    assert sanitise(text) == clean


@pytest.mark.parametrize("name", ["™", "x" * 64, "-H100"])
def test_a_name_that_makes_no_valid_value_gives_no_label(name: str) -> None:
    assert "gpu.product" not in short(labels(host(gpu(name=name))))


@pytest.mark.parametrize(
    ("capability", "name"),
    [
        ((3, 7), "kepler"),
        ((4, 0), "undefined"),
        ((6, 1), "pascal"),
        ((7, 0), "volta"),
        ((7, 2), "volta"),
        ((7, 5), "turing"),
        ((8, 0), "ampere"),
        ((8, 7), "ampere"),
        ((8, 9), "ada-lovelace"),
        ((9, 0), "hopper"),
        ((10, 3), "blackwell"),
        ((11, 0), "undefined"),
        ((12, 1), "blackwell"),
    ],
)
def test_families(capability: tuple[int, int], name: str) -> None:
    assert family(*capability) == name


@given(
    st.builds(
        gpu,
        name=st.one_of(st.none(), st.text(max_size=80)),
        compute_capability=st.one_of(st.none(), st.text(max_size=5)),
        mig=st.sampled_from([None, "enabled", "disabled"]),
    ),
    st.one_of(st.none(), st.text(max_size=70)),
)
def test_only_labels_that_kubernetes_accepts(one: dict[str, t.Any], version: str | None) -> None:
    facts = host(one, driver={"userland": version}, cuda={"driver_limit": version})
    for key, value in labels(facts).items():
        assert key_problem(key) is None
        assert value_problem(value) is None
    assert not set(labels(facts)) & set(pending(facts))


def test_the_filters() -> None:
    filters = {**gpu_labels.FilterModule().filters(), **gpu_labels_pending.FilterModule().filters()}
    assert filters["gpu_labels"](FRESH) == labels(FRESH)
    assert filters["gpu_labels"](FRESH, {}) == labels(FRESH)
    assert filters["gpu_labels_pending"](FRESH) == pending(FRESH)
    for each in filters.values():
        with pytest.raises(AnsibleFilterError, match=r"kubegpu\.nodes\.nvidia_facts"):
            each("not facts")


def test_gpus_that_only_the_kernel_names_give_no_labels() -> None:
    facts = host(gpu(), gpu())
    from_files = {**facts, "sources": {"proc_gpus": {"ok": True, "reason": None}}}
    assert short(labels(facts))["gpu.product"] == "NVIDIA-H100-80GB-HBM3"
    assert "gpu.product" not in short(labels(from_files))
