# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What podman leaves behind on a machine when its last container has gone: firewall chains, mounts, empty cgroups."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from _rig.podman import podman
from _rig.shell import attempt

FIREWALLS = ("iptables", "ip6tables")
CHAIN_PREFIX = "NETAVARK"
NAMESPACES = Path("/run/netns")
ADDRESSES = Path("/run/containers/networks/ipam.db")  # which container has which address
MOUNTS = ("/run/netns", "/var/lib/containers/storage")
CGROUPS = "/sys/fs/cgroup"


def record(path: Path) -> None:
    """Write down, before the first container, what podman had left behind before us: that stays."""
    if path.exists():
        return
    part = path.with_suffix(".part")
    part.write_text(
        json.dumps(
            {"mounts": list(_mounts()), "chains": _has_chains(), "cgroups": _cgroups(), "namespaces": _namespaces()}
        )
    )
    part.rename(path)


def sweep(path: Path) -> None:
    """Remove what was not there before. While anybody's container runs, of whatever storage, it is not ours."""
    if not path.exists() or podman("ps", "--all", "--quiet").strip() or _conmons():
        return
    before = json.loads(path.read_text())
    if not before["chains"]:
        for firewall in FIREWALLS:
            _remove_chains(firewall)
    for mount in [mount for mount in reversed(list(_mounts())) if mount not in before["mounts"]]:
        attempt("umount", mount)
    for namespace in [name for name in _namespaces() if name not in before.get("namespaces", [])]:
        Path(namespace).unlink(missing_ok=True)
    ADDRESSES.unlink(missing_ok=True)
    for folder in [folder for folder in _cgroups() if folder not in before["cgroups"]]:
        _remove_cgroup(Path(folder))


def end_orphans(names: Collection[str]) -> None:
    """Wait for what still watches over removed containers of these names, and end those that podman does not know.

    A watcher ends by itself soon after its container was removed, and then has podman clean up. It stays where podman
    was killed between starting a container and noting it.
    """
    watchers = [(process, argv) for process, argv in _conmons() if _option(argv, "-n") in names]
    for process, argv in watchers:
        _wait_until_gone(process, 5)
        if process.exists():
            attempt(_option(argv, "-r"), "delete", "--force", _option(argv, "-c"))
            _wait_until_gone(process)
    removed = {_option(argv, "-c") for _, argv in watchers}
    for process, argv in _processes():
        if Path(argv[0]).name == "podman" and "cleanup" in argv and removed.intersection(argv):
            _wait_until_gone(process)


def let_podman_finish(label: str) -> None:
    """Wait for a `podman run` of the rig whose rig was killed: its container must be there before it can be removed."""
    for process, argv in _processes():
        if Path(argv[0]).name == "podman" and any(word.startswith(f"--label={label}=") for word in argv):
            _wait_until_gone(process)


def _conmons() -> list[tuple[Path, list[str]]]:
    """The processes that watch over a container each, whoever started them."""
    return [(process, argv) for process, argv in _processes() if Path(argv[0]).name == "conmon"]


def _processes() -> Iterator[tuple[Path, list[str]]]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            argv = (process / "cmdline").read_text(errors="replace").split("\0")
        except OSError:
            continue  # it has ended meanwhile
        if argv[0]:
            yield process, argv


def _option(argv: list[str], name: str) -> str:
    return argv[argv.index(name) + 1] if name in argv[:-1] else ""


def _wait_until_gone(process: Path, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while process.exists() and time.monotonic() < end:
        time.sleep(0.05)


def _mounts() -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4]
        if point.startswith(MOUNTS):
            yield point


def _namespaces() -> list[str]:
    return [str(path) for path in NAMESPACES.glob("netns-*")]


def _cgroups() -> list[str]:
    return sorted(str(path) for path in Path(CGROUPS).glob("**/libpod_parent"))


def _remove_cgroup(folder: Path) -> None:
    """From the leaves up; one that still holds a process is not ours to remove."""
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        _rmdir(path)
    _rmdir(folder)


def _rmdir(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return


def _has_chains() -> bool:
    return any(f":{CHAIN_PREFIX}" in attempt(f"{firewall}-save").stdout for firewall in FIREWALLS)


def _remove_chains(firewall: str) -> None:
    rules = chain_removal(attempt(f"{firewall}-save").stdout)
    if rules:
        attempt(f"{firewall}-restore", "--noflush", stdin=rules)


def chain_removal(saved: str) -> str:
    """From the output of iptables-save, what iptables-restore needs to be told so that podman's chains are gone."""
    tables: dict[str, list[str]] = {}
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line
        elif line.startswith(f":{CHAIN_PREFIX}"):
            chain = line[1:].split()[0]
            tables.setdefault(table, []).extend([f"-F {chain}", f"-X {chain}"])
        elif line.startswith("-A ") and f"-j {CHAIN_PREFIX}" in line:
            tables.setdefault(table, []).append(f"-D {line[3:]}")
    order = {"-D": 0, "-F": 1, "-X": 2}
    return "".join(
        "\n".join([name, *sorted(lines, key=lambda line: order[line[:2]]), "COMMIT"]) + "\n"
        for name, lines in tables.items()
    )
