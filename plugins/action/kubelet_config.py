# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of the module kubelet_config, on the controller."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.kubelet import SECRET
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _kubelet_gates
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._config_action import ConfigAction, Data
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._merge import kubelet
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._merge.result import Merged


class ActionModule(ConfigAction):
    """Gates are judged before anything is read."""

    SPEC: t.ClassVar[Data] = {
        "config": {"type": "dict", "default": {}},
        "feature_gates": {"type": "dict", "default": {}},
        "topology_manager_policy": {
            "type": "str",
            "choices": ["none", "best-effort", "restricted", "single-numa-node"],
        },
        "kubelet_version": {"type": "str"},
    }

    SECRET = SECRET

    def merged(self, text: str, arguments: Data) -> tuple[Merged, Data]:
        if kubelet.MISSING:
            raise KubeGpuError(f"is not read: {kubelet.MISSING}")
        if arguments["state"] == "absent":
            return self._absent(text)
        if not text:
            raise KubeGpuError(
                "is not there; join the host to a cluster first, so that its kubelet has a configuration"
            )
        wish = wished(arguments)
        judgement = _kubelet_gates.judge(wish.get("featureGates") or {}, arguments["kubelet_version"])
        if judgement.refused:
            raise KubeGpuError(
                f"keeps its feature gates, for these would stop the kubelet: {'; '.join(judgement.refused)}"
            )
        merge = kubelet.merge(text, wish)
        return merge, {"health_url": health_url(kubelet.read(merge.text)), "unknown_gates": judgement.unknown}

    def _absent(self, text: str) -> tuple[Merged, Data]:
        if not text:
            return Merged(text, changed=False, effective=False, reasons=[]), {}
        merge = kubelet.merge(text, {})
        return merge, {"health_url": health_url(kubelet.read(merge.text))}


def health_url(config: Data) -> str | None:
    """Where this kubelet says that it is well; None: it is told not to (port 0)."""
    host, port = config.get("healthzBindAddress") or "127.0.0.1", config.get("healthzPort", 10248)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/healthz" if port else None


def wished(arguments: Data) -> Data:
    """One KubeletConfiguration of the three ways to wish; a key wished for twice and differently is refused."""
    config = json.loads(json.dumps(arguments["config"]))  # plain types: no tags of Ansible's
    gates = json.loads(json.dumps(arguments["feature_gates"]))
    both = config.setdefault("featureGates", {})
    twice = [f"featureGates.{name}" for name, value in gates.items() if both.get(name, value) is not value]
    both.update(gates)
    policy = arguments["topology_manager_policy"]
    if policy is not None:
        if config.get("topologyManagerPolicy", policy) != policy:
            twice.append("topologyManagerPolicy")
        config["topologyManagerPolicy"] = str(policy)
    if twice:
        raise KubeGpuError(f"is not touched: {', '.join(twice)} is wished for twice, and differently; say it once")
    return t.cast(Data, config)
