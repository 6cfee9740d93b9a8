# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup gpu_compatibility: a user's own compatibility data, from a file on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
name: gpu_compatibility
short_description: Reads a user's own compatibility data for the filter gpu_plan
version_added: 0.1.0
author:
  - kubegpu.nodes authors (@kubegpu)
description:
  - Reads a YAML file on the controller. Where it cannot be read, one sentence names the file, the line and the reason.
  - What the data may say is documented with O(kubegpu.nodes.gpu_plan#filter:compatibility).
  - The roles ask it with C(kubegpu_compatibility), a variable for all hosts or for some.
options:
  _terms:
    description: The file, relative to the folder that Ansible was started in. Empty stands for no data of one's own.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Plan with data of our own
  vars:
    ours: "{{ lookup('kubegpu.nodes.gpu_compatibility', 'compatibility.yml') }}"
  ansible.builtin.debug:
    msg: "{{ ansible_facts.nvidia | kubegpu.nodes.gpu_plan({'driver': {'branch': '580'}}, compatibility=ours) }}"
"""

RETURN = r"""
_raw:
  description: The data of each file.
  type: list
  elements: dict
"""

import os
import typing as t

import yaml
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase


class _Loader(yaml.SafeLoader):
    """Days without quotes stay the texts that the data wants. Besides, ansible-core 2.16 cannot pass a day on."""

    yaml_implicit_resolvers = {
        first: [rule for rule in rules if rule[0] != "tag:yaml.org,2002:timestamp"]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible-core ships no types
    def run(
        self, terms: list[str], variables: t.Mapping[str, t.Any] | None = None, **options: t.Any
    ) -> list[dict[str, t.Any]]:
        self.set_options(var_options=variables, direct=options)
        return [_read(os.path.abspath(os.path.expanduser(term))) if term else {} for term in terms]


def _read(path: str) -> dict[str, t.Any]:
    try:
        with open(path, encoding="utf-8") as file:
            data = yaml.load(file, Loader=_Loader)
    except OSError as error:
        raise _error(path, str(error.strerror or error).lower()) from None
    except UnicodeDecodeError:
        raise _error(path, "it is not a text in UTF-8") from None
    except yaml.YAMLError as error:
        raise _error(path, f"it is not YAML{_where(error)}") from None
    except ValueError as error:  # what a tag such as !!int says is not so
        raise _error(path, str(error)) from None
    if not isinstance(data, dict):
        raise _error(path, "it has no keys, such as branches")
    return data


def _where(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{place} ({problem})" if problem else place


def _error(path: str, reason: str) -> AnsibleLookupError:
    return AnsibleLookupError(f"The compatibility data {path} (kubegpu_compatibility) cannot be used: {reason}.")
