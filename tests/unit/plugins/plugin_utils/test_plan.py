# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as a table: facts x wishes -> value; and what must hold of every plan."""

from __future__ import annotations

import copy
import re
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubegpu.nodes.plugins.filter.gpu_plan import gpu_plan
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _plan, _rules
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._plan import plan
from ansible_collections.kubegpu.nodes.tests.unit.plugins.plugin_utils.plan_hosts import (
    B200,
    BRIDGE,
    BUSY,
    DATA,
    FOREIGN_KERNEL,
    GH200,
    H100,
    IDLE,
    K80,
    NVSWITCH,
    P100,
    RUBIN,
    T4,
    TODAY,
    V100,
    Facts,
    Wishes,
    card,
    from_distribution,
    host,
    wish,
    with_cuda,
    with_driver,
)
from hypothesis import given, settings
from hypothesis import strategies as st

ABSENT = wish(state="absent")
NOUVEAU = {"pci": [{**H100, "driver": "nouveau"}]}
PINNING = ["nvidia-driver-pinning-595"]
MSI = {"parameters": {"EnableMSI": "1"}}
NO_MSI = wish(parameters={"NVreg_EnableMSI": 0})
BUILT_FOR_NEXT = {
    "loaded": None,
    "flavour": None,
    "on_disk": None,
    "on_disk_flavour": None,
    "next_boot": {"kernel": "6.1.0-41-amd64", "version": "580.95.05", "flavour": "open"},
}

