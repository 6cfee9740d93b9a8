# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test rig keeps its word: it does nothing twice, and leaves nothing behind, however it ended.

Takes down whatever rig is up. Needs what `rig up` needs.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import CHECKOUT

RIG = CHECKOUT / "tests" / "rig" / "rig"
STATE = Path(os.environ.get("KUBEGPU_RIG_STATE", "/run/kubegpu-rig"))
OF_CONTAINERS = {"conmon", "podman", "netavark", "aardvark-dns", "runc", "crun"}
# Counters and state of the running kernel, not settings.
MOVING_SYSCTLS = (
    "fs/aio-nr",
    "fs/dentry-state",
    "fs/file-nr",
    "fs/inode-",
    "fs/quota",
    "kernel/ns_last_pid",
    "kernel/pty/nr",
    "kernel/random",
    "net/netfilter/nf_conntrack_count",
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the rig's containers are privileged: only root starts them")


def rig(*argv: str) -> str:
    answer = subprocess.run([RIG, *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def printed(*argv: str) -> list[str]:
    answer = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return answer.stdout.splitlines()


def container_ids() -> dict[str, str]:
    listed = json.loads("\n".join(printed("podman", "ps", "--filter=label=kubegpu-rig", "--format=json")) or "[]")
    return {entry["Names"][0]: entry["Id"] for entry in listed}


def nodes() -> set[str]:
    exports = [line.removeprefix("export ") for line in rig("env").splitlines()]
    path = dict(line.split("=", 1) for line in exports)["PATH"]
    kubectl = Path(path.split(":")[0]) / "kubectl"
    listed = printed(str(kubectl), f"--kubeconfig={STATE}/admin.kubeconfig", "get", "nodes", "--output=name")
    return {line.removeprefix("node/") for line in listed}


def machine() -> dict[str, Any]:
    """What of this machine the rig might leave changed."""
    return {
        "processes": sorted(_container_processes()),
        "mounts": sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "links": sorted(line.split()[0] for line in printed("ip", "-brief", "link")),
        "namespaces": sorted(path.name for path in Path("/run/netns").glob("*")),
        "cgroups": sorted(_container_cgroups()),
        "sysctls": dict(_sysctls()),
        "firewall": sorted(_firewall()),
        "volumes": sorted(printed("podman", "volume", "ls", "--quiet")),
        "networks": sorted(printed("podman", "network", "ls", "--quiet")),
        "state": STATE.exists(),
    }


def _container_processes() -> Iterator[str]:
    own = os.readlink("/proc/self/ns/pid")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
            # one that has ended and only waits for the machine's init to collect it has left
            if "\nState:\tZ" in (process / "status").read_text():
                continue
            if os.readlink(process / "ns/pid") != own or name in OF_CONTAINERS:
                yield f"{name} {process.name}"
        except OSError:  # it has ended, or it is not ours to look at
            continue


def _container_cgroups() -> Iterator[str]:
    """Podman's, and what containers made below them. Others come and go with whoever else works on this machine."""
    for path in Path("/sys/fs/cgroup").rglob("*"):
        if "libpod" in str(path) and path.is_dir():
            yield str(path)


def _sysctls() -> Iterator[tuple[str, str]]:
    root = Path("/proc/sys")
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_file() and not name.startswith(MOVING_SYSCTLS):
            try:
                yield name, path.read_text()
            except (OSError, UnicodeDecodeError):
                continue  # some may only be written


def _firewall() -> Iterator[str]:
    for program in ("iptables-save", "ip6tables-save"):
        for line in printed(program):
            if line.startswith("-A") or (line.startswith(":") and " - " in line):
                yield line


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {key: (before[key], after[key]) for key in before if key != "sysctls" and before[key] != after[key]} | {
        name: (value, after["sysctls"].get(name))
        for name, value in before["sysctls"].items()
        if after["sysctls"].get(name) != value
    }


@pytest.fixture
def before() -> Iterator[dict[str, Any]]:
    rig("build")
    rig("down")
    if printed("podman", "ps", "--all", "--quiet"):
        pytest.skip("other containers are on this machine, whose comings and goings look like the rig's")
    yield machine()
    rig("down")


def test_up_twice_does_nothing_and_down_leaves_nothing(before: dict[str, Any]) -> None:
    rig("up", "demo")
    first = container_ids()
    assert sorted(first) == ["rig-control-plane", "rig-h100", "rig-t4"]
    assert nodes() == {"rig-h100", "rig-t4"}

    rig("up", "demo")
    assert container_ids() == first, "a second `rig up` has started something again"

    rig("down")
    assert difference(before, machine()) == {}


def test_fleets_come_and_go_one_by_one(before: dict[str, Any]) -> None:
    rig("up", "demo")
    demo = container_ids()
    rig("up", "molecule")
    both = container_ids()
    assert demo.items() <= both.items(), "adding a fleet has touched another one"
    assert nodes() == {"rig-h100", "rig-t4", "mol-debian", "mol-ubuntu"}

    rig("up", "--fresh", "demo")
    fresh = container_ids()
    changed = {name for name in both if both[name] != fresh[name]}
    assert changed == {"rig-h100", "rig-t4"}

    rig("down", "demo")
    assert nodes() == {"mol-debian", "mol-ubuntu"}
    assert container_ids() == {name: fresh[name] for name in fresh if name not in changed}


@pytest.mark.parametrize("seconds", [0.6, 1.5, 3, 5])
def test_killed_it_is_cleaned_up_by_the_next(before: dict[str, Any], seconds: float) -> None:
    killed = subprocess.Popen([RIG, "up", "demo"], stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(seconds)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()

    rig("down")
    assert difference(before, machine()) == {}


def test_killed_it_goes_on_with_the_next(before: dict[str, Any]) -> None:
    killed = subprocess.Popen([RIG, "up", "demo"], stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(2)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()

    rig("up", "demo")
    assert nodes() == {"rig-h100", "rig-t4"}


def test_nodes_for_tests_of_scale(before: dict[str, Any]) -> None:
    rig("up", "--kwok-nodes", "20")
    assert nodes() == {f"kwok-{index:04d}" for index in range(20)}, "nodes that kwok plays are Ready"

    rig("up", "--kwok-nodes", "25")
    assert len(nodes()) == 25

    rig("down")
    assert difference(before, machine()) == {}
