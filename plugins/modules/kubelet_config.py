# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action kubelet_config, which does its work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubelet_config
short_description: Merges wishes into the configuration file of a kubelet
version_added: 0.1.0
author:
  - kubegpu.nodes authors (@kubegpu)
description:
  - Merges keys into a C(KubeletConfiguration). What others wrote stays, comments and order too; the old file is kept
    beside the new one.
  - A comment above each key remembers what it was before. So a wish that is dropped, and O(state=absent), bring the
    value from before back; a value that somebody else changed since is left alone.
  - Feature gates that would stop the kubelet, because its version does not know them or has them locked, are refused by
    name before anything is touched.
  - A file that is not YAML, or is JSON, or no C(KubeletConfiguration), is refused and left untouched.
  - Does not restart the kubelet; RV(effective) says whether a restart is due.
requirements:
  - ruamel.yaml (on the controller)
extends_documentation_fragment:
  - kubegpu.nodes._attributes
  - kubegpu.nodes._attributes.action
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: posix
options:
  path:
    description: The configuration file, which must exist if anything is wished for.
    type: path
    required: true
  state:
    description: V(present) merges the wishes, V(absent) takes back all that was merged by this action.
    type: str
    choices: [present, absent]
    default: present
  config:
    description:
      - Keys of a C(KubeletConfiguration), as they stand in the file.
      - Mappings are merged key by key, lists are replaced, V(null) is no wish.
    type: dict
    default: {}
  feature_gates:
    description: Feature gates, each V(true) or V(false); the same as C(featureGates) in O(config).
    type: dict
    default: {}
  topology_manager_policy:
    description: Policy of the topology manager; the same as C(topologyManagerPolicy) in O(config).
    type: str
    choices: [none, best-effort, restricted, single-numa-node]
  kubelet_version:
    description: Version of the kubelet, to judge feature gates by. Without it they are not judged.
    type: str
  known_text:
    description:
      - The text of the file, if it is known from RV(kubegpu.nodes.nvidia_facts#module:ansible_facts.nvidia).
      - It is believed only if O(known_sha256) is its digest; then the file is not read again, and if nothing is to be
        changed, nothing reaches the host.
    type: str
  known_sha256:
    description: Digest of the file on the host.
    type: str
  validate:
    description: Command that must accept the new file before it takes its place; V(%s) is its path.
    type: str
"""

EXAMPLES = r"""
- name: Read the host
  kubegpu.nodes.nvidia_facts:

- name: The kubelet keeps GPUs and CPUs together
  kubegpu.nodes.kubelet_config:
    path: /var/lib/kubelet/config.yaml
    topology_manager_policy: best-effort
    feature_gates:
      ResourceHealthStatus: true
    kubelet_version: "{{ ansible_facts.nvidia.kubelet.version }}"
    known_text: "{{ ansible_facts.nvidia.kubelet.config_text | default(omit, true) }}"
    known_sha256: "{{ ansible_facts.nvidia.files['/var/lib/kubelet/config.yaml'] | default(omit) }}"
  become: true
"""

RETURN = r"""
path:
  description: The configuration file.
  returned: always
  type: str
  sample: /var/lib/kubelet/config.yaml
differs:
  description:
    - Whether the file was, or in check mode is, not as it should be.
    - The same as C(changed), but C(changed_when) does not touch it.
  returned: success
  type: bool
  sample: true
effective:
  description: Whether the change says something else to the kubelet, so that a restart is due.
  returned: success
  type: bool
  sample: true
reasons:
  description: One sentence for each key that was set, taken back or deliberately left.
  returned: success
  type: list
  elements: str
  sample: ['topologyManagerPolicy is set to "best-effort" (before: unset)']
health_url:
  description: Where a kubelet with this configuration says that it is well; null where it is told not to.
  returned: when there is a file
  type: str
  sample: http://127.0.0.1:10248/healthz
unknown_gates:
  description: Feature gates that could not be judged, because the data does not cover this version of the kubelet.
  returned: when O(state=present)
  type: list
  elements: str
  sample: []
backup_file:
  description: The old file, kept beside the new one.
  returned: when the file has been changed
  type: str
  sample: /var/lib/kubelet/config.yaml.4711.2026-11-22@05:40:00~
"""
