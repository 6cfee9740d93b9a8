# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the report: rows from what hosts and cluster show, a table from rows."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _report

DOCUMENTATION = r"""
name: gpu_report
short_description: One row a node, of what its GPUs, its stack and its proof show
version_added: 0.1.0
author:
  - kubegpu.nodes authors (@kubegpu)
description:
  - Joins the facts of hosts with their Nodes and their proof pods, and judges each host.
  - It is a pure function of its input and of the clock.
positional: hostvars, nodes
options:
  _input:
    description: Names of all hosts of the play, in the order of the report.
    type: list
    elements: str
    required: true
  hostvars:
    description: >-
      Variables of all hosts. Read are C(ansible_facts.nvidia), C(__gpu_validate_node) (the node's name)
      and C(__gpu_preflight_started) (epoch seconds).
    type: dict
    required: true
  nodes:
    description: The C(nodes) that M(kubegpu.nodes.gpu_node_label) returned.
    type: dict
    required: true
  living:
    description: Hosts that have not failed yet. The others are reported as V(not reached). By default all are living.
    type: list
    elements: str
  pods:
    description: Proof pods, and for the final word the pods of the device plugin too, as the API returns them.
    type: list
    elements: dict
    default: []
  events:
    description: Events of these pods, as the API returns them.
    type: list
    elements: dict
    default: []
  patient:
    description: A proof that finds no free GPU may still get one, so go on waiting for it.
    type: bool
    default: false
  final:
    description: The time for waiting is over. What is still waited for has failed.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Show how the hosts of the play stand
  vars:
    rows: "{{ ansible_play_hosts | kubegpu.nodes.gpu_report(hostvars, seen.nodes) }}"
  ansible.builtin.debug:
    msg: "{{ (rows | kubegpu.nodes.gpu_table).splitlines() }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary for each host, with C(host), C(node), C(gpus) (count by model), C(driver), C(cuda_limit), C(toolkit),
      C(runtime), C(allocatable), C(labels), C(validation), C(reason) and C(seconds). What is not known is null.
    - C(validation) is V(passed), V(passed (no GPU free)), V(failed), V(not reached), or, only where O(final=false),
      V(waiting for the node) or V(waiting for the proof).
  type: list
  elements: dict
"""


def gpu_report(
    hosts: list[str],
    hostvars: t.Mapping[str, t.Any],
    nodes: t.Mapping[str, t.Any],
    living: list[str] | None = None,
    **observed: t.Any,
) -> list[dict[str, t.Any]]:
    """The rows of the report, as of now."""
    seen = _report.Observed(nodes, **observed)
    return _report.rows(hosts, hosts if living is None else living, hostvars, seen, time.time())


class FilterModule:
    """Names of the filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"gpu_report": gpu_report, "gpu_table": _report.table}
