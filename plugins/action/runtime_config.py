# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of the module runtime_config, on the controller."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.containerd import SECRET
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._config_action import ConfigAction, Data
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._merge import containerd
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._merge.toml_text import MISSING

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.plugin_utils._merge.result import Merged


class ActionModule(ConfigAction):
    """A runtime of another kind is another merge: one line here, one file beside _merge/containerd.py."""

    SPEC: t.ClassVar[Data] = {
        "runtime": {"type": "str", "choices": ["containerd"], "default": "containerd"},
        "name": {"type": "str", "default": "nvidia"},
        "binary": {"type": "path", "default": "/usr/bin/nvidia-container-runtime"},
        "default": {"type": "bool", "default": False},
        "systemd_cgroup": {"type": "bool"},
    }

    SECRET = SECRET

    def merged(self, text: str, arguments: Data) -> tuple[Merged, Data]:
        if MISSING:
            raise KubeGpuError(f"is not read: {MISSING}")
        wish = containerd.Wish(
            state=arguments["state"],
            name=arguments["name"],
            binary=arguments["binary"],
            default=arguments["default"],
            systemd_cgroup=arguments["systemd_cgroup"],
        )
        return containerd.merge(text, wish), {}
