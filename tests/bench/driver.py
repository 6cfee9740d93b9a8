#!/usr/bin/env python3
# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles nvidia_driver and cuda cost: a converged host, and a first install beside the bare package manager.

A converged host: module executions of both roles, on the rig's own packages. A first install: wall time of Debian's
real driver packages, whose modules DKMS really builds, by the role and by apt-get as a person would call it; each on a
fresh host of the same kind, one after the other, from the same mirror. Prints a table, and JSON to the file named by
--json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench import BENCH, CHECKOUT, RIG, cost

INVENTORY = BENCH / "driver"
MOST_EXECUTIONS = 3
CUDA = "13.0"
STUB, REAL = "bench-stub", "distro-debian"
# The rig has no image of Debian's kernel, only its headers: it is the one that boots next, as far as /boot tells.
KERNEL = """apt-get -qq update
apt-get -qq install --no-install-recommends --yes linux-headers-amd64 >/dev/null
for headers in /usr/src/linux-headers-*-amd64; do touch /boot/vmlinuz-${headers#/usr/src/linux-headers-}; done"""
COMPONENTS = "sed -i 's/ main$/ main contrib non-free non-free-firmware/' /etc/apt/sources.list; apt-get -qq update"
PACKAGES = "dkms nvidia-kernel-dkms nvidia-smi libcuda1 libnvidia-ml1 nvidia-persistenced nvidia-modprobe"
INSTALL = f"DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends --yes {PACKAGES}"
# Where another kernel runs than the one with the headers, DKMS may have passed that one over.
BUILD = """kernel=$(ls /boot | sed -n s/^vmlinuz-//p)
dkms status | grep -q "$kernel.*installed" || dkms autoinstall --kernelver "$kernel" """


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("converged", "first"), help="one of the two")
    parser.add_argument("--json", type=Path, default=CHECKOUT / "tests" / "output" / "bench-driver.json")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    if options.only != "first":
        found["converged"] = converged()
    if options.only != "converged":
        found["first"] = first()
    print(table(found))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=2) + "\n")
    print(f"as JSON: {options.json}")
    return 1 if found.get("converged", {}).get("executions", 0) > MOST_EXECUTIONS else 0


def converged() -> dict[str, Any]:
    """Both roles, once to get there and once more."""
    fresh("bench-driver")
    argv = play(STUB, cuda_versions=[CUDA])
    cost(argv)
    spent = cost(argv)
    return {"seconds": round(spent.seconds, 1), "executions": max(spent.executions.values(), default=0)}


def first() -> dict[str, Any]:
    """apt-get, then the role. What both download is fetched once before, so that the second finds no warmer mirror."""
    fresh("distro")
    inside(KERNEL, COMPONENTS, INSTALL.replace("install", "install --download-only", 1))
    found = {}
    for name, work in (("apt-get", by_hand), ("role", by_role)):
        fresh("distro")
        inside(KERNEL)
        print(f"bench: a first install by {name} ...", file=sys.stderr, flush=True)
        begun = time.monotonic()
        work()
        found[name] = round(time.monotonic() - begun, 1)
        inside("dkms status | grep -q installed", "nvidia-smi --help >/dev/null")
    return {**found, "more": round((found["role"] / found["apt-get"] - 1) * 100, 1)}


def by_hand() -> None:
    inside(COMPONENTS, INSTALL, BUILD)


def by_role() -> None:
    cost(play(REAL, nvidia_driver_source="distro", nvidia_driver_branch="newest"))


def play(host: str, **variables: Any) -> list[str]:
    argv = ["ansible-playbook", str(INVENTORY / "roles.yml"), "-i", str(INVENTORY / "hosts.yml"), "--limit", host]
    return [*argv, "-e", json.dumps(variables)]


def fresh(fleet: str) -> None:
    subprocess.run([sys.executable, RIG, "up", "--fresh", fleet], check=True)


def inside(*lines: str) -> None:
    """Commands on the host with the real packages, past ansible."""
    script = "\n".join(["set -e", *lines])
    answer = subprocess.run(["podman", "exec", REAL, "sh", "-c", script], capture_output=True, text=True)
    if answer.returncode != 0:
        sys.exit(f"{script}\nended with {answer.returncode}:\n{answer.stdout[-4000:]}\n{answer.stderr[-2000:]}")


def table(found: dict[str, Any]) -> str:
    lines = []
    if "converged" in found:
        spent = found["converged"]
        words = f"{spent['executions']} module executions (at most {MOST_EXECUTIONS})"
        lines.append(f"converged, both roles              {spent['seconds']:7.1f} s  {words}")
    if "first" in found:
        times = found["first"]
        lines.append(f"first install, apt-get by hand     {times['apt-get']:7.1f} s")
        lines.append(f"first install, role nvidia_driver  {times['role']:7.1f} s  {times['more']:+.1f} %")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
