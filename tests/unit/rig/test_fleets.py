# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fleet can be read, and no two hosts are in each other's way."""

from __future__ import annotations

import pytest
from _rig import architecture, fleets
from _rig.architecture import X86_64
from _rig.cache import RIG
from _rig.dnf_repositories import release_of
from _rig.parts import table
from _rig.shell import RigError

ALL = [host for fleet in fleets.known() for host in fleets.hosts(fleet)]


def test_names_and_addresses_are_used_once() -> None:
    for field in ("name", "address"):
        values = [getattr(host, field) for host in ALL]
        assert len(values) == len(set(values)), field


@pytest.mark.parametrize("host", ALL, ids=lambda host: host.name)
def test_a_host_can_be_what_it_says(host: fleets.Host) -> None:
    assert host.os in table()["systems"]
    assert not host.costume or (RIG / "os" / host.costume).is_file()
    assert bool(host.card) == bool(host.gpus)
    release = release_of(host.costume)
    if release and host.kernel:
        assert host.kernel in {f"{kernel}.{host.architecture.machine}" for kernel in release.kernels}
    assert not host.kernel or release or host.costume.startswith("ubuntu-"), "others have no kernels of their own"
    with_packages = host.architecture == X86_64 or host.kernel or release_of(host.costume)
    assert with_packages, "what a distribution has itself is there for arm64 with these"


@pytest.mark.parametrize("machine", ["riscv64", "x86_64"])
def test_another_machine_than_the_one_that_packages_are_made_for_is_refused(machine: str) -> None:
    with pytest.raises(RigError, match=f"{machine}, only aarch64"):
        architecture.of(machine)


def test_another_network_keeps_the_last_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEGPU_RIG_NETWORK", "192.0.2.0/24")
    assert [host.address for host in fleets.hosts("demo")] == ["192.0.2.11", "192.0.2.12"]


@pytest.mark.parametrize("given", ["10.0.0.0/16", "nonsense"])
def test_a_network_that_does_not_fit_is_refused_in_a_sentence(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEGPU_RIG_NETWORK", given)
    with pytest.raises(RigError, match="10.213.0.0/24"):
        fleets.hosts("demo")


def test_an_unknown_fleet_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RigError, match="demo"):
        fleets.hosts("no-such-fleet")


def test_one_host_of_a_fleet() -> None:
    assert [host.name for host in fleets.hosts("demo:rig-t4")] == ["rig-t4"]
    assert fleets.hosts("demo:rig-t4")[0].fleet == "demo"


def test_a_host_that_a_fleet_has_not_is_refused_with_those_it_has() -> None:
    with pytest.raises(RigError, match="it has rig-h100, rig-t4"):
        fleets.hosts("demo:rig-h200")
