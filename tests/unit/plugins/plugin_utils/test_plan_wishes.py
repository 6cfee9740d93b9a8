# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wishes as people write them: without quotes, without the list, with nothing after the colon, or with another word."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubegpu.nodes.plugins.filter.gpu_plan import gpu_plan
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._plan import plan
from ansible_collections.kubegpu.nodes.tests.unit.plugins.plugin_utils.plan_hosts import (
    TODAY,
    Wishes,
    host,
    rules,
    wish,
    with_driver,
)


def cuda(versions: t.Any) -> Wishes:
    return wish(cuda={"versions": versions})


def kubernetes(version: t.Any) -> Wishes:
    return wish(kubernetes={"version": version})


SAME: dict[str, tuple[Wishes, Wishes]] = {
    # name: (as written, as meant)
    "an image without its list": (wish("470", cuda_images="12.8"), wish("470", cuda_images=["12.8"])),
    "an image as a number": (wish("470", cuda_images=12.8), wish("470", cuda_images=["12.8"])),
    "images in one text": (wish("470", cuda_images="12.8, 11.4"), wish("470", cuda_images=["12.8", "11.4"])),
    "no image": (wish(cuda_images=""), wish(cuda_images=[])),
    "nothing at all": (wish(cuda_images=None), wish(cuda_images=[])),
    "a toolkit without its list": (cuda("13.0"), cuda(["13.0"])),
    "a toolkit as a number": (cuda(13.0), cuda(["13.0"])),
    "a toolkit as a number in a list": (cuda([13.0]), cuda(["13.0"])),
    "a toolkit that is none": (cuda(13), cuda(["13"])),
    "a branch as a number": (wish(t.cast(str, 580)), wish("580")),
    "no state": (wish(state=None), wish(state="present")),
    "an empty state": (wish(state=""), wish(state="present")),
    "parts that are empty": ({**wish(), "cuda": None, "toolkit": None}, wish()),
}


@pytest.mark.parametrize("written, meant", SAME.values(), ids=SAME.keys())
def test_what_yaml_makes_of_it_is_understood(written: Wishes, meant: Wishes) -> None:
    assert plan(host(), written) == plan(host(), meant)


REFUSED: dict[str, tuple[Wishes, list[str], str]] = {
    # name: (wishes, rules, words)
    "another state": (wish(state="latest"), ["bad-state"], "set nvidia_driver_state to present or absent"),
    "another state of CUDA": ({"cuda": {"state": "gone"}}, ["bad-state"], "gone is no state of cuda_state"),
    "another state of the toolkit": (
        {"toolkit": {"state": "installed"}},
        ["bad-state"],
        "nvidia_container_toolkit_state",
    ),
    "a version as the branch": (
        wish("580.95.05"),
        ["version-as-branch"],
        'set nvidia_driver_branch to "580" and nvidia_driver_version to "580.95.05"',
    ),
    "a version as both": (wish("580.95.05", version="580.95.05"), ["version-not-in-branch"], "to 580 as well"),
    "a version as the branch, and no driver": (wish("580.95.05", state="absent"), [], ""),
    "Kubernetes 1.30 without quotes": (kubernetes(1.30), ["bad-kubernetes-version"], '"1.30" or "1.36.3", in quotes'),
    "Kubernetes by a word": (kubernetes("latest"), ["bad-kubernetes-version"], "latest is not a version"),
    "Kubernetes 1.34 without quotes": (kubernetes(1.34), [], ""),
    "Kubernetes as its programs say it": (kubernetes("v1.36.3"), [], ""),
    "a toolkit 1.20 without quotes": ({"toolkit": {"version": 1.20}}, ["bad-toolkit-version"], "such as 1.20.0"),
    "a toolkit of two numbers, which goes": ({"toolkit": {"version": 1.2, "state": "absent"}}, [], ""),
    "a candidate for a toolkit": ({"toolkit": {"version": "1.20.0~rc.1"}}, [], ""),
}


@pytest.mark.parametrize("wishes, refused, words", REFUSED.values(), ids=REFUSED.keys())
def test_refused(wishes: Wishes, refused: list[str], words: str) -> None:
    assert rules(host(), wishes) == refused
    assert words in " ".join(refusal["sentence"] for refusal in plan(host(), wishes)["refusals"])


def test_a_host_is_not_judged_by_a_version_that_cannot_be() -> None:
    facts = host(kubelet={"version": "1.30.4", "feature_gates": {"RotateKubeletServerCertificate": True}})
    assert rules(facts, kubernetes(1.30)) == ["bad-kubernetes-version"]


def test_gates_that_nobody_knows_are_told_and_not_refused() -> None:
    facts = host(kubelet={"version": "1.33.4", "feature_gates": {"SeccompDefault": True, "ImageVolume": True}})
    value = plan(facts, {"today": TODAY, "kubernetes": {}})
    assert value["refusals"] == []
    assert value["warnings"] == ["It is not known whether a kubelet 1.33.4 starts with these gates: SeccompDefault."]


def test_a_driver_newer_than_all_that_is_known_may_stay() -> None:
    facts = with_driver("699.10.01")
    (refusal,) = plan(facts, wish("newest"))["refusals"]
    assert "nvidia_driver_branch: keep" in refusal["way_out"]
    assert plan(facts, wish("keep"))["refusals"] == []


@pytest.mark.parametrize("name, value", [("driver", "580"), ("cuda", ["13.0"]), ("kubernetes", 1.34)])
def test_a_part_that_is_no_dict_is_one_sentence(name: str, value: t.Any) -> None:
    with pytest.raises(AnsibleFilterError, match=f"needs a dict of wishes for {name}, not {type(value).__name__}"):
        gpu_plan(host(), {name: value})
