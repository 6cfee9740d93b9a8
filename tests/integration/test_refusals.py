# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot work is refused in one clear sentence, before anything is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import Rig

HOSTS = ("ref-debian", "ref-plain")
INVENTORY = ("-i", "tests/integration/inventory")


@pytest.fixture(scope="module")
def rig(small_fleet: Rig) -> Rig:
    return small_fleet


def refused(rig: Rig, host: str, *words: str) -> str:
    """Play site.yml on a host; return its words after checking that it failed and left the host alone."""
    before = {name: rig.picture(name) for name in HOSTS}
    played = rig.play("site.yml", *INVENTORY, "-e", f"kubegpu_hosts={host}", *words)
    assert played.status != 0, played.text
    assert "Traceback" not in played.text
    assert {name: rig.picture(name) for name in HOSTS} == before, "the refusal came too late"
    return " ".join(played.text.split())


def test_a_host_without_nvidia_hardware(rig: Rig) -> None:
    assert "has no NVIDIA GPU" in refused(rig, "ref-plain")


def test_an_unsupported_distribution(rig: Rig) -> None:
    rig.on("ref-debian", "cp /etc/os-release /run/os-release && sed -i s/^ID=.*/ID=arch/ /usr/lib/os-release")
    try:
        words = refused(rig, "ref-debian")
    finally:
        rig.on("ref-debian", "sed -i s/^ID=.*/ID=debian/ /usr/lib/os-release")
    assert "arch" in words and "not supported" in words


def test_a_missing_kubeconfig(rig: Rig, tmp_path: Path) -> None:
    words = refused(rig, "ref-debian", "-e", f"kubegpu_kubeconfig={tmp_path}/nowhere")
    assert f"{tmp_path}/nowhere" in words and "kubegpu_kubeconfig" in words


def test_an_unreachable_api_server(rig: Rig, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    text = Path(rig.env["KUBECONFIG"]).read_text()
    kubeconfig.write_text(text.replace(":6443", ":6444"))
    words = refused(rig, "ref-debian", "-e", f"kubegpu_kubeconfig={kubeconfig}")
    assert ":6444" in words and "refused" in words


def test_headers_that_no_repository_has(rig: Rig) -> None:
    rig.on("ref-debian", "mv /etc/apt/sources.list.d/rig-system.list /run/")
    try:
        words = refused(rig, "ref-debian")
    finally:
        rig.on("ref-debian", "mv /run/rig-system.list /etc/apt/sources.list.d/")
    assert f"package linux-headers-{os.uname().release}" in words and "nothing has been changed" in words


def test_a_user_who_is_not_root(rig: Rig) -> None:
    rig.on("ref-debian", "useradd --create-home tired && cp -r /root/.ssh /home/tired/ && chown -R tired: /home/tired")
    try:
        words = refused(rig, "ref-debian", "-e", "ansible_user=tired", "-e", "kubegpu_become=false")
    finally:
        rig.on("ref-debian", "pkill -KILL -u tired; userdel --remove tired")
    assert "root" in words
