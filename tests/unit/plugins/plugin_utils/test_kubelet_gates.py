# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feature gates against versions of the kubelet. What 1.36.3 says of them was seen from the real kubelet."""

from __future__ import annotations

import pytest
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._kubelet_gates import judge

CASES = {
    # name: (gate, value, version, word of the refusal; "" is none)
    "known": ("ResourceHealthStatus", True, "1.36.3", ""),
    "before it came": ("ResourceHealthStatus", True, "1.30.2", "came with 1.31"),
    "gone": ("DevicePlugins", True, "1.36.3", "went with 1.28"),
    "while it was there": ("DevicePlugins", True, "1.9.0", ""),
    "long ago": ("Accelerators", True, "1.9.11", ""),
    "locked to the same": ("KubeletCgroupDriverFromCRI", True, "1.36.3", ""),
    "locked to the other": ("KubeletCgroupDriverFromCRI", False, "v1.36.3", "locked to true"),
    "not yet locked": ("KubeletCgroupDriverFromCRI", False, "1.33.0", ""),
    "unrecognized by 1.36.3": ("DevicePluginCDIDevices", True, "1.36.3", "would not start"),
    "a typing error": ("DynamicResourceAlocation", True, "1.36.0", "does not know it"),
    "of client-go": ("WatchListClient", False, "1.36.3", ""),
    "all of a kind": ("AllAlpha", False, "1.36.3", ""),
    "neither true nor false": ("NodeSwap", "yes", "1.36.3", "neither true nor false"),
}


@pytest.mark.parametrize("gate, value, version, word", CASES.values(), ids=CASES.keys())
def test_judge(gate: str, value: object, version: str, word: str) -> None:
    judgement = judge({gate: value}, version)
    assert judgement.unknown == []
    assert [gate in sentence and word in sentence for sentence in judgement.refused] == ([True] if word else [])


@pytest.mark.parametrize("version", ["1.35.0", "1.37.0", None, "strange"])
def test_what_the_data_does_not_cover_is_let_through_by_name(version: str | None) -> None:
    judgement = judge({"SomethingElse": True}, version)
    assert judgement.refused == [] and judgement.unknown == ["SomethingElse"]


def test_all_refusals_at_once() -> None:
    assert len(judge({"DevicePlugins": True, "CPUManager": True, "NodeSwap": True}, "1.36.3").refused) == 2
