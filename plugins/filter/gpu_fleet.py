# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of preflight: the decision of one host in words, and the summary of all."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _decision, _fleet

DOCUMENTATION = r"""
name: gpu_fleet
short_description: How many hosts of a fleet have which GPUs and driver, and what was decided for them
version_added: 0.1.0
author:
  - kubegpu.nodes authors (@kubegpu)
description:
  - Sums up what the filter P(kubegpu.nodes.gpu_decision#filter) returned for each host.
  - Counts hosts too that were refused, that could not be reached, or that failed before they were read.
  - It is a pure function of its input.
positional: hostvars, living
options:
  _input:
    description: Names of all hosts of the play, in the order of the report.
    type: list
    elements: str
    required: true
  hostvars:
    description: >-
      Variables of all hosts. Read are C(__gpu_preflight_decision), the value of the other filter, and
      C(__gpu_preflight_reading), what the task that read the host returned if it failed.
    type: dict
    required: true
  living:
    description:
      - Hosts that have not failed yet, C(ansible_play_hosts).
      - One of them without a decision is of a batch still to come, and is not counted.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the summary that preflight wrote into a file
  ansible.builtin.debug:
    msg: "{{ (lookup('ansible.builtin.file', 'preflight.json') | from_json).summary.decisions }}"

- name: Sum up the fleet in a play that holds the role gpu_preflight
  ansible.builtin.debug:
    msg: "{{ (ansible_play_hosts_all | kubegpu.nodes.gpu_fleet(hostvars, ansible_play_hosts)).words }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The fleet.
  type: dict
  contains:
    summary:
      description:
        - C(hosts), their number. C(decisions), the numbers of hosts by decision.
        - C(drivers), the numbers of hosts by loaded version, V(none) or V(not known).
        - C(models), with the numbers of C(hosts) and C(gpus) of each. A host with two models counts for each.
        - C(disruptions), the numbers of hosts that a run would disturb, by V(load), V(reload), V(unload), V(reboot).
        - C(with_warnings), the number of hosts with warnings.
      type: dict
    hosts:
      description:
        - The decision of each host. That of one that was not read is V(unreachable) or V(failed), with C(reasons), and
          what is not known of it is null.
      type: list
      elements: dict
    stats:
      description: The summary, and the decision of each host in short, for M(ansible.builtin.set_stats).
      type: dict
    words:
      description: The summary as lines for people.
      type: list
      elements: str
"""


def gpu_fleet(hosts: t.Any, hostvars: t.Any, living: t.Any) -> dict[str, t.Any]:
    return _fleet.fleet(hosts, hostvars, living)


def gpu_decision(facts: t.Any, plan: t.Any, host: str, node: str | None = None) -> dict[str, t.Any]:
    for name, value in (("the facts of a host (ansible_facts.nvidia)", facts), ("the plan of the host", plan)):
        if not isinstance(value, Mapping):
            raise AnsibleFilterError(f"kubegpu.nodes.gpu_decision needs {name}, not {type(value).__name__}")
    return _decision.decision(facts, plan, host, node)


class FilterModule:
    """Names of the filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"gpu_fleet": gpu_fleet, "gpu_decision": gpu_decision}
