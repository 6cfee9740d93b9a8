# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the scenarios: what a picture of the cluster holds, and how two pictures differ."""

from __future__ import annotations

from typing import Any

MISSING = "missing"
# Taints that the cluster gives to a node by its condition and takes away again.
OF_ITS_CONDITION = "node.kubernetes.io/"


def cluster_picture(answer: dict[str, Any], node: str, whole: bool) -> dict[str, Any]:
    """Name -> what a role could change; not what changes by itself (resourceVersion, conditions, heartbeats).

    The host's own Node, and what is nobody's in particular where the scenario has the `whole` cluster to itself.
    """
    found: dict[str, Any] = {}
    for thing in answer["items"]:
        meta, spec = thing["metadata"], thing.get("spec") or {}
        if meta["name"] != node if thing["kind"] == "Node" else not whole:
            continue
        found[f"{thing['kind']} {meta.get('namespace', '-')}/{meta['name']}"] = {
            "labels": meta.get("labels") or {},
            "annotations": meta.get("annotations") or {},
            "taints": [taint for taint in spec.get("taints") or [] if not taint["key"].startswith(OF_ITS_CONDITION)],
            "unschedulable": bool(spec.get("unschedulable")),
        }
    return found


def differences(before: dict[str, Any], after: dict[str, Any], may_differ: tuple[str, ...] = ()) -> list[str]:
    """One line for each name whose value is not the same; `may_differ` names are beginnings of names."""
    names = sorted(name for name in before.keys() | after.keys() if not name.startswith(tuple(may_differ)))
    pairs = ((name, before.get(name, MISSING), after.get(name, MISSING)) for name in names)
    return [f"{name}: was {old}, is {new}" for name, old, new in pairs if old != new]


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"cluster_picture": cluster_picture, "differences": differences}