DRIVER = {
    # name: (facts, wishes, action, disruption, packages to install or to remove)
    "a bare host": (host(), wish(), "install", "load", ["nvidia-open-580=580.*"]),
    "an exact version": (host(), wish(version="580.95.05"), "install", "load", ["nvidia-open-580=580.95.05-*"]),
    "proprietary": (host(), wish(flavour="proprietary"), "install", "load", ["cuda-drivers-580=580.*"]),
    "auto is proprietary in old branches": (host(), wish("550"), "install", "load", ["cuda-drivers-550=550.*"]),
    "auto is proprietary for an old card": (
        host(pci=[V100]),
        wish(),
        "install",
        "load",
        ["cuda-drivers-580=580.*"],
    ),
    "one old card decides for all": (host(pci=[H100, V100]), wish(), "install", "load", ["cuda-drivers-580=580.*"]),
    "Turing has open modules": (host(pci=[T4]), wish("595"), "install", "load", ["nvidia-open=595.*", *PINNING]),
    "an old device that is no GPU": (
        host(pci=[H100, {**card("1ad8", None), "class": "068000", "kind": "other"}]),
        wish("595"),
        "install",
        "load",
        ["nvidia-open=595.*", *PINNING],
    ),
    "from 590 without a suffix": (
        host(),
        wish("595"),
        "install",
        "load",
        ["nvidia-open=595.*", "nvidia-driver-pinning-595"],
    ),
    "nouveau holds the card": (host(**NOUVEAU), wish(), "install", "reboot", ["nvidia-open-580=580.*"]),
    "converged by branch": (with_driver("580.95.05"), wish(), "none", "none", []),
    "converged by version": (with_driver("580.95.05"), wish(version="580.95.05"), "none", "none", []),
    "converged, from 590": (with_driver("595.91.07"), wish("595"), "none", "none", []),
    "another branch": (with_driver("570.211.01"), wish(), "change", "reboot", ["nvidia-open-580=580.*"]),
    "another version of the branch": (
        with_driver("580.95.05"),
        wish(version="580.105.08"),
        "change",
        "reboot",
        ["nvidia-open-580=580.105.08-*"],
    ),
    "another flavour": (
        with_driver("580.95.05", "proprietary"),
        wish(flavour="open"),
        "change",
        "reboot",
        ["nvidia-open-580=580.*"],
    ),
    "not loaded": (with_driver("580.95.05", driver={"loaded": None, "flavour": None}), wish(), "load", "load", []),
    "not loaded, and it would have other parameters": (
        with_driver("580.95.05", driver={"loaded": None, "flavour": None, **MSI}),
        wish(parameters={"NVreg_EnableMSI": 0}),
        "load",
        "load",
        [],
    ),
    "other parameters": (with_driver("580.95.05", driver={**IDLE, **MSI}), NO_MSI, "reload", "reload", []),
    "other parameters, in use": (with_driver("580.95.05", driver={**BUSY, **MSI}), NO_MSI, "reboot", "reboot", []),
    "the same parameters": (
        with_driver("580.95.05", driver={**IDLE, **MSI}),
        wish(parameters={"NVreg_EnableMSI": "0x1", "NVreg_NotShown": 1}),
        "none",
        "none",
        [],
    ),
    "a kept driver with other parameters": (
        with_driver("580.95.05", driver={**IDLE, **MSI}),
        wish("keep", parameters={"NVreg_EnableMSI": False}),
        "reload",
        "reload",
        [],
    ),
    "an older one still loaded, by nobody in use": (
        with_driver("580.95.05", driver={"loaded": "570.211.01", **IDLE}),
        wish(),
        "reload",
        "reload",
        [],
    ),
    "another branch, and nobody uses a GPU": (
        with_driver("570.211.01", driver=IDLE),
        wish(),
        "change",
        "reload",
        ["nvidia-open-580=580.*"],
    ),
    "another branch, and somebody does": (
        with_driver("570.211.01", driver=BUSY),
        wish(),
        "change",
        "reboot",
        ["nvidia-open-580=580.*"],
    ),
    "built for the next kernel only": (
        with_driver("580.95.05", platform=FOREIGN_KERNEL, driver=BUILT_FOR_NEXT),
        wish(),
        "reboot",
        "reboot",
        [],
    ),
    "an older one still loaded": (
        with_driver("580.95.05", driver={"loaded": "570.211.01"}),
        wish(),
        "reboot",
        "reboot",
        [],
    ),
    "no module on disk": (
        with_driver("580.95.05", driver={"on_disk": None, "loaded": None}),
        wish(),
        "install",
        "load",
        [],
    ),
    "libraries of another version": (
        with_driver("580.95.05", driver={"userland": "580.178.04"}),
        wish(),
        "install",
        "none",
        [],
    ),
    "NVML does not answer": (with_driver("580.95.05", driver={"userland": None}), wish(), "install", "none", []),
    "nothing of ours to remove": (host(), ABSENT, "none", "none", []),
    "somebody else's driver is not removed": (
        host(packages={"nvidia-driver": {"version": "535.1-1"}}, driver={"on_disk": "535.1"}),
        ABSENT,
        "none",
        "none",
        [],
    ),
    "ours is removed": (
        with_driver("580.95.05"),
        ABSENT,
        "absent",
        "unload",
        ["libcuda1", "libnvidia-ml1", "nvidia-kernel-open-dkms", "nvidia-open-580"],
    ),
    "ours is removed, from 590": (
        with_driver("595.91.07", driver={"loaded": None}),
        ABSENT,
        "absent",
        "none",
        ["libcuda1", "libnvidia-ml1", "nvidia-driver-pinning-595", "nvidia-kernel-open-dkms", "nvidia-open"],
    ),
    "not asked for": (with_driver("580.95.05"), {}, "none", "none", []),
    "a downgrade that is allowed": (
        with_driver("595.91.07"),
        wish(allow_downgrade=True),
        "change",
        "reboot",
        ["nvidia-open-580=580.*"],
    ),
    "another branch, renamed": (
        with_driver("580.95.05"),
        wish("595"),
        "change",
        "reboot",
        ["nvidia-open=595.*", *PINNING],
    ),
}


def test_a_change_of_branch_lets_go_of_the_branch_before() -> None:
    assert plan(with_driver("595.91.07"), wish("615"))["driver"]["obsolete"] == PINNING
    assert plan(with_driver("595.91.07"), wish("595", version="595.104.02"))["driver"]["obsolete"] == []
    assert plan(with_driver("570.211.01"), wish())["driver"]["obsolete"] == []


