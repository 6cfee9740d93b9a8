# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the rig."""

from __future__ import annotations

import argparse
import shlex
import sys

from _rig import build, control_plane, hosts, needs, served, updown
from _rig.podman import containers
from _rig.shell import RigError
from _rig.state import state


def main() -> int:
    options = _parser().parse_args()
    try:
        options.run(options)
    except RigError as error:
        print(f"rig: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nrig: stopped; `rig down` removes what was started, `rig up` goes on", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rig", description="Test hosts with simulated GPUs on a real Kubernetes.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="start the control plane and the hosts of fleets (tests/rig/fleets/)")
    up.add_argument("fleets", nargs="*", metavar="FLEET[:HOST]")
    up.add_argument("--fresh", action="store_true", help="make the hosts anew, even those that run")
    up.add_argument("--kwok-nodes", type=int, default=0, metavar="N", help="add N nodes played by kwok")
    up.set_defaults(run=lambda options: updown.up(options.fleets, options.fresh, options.kwok_nodes))

    down = commands.add_parser("down", help="remove the hosts of fleets; without a fleet, everything")
    down.add_argument("fleets", nargs="*", metavar="FLEET")
    down.set_defaults(run=lambda options: updown.down(options.fleets))

    status = commands.add_parser("status", help="what is running")
    status.set_defaults(run=lambda options: _status())

    env = commands.add_parser("env", help="print `export KEY=value` lines, for eval")
    env.set_defaults(run=lambda options: _env())

    make = commands.add_parser("build", help="build everything a demo needs, or the named parts, into the cache")
    make.add_argument("parts", nargs="*", metavar="PART")
    make.set_defaults(run=lambda options: _build(options.parts))
    return parser


def _build(names: list[str]) -> None:
    needs.check()
    build.build(names)


def _status() -> None:
    needs.check()
    kubectl = control_plane.kubectl()
    ready = hosts.ready_nodes(kubectl) if kubectl else set()
    row = "{:<20} {:<14} {:<12} {:<10} {}".format
    print(row("NAME", "KIND", "FLEET", "CONTAINER", "NODE"))
    for container in sorted(containers().values()):
        node = "Ready" if container.name in ready else "-"
        if container.kind == "control-plane":
            node = "API ready" if control_plane.answers() else "-"
        print(
            row(container.name, container.kind, container.fleet or "-", "running" if container.running else "-", node)
        )


def _env() -> None:
    if not (state() / "ready").exists():
        raise RigError("the rig is not up: start it with `rig up`")
    made = control_plane.last_made()
    assert made, "written before the rig was ready"
    values = {
        "KUBECONFIG": state() / "kubegpu.kubeconfig",
        "KUBEGPU_ADMIN_KUBECONFIG": state() / "admin.kubeconfig",
        "KUBEGPU_RIG_STATE": state(),
        "KUBEGPU_RIG_REPO": control_plane.repositories_url(),
        "KUBEGPU_RIG_FILES": served.more() / "driver-files",
    }
    for name, value in values.items():
        print(f"export {name}={shlex.quote(str(value))}")
    print(f'export PATH={shlex.quote(str(made.kubernetes / "bin"))}:"$PATH"')
