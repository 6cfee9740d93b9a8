# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that do not exist: kwok plays their kubelets, for tests of scale."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from _rig import parts
from _rig.control_plane import NAME, wait_for
from _rig.podman import inside, podman
from _rig.shell import run, say
from _rig.state import state


def ensure() -> Path:
    return parts.ensure("kwok") / "bin" / "kwok"


def start(count: int, kubectl: Path) -> None:
    """Let the control plane run kwok, and create nodes until there are `count`."""
    target = state() / "kwok" / "kwok"
    if not target.exists():
        shutil.copy2(ensure(), target.with_suffix(".part"))
        target.with_suffix(".part").rename(target)
    podman("exec", NAME, "systemctl", "start", "rig-kwok.service")
    say(f"{count} kwok nodes")
    nodes = {"apiVersion": "v1", "kind": "List", "items": [_node(index) for index in range(count)]}
    admin = f"--kubeconfig={state()}/admin.kubeconfig"
    run(kubectl, admin, "apply", "--server-side", "--validate=false", "--filename=-", stdin=json.dumps(nodes))
    wait_for(f"{count} kwok nodes to be Ready", lambda: _ready(kubectl) >= count, _journal, 300)


def _node(index: int) -> dict[str, object]:
    name = f"kwok-{index:04d}"
    labels = {"type": "kwok", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "spec": {"taints": [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]},
    }


def _ready(kubectl: Path) -> int:
    condition = '{.items[*].status.conditions[?(@.type=="Ready")].status}'
    get = ["get", "nodes", "--selector=type=kwok", f"--output=jsonpath={condition}"]
    return run(kubectl, f"--kubeconfig={state()}/admin.kubeconfig", *get).split().count("True")


def _journal() -> str:
    return inside(NAME, "journalctl", "--no-pager", "--quiet", "--lines=20", "--unit=rig-kwok")
