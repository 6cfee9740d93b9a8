# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine is, and which podman options follow from it. Reading is apart from deciding."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import NamedTuple

CAP_SYS_RESOURCE = 24


class Machine(NamedTuple):
    unified_cgroups: bool  # cgroup v2 only; False: v1 or hybrid
    may_raise_limits: bool  # CAP_SYS_RESOURCE
    open_files: int  # this machine's hard limits; -1 is no limit
    processes: int
    process_ids: int


class Options(NamedTuple):
    podman: list[str]  # between `podman` and its command
    host: list[str]  # of `podman create` for a container that runs systemd


def read_machine() -> Machine:
    return Machine(
        unified_cgroups=Path("/sys/fs/cgroup/cgroup.controllers").exists(),
        may_raise_limits=bool(_effective_capabilities() & 1 << CAP_SYS_RESOURCE),
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        processes=resource.getrlimit(resource.RLIMIT_NPROC)[1],
        process_ids=int(Path("/proc/sys/kernel/pid_max").read_text()),
    )


def _effective_capabilities() -> int:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["CapEff"], 16)


def podman_options(machine: Machine) -> Options:
    """The options by which a container with systemd gets cgroups and limits of its own on this machine."""
    host = ["--privileged", "--cgroupns=private", "--pids-limit=-1", "--restart=always", "--stop-signal=37"]
    if machine.unified_cgroups:
        return Options([], [*host, "--systemd=always", *_limits(machine)])
    # On cgroup v1 podman's own systemd mode puts every container's systemd into the one hierarchy of the machine,
    # and crun refuses hybrid mode: what that mode would set up is spelled out instead, and runc runs it.
    spelled_out = [
        "--systemd=false",
        "--env=container=podman",
        "--tmpfs=/run",
        "--tmpfs=/run/lock",
        "--tmpfs=/tmp:exec",
    ]
    return Options(["--runtime=runc", "--cgroup-manager=cgroupfs"], [*host, *spelled_out, *_limits(machine)])


def _limits(machine: Machine) -> list[str]:
    """podman asks for more than a machine without CAP_SYS_RESOURCE may give."""
    if machine.may_raise_limits:
        return []
    # Measured with podman 4.3: it lowers its own limit of processes to kernel.pid_max before runc sets the container's.
    processes = machine.process_ids if machine.processes < 0 else min(machine.processes, machine.process_ids)
    limits = {"nofile": machine.open_files, "nproc": processes}
    return [f"--ulimit={name}={limit}:{limit}" for name, limit in limits.items() if limit >= 0]
