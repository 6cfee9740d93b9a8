# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets: which hosts there are, read from fleets/<fleet>.toml."""

from __future__ import annotations

import ipaddress
import os
import tomllib
from typing import Any, NamedTuple

from _rig import architecture
from _rig.architecture import Architecture
from _rig.cache import RIG
from _rig.debian import SYSTEM
from _rig.shell import RigError

DEFAULT_NETWORK = "10.213.0.0/24"


class Host(NamedTuple):
    name: str
    fleet: str
    address: str
    os: str  # what it is
    costume: str  # what it says that it is, where that is something else
    kernel: str  # the release that its kernel says that it is, where that is not the machine's
    machine: str  # what it says that it runs on, where that is something else
    card: str
    gpus: int
    joined: bool
    debian_sources: bool
    driver_files: bool

    @property
    def architecture(self) -> Architecture:
        return architecture.of(self.machine)


def network() -> ipaddress.IPv4Network:
    """$KUBEGPU_RIG_NETWORK, a /24: for a machine on which the rig's own choice is taken."""
    given = os.environ.get("KUBEGPU_RIG_NETWORK", DEFAULT_NETWORK)
    try:
        found = ipaddress.IPv4Network(given)
    except ValueError as error:
        raise RigError(f"KUBEGPU_RIG_NETWORK must be a network like {DEFAULT_NETWORK}: {error}") from None
    if found.prefixlen != 24:
        raise RigError(f"KUBEGPU_RIG_NETWORK must be a /24 network like {DEFAULT_NETWORK}, not {given}")
    return found


def address(last: int) -> str:
    return str(network()[last])


def known() -> list[str]:
    return sorted(path.stem for path in (RIG / "fleets").glob("*.toml"))


def hosts(words: str) -> list[Host]:
    """A fleet's hosts, or one of them: `demo`, `demo:rig-t4`."""
    fleet, _, only = words.partition(":")
    path = RIG / "fleets" / f"{fleet}.toml"
    if not path.is_file():
        raise RigError(f"there is no fleet called {fleet}; known are {', '.join(known())}")
    found = [_host(fleet, entry) for entry in tomllib.loads(path.read_text())["host"]]
    if only and only not in [host.name for host in found]:
        raise RigError(f"fleet {fleet} has no host called {only}; it has {', '.join(host.name for host in found)}")
    return [host for host in found if only in ("", host.name)]


def _host(fleet: str, entry: dict[str, Any]) -> Host:
    gpus = int(entry.get("gpus", 0))
    return Host(
        name=entry["name"],
        fleet=fleet,
        address=address(int(entry["address"].rsplit(".", 1)[1])),
        os=entry.get("os", SYSTEM),
        costume=entry.get("costume", ""),
        kernel=entry.get("kernel", ""),
        machine=entry.get("machine", ""),
        card=entry["card"] if gpus else "",
        gpus=gpus,
        joined=entry.get("joined", True),
        debian_sources=entry.get("debian_sources", False),
        driver_files=entry.get("driver_files", False),
    )
