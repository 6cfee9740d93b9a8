# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's facts as node labels."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._labels import labels

DOCUMENTATION = r"""
name: gpu_labels
short_description: The facts of a GPU host as the labels of its node
version_added: 0.1.0
description:
  - Returns the labels under C(nvidia.com/) that the facts of M(kubegpu.nodes.nvidia_facts) prove, with the same keys
    and values as NVIDIA's GPU Feature Discovery, so that selectors written for it work with and without it.
  - What the facts do not know gives no label. Labels that depend on how the device plugin shares GPUs or divides them
    with MIG are GPU Feature Discovery's own.
positional: expected
options:
  _input:
    description: The facts, as in C(ansible_facts.nvidia).
    type: dict
    required: true
  expected:
    description:
      - The plan for the host, from P(kubegpu.nodes.gpu_plan#filter). With it, and only while no driver answers, the
        labels are added that carrying out the plan will surely bring. For check mode.
    type: dict
    default: {}
seealso:
  - plugin: kubegpu.nodes.gpu_labels_pending
    plugin_type: filter
  - module: kubegpu.nodes.gpu_node_label
author:
  - kubegpu.nodes authors (@kubegpu)
"""

EXAMPLES = r"""
- name: Show the labels that the node of this host should have
  ansible.builtin.debug:
    msg: "{{ ansible_facts.nvidia | kubegpu.nodes.gpu_labels }}"
  # nvidia.com/gpu.present: "true"
  # nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3
  # nvidia.com/gpu.count: "8"
  # ...
"""

RETURN = r"""
_value:
  description: Labels by key.
  type: dict
"""


def gpu_labels(facts: t.Any, expected: t.Any = None) -> dict[str, str]:
    if not isinstance(facts, t.Mapping):
        raise AnsibleFilterError("gpu_labels wants the facts of kubegpu.nodes.nvidia_facts, a dictionary")
    return labels(facts, expected or None)


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, t.Any]:
        return {"gpu_labels": gpu_labels}
