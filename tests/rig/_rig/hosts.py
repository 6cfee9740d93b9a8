# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test hosts: containers with systemd that start as bare machines, joined to the cluster unless their fleet says no."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from _rig import control_plane
from _rig.bases import base_folder, image_of, system_of
from _rig.build import Made, More
from _rig.cache import RIG, cache, key
from _rig.dnf_repositories import release_of, release_rpm
from _rig.fleets import Host, address
from _rig.image import host_keys, image_name
from _rig.kubeconfig import with_token
from _rig.nvml import hardware_ini
from _rig.podman import Container, containers, inside, remove, start_systemd
from _rig.repository import ensure_signing_key
from _rig.shell import RigError, attempt, last_words, run, say
from _rig.state import state, write

KUBELET_FLAGS = 'KUBELET_KUBEADM_ARGS="--node-ip={address}"\n'


def ssh_identity() -> None:
    """The key by which every host lets root in, and what ssh needs to know them by."""
    folder = state() / "ssh"
    if not (folder / "id").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kubegpu-rig", "-f", folder / "id.new")
        (folder / "id.new.pub").rename(folder / "id.pub")
        (folder / "id.new").rename(folder / "id")
    everyone = f"{address(0).rsplit('.', 1)[0]}.*"
    write(folder / "known_hosts", "".join(f"{everyone} {shown}\n" for shown in host_keys()), 0o644)


def outdated(wanted: Iterable[Host], made: Made) -> list[Host]:
    """Hosts that are not running as their fleet and this checkout have them."""
    found = containers()
    return [host for host in wanted if not _is_current(host, found.get(host.name), made)]


def _is_current(host: Host, found: Container | None, made: Made) -> bool:
    return found is not None and found.running and found.key == _wanted(host, made)


def _wanted(host: Host, made: Made) -> str:
    pki = control_plane.pki()
    hardware = hardware_ini(host.card, host.gpus, host.name)
    return key(_image(host, made), str(made.images), repr(host), hardware, pki / "ca.crt")


def _image(host: Host, made: Made) -> str:
    return image_name(system_of(host), base_folder(system_of(host)), made.kubernetes)


def start(hosts: Sequence[Host], made: Made, more: More, network: str) -> None:
    """Start hosts side by side, from nothing."""
    if not hosts:
        return
    say(f"start {', '.join(host.name for host in hosts)}")
    remove(*(host.name for host in hosts))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda host: _start(host, made, more, network), hosts))


def _start(host: Host, made: Made, more: More, network: str) -> None:
    folder = state() / "hosts" / host.name
    shutil.rmtree(folder, ignore_errors=True)
    _write_files(folder, host)
    release, repositories = release_of(host.costume), more.dnf_of(host)
    if release and repositories and not image_of(host):
        shutil.copyfile(release_rpm(repositories, release, host.architecture), folder / "release.rpm")
    container = Container(host.name, "host", _wanted(host, made), host.fleet, True)
    volumes = [
        f"--volume={folder}:/etc/kubegpu-rig:ro",
        f"--volume={made.images}:/opt/kubegpu-rig/images:ro",
        # Anonymous volumes: overlayfs cannot lie on the container's own overlayfs.
        "--volume=/var/lib/containerd",
        "--volume=/var/lib/kubelet",
        *_compiled(host),
    ]
    start_systemd(container, network, host.address, _image(host, made), *volumes)


def _compiled(host: Host) -> list[str]:
    """Where ccache keeps what it has compiled, on hosts that build real modules: that takes six minutes without it."""
    if not host.debian_sources:
        return []
    folder = cache() / "ccache"
    folder.mkdir(exist_ok=True)
    return [f"--volume={folder}:/var/cache/ccache"]


def _write_files(folder: Path, host: Host) -> None:
    """What the host finds under /etc/kubegpu-rig; the scripts of node/ put it where it belongs."""
    prefix = host.address.rsplit(".", 1)[0]
    own = f"RIG_DEBIAN_SOURCES={int(host.debian_sources)}\nRIG_KERNEL={host.kernel}\nRIG_MACHINE={host.machine}"
    own += f"\nRIG_OWN_SYSTEM={int(bool(image_of(host)))}"
    write(folder / "host.env", f"RIG_ADDRESS={host.address}\nRIG_NETWORK_PREFIX={prefix}\n{own}\n")
    write(folder / "hardware.ini", hardware_ini(host.card, host.gpus, host.name))
    write(folder / "kubeadm-flags.env", KUBELET_FLAGS.format(address=host.address))
    write(folder / "authorized_keys", (state() / "ssh" / "id.pub").read_text())
    write(folder / "system.asc", (ensure_signing_key() / "public.asc").read_text(), 0o644)
    write(folder / "ca.crt", (control_plane.pki() / "ca.crt").read_text(), 0o644)
    if host.costume and not image_of(host):
        write(folder / "os-release", _costume(host.costume), 0o644)
    if host.kernel or host.machine:
        compile_kernel(host, folder / "kernel.so")


