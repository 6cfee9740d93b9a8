# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter gpu_plan: what has to happen on a host, decided from its facts and from what is wished for."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._plan import plan

DOCUMENTATION = r"""
name: gpu_plan
short_description: What has to happen on a GPU host, or why it is refused
version_added: 0.1.0
author:
  - kubegpu.nodes authors (@kubegpu)
description:
  - Compares the facts of M(kubegpu.nodes.nvidia_facts) with wishes and with the compatibility data of the collection.
  - It is a pure function of its input. The roles act on its value, so that check mode and tasks cannot disagree.
  - A part that no wish names is left alone.
positional: wishes
options:
  _input:
    description: C(ansible_facts.nvidia) of the host.
    type: dict
    required: true
  wishes:
    description: What the host should have.
    type: dict
    required: true
    suboptions:
      driver:
        description: The driver. Without it the driver is left alone.
        type: dict
        suboptions:
          state:
            description: Whether there should be a driver. V(absent) takes away only what this collection has installed.
            type: str
            choices: [present, absent]
            default: present
          branch:
            description: Branch of the driver, such as V(580). Any version of it will do, unless one is named.
            type: str
          version:
            description: Exact version, such as V(580.95.05).
            type: str
          flavour:
            description: Kernel modules. V(auto) is what NVIDIA recommends for the branch and the cards.
            type: str
            choices: [auto, open, proprietary]
            default: auto
      cuda:
        description: CUDA toolkits. Without it they are left alone.
        type: dict
        suboptions:
          state:
            description: Whether these toolkits should be there.
            type: str
            choices: [present, absent]
            default: present
          versions:
            description: Toolkits, side by side, such as V(13.0).
            type: list
            elements: str
          default:
            description: The toolkit that C(/usr/local/cuda) is to lead to, such as V(13.0). Any if empty.
            type: str
      toolkit:
        description: The NVIDIA container toolkit. Without it it is left alone.
        type: dict
        suboptions:
          state:
            description: Whether there should be a container toolkit.
            type: str
            choices: [present, absent]
            default: present
          version:
            description: Exact version, such as V(1.20.0); any if empty.
            type: str
          mirror:
            description: The same as O(wishes.mirror) for the toolkit's repository.
            type: str
      mirror:
        description: Base address that stands in for NVIDIA's hosts. It must be reached over TLS.
        type: str
      cluster:
        description: What the cluster knows of this host.
        type: dict
        suboptions:
          node:
            description: Name of the host's node.
            type: str
          registered:
            description: Whether the cluster has this node.
            type: bool
"""

EXAMPLES = r"""
- name: Show what driver 580 would mean for a host
  ansible.builtin.debug:
    msg: "{{ ansible_facts.nvidia | kubegpu.nodes.gpu_plan({'driver': {'branch': '580'}}) }}"
"""

RETURN = r"""
_value:
  description: The plan.
  type: dict
  contains:
    refusals:
      description:
        - Why this host or these wishes are refused, all reasons at once. Nothing may be done unless this is empty.
        - C(sentence) says all of it, C(rule), C(found), C(wanted) and C(way_out) say it to a program.
      type: list
      elements: dict
    warnings:
      description: What a person should know although nothing is refused.
      type: list
      elements: str
    driver:
      description:
        - C(action) is V(none) only if the facts prove that nothing has to be done, else V(install), V(change) (another
          driver is installed), V(load) (it is installed, not loaded), V(reboot) (another one is loaded) or V(absent).
        - C(version) (V(null) is the newest of the branch in the repository), C(branch), C(flavour), C(flavour_reason).
        - C(packages) with C(name), C(version_pin) and C(spec), C(pin) for the package manager, C(remove) with names.
        - C(disruption) is V(none), V(load), V(unload) or V(reboot). C(reason) is in words.
      type: dict
    cuda:
      description:
        - C(action) is V(none), V(install), V(default) (only the link differs) or V(absent).
        - C(packages), C(missing) versions, C(default) path, packages to C(remove), C(remove_default).
      type: dict
    toolkit:
      description: C(action) (V(none), V(install), V(change), V(absent)), C(version), C(packages).
      type: dict
    repository:
      description: C(needed) tells whether anything on the host comes from NVIDIA's repository of drivers and CUDA.
      type: dict
    summary:
      description: One sentence for each change to come.
      type: list
      elements: str
"""


def gpu_plan(facts: t.Any, wishes: t.Any) -> dict[str, t.Any]:
    for name, value in (("the facts of a host (ansible_facts.nvidia)", facts), ("a dict of wishes", wishes)):
        if not isinstance(value, Mapping):
            raise AnsibleFilterError(f"kubegpu.nodes.gpu_plan needs {name}, not {type(value).__name__}")
    return plan(facts, wishes)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"gpu_plan": gpu_plan}