@pytest.mark.parametrize(
    "pinned, wishes, obsolete",
    [
        ("580", wish("580"), False),
        ("580", wish("580", version="580.82.07"), False),
        ("580.82.07", wish("580"), False),
        ("580.82.07", wish("580", version="580.95.05"), True),
        ("570", wish("580"), True),
        ("58", wish("580"), True),
    ],
)
def test_what_pins_the_wanted_branch_may_stay(pinned: str, wishes: Wishes, obsolete: bool) -> None:
    """Administrators install such packages too, for branches whose names do not need them."""
    name = f"nvidia-driver-pinning-{pinned}"
    facts = host(packages={name: {"version": "580.95.05-1", "held": False}})
    assert plan(facts, wishes)["driver"]["obsolete"] == ([name] if obsolete else [])


@pytest.mark.parametrize("facts, wishes, action, disruption, packages", DRIVER.values(), ids=DRIVER.keys())
def test_driver(facts: Facts, wishes: Wishes, action: str, disruption: str, packages: list[str]) -> None:
    before = copy.deepcopy((facts, wishes))
    value = plan(facts, wishes)
    driver = value["driver"]
    assert (driver["action"], driver["disruption"]) == (action, disruption), driver["reason"]
    assert bool(driver["disruption_reason"]) is (disruption != "none")
    if packages and action == "absent":
        assert driver["remove"] == packages
    elif packages:
        assert [package["spec"] for package in driver["packages"]] == packages
    assert value["refusals"] == []
    assert bool(value["summary"]) is (action != "none")
    assert (facts, wishes) == before, "a plan changes nothing"


TOOLKIT = (
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "libnvidia-container-tools",
    "libnvidia-container1",
)


def with_toolkit(version: str) -> Facts:
    return host(packages={name: {"version": f"{version}-1"} for name in TOOLKIT})


@pytest.mark.parametrize(
    "facts, wished, action",
    [
        (host(), {"version": ""}, "install"),
        (host(), {"version": "1.20.0"}, "install"),
        (with_toolkit("1.20.0"), {"version": ""}, "none"),
        (with_toolkit("1.20.0"), {"version": "1.20.0"}, "none"),
        (with_toolkit("1.19.1"), {"version": "1.20.0"}, "change"),
        (with_toolkit("1.20.0"), {"state": "absent"}, "absent"),
        (host(), {"state": "absent"}, "none"),
    ],
)
def test_toolkit(facts: Facts, wished: dict[str, str], action: str) -> None:
    value = plan(facts, {"toolkit": wished})
    assert value["toolkit"]["action"] == action
    assert bool(value["summary"]) is (action != "none")


REPOSITORY = {
    # name: (facts, wishes, needed)
    "for a driver": (host(), wish(), True),
    "for a toolkit": (host(), {"cuda": {"versions": ["13.0"]}}, True),
    "for nobody": (host(), {"cuda": {"versions": []}}, False),
    "a driver leaves, a toolkit stays": (with_cuda("13.0"), ABSENT, True),
    "a toolkit leaves, a driver stays": (
        with_driver("580.95.05"),
        {"cuda": {"state": "absent", "versions": ["13.0"]}},
        True,
    ),
    "the last one leaves": (with_cuda("13.0"), {"cuda": {"state": "absent", "versions": ["13.0"]}}, False),
    "a library of it stays": (
        host(packages={"libnccl2": {"version": "2.30.7-1+cuda13.0"}}),
        {"cuda": {"versions": []}},
        True,
    ),
    "for a library alone": (host(), {"cuda": {"default": "13.0", "cudnn": "9"}}, True),
    "a runfile needs none": (host(), {"cuda": {"runfiles": [{"version": "13.0"}]}}, False),
    "one of two leaves": (with_cuda("12.8", "13.0"), {"cuda": {"state": "absent", "versions": ["13.0"]}}, True),
}