def compile_kernel(host: Host, library: Path) -> None:
    """What has the C library tell every program of the host that its kernel is of this release, for this machine."""
    words = {"RELEASE": host.kernel, "MACHINE": host.machine}
    said = [f'-D{name}="{word}"' for name, word in words.items() if word]
    run("gcc", "-shared", "-fPIC", "-O2", "-Wall", *said, RIG / "kernel" / "uname.c", "-o", library)
    library.chmod(0o755)


def _costume(name: str) -> str:
    path = RIG / "os" / name
    if not path.is_file():
        known = sorted(file.name for file in path.parent.iterdir())
        raise RigError(f"there is no costume called {name}; known are {', '.join(known)} (add tests/rig/os/{name})")
    return path.read_text()


def let_join(hosts: Iterable[Host]) -> None:
    """Now that the control plane takes them: rig-join.path in the host waits for this file."""
    token = (state() / "control-plane" / "bootstrap-token").read_text()
    text = with_token(control_plane.server(), control_plane.pki(), "tls-bootstrap-token-user", token)
    for host in hosts:
        path = state() / "hosts" / host.name / "bootstrap-kubelet.conf"
        if host.joined and not path.exists():
            write(path, text)


def wait(hosts: Sequence[Host], kubectl: Path) -> None:
    """Wait until hosts answer by ssh, and those that join are Ready nodes; not for those that once were."""
    for host in hosts:
        been_up = state() / "hosts" / host.name / "been-up"
        if not been_up.exists():
            _wait(host, kubectl)
            been_up.touch()


def _wait(host: Host, kubectl: Path) -> None:
    joined = [host.name] if host.joined else []
    what = f"{host.name} to be {'a Ready node' if joined else 'reachable by ssh'}"

    def happened() -> bool:
        return _up(host) and not unready(joined, kubectl)

    control_plane.wait_for(what, happened, lambda: last_lines(host.name), 120)


def _up(host: Host) -> bool:
    """Asked often, and podman takes a while to answer: it is asked last."""
    if not _answers(host.address):
        return False
    # As Debian calls it, and as Enterprise Linux does.
    return "active" in inside(host.name, "systemctl", "is-active", "ssh.service", "sshd.service").split()


def _answers(address: str) -> bool:
    """From this machine, which may remember for some seconds who had the address before."""
    try:
        socket.create_connection((address, 22), timeout=2).close()
    except OSError:
        return False
    return True


def unready(names: Iterable[str], kubectl: Path) -> set[str]:
    """Those of the names that are not Ready nodes."""
    wanted = set(names)
    return wanted - ready_nodes(kubectl) if wanted else wanted


def ready_nodes(kubectl: Path) -> set[str]:
    answer = attempt(kubectl, f"--kubeconfig={state()}/admin.kubeconfig", "get", "nodes", "--output=json")
    nodes = json.loads(answer.stdout)["items"] if answer.returncode == 0 else []
    return {node["metadata"]["name"] for node in nodes if _is_ready(node)}


def _is_ready(node: dict[str, Any]) -> bool:
    """Ready, and the cluster has noticed: it takes its taint away a moment after the kubelet has said so."""
    conditions, taints = node["status"].get("conditions", []), node["spec"].get("taints", [])
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and not any(taint["key"] == "node.kubernetes.io/not-ready" for taint in taints)


def last_lines(name: str) -> str:
    units = ["rig-prep", "rig-hardware", "containerd", "rig-images", "rig-join", "kubelet", "ssh", "sshd"]
    said = inside(name, "journalctl", "--no-pager", "--quiet", "--lines=20", *(f"--unit={unit}" for unit in units))
    return last_words(said, 20)


def ever_started() -> list[str]:
    """The names of all hosts that were started, also of those whose start was cut short."""
    return [path.name for path in (state() / "hosts").glob("*")]


def forget(names: Sequence[str], kubectl: Path | None) -> None:
    """Remove hosts, their Node objects if the API server is asked, and their files."""
    remove(*names)
    if kubectl and names:
        delete = ["delete", "node", "--ignore-not-found", "--wait=false", *names]
        attempt(kubectl, f"--kubeconfig={state()}/admin.kubeconfig", "--request-timeout=5s", *delete)
    for name in names:
        shutil.rmtree(state() / "hosts" / name, ignore_errors=True)
