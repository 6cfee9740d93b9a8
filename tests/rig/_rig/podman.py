# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outside world: podman. All that the rig makes there has the label `kubegpu-rig`, by which it is found again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from _rig.machine import podman_options, read_machine
from _rig.shell import RigError, attempt, run

LABEL = "kubegpu-rig"  # its value is what the container is: control-plane or host
KEY = "kubegpu-rig-key"  # what the container was made from
FLEET = "kubegpu-rig-fleet"
# On a busy machine a killed container can outlive podman's patience; by the next call it has ended.
SLOW_DEATH = "did not die within timeout"


class Container(NamedTuple):
    name: str
    kind: str
    key: str
    fleet: str
    running: bool


def podman(*argv: str | Path) -> str:
    """Run podman to its end, for when it is cut short addresses and processes are left that it knows nothing of."""
    return run("podman", *podman_options(read_machine()).podman, *argv, shielded=True)


def containers() -> dict[str, Container]:
    """All containers of the rig, whatever became of them."""
    listed = json.loads(podman("ps", "--all", f"--filter=label={LABEL}", "--format=json") or "[]")
    found = [_container(entry) for entry in listed]
    return {container.name: container for container in found}


def _container(entry: dict[str, object]) -> Container:
    labels = entry["Labels"]
    names = entry["Names"]
    assert isinstance(labels, dict) and isinstance(names, list)
    return Container(names[0], labels[LABEL], labels.get(KEY, ""), labels.get(FLEET, ""), entry["State"] == "running")


def start_systemd(container: Container, network: str, address: str, image: str, *more: str) -> None:
    """Create and start a container that runs systemd; `more` are mounts, the image's command comes from `image`."""
    podman(
        "run",
        "--detach",
        f"--name={container.name}",
        f"--hostname={container.name}",
        f"--network={network}",
        f"--ip={address}",
        f"--label={LABEL}={container.kind}",
        f"--label={KEY}={container.key}",
        f"--label={FLEET}={container.fleet}",
        *podman_options(read_machine()).host,
        *more,
        image,
        "/sbin/init",
        *(["--unit=rig-control-plane.target"] if container.kind == "control-plane" else []),
    )


def remove(*names: str) -> None:
    """Remove containers at once, with their anonymous volumes; one that is not there is fine."""
    if not names:
        return
    try:
        podman("rm", "--force", "--time=0", "--volumes", "--ignore", *names)
    except RigError as error:
        if SLOW_DEATH not in str(error):
            raise
        podman("rm", "--force", "--time=0", "--volumes", "--ignore", *names)


def inside(name: str, *argv: str) -> str:
    """What a command inside a container prints; empty when it cannot be asked."""
    return attempt("podman", *podman_options(read_machine()).podman, "exec", name, *argv).stdout


def network_exists(name: str) -> bool:
    return attempt("podman", "network", "exists", name).returncode == 0


def image_exists(name: str) -> bool:
    return attempt("podman", "image", "exists", name).returncode == 0