@pytest.mark.parametrize("facts, wishes, needed", REPOSITORY.values(), ids=REPOSITORY.keys())
def test_repository_is_kept_while_somebody_needs_it(facts: Facts, wishes: dict[str, t.Any], needed: bool) -> None:
    assert plan(facts, wishes)["repository"]["needed"] is needed


CARDS = [None, K80, P100, V100, T4, H100, B200, GH200, RUBIN, NVSWITCH, BRIDGE, card("ffff", None)]
CUDAS = [*DATA.cudas(), "8.0.61", "8.0.44", "9.2.88", "12.8.1", "99.9"]
BRANCHES = [*map(str, DATA.branches()), "newest", "needed", "keep", "999", ""]


def installed_by(planned: dict[str, t.Any], facts: Facts) -> Facts:
    """The host after the role has done what was planned, as far as the driver goes."""
    driver = planned["driver"]
    version = driver["version"] or driver["version_expected"] or f"{driver['branch']}.299.01"
    changed = driver["action"] in ("install", "change")
    after = with_driver(version, driver["flavour"], pci=facts["pci"]) if changed else copy.deepcopy(facts)
    fabric = {name: {"version": f"{version}-1"} for name in planned["fabric"]["missing"]}
    loaded = {name: {"refcount": 0, "used_by": []} for name in planned["fabric"]["load"]}
    modules = {"modules": {**(after["driver"].get("modules") or {}), **loaded}} if loaded else {}
    return {**after, "packages": {**after["packages"], **fabric}, "driver": {**after["driver"], **modules}}


@st.composite
def hosts(draw: st.DrawFn) -> Facts:
    cards = [found for found in draw(st.lists(st.sampled_from(CARDS), min_size=1, max_size=3)) if found]
    branch, flavour = draw(st.sampled_from(DATA.branches())), draw(st.sampled_from(["open", "proprietary"]))
    bare, ours = host(pci=cards), with_driver(f"{branch}.95.05", flavour, pci=cards)
    return draw(st.sampled_from([bare, ours, {**from_distribution(f"{branch}.95.05"), "pci": cards}]))


@st.composite
def wished(draw: st.DrawFn) -> Wishes:
    branch = draw(st.sampled_from(BRANCHES))
    version = f"{branch}.{draw(st.integers(1, 299))}.01" if branch.isdigit() and draw(st.booleans()) else ""
    return wish(
        branch,
        version=version,
        flavour=draw(st.sampled_from(["auto", "auto", "open", "proprietary"])),
        cuda_images=draw(st.lists(st.sampled_from(CUDAS), max_size=2)),
        allow_downgrade=draw(st.booleans()),
        gds=draw(st.booleans()),
        today=draw(st.sampled_from([TODAY, "2025-03-01", "2027-06-01", None])),
    )


@settings(max_examples=300, deadline=None)
@given(facts=hosts(), wishes=wished())
def test_planning_again_from_the_planned_state_asks_for_nothing(facts: Facts, wishes: Wishes) -> None:
    planned = plan(facts, wishes)
    if planned["refusals"]:
        return
    again = plan(installed_by(planned, facts), wishes)
    assert again["refusals"] == []
    assert (again["driver"]["action"], again["summary"]) == ("none", [])
    assert (again["driver"]["branch"], again["driver"]["flavour"]) == (
        planned["driver"]["branch"],
        planned["driver"]["flavour"],
    )


@settings(max_examples=300, deadline=None)
@given(facts=hosts(), wishes=wished())
def test_a_refusal_names_a_way_out_and_a_plan_without_one_names_a_branch(facts: Facts, wishes: Wishes) -> None:
    planned = plan(facts, wishes)
    for refusal in planned["refusals"]:
        assert all(value for key, value in refusal.items() if key != "source"), refusal
        assert refusal["way_out"] in refusal["sentence"] and refusal["sentence"].endswith(".")
        assert refusal["source"] is None or refusal["source"] in refusal["sentence"]
    assert planned["refusals"] or planned["driver"]["branch"], "nothing is left undecided in silence"


