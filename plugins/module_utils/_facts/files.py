# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: digests of the files that the roles write or merge, so that no role need ask for them."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

# The one list. A role that comes to own another file adds it here.
PATTERNS = (
    "/etc/apt/sources.list.d/*nvidia*",
    "/etc/apt/sources.list.d/*cuda*",
    "/etc/apt/sources.list.d/*kubegpu*",
    "/etc/apt/preferences.d/*nvidia*",
    "/etc/apt/preferences.d/*cuda*",
    "/etc/apt/preferences.d/*kubegpu*",
    "/etc/apt/apt.conf.d/*kubegpu*",
    "/etc/apt/keyrings/*nvidia*",
    "/etc/apt/keyrings/*cuda*",
    "/etc/apt/keyrings/*kubegpu*",
    "/usr/share/keyrings/*nvidia*",
    "/usr/share/keyrings/*cuda*",
    "/etc/yum.repos.d/*nvidia*",
    "/etc/yum.repos.d/*cuda*",
    "/etc/pki/rpm-gpg/*kubegpu*",
    "/etc/modprobe.d/*.conf",
    "/etc/modules-load.d/*.conf",
    "/etc/profile.d/*cuda*",
    "/etc/profile.d/*kubegpu*",
    "/etc/ld.so.conf.d/*cuda*",
    "/etc/containerd/config.toml",
    "/etc/containerd/conf.d/*.toml",
    "/etc/docker/daemon.json",
    "/etc/crio/crio.conf",
    "/etc/crio/crio.conf.d/*",
    "/etc/nvidia-container-runtime/config.toml",
    "/etc/cdi/*",
    "/var/run/cdi/*",
    "/var/lib/kubelet/config.yaml",
    "/var/lib/kubelet/kubeadm-flags.env",
    "/etc/default/kubelet",
    "/etc/sysconfig/kubelet",
    "/etc/systemd/system/kubelet.service.d/*.conf",
    "/etc/systemd/system/containerd.service.d/*.conf",
    "/etc/systemd/system/nvidia-*.d/*.conf",
    "/etc/systemd/system/nvidia-persistenced.service",
    "/usr/local/lib/kubegpu/*",
    "/var/lib/kubegpu-*",
    "/usr/local/lib/kubegpu/__pycache__/*",
)


def _paths(host: Host, pattern: str) -> list[str]:
    """A path without a star is tried as it stands: in a closed folder it is unreadable, which is not absent."""
    return [path for path in host.glob(pattern) if not host.is_dir(path)] if "*" in pattern else [pattern]


def read(host: Host) -> Reading:
    digests: dict[str, str | None] = {}
    problems = []
    for path in sorted({path for pattern in PATTERNS for path in _paths(host, pattern)}):
        try:
            digests[path] = host.digest(path)
        except KubeGpuError as exc:
            if not exc.details.get("missing"):
                digests[path] = None
                problems.append(str(exc))
    return Reading(digests, {"files": Source(False, "; ".join(problems)) if problems else OK})
