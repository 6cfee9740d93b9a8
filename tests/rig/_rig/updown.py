# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`rig up` and `rig down`: bring the machine to what was asked for, from whatever state it is in."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence

from _rig import bases, control_plane, hosts, kwok, leftovers, needs, served, sysctl
from _rig.build import Made, More, everything, for_hosts
from _rig.cache import locked
from _rig.dnf_repositories import programs
from _rig.fleets import Host, address, network
from _rig.fleets import hosts as fleet_hosts
from _rig.podman import LABEL, containers, network_exists, podman, remove
from _rig.shell import attempt, say
from _rig.state import lock_file, state

NETWORK = "kubegpu-rig"
BUSY = "another `rig up` or `rig down` is at work"


def up(fleets: Sequence[str], fresh: bool, kwok_nodes: int) -> None:
    """Control plane and the fleets' hosts, as this checkout has them; what runs already stays as it is."""
    wanted = [host for fleet in fleets for host in fleet_hosts(fleet)]
    needs.check(programs(wanted))
    bases.check(wanted)
    made = everything(map(bases.system_of, wanted))
    more = for_hosts(wanted)
    if kwok_nodes:
        kwok.ensure()
    with locked(lock_file(), BUSY):
        _prepare_machine()
        control_plane.identity()
        hosts.ssh_identity()
        _start_control_plane(made)
        for kind, folder in more.served().items():
            served.publish(kind, folder)
        _start_hosts(wanted, made, more, fresh)
        if kwok_nodes:
            kwok.start(kwok_nodes, made.kubernetes / "bin" / "kubectl")


def _prepare_machine() -> None:
    leftovers.let_podman_finish(LABEL)
    state().mkdir(parents=True, exist_ok=True, mode=0o755)
    sysctl.prepare(state() / "sysctl.json")
    leftovers.record(state() / "podman.json")
    if not network_exists(NETWORK):
        link = ["--driver=bridge", f"--subnet={network()}", f"--gateway={address(1)}"]
        podman("network", "create", *link, "--disable-dns", f"--label={LABEL}=network", NETWORK)


def _start_control_plane(made: Made) -> None:
    if control_plane.running(made):
        return
    old = containers()
    if old:
        say("what is left of an earlier rig does not fit this checkout: its containers are made anew")
        hosts.forget([name for name in old if name != control_plane.NAME], None)
    (state() / "ready").unlink(missing_ok=True)
    say("start the control plane")
    control_plane.start(made, NETWORK)


def _start_hosts(wanted: Sequence[Host], made: Made, more: More, fresh: bool) -> None:
    """Hosts boot while the control plane does; they join once it is ready."""
    kubectl = made.kubernetes / "bin" / "kubectl"
    missing = list(wanted) if fresh else hosts.outdated(wanted, made)
    known = [host.name for host in missing if (state() / "ready").exists()]
    hosts.forget(known, kubectl)
    hosts.start(missing, made, more, NETWORK)
    control_plane.get_ready(made)
    hosts.let_join(wanted)
    hosts.wait(wanted, kubectl)
    if missing:
        say(f"up: {', '.join(host.name for host in wanted)}")


def down(fleets: Sequence[str]) -> None:
    """Remove the fleets' hosts; without a fleet everything that any `rig up` ever made, finished or not."""
    if not shutil.which("podman"):
        return
    with locked(lock_file(), BUSY):
        leftovers.let_podman_finish(LABEL)
        if fleets:
            _remove_fleets(fleets)
        else:
            remove(*containers())
            leftovers.end_orphans([control_plane.NAME, *hosts.ever_started()])
            _tidy_machine()
    if not fleets:
        lock_file().unlink(missing_ok=True)


def _remove_fleets(fleets: Iterable[str]) -> None:
    names = [container.name for container in containers().values() if container.fleet in fleets]
    say(f"remove {', '.join(names) or 'nothing: no such host is up'}")
    hosts.forget(names, control_plane.kubectl())


def _tidy_machine() -> None:
    if network_exists(NETWORK):
        link = podman("network", "inspect", "--format={{.NetworkInterface}}", NETWORK).strip()
        podman("network", "rm", "--force", NETWORK)
        attempt("ip", "link", "delete", link)  # left over only when podman was killed
    sysctl.put_back(state() / "sysctl.json")
    leftovers.sweep(state() / "podman.json")
    shutil.rmtree(state(), ignore_errors=True)
    say("down: everything of the rig is removed, the machine is as it was")
