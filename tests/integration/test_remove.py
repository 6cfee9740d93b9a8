# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of the whole way: what site.yml made of the hosts is taken back."""

from __future__ import annotations

from typing import Any

from conftest import DEMO, DEMO_INVENTORY, Rig, passed, state


def test_remove_gives_the_hosts_back(converged: Rig, bare: dict[str, dict[str, Any]]) -> None:
    passed(converged.play("playbooks/remove.yml", *DEMO_INVENTORY))
    after = state(converged)
    assert after["cluster"] == bare["cluster"]
    for host in DEMO:
        gone = {name for name in bare[host]["host"] if name not in after[host]["host"]}
        assert not gone, f"{host}: removal took {gone}"
        assert not [name for name in after[host]["host"] if "nvidia" in name and name not in bare[host]["host"]]
        assert "nvidia.com/gpu.present" not in converged.node(host)["metadata"]["labels"]
