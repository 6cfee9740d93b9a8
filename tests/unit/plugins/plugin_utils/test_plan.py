# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as a table: facts x wishes -> value; and what must hold of every plan."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _compat
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._driver_plan import PIN_FILE
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._plan import plan
from hypothesis import given
from hypothesis import strategies as st

Facts = dict[str, t.Any]


def host(**other: t.Any) -> Facts:
    """A bare Debian 12 with one H100; synthetic."""
    facts: Facts = {
        "platform": {
            "id": "debian",
            "version": "12",
            "name": "Debian GNU/Linux 12 (bookworm)",
            "architecture": "x86_64",
            "package_manager": "apt",
            "uid": 0,
        },
        "pci": [{"address": "0000:1b:00.0", "class": "030200", "device": "2330", "driver": None}],
        "driver": dict.fromkeys(("loaded", "flavour", "userland", "on_disk", "on_disk_flavour", "mismatch")),
        "cuda": {"toolkits": [], "default": None},
        "packages": {"containerd": {"version": "1.6.20~ds1-1", "held": False}},
        "files": {},
        "sources": {"pci": {"ok": True, "reason": None}},
    }
    for key, value in other.items():
        facts[key] = {**facts[key], **value} if isinstance(value, dict) else value
    return facts


def with_driver(version: str, modules: str = "open", **driver: t.Any) -> Facts:
    """The same host after the role has installed a driver there."""
    branch = int(version.split(".")[0])
    names = [package.name for package in _compat.driver_packages("apt", branch, modules)]
    packages = {name: {"version": f"{version}-1", "held": False} for name in [*names, "libnvidia-ml1", "libcuda1"]}
    parts = {"loaded": version, "flavour": modules, "userland": version, "on_disk": version, "on_disk_flavour": modules}
    return host(packages=packages, driver={**parts, **driver}, files={PIN_FILE: "0" * 64})


def wish(branch: str = "580", **other: t.Any) -> dict[str, t.Any]:
    return {"driver": {"state": "present", "branch": branch, "version": "", "flavour": "auto", **other}}


ABSENT = wish(state="absent")
NOUVEAU = {"pci": [{"address": "0000:1b:00.0", "class": "030200", "driver": "nouveau"}]}


def card(device: t.Any, class_: str = "030200") -> Facts:
    return {"address": "0000:3b:00.0", "class": class_, "device": device, "driver": None}


PINNING = ["nvidia-driver-pinning-595"]
V100, T4, H100 = card("1db6"), card("1eb8"), card("2330")

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
        host(pci=[H100, card("1ad8", "068000")]),
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
    "not loaded": (with_driver("580.95.05", loaded=None, flavour=None), wish(), "load", "load", []),
    "an older one still loaded": (with_driver("580.95.05", loaded="570.211.01"), wish(), "reboot", "reboot", []),
    "no module on disk": (with_driver("580.95.05", on_disk=None, loaded=None), wish(), "install", "load", []),
    "libraries of another version": (with_driver("580.95.05", userland="580.178.04"), wish(), "install", "none", []),
    "NVML does not answer": (with_driver("580.95.05", userland=None), wish(), "install", "none", []),
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
        ["libcuda1", "libnvidia-ml1", "nvidia-open-580"],
    ),
    "ours is removed, from 590": (
        with_driver("595.91.07", loaded=None),
        ABSENT,
        "absent",
        "none",
        ["libcuda1", "libnvidia-ml1", "nvidia-driver-pinning-595", "nvidia-open"],
    ),
    "not asked for": (with_driver("580.95.05"), {}, "none", None, []),
}


@pytest.mark.parametrize("facts, wishes, action, disruption, packages", DRIVER.values(), ids=DRIVER.keys())
def test_driver(
    facts: Facts, wishes: dict[str, t.Any], action: str, disruption: str | None, packages: list[str]
) -> None:
    before = copy.deepcopy((facts, wishes))
    value = plan(facts, wishes)
    driver = value["driver"]
    assert (driver["action"], driver.get("disruption")) == (action, disruption), driver["reason"]
    if packages and action == "absent":
        assert driver["remove"] == packages
    elif packages:
        assert [package["spec"] for package in driver["packages"]] == packages
    assert value["refusals"] == []
    assert bool(value["summary"]) is (action != "none")
    assert (facts, wishes) == before, "a plan changes nothing"


