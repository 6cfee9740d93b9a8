# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision of one host, and its words. The hosts are synthetic; the plans in the table are cut to what decides."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubegpu.nodes.plugins.filter.gpu_fleet import FilterModule
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _decision

CARD = {"address": "0000:1b:00.0", "vendor": "10de", "device": "2330", "class": "030200"}
AUDIO = {"address": "0000:1b:00.1", "vendor": "10de", "device": "22ba", "class": "040300"}
BRIDGE = {"address": "0000:07:00.0", "vendor": "10de", "device": "22a3", "class": "068000"}
GPU = {"name": "NVIDIA H100 80GB HBM3"}
PLATFORM = {"name": "Debian GNU/Linux 12 (bookworm)", "kernel": {"running": "6.1.0-21-amd64"}}
BARE = {"platform": PLATFORM, "pci": [CARD, CARD, AUDIO, BRIDGE], "gpus": [], "driver": {"loaded": None}}
LOADED = {
    **BARE,
    "gpus": [GPU, GPU],
    "driver": {"loaded": "580.95.05", "flavour": "open", "on_disk": "580.95.05", "userland": "580.95.05"},
}
NOTHING = {"action": "none"}
REFUSAL = {"rule": "a-rule", "sentence": "This cannot be; do that."}


def plan(driver: str = "none", cuda: str = "none", toolkit: str = "none", **other: t.Any) -> dict[str, t.Any]:
    """A plan with these actions."""
    parts = {"driver": {"action": driver}, "cuda": {"action": cuda}, "toolkit": {"action": toolkit}}
    return {"refusals": [], "warnings": [], "summary": [], **parts, **other}


DECISIONS = {
    "nothing to do": (plan(), "ready"),
    "a driver is missing": (plan(driver="install", toolkit="install"), "install"),
    "another driver": (plan(driver="change"), "change"),
    "a driver to load": (plan(driver="load"), "load"),
    "a reboot": (plan(driver="reboot", toolkit="install"), "reboot"),
    "a driver to remove": (plan(driver="absent"), "remove"),
    "the toolkit alone": (plan(toolkit="install"), "install"),
    "another toolkit, and CUDA": (plan(cuda="install", toolkit="change"), "change"),
    "only the default CUDA": (plan(cuda="default"), "change"),
    "CUDA to remove": (plan(cuda="absent"), "remove"),
    "CUDA that nobody lists": (plan(cuda="remove"), "change"),
    "only a proof": (plan(cuda="prove"), "ready"),
    "CUDA to install, the toolkit to remove": (plan(cuda="install", toolkit="absent"), "install"),
    "a driver to load again": (plan(driver="reload"), "reload"),
    "only headers": ({**plan(), "kernel": {"action": "install"}}, "install"),
    "only a service": ({**plan(), "services": {"action": "change"}}, "change"),
    "refused, whatever else": (plan(driver="install", refusals=[REFUSAL]), "refused"),
    "nothing is wished for": ({"driver": NOTHING}, "ready"),
}


@pytest.mark.parametrize("made, decided", DECISIONS.values(), ids=DECISIONS.keys())
def test_decide(made: dict[str, t.Any], decided: str) -> None:
    assert _decision.decide(made) == decided
    assert decided in _decision.DECISION_WORDS


MODELS = {
    "as NVML names them": (LOADED, {"NVIDIA H100 80GB HBM3": 2}),
    "by the PCI bus without a driver": (BARE, {"NVIDIA 10de:2330": 2}),
    "with what the card's id tells": ({"pci": [{**CARD, "architecture": "hopper"}]}, {"NVIDIA 10de:2330 (hopper)": 1}),
    "by the system's pci.ids": ({"pci": [{**CARD, "name": "GH100 [H100]"}]}, {"GH100 [H100]": 1}),
    "two kinds": ({"gpus": [GPU, {"name": "Tesla T4"}]}, {"NVIDIA H100 80GB HBM3": 1, "Tesla T4": 1}),
    "a GPU without a name": ({"gpus": [{"name": None}]}, {"not known": 1}),
    "none": ({"pci": [BRIDGE, AUDIO]}, {}),
    "not asked for": ({}, {}),
}


@pytest.mark.parametrize("facts, models", MODELS.values(), ids=MODELS.keys())
def test_models(facts: dict[str, t.Any], models: dict[str, int]) -> None:
    assert _decision.models(facts) == models


