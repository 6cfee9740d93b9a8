# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which branch of the driver a wish means on which host, and with which kernel modules."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._plan import plan
from ansible_collections.kubegpu.nodes.tests.unit.plugins.plugin_utils.plan_hosts import (
    B200,
    GH200,
    H100,
    K80,
    P100,
    RUBIN,
    T4,
    V100,
    Facts,
    Wishes,
    card,
    from_distribution,
    host,
    rules,
    wish,
    with_driver,
)

CHOSEN: dict[str, tuple[Facts, Wishes, str, str | None]] = {
    # name: (facts, wishes, branch, flavour)
    "newest is a production branch, not one of new features": (host(), wish("newest"), "595", "open"),
    "newest, while a production branch lives": (host(), wish("newest", today="2027-03-31"), "595", "open"),
    "newest, when that has ended": (host(), wish("newest", today="2027-04-01"), "580", "open"),
    "newest, a year ago": (host(), wish("newest", today="2025-11-22"), "595", "open"),
    "newest for Volta": (host(pci=[V100]), wish("newest"), "580", "proprietary"),
    "newest for Pascal": (host(pci=[P100]), wish("newest"), "580", "proprietary"),
    "newest for Turing": (host(pci=[T4]), wish("newest"), "595", "open"),
    "newest for Kepler has ended, and there is no other": (host(pci=[K80]), wish("newest"), "470", "proprietary"),
    "newest for Rubin": (host(pci=[RUBIN]), wish("newest"), "615", "open"),
    "newest for Volta beside Hopper": (host(pci=[V100, H100]), wish("newest"), "580", "proprietary"),
    "newest for Kepler beside Pascal": (host(pci=[K80, P100]), wish("newest"), "470", "proprietary"),
    "newest with proprietary modules": (host(), wish("newest", flavour="proprietary"), "595", "proprietary"),
    "newest for an unknown card": (host(pci=[card("ffff", None)]), wish("newest"), "595", "open"),
    "newest with an image of the newest CUDA": (host(), wish("newest", cuda_images=["13.5"]), "595", "open"),
    "newest with a CUDA nobody knows": (host(), wish("newest", cuda_images=["14.2"]), "595", "open"),
    "newest never goes back": (with_driver("615.71.10"), wish("newest"), "615", "open"),
    "newest goes back if allowed": (with_driver("615.71.10"), wish("newest", allow_downgrade=True), "595", "open"),
    "needed is the oldest that lives": (host(), wish("needed", cuda_images=["12.8"]), "580", "open"),
    "needed, while an older one lived": (
        host(),
        wish("needed", cuda_images=["12.2"], today="2025-11-22"),
        "535",
        "proprietary",
    ),
    "needed by several images": (host(), wish("needed", cuda_images=["11.8", "13.0", "12.4.1"]), "580", "open"),
    "needed by images of Volta": (host(pci=[V100]), wish("needed", cuda_images=["12.8"]), "580", "proprietary"),
    "needed by images of Kepler": (host(pci=[K80]), wish("needed", cuda_images=["11.4"]), "470", "proprietary"),
    "needed by images, of Rubin": (host(pci=[RUBIN]), wish("needed", cuda_images=["13.4"]), "615", "open"),
    "needed never goes back": (with_driver("595.91.07"), wish("needed", cuda_images=["12.8"]), "595", "open"),
    "needed by an old build": (host(), wish("needed", cuda_images=["8.0.61"]), "580", "open"),
    "keep ours": (with_driver("570.211.01"), wish("keep"), "570", "open"),
    "keep the distribution's": (from_distribution("535.261.03"), wish("keep"), "535", "proprietary"),
    "keep with an image that it runs": (
        from_distribution("535.261.03"),
        wish("keep", cuda_images=["12.8"]),
        "535",
        "proprietary",
    ),
    "a version alone": (host(), wish("", version="595.91.07"), "595", "open"),
    "a version newer than any known of its branch": (host(), wish("580", version="580.999.01"), "580", "open"),
    "a branch as a number": (host(), wish(t.cast(str, 580)), "580", "open"),
    "Grace Hopper has open modules only": (host(pci=[GH200]), wish("550"), "550", "open"),
    "what the facts say of an unknown card": (
        host(pci=[card("ffff", None, open_modules="never")]),
        wish(),
        "580",
        "proprietary",
    ),
    "Blackwell has open modules only": (host(pci=[B200]), wish("580"), "580", "open"),
    "a card that a virtual machine has does not decide": (
        host(pci=[{**V100, "driver": "vfio-pci"}, B200]),
        wish("newest"),
        "595",
        "open",
    ),
}