@pytest.mark.parametrize("device", [None, "", "1d", "zzzz", "11db6", 7606, "0x1db6"])
def test_a_device_id_that_says_nothing_decides_nothing(device: t.Any) -> None:
    value = plan(host(pci=[card(device)]), wish(flavour="auto"))
    assert value["driver"]["flavour"] == "open" and not value["refusals"]
    without = {key: value for key, value in card(device).items() if key != "device"}
    assert not plan(host(pci=[without]), wish("595", flavour="open"))["refusals"]


def test_the_reason_for_a_flavour_names_the_card_and_the_source() -> None:
    reason = plan(host(pci=[V100]), wish())["driver"]["flavour_reason"]
    assert "0000:3b:00.0 (1db6) is older than Turing" in reason and "kernel-modules" in reason


SOURCES = "/etc/apt/sources.list.d"
KEYRING = {f"{SOURCES}/cuda-debian12-x86_64.list": "0" * 64}
OURS = {f"{SOURCES}/kubegpu-nvidia-cuda.sources": "0" * 64}
UBUNTU = {"id": "ubuntu", "version": "24.10", "name": "Ubuntu 24.10"}
REFUSED = {
    # name: (facts, wishes, rules, words of the sentence)
    "no GPU": (host(pci=[]), wish(), ["no-nvidia-hardware"], "has no NVIDIA GPU"),
    "only a bridge": (host(pci=[{"class": "068000"}]), wish(), ["no-nvidia-hardware"], "has no NVIDIA GPU"),
    "an unreadable bus": (
        host(pci=[], sources={"pci": {"ok": False, "reason": "no /sys"}}),
        wish(),
        ["no-nvidia-hardware"],
        "no /sys",
    ),
    "no GPU, but none is needed": (host(pci=[]), {"cuda": {"versions": ["13.0"]}}, [], ""),
    "another distribution": (
        host(platform={"id": "arch", "version": None, "name": "Arch Linux"}),
        wish(),
        ["unsupported-platform"],
        "roles/nvidia_driver/vars/arch.yml",
    ),
    "another release": (host(platform=UBUNTU), wish(), ["unsupported-platform"], "Ubuntu 24.10"),
    "another machine": (
        host(platform={"architecture": "ppc64le"}),
        wish(),
        ["unsupported-platform"],
        "ppc64le is not supported",
    ),
    "a point release": (host(platform={"version": "12.12"}), wish(), [], ""),
    "not root": (host(platform={"uid": 1000}), wish(), ["not-root"], "become: true"),
    "no TLS": (host(), {"mirror": "http://mirror"}, ["mirror-without-tls"], "kubegpu_mirror"),
    "no TLS, the toolkit's mirror": (
        host(),
        {"mirror": "https://mirror", "toolkit": {"mirror": "http://other"}},
        ["mirror-without-tls"],
        "The mirror http://other is not",
    ),
    "credentials": (host(), {"mirror": "https://me:secret@mirror/x"}, ["mirror-with-credentials"], "auth.conf.d"),
    "a user alone": (host(), {"mirror": "https://secret@mirror"}, ["mirror-with-credentials"], "auth.conf.d"),
    "credentials, the toolkit's mirror": (
        host(),
        {"mirror": "https://mirror", "toolkit": {"mirror": "https://me:secret@other"}},
        ["mirror-with-credentials"],
        "auth.conf.d",
    ),
    "credentials without TLS": (
        host(),
        {"mirror": "http://me:secret@mirror"},
        ["mirror-without-tls", "mirror-with-credentials"],
        "The mirror http://mirror is not",
    ),
    "credentials without a scheme": (
        host(),
        {"mirror": "me:secret@mirror"},
        ["mirror-without-tls", "mirror-with-credentials"],
        "The mirror mirror is not",
    ),
    "an @ in the path": (host(), {"mirror": "https://mirror/a@b"}, [], ""),
    "somebody else's source": (host(files=KEYRING), wish(), ["foreign-source"], "apt purge cuda-keyring"),
    "somebody else's source beside ours": (
        host(files={**OURS, **KEYRING}),
        {"cuda": {"versions": ["13.0"]}},
        ["foreign-source"],
        f"{SOURCES}/cuda-debian12-x86_64.list is not by this collection",
    ),
    "somebody else's source of the toolkit": (
        host(files={f"{SOURCES}/nvidia-container-toolkit.list": "0" * 64}),
        {"toolkit": {"version": ""}},
        ["foreign-source"],
        "nvidia-container-toolkit.list",
    ),
    "ours only": (host(files=OURS), {**wish(), "toolkit": {}}, [], ""),
    "a source that apt does not read": (host(files={f"{SOURCES}/cuda.list.save": "0" * 64}), wish(), [], ""),
    "somebody else's source, all absent": (
        host(files=KEYRING),
        {**ABSENT, "cuda": {"state": "absent", "versions": ["13.0"]}, "toolkit": {"state": "absent"}},
        [],
        "",
    ),
    "somebody else's source, no toolkit wished": (host(files=KEYRING), {"cuda": {"versions": []}}, [], ""),
    "open modules for Volta": (
        host(pci=[H100, V100]),
        wish(flavour="open"),
        ["open-modules-old-card"],
        "no open kernel modules for 0000:3b:00.0 (1db6): older than Turing",
    ),
    "a branch past Volta": (host(pci=[V100]), wish("590"), ["branch-past-card"], "set nvidia_driver_branch to 580"),
    "a version past Volta": (host(pci=[V100]), wish("", version="595.45.04"), ["branch-past-card"], "Branch 595"),
    "both for Volta": (
        host(pci=[V100]),
        wish("595", flavour="open"),
        ["open-modules-old-card", "branch-past-card"],
        "architecture-matrix",
    ),
    "Volta leaves": (host(pci=[V100]), wish("595", state="absent", flavour="open"), [], ""),
    "unknown branch": (host(), wish("999"), ["unknown-branch"], "Driver branch 999 is not known"),
    "no branch": (host(), wish(""), ["unknown-branch"], "nvidia_driver_branch"),
    "version alone": (host(), wish("", version="580.95.05"), [], ""),
    "version of another branch": (
        host(),
        wish(version="570.211.01"),
        ["version-not-in-branch"],
        "set nvidia_driver_branch to 570 as well",
    ),
    "half a version": (host(), wish(version="580"), ["bad-version"], "such as 580.95.05"),
    "downgrade of the branch": (with_driver("595.91.07"), wish(), ["downgrade"], "nvidia_driver_state: absent"),
    "downgrade of the version": (
        with_driver("580.105.08"),
        wish(version="580.95.05"),
        ["downgrade"],
        "Driver 580.105.08 is installed and newer",
    ),
    "not by a package": (host(driver={"on_disk": "580.95.05"}), wish(), ["foreign-driver"], "nvidia-uninstall"),
    "a default that nobody asked for": (
        host(),
        {"cuda": {"versions": ["12.8"], "default": "13.0"}},
        ["default-toolkit"],
        "add 13.0 to cuda_versions",
    ),
    "a number that was not quoted": (host(), {"cuda": {"versions": [13]}}, ["bad-cuda-version"], "in quotes"),
    "no node": (
        host(),
        {**wish(), "cluster": {"node": "gpu1", "registered": False}},
        ["node-not-registered"],
        "The cluster has no node gpu1",
    ),
    "all reasons at once": (
        host(pci=[], platform={"uid": 1000, "id": "arch"}),
        {**wish("999"), "cluster": {"node": "gpu1", "registered": False}},
        ["no-nvidia-hardware", "unsupported-platform", "not-root", "unknown-branch", "node-not-registered"],
        "",
    ),
}


