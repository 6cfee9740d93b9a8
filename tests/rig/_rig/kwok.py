# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that do not exist: kwok plays their kubelets, for tests of scale."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from _rig import parts
from _rig.control_plane import NAME, wait_for
from _rig.podman import inside, podman
from _rig.shell import run, say
from _rig.state import state


def ensure() -> Path:
    return parts.ensure("kwok")


def start(count: int, kubectl: Path) -> None:
    """Let the control plane run kwok, and create nodes until there are `count`."""
    for source in (ensure() / "stages.yaml", ensure() / "bin" / "kwok"):
        target = state() / "kwok" / source.name
        if not target.exists():
            shutil.copy2(source, target.with_suffix(".part"))
            target.with_suffix(".part").rename(target)
    podman("exec", NAME, "systemctl", "start", "rig-kwok.service")
    known = _get(kubectl, "{.items[*].metadata.name}")
    missing = [node for node in map(_node, range(count)) if node["metadata"]["name"] not in known]
    if missing:
        say(f"{len(missing)} kwok nodes")
        nodes = json.dumps({"apiVersion": "v1", "kind": "List", "items": missing})
        run(kubectl, _admin(), "create", "--validate=false", "--filename=-", stdin=nodes)
    wait_for(f"{count} kwok nodes to be Ready", lambda: _ready(kubectl) >= count, _journal, 300)


def _node(index: int) -> dict[str, Any]:
    name = f"kwok-{index:04d}"
    labels = {"type": "kwok", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "spec": {"taints": [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]},
    }


def _ready(kubectl: Path) -> int:
    return _get(kubectl, '{.items[*].status.conditions[?(@.type=="Ready")].status}').count("True")


def _get(kubectl: Path, what: str) -> list[str]:
    """Words about the nodes that kwok plays."""
    return run(kubectl, _admin(), "get", "nodes", "--selector=type=kwok", f"--output=jsonpath={what}").split()


def _admin() -> str:
    return f"--kubeconfig={state()}/admin.kubeconfig"


def _journal() -> str:
    return inside(NAME, "journalctl", "--no-pager", "--quiet", "--lines=20", "--unit=rig-kwok")
