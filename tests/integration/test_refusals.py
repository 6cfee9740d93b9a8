# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot work is refused in one clear sentence, before anything is touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import Rig

HOSTS = ("ref-debian", "ref-plain")
INVENTORY = ("-i", "tests/integration/inventory")
NOT_ROOT = "tired"


class Untouched(NamedTuple):
    """The hosts, as they were and as they have to stay."""

    rig: Rig
    before: dict[str, dict[str, str]]

    def refused(self, host: str, *words: str) -> str:
        """Play site.yml on a host; return its words after checking that it failed and left the hosts alone."""
        played = self.rig.play("site.yml", *INVENTORY, "-e", f"kubegpu_hosts={host}", *words)
        assert played.status != 0, played.text
        assert "Traceback" not in played.text
        return " ".join(played.text.split())

    def on(self, command: str) -> None:
        self.rig.on("ref-debian", command)


@pytest.fixture(scope="module")
def untouched(small_fleet: Rig) -> Untouched:
    home = f"/home/{NOT_ROOT}"
    small_fleet.on(
        "ref-debian", f"useradd --create-home {NOT_ROOT} && cp -r /root/.ssh {home} && chown -R {NOT_ROOT}: {home}"
    )
    return Untouched(small_fleet, {name: small_fleet.picture(name) for name in HOSTS})


@pytest.fixture
def hosts(untouched: Untouched) -> Iterator[Untouched]:
    """For one test, which has to leave them alone."""
    yield untouched
    assert {name: untouched.rig.picture(name) for name in HOSTS} == untouched.before, "the refusal came too late"


def test_a_host_without_nvidia_hardware(hosts: Untouched) -> None:
    assert "has no NVIDIA GPU" in hosts.refused("ref-plain")


def test_an_unsupported_distribution(hosts: Untouched) -> None:
    hosts.on("sed -i s/^ID=.*/ID=arch/ /usr/lib/os-release")
    try:
        words = hosts.refused("ref-debian")
    finally:
        hosts.on("sed -i s/^ID=.*/ID=debian/ /usr/lib/os-release")
    assert "arch" in words and "not supported" in words


def test_a_missing_kubeconfig(hosts: Untouched, tmp_path: Path) -> None:
    words = hosts.refused("ref-debian", "-e", f"kubegpu_kubeconfig={tmp_path}/nowhere")
    assert f"{tmp_path}/nowhere" in words and "kubegpu_kubeconfig" in words


def test_an_unreachable_api_server(hosts: Untouched, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    text = Path(hosts.rig.env["KUBECONFIG"]).read_text()
    kubeconfig.write_text(text.replace(":6443", ":6444"))
    words = hosts.refused("ref-debian", "-e", f"kubegpu_kubeconfig={kubeconfig}")
    assert ":6444" in words and "refused" in words


def test_headers_that_no_repository_has(hosts: Untouched) -> None:
    hosts.on("mv /etc/apt/sources.list.d/rig-system.list /run/")
    try:
        words = hosts.refused("ref-debian")
    finally:
        hosts.on("mv /run/rig-system.list /etc/apt/sources.list.d/")
    assert f"package linux-headers-{os.uname().release}" in words and "No driver has been changed" in words


def test_a_user_who_is_not_root(hosts: Untouched) -> None:
    assert "root" in hosts.refused("ref-debian", "-e", f"ansible_user={NOT_ROOT}", "-e", "kubegpu_become=false")