@pytest.mark.parametrize("facts, wishes, rules, words", REFUSED.values(), ids=REFUSED.keys())
def test_refused(facts: Facts, wishes: dict[str, t.Any], rules: list[str], words: str) -> None:
    refusals = plan(facts, wishes)["refusals"]
    assert [refusal["rule"] for refusal in refusals] == rules
    assert words in " ".join(refusal["sentence"] for refusal in refusals)
    assert "secret" not in str(refusals), "credentials are not repeated"
    for refusal in refusals:
        assert all(refusal.values()), "found, wanted and the way out are always named"
        assert refusal["way_out"] in refusal["sentence"] and refusal["sentence"].endswith(".")


def toolkit(version: str) -> dict[str, str]:
    return {"version": version, "path": f"/usr/local/cuda-{version}"}


def with_cuda(*versions: str, default: str | None = None) -> Facts:
    packages = {f"cuda-toolkit-{version.replace('.', '-')}": {"version": f"{version}.2-1"} for version in versions}
    path = f"/usr/local/cuda-{default}" if default else None
    return host(packages=packages, cuda={"toolkits": [toolkit(version) for version in versions], "default": path})


CUDA = {
    # name: (facts, wish, action, missing, remove)
    "none wished": (with_cuda("12.8"), {"versions": []}, "none", [], []),
    "both missing": (host(), {"versions": ["12.8", "13.0"]}, "install", ["12.8", "13.0"], []),
    "one missing": (with_cuda("12.8"), {"versions": ["12.8", "13.0"]}, "install", ["13.0"], []),
    "there": (with_cuda("12.8", "13.0"), {"versions": ["13.0"]}, "none", [], []),
    "a folder without its package": (
        host(cuda={"toolkits": [toolkit("13.0")]}),
        {"versions": ["13.0"]},
        "install",
        ["13.0"],
        [],
    ),
    "another default": (
        with_cuda("12.8", "13.0", default="12.8"),
        {"versions": ["13.0"], "default": "13.0"},
        "default",
        [],
        [],
    ),
    "removed, the other one stays": (
        with_cuda("12.8", "13.0", default="12.8"),
        {"state": "absent", "versions": ["13.0"]},
        "absent",
        [],
        ["cuda-toolkit-13-0"],
    ),
    "nothing named, nothing removed": (with_cuda("13.0"), {"state": "absent", "versions": []}, "none", [], []),
}


