# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label keys that a host's facts cannot tell the value of."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._labels import pending

DOCUMENTATION = r"""
name: gpu_labels_pending
short_description: Keys of labels that the facts of a GPU host cannot tell yet
version_added: 0.1.0
description:
  - Returns the keys that P(kubegpu.nodes.gpu_labels#filter) knows of and gives no value for, because no driver answers
    or the driver does not say. They are to be left as they are on the node until it does.
options:
  _input:
    description: The facts of M(kubegpu.nodes.nvidia_facts), as in C(ansible_facts.nvidia).
    type: dict
    required: true
seealso:
  - plugin: kubegpu.nodes.gpu_labels
    plugin_type: filter
author:
  - kubegpu.nodes authors (@kubegpu)
"""

EXAMPLES = r"""
- name: Say which labels will come with the driver
  ansible.builtin.debug:
    msg: "{{ ansible_facts.nvidia | kubegpu.nodes.gpu_labels_pending | join(', ') }}"
"""

RETURN = r"""
_value:
  description: Keys of labels, sorted; empty for a host without NVIDIA GPUs.
  type: list
  elements: str
"""


def gpu_labels_pending(facts: t.Any) -> list[str]:
    if not isinstance(facts, t.Mapping):
        raise AnsibleFilterError("gpu_labels_pending wants the facts of kubegpu.nodes.nvidia_facts, a dictionary")
    return pending(facts)


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, t.Any]:
        return {"gpu_labels_pending": gpu_labels_pending}