@pytest.mark.parametrize("facts, wishes, branch, flavour", CHOSEN.values(), ids=CHOSEN.keys())
def test_chosen(facts: Facts, wishes: Wishes, branch: str, flavour: str | None) -> None:
    value = plan(facts, wishes)
    driver = value["driver"]
    assert value["refusals"] == []
    assert (driver["branch"], driver["flavour"]) == (branch, flavour), driver["reasons"]
    assert driver["reasons"][0] == f"Branch {branch}: {driver['branch_reason']}."
    assert driver["version"] or driver["version_expected"], "what is likely to come is named"


MIXED: dict[str, tuple[Facts, Wishes, list[str], str]] = {
    # name: (facts, wishes, rules, words)
    "Volta beside Blackwell": (host(pci=[V100, B200]), wish("newest"), ["mixed-cards"], "Tesla V100 32GB, volta"),
    "Volta beside Blackwell, a branch": (host(pci=[V100, B200]), wish("580"), ["mixed-cards"], "B200, blackwell"),
    "Volta beside Grace Hopper": (host(pci=[V100, GH200]), wish(), ["mixed-cards"], "GH200"),
    "Volta beside Rubin": (host(pci=[V100, RUBIN]), wish("615"), ["mixed-cards"], "vfio-pci"),
    "old beside new by branches only": (
        host(pci=[{**K80, "open_modules": "either"}, RUBIN]),
        wish("newest"),
        ["mixed-cards"],
        "the former end with branch 470, the latter begin with 615",
    ),
    "open modules for Volta": (
        host(pci=[H100, V100]),
        wish(flavour="open"),
        ["open-modules-old-card"],
        "no open kernel modules for 0000:3b:00.0 (Tesla V100 32GB, volta)",
    ),
    "proprietary modules for Blackwell": (
        host(pci=[B200]),
        wish(flavour="proprietary"),
        ["proprietary-modules-new-card"],
        "set nvidia_driver_flavour to auto or open",
    ),
    "a branch past Volta": (host(pci=[V100]), wish("590"), ["branch-past-card"], "set nvidia_driver_branch to 580"),
    "a branch past Kepler": (host(pci=[K80]), wish("535"), ["branch-past-card"], "set nvidia_driver_branch to 470"),
    "a version past Volta": (host(pci=[V100]), wish("", version="595.45.04"), ["branch-past-card"], "Branch 595"),
    "both for Volta": (
        host(pci=[V100]),
        wish("595", flavour="open"),
        ["open-modules-old-card", "branch-past-card"],
        "architecture-matrix",
    ),
    "a branch before Blackwell": (host(pci=[B200]), wish("550"), ["branch-before-card"], "570 or a later one"),
    "a branch before Rubin": (host(pci=[RUBIN]), wish("595"), ["branch-before-card"], "for which 615 is the first"),
    "a version before the card": (
        host(pci=[B200]),
        wish("570", version="570.86.10"),
        ["driver-before-card"],
        "which came with driver 570.133.20",
    ),
    "proprietary modules that a branch no longer has": (
        host(),
        wish("620", flavour="proprietary"),
        ["modules-not-in-branch"],
        "or nvidia_driver_flavour to open",
    ),
    "open modules that a branch does not have yet": (
        host(),
        wish("470", flavour="open"),
        ["modules-not-in-branch"],
        "Branch 470 has no open kernel modules",
    ),
    "no branch for Kepler and a new image": (
        host(pci=[K80]),
        wish("newest", cuda_images=["12.8"]),
        ["no-branch-fits", "cuda-without-card"],
        "use CUDA 11.8 or older",
    ),
    "no branch for Volta where a newer driver is": (
        with_driver("595.91.07", pci=[V100]),
        wish("newest"),
        ["no-branch-fits"],
        "nvidia_driver_allow_downgrade: true",
    ),
    "needed by nothing": (host(), wish("needed"), ["needed-by-nothing"], "nvidia_driver_cuda_images"),
    "newest, and a version": (
        host(),
        wish("newest", version="580.95.05"),
        ["version-not-in-branch"],
        "leave nvidia_driver_version empty",
    ),
    "nothing to keep": (host(), wish("keep"), ["nothing-to-keep"], "There is no driver on this host to keep"),
    "keep another flavour": (
        from_distribution("535.261.03"),
        wish("keep", flavour="open"),
        ["kept-flavour"],
        "it has proprietary kernel modules",
    ),
    "keep what is broken": (
        from_distribution("535.261.03", userland="535.183.01"),
        wish("keep"),
        ["kept-driver-broken"],
        "its parts do not agree",
    ),
    "keep what does not serve the card": (
        from_distribution("535.261.03", on_disk="595.91.07", userland="595.91.07", loaded="595.91.07")
        | {"pci": [V100]},
        wish("keep"),
        ["branch-past-card"],
        "for which 580 is the last branch",
    ),
    "keep modules that do not serve the card": (
        from_distribution("580.95.05") | {"pci": [B200]},
        wish("keep"),
        ["proprietary-modules-new-card"],
        "so that another driver is installed",
    ),
    "keep what is too old for an image": (
        from_distribution("367.48") | {"pci": [P100]},
        wish("keep", cuda_images=["8.0.61"]),
        ["cuda-image-needs-driver"],
        "cannot run an image with CUDA 8.0.61, which needs driver 375.26 or newer",
    ),
    "an unknown word": (host(), wish("latest"), ["unknown-branch"], "set nvidia_driver_branch to newest, needed, keep"),
    "an unknown flavour": (host(), wish(flavour="free"), ["bad-flavour"], "auto, open or proprietary"),
}


