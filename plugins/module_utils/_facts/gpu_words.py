# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the shape of a GPU in the facts, and what the answers of NVML and nvidia-smi mean in it.

No function here raises, whatever it is given: what is not understood is None.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.pci import normal_address

Gpu = dict[str, t.Any]

MIB = 1024 * 1024
# What nvidia-smi prints in the place of a value, in brackets or without.
NOTHING = re.compile(
    r"^\[?(|N/A|Not Supported|Not Available|Not Found|Unknown Error|Insufficient Permissions|GPU is lost|No data"
    r"|GPU requires reset|Requested functionality has been deprecated|Uninitialized|ERR!)\]?$",
    re.I,
)
QUANTITY = re.compile(r"^([0-9]{1,12})(\.[0-9]{1,6})? ?(MiB|MHz|W|C|x|bank\(s\))?$", re.ASCII)
PAIR = re.compile(r"^[0-9]{1,3}\.[0-9]{1,3}$", re.ASCII)

# The numbers below are of nvml.h; the words are those of nvidia-smi in small letters.
ARCHITECTURES = {
    2: "kepler",
    3: "maxwell",
    4: "pascal",
    5: "volta",
    6: "turing",
    7: "ampere",
    8: "ada-lovelace",
    9: "hopper",
    10: "blackwell",
    13: "rubin",
}
COMPUTE_MODES = {0: "default", 1: "exclusive_thread", 2: "prohibited", 3: "exclusive_process"}
FABRIC_STATES = {1: "not_started", 2: "in_progress", 3: "completed"}
NVLINK_VERSIONS = {1: "1.0", 2: "2.0", 3: "2.2", 4: "3.0", 5: "3.1", 6: "4.0", 7: "5.0", 8: "6.0"}
THROTTLE_REASONS = {
    0x1: "gpu_idle",
    0x2: "applications_clocks_setting",
    0x4: "sw_power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal_slowdown",
    0x40: "hw_thermal_slowdown",
    0x80: "hw_power_brake_slowdown",
    0x100: "display_clocks_setting",
}
NO_CLUSTER = "00000000-0000-0000-0000-000000000000"


def blank() -> Gpu:
    """A GPU of which nothing is known."""
    counted = ("corrected", "uncorrected")
    return {
        **dict.fromkeys(("index", "uuid", "serial", "name", "architecture", "compute_capability", "pci_address")),
        **dict.fromkeys(("minor", "vbios", "compute_mode", "persistence_mode")),
        "memory": dict.fromkeys(("total_mib", "reserved_mib", "used_mib")),
        "bar1": dict.fromkeys(("total_mib", "used_mib")),
        "mig": dict.fromkeys(("current", "pending", "instances")),
        "ecc": {
            **dict.fromkeys(("current", "pending")),
            "volatile": dict.fromkeys(counted),
            "aggregate": dict.fromkeys(counted),
        },
        "retired_pages": dict.fromkeys(("single_bit", "double_bit", "pending")),
        "row_remap": dict.fromkeys((*counted, "pending", "failed")),
        "power": dict.fromkeys(("draw_w", "limit_w", "default_limit_w", "min_limit_w", "max_limit_w")),
        "temperature": dict.fromkeys(("gpu_c", "memory_c", "slowdown_c", "shutdown_c")),
        "clocks": {
            **dict.fromkeys(("graphics_mhz", "sm_mhz", "memory_mhz")),
            **dict.fromkeys(("max_graphics_mhz", "max_sm_mhz", "max_memory_mhz")),
        },
        "throttle_reasons": None,
        "pcie": dict.fromkeys(("generation", "generation_max", "width", "width_max", "replay_count")),
        "nvlink": None,
        "fabric": dict.fromkeys(("state", "status", "clique_id", "cluster_uuid")),
        "processes": None,
        "inforom": dict.fromkeys(("image", "oem", "ecc", "power")),
    }


def put(gpu: Gpu, path: str, value: t.Any) -> None:
    """``value`` at ``memory.total_mib``; a dict of values is laid over the group that is there."""
    *groups, name = path.split(".")
    for group in groups:
        gpu = gpu[group]
    if isinstance(gpu[name], dict):
        gpu[name].update(value or {})
    else:
        gpu[name] = value


