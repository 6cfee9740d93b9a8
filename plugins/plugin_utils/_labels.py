# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to this collection: which labels a host's facts amount to, as NVIDIA's own labellers would say them.

Where the rules come from (paths in github.com/NVIDIA/k8s-device-plugin v0.19.3, where GPU Feature Discovery lives,
unless named otherwise):

* ``gpu.present``: "true" where there is an NVIDIA GPU on the PCI bus; the GPU Operator's own label
  (github.com/NVIDIA/gpu-operator, controllers/state_manager.go), which GFD does not set.
* ``gpu.product``, ``gpu.count``, ``gpu.memory``: internal/lm/resource.go and mig-strategy.go. The count is that of the
  GPUs with the same name. GFD takes any one name where there are several (it walks a Go map); here it is the most
  frequent, then the first by alphabet, so that it does not flap.
* ``gpu.family``, ``gpu.compute.*``: resource.go, getArchFamily; ``rubin`` for 13 is from v0.20.0.
* ``cuda.driver-version.*``, ``cuda.runtime-version.*``: nvml.go, newVersionLabeler; the revision of a version of two
  parts is empty, and the runtime is the newest CUDA that the driver supports, not a toolkit.
* ``mig.capable``: nvml.go; true if any GPU knows a MIG mode, on or off.
* ``gpu.machine``: machine-type.go. GFD says "unknown" where it cannot read it; here, then, is no label.
* How a value is cleaned: resource.go, sanitise.

What is not known gives no label. With MIG on, product, count and memory depend on the device plugin's MIG strategy,
which the host does not know, so they are left to GFD. A value that Kubernetes would not accept gives none either.
"""

from __future__ import annotations

import collections
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils._gpus import answering, cards

PREFIX = "nvidia.com/"

# Compute capability (major, first minor) and the family from there on within the major.
FAMILIES: tuple[tuple[int, int, str], ...] = (
    (1, 0, "tesla"),
    (2, 0, "fermi"),
    (3, 0, "kepler"),
    (5, 0, "maxwell"),
    (6, 0, "pascal"),
    (7, 0, "volta"),
    (7, 5, "turing"),
    (8, 0, "ampere"),
    (8, 9, "ada-lovelace"),
    (9, 0, "hopper"),
    (10, 0, "blackwell"),
    (12, 0, "blackwell"),
    (13, 0, "rubin"),
)

# Compute capabilities of which no GPU has MIG (docs.nvidia.com/datacenter/tesla/mig-user-guide, supported GPUs): for
# these an unknown MIG mode means that there is none.
NO_MIG = frozenset({"8.6", "8.7", "8.9"})

# What only a driver that answers can tell.
FROM_DRIVER = (
    "gpu.product",
    "gpu.memory",
    "gpu.family",
    "gpu.compute.major",
    "gpu.compute.minor",
    "mig.capable",
    "cuda.driver-version.major",
    "cuda.driver-version.minor",
    "cuda.driver-version.revision",
    "cuda.driver-version.full",
    "cuda.runtime-version.major",
    "cuda.runtime-version.minor",
    "cuda.runtime-version.full",
)
COUNT = "gpu.count"
NEEDS_MIG_STRATEGY = ("gpu.product", "gpu.count", "gpu.memory")

_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?\Z")

Facts = t.Mapping[str, t.Any]
Found = dict[str, t.Union[str, int, None]]


def labels(facts: Facts, expected: Facts | None = None) -> dict[str, str]:
    """The labels that ``facts`` prove; with the plan in ``expected``, also those that it will surely bring."""
    found: Found = {"gpu.present": "true" if _gpus(facts) or cards(facts) else None}
    found.update(_machine(facts))
    if _gpus(facts):
        found.update(_resource(_gpus(facts)))
        found.update(_versions(_section(facts, "driver").get("userland"), _section(facts, "cuda").get("driver_limit")))
    elif expected:
        found.update(_count_of_cards(cards(facts)))
        found.update(_versions(_section(expected, "driver").get("version"), None))
    texts = {PREFIX + key: str(value) for key, value in found.items() if value is not None}
    return {key: value for key, value in texts.items() if _LABEL_VALUE.match(value)}


def pending(facts: Facts) -> list[str]:
    """Keys that ``labels`` knows of but cannot tell from these facts: they are neither set nor removed now."""
    if not (_gpus(facts) or cards(facts)):
        return []
    known = labels(facts)
    return [PREFIX + key for key in sorted((*FROM_DRIVER, COUNT)) if PREFIX + key not in known]


def sanitise(text: str) -> str:
    """Drop what a label may not hold, then join the words with dashes."""
    return "-".join(re.sub(r"[^A-Za-z0-9\-_. ]", "", text).split())


def family(major: int, minor: int) -> str:
    names = [name for of, since, name in FAMILIES if of == major and minor >= since]
    return names[-1] if names else "undefined"


def _section(facts: Facts, name: str) -> Facts:
    return facts.get(name) or {}


def _gpus(facts: Facts) -> list[Facts]:
    """GPUs that a driver has told of."""
    return [gpu for gpu in answering(facts) if gpu.get("name")]


def _machine(facts: Facts) -> Found:
    name = _section(facts, "platform").get("product_name")
    return {"gpu.machine": (sanitise(name) or None) if name else None}


def _count_of_cards(cards: list[Facts]) -> Found:
    """Before the driver is there the bus tells how many GPUs there are, if they are all the same."""
    return {COUNT: len(cards) if len({card.get("device") for card in cards}) == 1 else None}


def _resource(gpus: list[Facts]) -> Found:
    counts = collections.Counter(str(gpu["name"]) for gpu in gpus)
    name, count = min(counts.items(), key=lambda each: (-each[1], each[0]))
    chosen = [gpu for gpu in gpus if gpu["name"] == name][-1]
    found: Found = {
        "gpu.product": sanitise(name) or None,
        "gpu.count": count,
        "gpu.memory": _section(chosen, "memory").get("total_mib") or None,
        "mig.capable": _mig_capable(gpus),
        **_compute(chosen.get("compute_capability")),
    }
    if any(_mig(gpu) == "enabled" for gpu in gpus):
        found.update(dict.fromkeys(NEEDS_MIG_STRATEGY))
    return found


def _compute(capability: str | None) -> Found:
    parts = str(capability or "").split(".")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        return {}
    major, minor = int(parts[0]), int(parts[1])
    return {"gpu.compute.major": major, "gpu.compute.minor": minor, "gpu.family": family(major, minor)} if major else {}


def _mig_capable(gpus: list[Facts]) -> str | None:
    if any(_mig(gpu) in ("enabled", "disabled") for gpu in gpus):
        return "true"
    return "false" if all(_never_had_mig(gpu.get("compute_capability")) for gpu in gpus) else None


def _mig(gpu: Facts) -> str | None:
    return _section(gpu, "mig").get("current")


def _never_had_mig(capability: str | None) -> bool:
    major = str(capability or "").split(".", maxsplit=1)[0]
    return capability in NO_MIG or (major.isdigit() and int(major) < 8)


def _versions(driver: str | None, runtime: str | None) -> Found:
    found: Found = {}
    parts = str(driver or "").split(".")
    if 2 <= len(parts) <= 3:
        names = ("major", "minor", "revision")
        found = {f"cuda.driver-version.{name}": part for name, part in zip(names, [*parts, ""])}
        found["cuda.driver-version.full"] = driver
    numbers = str(runtime or "").split(".")
    if len(numbers) == 2:
        found.update({f"cuda.runtime-version.{name}": part for name, part in zip(("major", "minor"), numbers)})
        found["cuda.runtime-version.full"] = runtime
    return found