@pytest.mark.parametrize("facts, wishes, refused, words", MIXED.values(), ids=MIXED.keys())
def test_refused(facts: Facts, wishes: Wishes, refused: list[str], words: str) -> None:
    assert rules(facts, wishes) == refused
    assert words in " ".join(refusal["sentence"] for refusal in plan(facts, wishes)["refusals"])


def test_driver_7_5_and_an_image_of_8_0_61() -> None:
    """Else it is the container that says "unsupported CUDA version: driver 7.5 < image 8.0.61", when it starts."""
    facts = from_distribution("352.99") | {"pci": [K80]}
    value = plan(facts, wish("keep", cuda_images=["8.0.61", "7.5"]))
    (refusal,) = value["refusals"]
    assert "Driver 352.99, whose newest CUDA is 7.5, cannot run an image with CUDA 8.0.61" in refusal["sentence"]
    assert [(image["cuda"], image["runs"], image["needs"]) for image in value["cuda_images"]] == [
        ("8.0.61", False, "375.26"),
        ("7.5", True, "352.31"),
    ]


def test_what_is_kept_is_neither_installed_nor_pinned() -> None:
    driver = plan(from_distribution("535.261.03"), wish("keep"))["driver"]
    assert (driver["action"], driver["packages"], driver["pin"], driver["remove"]) == ("none", [], None, [])
    assert driver["version"] == "535.261.03"
    assert plan(from_distribution("535.261.03"), wish("keep"))["repository"]["needed"] is False
    assert plan(with_driver("580.95.05"), wish("keep"))["repository"]["needed"] is True


def test_what_is_kept_may_be_loaded_or_wait_for_its_reboot() -> None:
    unloaded = from_distribution("535.261.03", loaded=None, flavour=None)
    assert plan(unloaded, wish("keep"))["driver"]["action"] == "load"
    upgraded = from_distribution("535.261.03", loaded="535.183.01")
    assert plan(upgraded, wish("keep"))["driver"]["action"] == "reboot"


def test_the_reason_for_a_flavour_names_the_card_and_the_source() -> None:
    reason = plan(host(pci=[V100]), wish())["driver"]["flavour_reason"]
    assert "0000:3b:00.0 (Tesla V100 32GB, volta)" in reason and "kernel-modules" in reason


@pytest.mark.parametrize("device", [None, "", "1d", "zzzz", "11db6", 7606, "0x1db6"])
def test_a_device_id_that_says_nothing_decides_nothing(device: t.Any) -> None:
    value = plan(host(pci=[card(device, None)]), wish(flavour="auto"))
    assert value["driver"]["flavour"] == "open" and not value["refusals"]
    without = {key: value for key, value in card(device, None).items() if key != "device"}
    assert not plan(host(pci=[without]), wish("595", flavour="open"))["refusals"]


def test_the_device_id_decides_where_the_facts_name_no_architecture() -> None:
    assert plan(host(pci=[card("1db6", None)]), wish())["driver"]["flavour"] == "proprietary"


def test_the_users_own_data_decides() -> None:
    ours = {
        "branches": {
            "sources": {"ticket": "OPS-1"},
            "branches": [{"branch": 630, "type": "PB", "newest": "630.10.01", "eol": "2027-12", "source": "ticket"}],
        }
    }
    driver = plan(host(), wish("newest"), ours)["driver"]
    assert (driver["branch"], driver["version_expected"]) == ("630", "630.10.01")
