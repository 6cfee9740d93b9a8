# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the options that say which cluster is meant."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module that talks to the cluster; their argument spec is in C(module_utils/_kubeconfig.py)."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of the kubeconfig on the host that runs the module, usually the controller.
      - When empty, the environment variable E(KUBECONFIG) decides, and C(~/.kube/config) where that is not set.
    type: path
    default: ''
  context:
    description:
      - The context of the kubeconfig to use. When empty, its current context.
    type: str
    default: ''
requirements:
  - python >= 3.9
  - kubernetes >= 24.2.0 (Python client), on the host that runs the module
"""
