# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a process is."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import processes
from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host
from hypothesis import given
from hypothesis import strategies as st

ID = "0123456789abcdef" * 4
OTHER = "fedcba9876543210" * 4
POD = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1b2c.slice"

# text of the file: unit, container
CGROUPS = {
    "service": ("0::/system.slice/nvidia-persistenced.service\n", "nvidia-persistenced.service", None),
    "service with a delegated tree": ("0::/system.slice/foo.service/workers/a.service\n", "foo.service", None),
    "template": (
        "0::/system.slice/system-getty.slice/getty@tty1.service\n",
        "getty@tty1.service",
        None,
    ),
    "login": ("0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope", None),
    "user's service": ("0::/user.slice/user-0.slice/user@0.service/app.slice/x.service\n", "user@0.service", None),
    "containerd, systemd driver": (f"0::/{POD}/cri-containerd-{ID}.scope\n", None, ID),
    "CRI-O": (f"0::/{POD}/crio-{ID}.scope\n", None, ID),
    "CRI-O, one below": (f"0::/{POD}/crio-{ID}.scope/container\n", None, ID),
    "docker": (f"0::/system.slice/docker-{ID}.scope\n", None, ID),
    "podman": (f"0::/machine.slice/libpod-{ID}.scope/container\n", None, ID),
    "containerd, cgroupfs driver": (f"0::/kubepods/burstable/pod1b2c/{ID}\n", None, ID),
    "docker, cgroupfs driver": (f"0::/docker/{ID}\n", None, ID),
    "drivers disagree": (f"0::/system.slice/containerd.service/{POD[-29:]}:cri-containerd:{ID}\n", None, ID),
    "systemd in a container": (f"0::/{POD}/cri-containerd-{ID}.scope/system.slice/x.service\n", None, ID),
    "container in a container": (f"0::/system.slice/docker-{OTHER}.scope/kubelet/{ID}\n", None, ID),
    "seen from another namespace": (f"0::/../../{POD}/cri-containerd-{ID}.scope\n", None, ID),
    "watcher of a container": (f"0::/machine.slice/libpod-conmon-{ID}.scope\n", f"libpod-conmon-{ID}.scope", None),
    "gone group": (f"0::/system.slice/docker-{ID}.scope (deleted)\n", None, ID),
    "v1": ("12:devices:/system.slice/a.service\n1:name=systemd:/system.slice/b.service\n", "b.service", None),
    "v1, container": (f"3:cpu,cpuacct:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/\n", None, ID),
    "hybrid": ("1:name=systemd:/system.slice/b.service\n0::/system.slice/c.service\n", "c.service", None),
    "root": ("0::/\n", None, None),
    "in the root of a slice": ("0::/system.slice\n", None, None),
    "in a strange folder": ("0::/lxc.payload.gpu/system.slice/x.service\n", None, None),
    "short id": (f"0::/docker/{ID[:63]}\n", None, None),
    "truncated": ("0::", None, None),
    "empty": ("", None, None),
}


@pytest.mark.parametrize("text, unit, container", CGROUPS.values(), ids=CGROUPS.keys())
def test_owner(text: str, unit: str | None, container: str | None) -> None:
    assert processes.owner_of_cgroup(text) == (unit, container)


@given(st.text(max_size=80) | st.lists(st.sampled_from(["0::/", "/", ID, ".scope", "-", ":", "\n", "1:"])).map("".join))
def test_nonsense(text: str) -> None:
    unit, container = processes.owner_of_cgroup(text)
    assert unit is None or container is None


def test_of_a_process(tmp_path: Path) -> None:
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/cgroup").write_text("0::/system.slice/a.service\n", encoding="utf-8")
    (tmp_path / "proc/7/comm").write_text("trainer\n", encoding="utf-8")
    host = Host(str(tmp_path))
    assert (processes.name(host, 7), processes.owner(host, 7)) == ("trainer", ("a.service", None))
    assert (processes.name(host, 8), processes.owner(host, 8)) == (None, processes.NOBODY)