@settings(max_examples=300, deadline=None)
@given(
    older=st.tuples(st.sampled_from(DATA.branches()), st.integers(0, 299), st.integers(0, 99)),
    newer=st.tuples(st.sampled_from(DATA.branches()), st.integers(0, 299), st.integers(0, 99)),
    cuda=st.sampled_from(CUDAS),
)
def test_a_newer_driver_never_loses_a_cuda_version(
    older: tuple[int, int, int], newer: tuple[int, int, int], cuda: str
) -> None:
    older, newer = sorted([older, newer])
    old, new = ("{}.{:02}.{:02}".format(*numbers) for numbers in (older, newer))
    runs = [
        plan(from_distribution(version), wish("keep", cuda_images=[cuda]))["cuda_images"][0] for version in (old, new)
    ]
    assert not (runs[0]["runs"] and not runs[1]["runs"]), runs
    assert not (runs[0]["full"] and not runs[1]["full"]), runs


COMPLETE = with_driver(
    "580.95.05",
    pci=[H100, NVSWITCH],
    platform={
        "secure_boot": False,
        "cgroup_version": 1,
        "kernel": {"running": "6.1.0-40-amd64", "newest": "6.1.0-41-amd64", "next_boot": "6.1.0-41-amd64"},
        "kernels": [{"release": "6.1.0-41-amd64", "headers": False}],
        "reboot": {"pending": True, "reasons": ["a kernel"]},
        "filesystems": {"/usr": {"mount": "/usr", "total_mib": 9, "available_mib": 9}},
    },
    driver={
        "installed_by": "repo",
        "next_boot": {"kernel": "6.1.0-41-amd64", "version": None, "flavour": None},
        "holders": [{"pid": 1, "name": "python3", "unit": None, "container": None, "devices": []}],
        "fabric_manager": {"present": True, "version": "580.95.05", "active": True},
        "imex": {"present": True, "version": "580.95.05", "active": True},
    },
    container={"containerd": {"present": True, "version": "1.7.30"}, "docker": {"present": True}},
    kubelet={"version": "1.36.3", "config_text": "featureGates: {AllAlpha: true}", "feature_gates": {"AllAlpha": True}},
)
FULL = {
    **wish("newest", cuda_images=["12.8"], gds=True, kubernetes={"version": "1.38.0"}),
    "cuda": {"versions": ["13.0"], "default": "13.0"},
    "toolkit": {"version": "1.20.0"},
    "cluster": {"node": "gpu1", "registered": False},
}