def fill(gpu: Gpu, other: Gpu) -> None:
    """What another way in has told, where this one has told nothing."""
    for name, value in other.items():
        if isinstance(value, dict) and isinstance(gpu.get(name), dict):
            fill(gpu[name], value)
        elif gpu.get(name) is None:
            gpu[name] = value


# ---- single values ---------------------------------------------------------------------------------------------------


def text(value: t.Any) -> str | None:
    words = value.strip() if isinstance(value, str) else ""
    return None if NOTHING.match(words) else words


def whole(value: t.Any) -> int | None:
    """A number of NVML's that counts something."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def named(value: t.Any, table: t.Mapping[int, str]) -> str | None:
    """A number of NVML's that stands for a word."""
    number = whole(value)
    return None if number is None else table.get(number)


def quantity(value: t.Any) -> float | None:
    """``81559 MiB``, ``71.00 W``, ``16x`` or a bare number of nvidia-smi's."""
    found = QUANTITY.match(value.strip()) if isinstance(value, str) else None
    return float(found[1] + (found[2] or "")) if found else None


def count(value: t.Any) -> int | None:
    """The same, where only whole numbers make sense."""
    number = quantity(value)
    return None if number is None else int(number)


def mib(value: t.Any) -> int | None:
    """Of bytes; all ones stand for what cannot be told."""
    number = whole(value)
    return None if number is None or number >= 1 << 63 else number // MIB


def watts(value: t.Any) -> float | None:
    """Of milliwatts."""
    number = whole(value)
    return None if number is None or number > 10**9 else round(number / 1000, 2)


def switch(value: t.Any) -> str | None:
    """``enabled`` or ``disabled``, of NVML's numbers and nvidia-smi's words."""
    word = value.strip().lower() if isinstance(value, str) else named(value, {0: "disabled", 1: "enabled"})
    return word if word in ("enabled", "disabled") else None


def yes(value: t.Any) -> bool | None:
    """Of NVML's numbers and nvidia-smi's words."""
    word = value.strip().lower() if isinstance(value, str) else whole(value)
    return {"yes": True, 1: True, "no": False, 0: False}.get(word)


def one_of(table: t.Mapping[int, str]) -> t.Callable[[t.Any], str | None]:
    return lambda value: named(value, table)


def dotted(value: t.Any) -> str | None:
    """``9.0``, of the text or of two numbers."""
    if isinstance(value, list) and len(value) == 2 and all(whole(part) is not None for part in value):
        return f"{value[0]}.{value[1]}"
    return value if isinstance(value, str) and PAIR.match(value) else None


def address(value: t.Any) -> str | None:
    """A PCI address; NVML says all ones where it has none."""
    found = normal_address(value) if isinstance(value, str) else None
    return None if found and found.startswith("ffffffff:") else found


def architecture(value: t.Any) -> str | None:
    """Of NVML's numbers and nvidia-smi's words (``Ada Lovelace``)."""
    if not isinstance(value, str):
        return named(value, ARCHITECTURES)
    name = "-".join(value.lower().split())
    return name if name in ARCHITECTURES.values() else None


def small(value: t.Any) -> str | None:
    """nvidia-smi's words as we write them: ``Exclusive_Process``, ``In Progress``."""
    words = text(value)
    return "_".join(words.lower().split()) if words else None


def status(value: t.Any) -> str | None:
    """How something ended, where ``Unknown Error`` is an answer."""
    said = value.strip().strip("[]") if isinstance(value, str) else ""
    return "_".join(said.lower().split()) if said not in ("", "N/A") else None


def throttle_reasons(mask: t.Any) -> list[str] | None:
    """The names of the bits; a bit that is not known here keeps its number."""
    number = whole(mask)
    if number is None or number >= 1 << 64:
        return None
    bits = [1 << place for place in range(64) if number >> place & 1]
    return [THROTTLE_REASONS.get(bit, f"{bit:#x}") for bit in bits]


def cluster(value: t.Any) -> str | None:
    """All zeros is what a GPU says that belongs to no cluster."""
    name = text(value)
    return None if name == NO_CLUSTER else name


def profile(name: t.Any) -> str | None:
    """``1g.5gb`` of ``NVIDIA A100-SXM4-40GB MIG 1g.5gb``."""
    words = text(name)
    return words.rpartition(" MIG ")[2] if words else None
