# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. What preflight tells of one host: facts and plan in, the decision out, for programs and for people."""

from __future__ import annotations

import textwrap
import typing as t
from collections import Counter

from ansible_collections.kubegpu.nodes.plugins.plugin_utils._gpus import answering, cards

Data = t.Mapping[str, t.Any]
Row = dict[str, t.Any]

READY, REFUSED = "ready", "refused"
DECISION_WORDS = {
    READY: "ready: driver, CUDA and container toolkit are as wished",
    "install": "install what is missing",
    "change": "change what is installed",
    "load": "load the driver that is installed",
    "reload": "load the driver that is installed instead of what is loaded",
    "reboot": "reboot, so that the installed driver becomes the loaded one",
    "remove": "remove what this collection has installed",
    REFUSED: "refused: nothing is done on this host until this is settled",
}
# What the plan calls it, as a decision. The driver's own action comes first, then the first of these that any part has.
PARTS = ("driver", "cuda", "toolkit", "kernel", "fabric", "services")
OTHER_ACTIONS = {"change": "change", "default": "change", "remove": "change", "install": "install", "absent": "remove"}
DISRUPTION_WORDS = {
    "none": "nothing",
    "load": "nothing that runs: kernel modules are loaded",
    "reload": "nothing that runs: nobody uses a GPU, so the kernel modules are taken out and loaded again",
    "unload": "all that uses a GPU: the kernel modules are unloaded",
    "reboot": "all that runs on this host: it has to reboot, which only nvidia_driver_reboot allows",
}

NO_GPU, NOT_KNOWN = "no NVIDIA GPU", "not known"
WIDTH, LABEL = 100, 10


def decision(facts: Data, plan: Data, host: str, node: str | None = None) -> Row:
    """The row of one host, with `words` for people."""
    platform, driver, refused = facts.get("platform") or {}, plan.get("driver") or {}, plan.get("refusals") or []
    row = {
        "host": host,
        "node": node,
        "decision": decide(plan),
        "gpus": models(facts),
        "os": platform.get("name"),
        "kernel": (platform.get("kernel") or {}).get("running"),
        "driver": (facts.get("driver") or {}).get("loaded"),
        "changes": [] if refused else list(plan.get("summary") or []),
        "reasons": [] if refused else _reasons(driver),
        "cuda_images": list(plan.get("cuda_images") or []),
        "disruption": "none" if refused else driver.get("disruption") or "none",
        "disruption_reason": None if refused else driver.get("disruption_reason"),
        "refusals": list(refused),
        "warnings": [*(plan.get("warnings") or []), *_silent_gpus(facts)],
    }
    return {**row, "words": _host_words(row, facts)}


def decide(plan: Data) -> str:
    if plan.get("refusals"):
        return REFUSED
    actions = {part: (plan.get(part) or {}).get("action") or "none" for part in PARTS}
    first = actions.pop("driver")
    if first != "none":
        return "remove" if first == "absent" else str(first)
    return next((word for action, word in OTHER_ACTIONS.items() if action in actions.values()), READY)


def models(facts: Data) -> dict[str, int]:
    """GPUs by model: as the driver names them, else as the PCI bus does."""
    seen = [gpu.get("name") or NOT_KNOWN for gpu in facts.get("gpus") or []]
    return dict(Counter(seen or [_card_model(card) for card in cards(facts)]))


def _card_model(card: Data) -> str:
    if card.get("name"):
        return str(card["name"])
    architecture = card.get("architecture")
    words = f"NVIDIA {card.get('vendor')}:{card.get('device')}"
    return f"{words} ({architecture})" if architecture else words


def _reasons(driver: Data) -> list[str]:
    if driver.get("action") == "none":
        return [f"The driver stays as it is: {driver['reason']}."] if driver.get("reason") else []
    return list(driver.get("reasons") or [])


def _silent_gpus(facts: Data) -> list[str]:
    """A driver that is loaded answers for its GPUs."""
    if not (facts.get("driver") or {}).get("loaded") or answering(facts) or not cards(facts):
        return []
    sources = facts.get("sources") or {}
    why = [
        f"{name}: {sources[name]['reason']}"
        for name in ("nvml", "nvidia_smi")
        if (sources.get(name) or {}).get("reason")
    ]
    return [f"The driver is loaded, but no GPU answers ({'; '.join(why) or 'no source says why'})."]


def _host_words(row: Data, facts: Data) -> list[str]:
    system = f"{row['os'] or 'unknown system'}, kernel {row['kernel'] or 'unknown'}"
    node = f"; node {row['node']}" if row["node"] not in (None, row["host"]) else ""
    disturbs = [] if row["decision"] == REFUSED else [_disturbs(row)]
    return [
        *_labelled("GPUs", [_gpu_words(row, facts)]),
        *_labelled("System", [system + node]),
        *_labelled("Driver", [_driver_words(facts.get("driver") or {})]),
        *_labelled("Decision", [DECISION_WORDS[row["decision"]]]),
        *_labelled("Refused", [refusal["sentence"] for refusal in row["refusals"]]),
        *_labelled("Would do", row["changes"]),
        *_labelled("Because", row["reasons"]),
        *_labelled("CUDA", [f"images of {image['cuda']}: {image['why']}" for image in row["cuda_images"]]),
        *_labelled("Disturbs", disturbs),
        *_labelled("Warning", row["warnings"]),
    ]


def _disturbs(row: Data) -> str:
    why = f" ({row['disruption_reason']})" if row["disruption_reason"] and row["disruption"] != "none" else ""
    return f"{DISRUPTION_WORDS.get(row['disruption'], row['disruption'])}{why}"


def _labelled(label: str, sentences: t.Sequence[str]) -> list[str]:
    """A label for each sentence; its second line does not begin below the label."""
    first, others = label.ljust(LABEL), " " * LABEL
    wrapper = textwrap.TextWrapper(WIDTH, first, others, break_long_words=False, break_on_hyphens=False)
    return [line for sentence in sentences for line in wrapper.wrap(sentence)]


def _gpu_words(row: Data, facts: Data) -> str:
    counts = ", ".join(f"{count} x {model}" for model, count in row["gpus"].items())
    seen = len(answering(facts))
    silent = len(cards(facts)) - seen
    if seen and silent > 0:
        return f"{counts}; {silent} more on the PCI bus, not seen by the driver"
    return counts or NO_GPU


def _driver_words(driver: Data) -> str:
    if driver.get("loaded"):
        flavour = f" ({driver['flavour']} kernel modules)" if driver.get("flavour") else ""
        return f"{driver['loaded']}{flavour} is loaded"
    there = driver.get("on_disk") or driver.get("userland")
    return f"none is loaded; {there} is installed" if there else "none"