def places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """The way to everything in nested facts."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in steps:
        yield (*path, key)
        yield from places(part, (*path, key))


def without(value: t.Any, path: tuple[t.Any, ...], null: bool) -> t.Any:
    changed = copy.deepcopy(value)
    place = changed
    for key in path[:-1]:
        place = place[key]
    if null:
        place[path[-1]] = None
    else:
        del place[path[-1]]
    return changed


@pytest.mark.parametrize("branch", ["newest", "needed", "keep", "570", "595"])
@pytest.mark.parametrize("null", [True, False], ids=["null", "missing"])
def test_no_missing_fact_makes_the_plan_raise_or_refuse(branch: str, null: bool) -> None:
    """Of one at a time. What cannot be told of a distribution is refused, since its packages have no names then."""
    wishes = {**FULL, "driver": {**FULL["driver"], "branch": branch, "allow_downgrade": True}}
    before = {refusal["rule"] for refusal in plan(COMPLETE, wishes)["refusals"]}
    for path in places(COMPLETE):
        new = {refusal["rule"] for refusal in plan(without(COMPLETE, path, null), wishes)["refusals"]} - before
        assert new <= ALLOWED.get(path, set()), path


# A card that is in no list is gone, not unknown.
ALLOWED: dict[tuple[t.Any, ...], set[str]] = {
    ("platform",): {"unsupported-platform"},
    ("platform", "id"): {"unsupported-platform"},
    ("platform", "version"): {"unsupported-platform"},
    ("pci", 0): {"no-nvidia-hardware"},
}


@settings(max_examples=200, deadline=None)
@given(data=st.data(), wishes=wished())
def test_no_facts_with_holes_make_the_plan_raise(data: st.DataObject, wishes: Wishes) -> None:
    facts = COMPLETE
    for _ in range(data.draw(st.integers(1, 6))):
        ways = list(places(facts))
        if ways:
            facts = without(facts, data.draw(st.sampled_from(ways)), data.draw(st.booleans()))
    planned = plan(facts, {**FULL, **wishes})
    assert all(refusal["way_out"] for refusal in planned["refusals"])


def test_facts_of_which_nothing_could_be_read_are_said_to_be_unknown() -> None:
    empty: Facts = {key: None for key in host()}
    value = plan(empty, wish())
    assert [refusal["rule"] for refusal in value["refusals"]] == ["unsupported-platform"]
    assert "not known whether this host has an NVIDIA GPU" in value["warnings"][0]
    assert plan({}, {})["driver"]["action"] == "none"


def test_the_filter_takes_the_day_of_the_run_where_none_is_given() -> None:
    """With a branch that has ended long ago, so that the day of the run does not matter."""
    found = gpu_plan(host(), {**wish("470"), "today": ""})
    assert "Driver branch 470 ended on 2024-07-20" in found["warnings"][0]
    assert gpu_plan(host(), wish("470", today="2024-07-20"))["warnings"] == []


@pytest.mark.parametrize(
    "facts, wishes, compatibility, words",
    [
        ([], {}, None, "needs the facts of a host (ansible_facts.nvidia), not list"),
        ({}, "580", None, "needs a dict of wishes, not str"),
        ({}, {"today": "22.11.2026"}, None, "today is to be a day such as 2026-11-22, not 22.11.2026"),
        ({}, {}, {"branch": {}}, "branch"),
    ],
)
def test_what_the_filter_cannot_understand_is_one_sentence(
    facts: t.Any, wishes: t.Any, compatibility: t.Any, words: str
) -> None:
    with pytest.raises(AnsibleFilterError, match=re.escape(words)):
        gpu_plan(facts, wishes, compatibility)


def test_rules_are_asked_once_each() -> None:
    assert len(set(_rules.RULES)) == len(_rules.RULES) > 30
    assert _plan.today({}) is None


NOBODY: dict[str, t.Any] = {"version": None, "pin": None, "packages": []}
WHOLE = with_driver("570.211.01")
BEFORE: dict[str, tuple[Facts, Wishes, str | None]] = {
    # name: (facts, wishes, the driver that is to come back where the wanted one breaks off half-way)
    "nothing was there": (host(), wish(), None),
    "another branch": (WHOLE, wish(), "570.211.01"),
    "another version of the branch": (with_driver("580.95.05"), wish(version="580.178.04"), "580.95.05"),
    "nothing is to come": (with_driver("580.95.05"), wish(), None),
    "what was there goes": (WHOLE, ABSENT, None),
    "what was there is kept": (WHOLE, wish("keep"), None),
    "what was there was not whole": (with_driver("570.211.01", driver={"userland": "570.195.03"}), wish(), None),
    "what was there had no module": (with_driver("570.211.01", driver={"on_disk": None}), wish(), None),
    "what was there waits for its kernel": (
        with_driver("570.211.01", driver={"on_disk": None, "next_boot": {"version": "570.211.01", "flavour": "open"}}),
        wish(),
        "570.211.01",
    ),
}


@pytest.mark.parametrize("facts, wishes, version", BEFORE.values(), ids=BEFORE.keys())
def test_what_comes_back_where_a_change_breaks_off(facts: Facts, wishes: Wishes, version: str | None) -> None:
    before = plan(facts, wishes)["driver"]["before"]
    assert (before if version is None else before["version"]) == (NOBODY if version is None else version)
    names = [name for name in facts["packages"] if name != "containerd"]
    assert before["packages"] == ([f"{name}={version}-1" for name in sorted(names)] if version else [])
