#!/usr/bin/env python3
# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles nvidia_driver and cuda cost: a converged host, and a first install beside the bare package manager.

A converged host: module executions of both roles, on the rig's own packages. A first install: wall time of Debian's
real driver packages, whose modules DKMS really builds, by the role and by apt-get as a person would call it; each on a
fresh host of the same kind, in turns, from the same mirror. The compiler does the same work for both and takes most of
the time, up to a third more in one run than in the next; so what the role adds is the difference of all the rest, as a
part of the whole installation by hand. Of several rounds the fastest counts. Prints a table, and JSON with each round
to the file named by --json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from bench import BENCH, CHECKOUT, RIG, cost

INVENTORY = BENCH / "driver"
MOST_EXECUTIONS = 3
MOST_MORE = 10
CUDA = "13.0"
STUB, REAL = "bench-stub", "distro-debian"
# The rig has no image of Debian's kernel: it is the one that boots next, as far as /boot tells. Its headers are part of
# the installation.
KERNEL = """apt-get -qq update
kernel=$(apt-cache depends linux-headers-amd64 | sed -n 's/.*Depends: linux-headers-//p')
mkdir -p "/lib/modules/$kernel"
touch "/boot/vmlinuz-$kernel" """
COMPONENTS = "sed -i 's/ main$/ main contrib non-free non-free-firmware/' /etc/apt/sources.list; apt-get -qq update"
PACKAGES = "nvidia-kernel-dkms nvidia-smi libcuda1 libnvidia-ml1 nvidia-persistenced nvidia-modprobe"
GET = "DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends --yes"
INSTALL = f"{GET} linux-headers-$(ls /boot | sed -n s/^vmlinuz-//p) {PACKAGES}"
# Where another kernel runs than the one with the headers, DKMS may have passed that one over.
BUILD = """kernel=$(ls /boot | sed -n s/^vmlinuz-//p)
dkms status | grep -q "$kernel.*installed" || dkms autoinstall --kernelver "$kernel" """


class Install(NamedTuple):
    seconds: float
    build: float

    @property
    def rest(self) -> float:
        return self.seconds - self.build


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("converged", "first"), help="one of the two")
    parser.add_argument("--rounds", type=int, default=3, help="of the first install, about five minutes each")
    parser.add_argument("--json", type=Path, default=CHECKOUT / "tests" / "output" / "bench-driver.json")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    if options.only != "first":
        found["converged"] = converged()
    if options.only != "converged":
        found["first"] = first(options.rounds)
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


def first(rounds: int) -> dict[str, Any]:
    """apt-get and the role in turns. What both download is fetched once before, so that none finds a colder mirror."""
    fresh("distro")
    inside(KERNEL, COMPONENTS, INSTALL.replace("install", "install --download-only", 1))
    found: dict[str, list[Install]] = {"apt-get": [], "role": []}
    for number in range(1, rounds + 1):
        for name, work in (("apt-get", by_hand), ("role", by_role)):
            fresh("distro")
            inside(KERNEL)
            print(f"bench: a first install by {name}, {number} of {rounds} ...", file=sys.stderr, flush=True)
            begun = time.monotonic()
            work()
            seconds = time.monotonic() - begun
            inside("dkms status | grep -q installed", "nvidia-smi --help >/dev/null")
            found[name].append(Install(round(seconds, 1), compiled()))
    best = {name: min(installs, key=lambda install: install.rest) for name, installs in found.items()}
    added = best["role"].rest - best["apt-get"].rest
    return {
        "best": {name: install._asdict() for name, install in best.items()},
        "added": round(added, 1),
        "more": round(added / best["apt-get"].seconds * 100, 1),
        "rounds": {name: [install._asdict() for install in installs] for name, installs in found.items()},
    }


def compiled() -> float:
    """Seconds in which DKMS built the modules: from the birth of its log to the last line in it."""
    born, written = inside("stat --format '%.2W %.2Y' /var/lib/dkms/nvidia*/*/*/*/log/make.log").split()
    return round(float(written) - float(born), 1)


def by_hand() -> None:
    inside(COMPONENTS, INSTALL, BUILD)


def by_role() -> None:
    cost([*play(REAL, nvidia_driver_source="distro", nvidia_driver_branch="newest"), "--skip-tags", "cuda"])


def play(host: str, **variables: Any) -> list[str]:
    argv = ["ansible-playbook", str(INVENTORY / "roles.yml"), "-i", str(INVENTORY / "hosts.yml"), "--limit", host]
    return [*argv, "-e", json.dumps(variables)]


def fresh(fleet: str) -> None:
    subprocess.run([sys.executable, RIG, "up", "--fresh", fleet], check=True)


def inside(*lines: str) -> str:
    """Commands on the host with the real packages, past ansible."""
    script = "\n".join(["set -e", *lines])
    answer = subprocess.run(["podman", "exec", REAL, "sh", "-c", script], capture_output=True, text=True)
    if answer.returncode != 0:
        sys.exit(f"{script}\nended with {answer.returncode}:\n{answer.stdout[-4000:]}\n{answer.stderr[-2000:]}")
    return answer.stdout


def table(found: dict[str, Any]) -> str:
    lines = []
    if "converged" in found:
        spent = found["converged"]
        words = f"{spent['executions']} module executions (at most {MOST_EXECUTIONS})"
        lines.append(f"converged, both roles              {spent['seconds']:7.1f} s  {words}")
    if "first" in found:
        for label, name in (("apt-get by hand", "apt-get"), ("role nvidia_driver", "role")):
            install = Install(**found["first"]["best"][name])
            words = f"{install.build:.1f} s of it DKMS's build, {install.rest:.1f} s all else"
            lines.append(f"first install, {label:19} {install.seconds:7.1f} s  {words}")
        lines.append(
            f"the role adds {found['first']['added']:.1f} s, {found['first']['more']:.1f} % (at most {MOST_MORE} %)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
