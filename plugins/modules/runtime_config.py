# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action runtime_config, which does its work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: runtime_config
short_description: Merges a runtime into the configuration of a container engine
version_added: 0.1.0
author:
  - kubegpu.nodes authors (@kubegpu)
description:
  - Puts NVIDIA's runtime into C(config.toml) of containerd, or takes it out again. What others wrote stays, comments
    and order too; the old file is kept beside the new one.
  - The entry is a clone of the runtime that pods get without asking (C(runc), as a rule), C(SystemdCgroup) included,
    with NVIDIA's program.
  - Files of version 2, 3 and 4 are merged. A file that is not TOML, has no version (schema 1) or has Kubernetes'
    interface switched off is refused with the way out, and left untouched.
  - Where the file names no runtime at all, C(runc) is written out too, because containerd 1.x forgets its built-in one
    as soon as the file names any.
  - Does not restart containerd; RV(effective) says whether a restart is due.
requirements:
  - tomlkit (on the controller)
extends_documentation_fragment:
  - kubegpu.nodes._attributes
  - kubegpu.nodes._attributes.action
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The text of a file that holds credentials of a registry is not shown, only what is done to it.
  platform:
    platforms: posix
options:
  path:
    description: The configuration file. A missing one is begun with C(version = 2) where that is needed.
    type: path
    required: true
  state:
    description: Whether the runtime is there. V(absent) takes it out if it runs O(binary), and leaves it if not.
    type: str
    choices: [present, absent]
    default: present
  runtime:
    description: The container engine.
    type: str
    choices: [containerd]
    default: containerd
  name:
    description: Name of the runtime, which a RuntimeClass calls its handler.
    type: str
    default: nvidia
  binary:
    description: Program of the runtime.
    type: path
    default: /usr/bin/nvidia-container-runtime
  default:
    description:
      - Whether pods get the runtime without asking.
      - What the default was before is remembered in a comment on its line and comes back with V(false).
        V(false) leaves a default that somebody else has set.
    type: bool
    default: false
  systemd_cgroup:
    description: What C(runc) does in effect, as C(containerd config dump) tells it, for a file that does not say it.
    type: bool
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

- name: Containerd knows NVIDIA's runtime
  kubegpu.nodes.runtime_config:
    path: /etc/containerd/config.toml
    known_text: "{{ ansible_facts.nvidia.container.containerd.config_text | default(omit, true) }}"
    known_sha256: "{{ ansible_facts.nvidia.files['/etc/containerd/config.toml'] | default(omit) }}"
    validate: containerd --config %s config dump
  become: true
"""

RETURN = r"""
path:
  description: The configuration file.
  returned: always
  type: str
  sample: /etc/containerd/config.toml
differs:
  description:
    - Whether the file was, or in check mode is, not as it should be.
    - The same as C(changed), but C(changed_when) does not touch it.
  returned: success
  type: bool
  sample: true
effective:
  description: Whether the change says something else to the engine, so that a restart is due.
  returned: success
  type: bool
  sample: true
reasons:
  description: One sentence for each thing that was set, taken out or deliberately left.
  returned: success
  type: list
  elements: str
  sample: [runtime nvidia is added with runc's options and /usr/bin/nvidia-container-runtime]
backup_file:
  description: The old file, kept beside the new one.
  returned: when a file that was there has been changed
  type: str
  sample: /etc/containerd/config.toml.4711.2026-11-22@05:40:00~
"""
