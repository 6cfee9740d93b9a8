# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the scenarios: what a picture of the cluster holds, and how two pictures differ."""

from __future__ import annotations

from typing import Any

MISSING = "missing"


def cluster_picture(answer: dict[str, Any], node: str) -> dict[str, Any]:
    """Name -> what a role could change; not what changes by itself (resourceVersion, conditions, heartbeats)."""
    found: dict[str, Any] = {}
    for thing in answer["items"]:
        meta = thing["metadata"]
        if thing["kind"] == "Node" and meta["name"] != node:
            continue
        found[f"{thing['kind']} {meta.get('namespace', '-')}/{meta['name']}"] = {
            "labels": meta.get("labels") or {},
            "annotations": meta.get("annotations") or {},
            "taints": thing.get("spec", {}).get("taints") or [],
            "unschedulable": bool(thing.get("spec", {}).get("unschedulable")),
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
