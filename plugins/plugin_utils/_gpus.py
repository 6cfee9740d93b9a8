# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. The GPUs in the facts of a host: those on the bus, and those that can be worked with."""

from __future__ import annotations

import typing as t

Data = t.Mapping[str, t.Any]


def answering(facts: Data) -> list[Data]:
    """Those that NVML or nvidia-smi has told of. The kernel's files are asked only where neither knows of any."""
    files = (facts.get("sources") or {}).get("proc_gpus") or {}
    return [] if files.get("ok") is not None else list(facts.get("gpus") or [])


def cards(facts: Data) -> list[Data]:
    """Those on the PCI bus, whichever driver has them."""
    return [device for device in facts.get("pci") or [] if is_card(device)]


def is_card(device: Data) -> bool:
    """A bridge or an audio device beside a GPU is none. Class 03 is a display controller."""
    kind = device.get("kind")
    return kind == "gpu" if kind else str(device.get("class") or "").startswith("03")
