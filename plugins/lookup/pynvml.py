# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup pynvml: where the controller's own copy of NVIDIA's Python binding of NVML is."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pynvml
short_description: Finds the controller's copy of pynvml.py, NVIDIA's Python binding of NVML
version_added: 0.1.0
author:
  - kubegpu.nodes authors (@kubegpu)
description:
  - Finds C(pynvml.py) of the Python package C(nvidia-ml-py) that Ansible's own Python has. It is one file without
    dependencies, under a licence (BSD) that stands at its top, so that it may be carried to the hosts.
  - Where the controller does not have the package, all values are V(null) and a warning says so. Nothing is imported.
  - The role P(kubegpu.nodes.nvidia_driver#role) carries the file over for M(kubegpu.nodes.nvidia_facts).
options:
  _terms:
    description: Nothing.
    type: list
    elements: str
    default: []
seealso:
  - module: kubegpu.nodes.nvidia_facts
"""

EXAMPLES = r"""
- name: Which pynvml the hosts will get
  ansible.builtin.debug:
    msg: "{{ lookup('kubegpu.nodes.pynvml').version }}"
"""

RETURN = r"""
_raw:
  description: One dict.
  type: list
  elements: dict
  contains:
    path:
      description: Path of the file on the controller.
      type: str
      sample: /usr/lib/python3/dist-packages/pynvml.py
    version:
      description: Version of the package.
      type: str
      sample: 13.615.71
    sha256:
      description: SHA-256 of the file, in hex.
      type: str
      sample: 2828e66b483bec218f461314f6da96c1e56330ed4b297a20b3444b4c43cdd14e
"""

import hashlib
import typing as t
from importlib import metadata
from pathlib import Path

from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

PACKAGE = "nvidia-ml-py"
FILE = "pynvml.py"


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible-core ships no types
    def run(
        self, terms: list[str], variables: t.Mapping[str, t.Any] | None = None, **options: t.Any
    ) -> list[dict[str, str | None]]:
        self.set_options(var_options=variables, direct=options)
        return [_find()]


def _find() -> dict[str, str | None]:
    try:
        package = metadata.distribution(PACKAGE)
        path = Path(str(package.locate_file(FILE)))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (metadata.PackageNotFoundError, OSError) as exc:
        Display().warning(
            f"The controller's Python has no {PACKAGE} ({exc}), so the hosts get no pynvml from it and nvidia_facts "
            f"asks nvidia-smi there. Install {PACKAGE} beside Ansible to have NVML asked."
        )
        return {"path": None, "version": None, "sha256": None}
    return {"path": str(path), "version": package.version, "sha256": digest}
