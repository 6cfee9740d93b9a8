# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. The GPUs of a host's facts that can be worked with."""

from __future__ import annotations

import typing as t

Data = t.Mapping[str, t.Any]


def answering(facts: Data) -> list[Data]:
    """Those that NVML or nvidia-smi has told of. The kernel's files are asked only where neither knows of any."""
    files = (facts.get("sources") or {}).get("proc_gpus") or {}
    return [] if files.get("ok") is not None else list(facts.get("gpus") or [])