def test_a_bare_host_in_words() -> None:
    driver = {
        "action": "install",
        "reasons": ["Kernel modules open: what NVIDIA recommends."],
        "disruption": "reboot",
        "disruption_reason": "nouveau holds the card",
    }
    made = plan(
        summary=["Install the driver: no driver is installed.", "Install the NVIDIA container toolkit 1.20.0."],
        warnings=["Branch 580 reaches its end of life in August 2028."],
    )
    made["driver"] = driver
    row = _decision.decision(BARE, made, "gpu-1", "node-1")
    assert row["words"] == [
        "GPUs      2 x NVIDIA 10de:2330",
        "System    Debian GNU/Linux 12 (bookworm), kernel 6.1.0-21-amd64; node node-1",
        "Driver    none",
        "Decision  install what is missing",
        "Would do  Install the driver: no driver is installed.",
        "Would do  Install the NVIDIA container toolkit 1.20.0.",
        "Because   Kernel modules open: what NVIDIA recommends.",
        "Disturbs  all that runs on this host: it has to reboot, which only nvidia_driver_reboot allows",
        "          (nouveau holds the card)",
        "Warning   Branch 580 reaches its end of life in August 2028.",
    ]
    assert {key: row[key] for key in ("host", "node", "decision", "driver", "disruption")} == {
        "host": "gpu-1",
        "node": "node-1",
        "decision": "install",
        "driver": None,
        "disruption": "reboot",
    }


def test_a_ready_host_says_why() -> None:
    made = plan()
    made["driver"]["reason"] = "580.95.05 (open) is loaded"
    assert _decision.decision(LOADED, made, "gpu-1", "gpu-1")["words"] == [
        "GPUs      2 x NVIDIA H100 80GB HBM3",
        "System    Debian GNU/Linux 12 (bookworm), kernel 6.1.0-21-amd64",
        "Driver    580.95.05 (open kernel modules) is loaded",
        "Decision  ready: driver, CUDA and container toolkit are as wished",
        "Because   The driver stays as it is: 580.95.05 (open) is loaded.",
        "Disturbs  nothing",
    ]


def test_a_refused_host_names_all_refusals_and_no_change() -> None:
    other = {"rule": "b-rule", "sentence": "That cannot be either; do this."}
    made = plan(driver="install", refusals=[REFUSAL, other], summary=["Install the driver: none is there."])
    made["driver"]["disruption"] = "reboot"
    row = _decision.decision(BARE, made, "gpu-1")
    assert row["words"][3:] == [
        "Decision  refused: nothing is done on this host until this is settled",
        "Refused   This cannot be; do that.",
        "Refused   That cannot be either; do this.",
    ]
    assert (row["changes"], row["reasons"], row["disruption"]) == ([], [], "none")
    assert row["refusals"] == [REFUSAL, other]


def test_a_card_that_fell_off_is_seen() -> None:
    facts = {**LOADED, "pci": [CARD] * 3}
    words = _decision.decision(facts, plan(), "gpu-1")["words"]
    assert words[0] == "GPUs      2 x NVIDIA H100 80GB HBM3; 1 more on the PCI bus, not seen by the driver"


def test_a_loaded_driver_whose_gpus_are_silent_is_warned_of() -> None:
    sources = {"nvml": {"ok": False, "reason": "no answer in 10 s"}, "nvidia_smi": {"ok": True, "reason": None}}
    row = _decision.decision({**LOADED, "gpus": [], "sources": sources}, plan(), "gpu-1")
    assert row["warnings"] == ["The driver is loaded, but no GPU answers (nvml: no answer in 10 s)."]
    assert row["gpus"] == {"NVIDIA 10de:2330": 2}
    assert _decision.decision(BARE, plan(), "gpu-1")["warnings"] == []


def test_the_images_that_were_asked_for_are_named() -> None:
    image = {"cuda": "12.8", "runs": True, "full": True, "needs": "570.26", "why": "driver 580.95.05 has all of it"}
    row = _decision.decision(LOADED, plan(cuda_images=[image]), "gpu-1")
    assert "CUDA      images of 12.8: driver 580.95.05 has all of it" in row["words"]
    assert row["cuda_images"] == [image]


def test_a_driver_that_waits_for_its_reboot() -> None:
    facts = {**BARE, "driver": {"loaded": None, "on_disk": "580.95.05"}}
    assert "Driver    none is loaded; 580.95.05 is installed" in _decision.decision(facts, plan(), "h")["words"]


def test_no_line_is_long_and_no_word_is_lost() -> None:
    sentence = " ".join(f"word-{number}-of-a-long-sentence" for number in range(40))
    row = _decision.decision(BARE, plan(warnings=[sentence]), "gpu-1")
    assert max(map(len, row["words"])) <= _decision.WIDTH
    assert sentence in " ".join(" ".join(row["words"]).split())


def test_nothing_known_is_words_too() -> None:
    assert _decision.decision({}, {}, "gpu-1")["words"] == [
        "GPUs      no NVIDIA GPU",
        "System    unknown system, kernel unknown",
        "Driver    none",
        "Decision  ready: driver, CUDA and container toolkit are as wished",
        "Disturbs  nothing",
    ]


def test_the_filter_names_what_it_lacks() -> None:
    gpu_decision = FilterModule().filters()["gpu_decision"]
    assert gpu_decision(BARE, plan(), "gpu-1")["decision"] == "ready"
    with pytest.raises(AnsibleFilterError, match="needs the plan of the host, not str"):
        gpu_decision(BARE, "a plan", "gpu-1")
    with pytest.raises(AnsibleFilterError, match="needs the facts of a host"):
        gpu_decision(None, plan(), "gpu-1")