@pytest.mark.parametrize("facts, wished, action, missing, remove", CUDA.values(), ids=CUDA.keys())
def test_cuda(facts: Facts, wished: dict[str, t.Any], action: str, missing: list[str], remove: list[str]) -> None:
    value = plan(facts, {"cuda": wished})
    assert (value["cuda"]["action"], value["cuda"]["missing"], value["cuda"]["remove"]) == (action, missing, remove)
    assert bool(value["summary"]) is (action != "none")


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
    "one of two leaves": (with_cuda("12.8", "13.0"), {"cuda": {"state": "absent", "versions": ["13.0"]}}, True),
}


@pytest.mark.parametrize("facts, wishes, needed", REPOSITORY.values(), ids=REPOSITORY.keys())
def test_repository_is_kept_while_somebody_needs_it(facts: Facts, wishes: dict[str, t.Any], needed: bool) -> None:
    assert plan(facts, wishes)["repository"]["needed"] is needed


@given(
    branch=st.sampled_from([str(branch) for branch in _compat.branches()]),
    minor=st.integers(1, 299),
    exact=st.booleans(),
    flavour=st.sampled_from(["auto", "open", "proprietary"]),
)
def test_planning_again_from_the_planned_state_asks_for_nothing(
    branch: str, minor: int, exact: bool, flavour: str
) -> None:
    version = f"{branch}.{minor}.01"
    wishes = wish(branch, version=version if exact else "", flavour=flavour)
    planned = plan(host(), wishes)
    assert planned["driver"]["action"] == "install" and not planned["refusals"]
    again = plan(with_driver(version, planned["driver"]["flavour"]), wishes)
    assert again["driver"]["action"] == "none" and not again["refusals"] and not again["summary"]


def test_facts_of_which_nothing_could_be_read_are_refused_not_guessed() -> None:
    empty: Facts = {key: None for key in host()}
    rules = [refusal["rule"] for refusal in plan(empty, wish())["refusals"]]
    assert rules == ["no-nvidia-hardware", "unsupported-platform"]
    assert plan({}, {})["driver"]["action"] == "none"
