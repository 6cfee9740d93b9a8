# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stub of Ubuntu's archive agrees with itself, with the collection's data and with the hosts that have it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from _rig import fleets, ubuntu
from _rig.cache import CHECKOUT
from _rig.debs import Sources
from _rig.packages import Package

SUITES = ubuntu.suites()
CODENAMES = {"jammy": "22.04", "noble": "24.04", "resolute": "26.04"}


def data(name: str) -> Any:
    return yaml.safe_load((CHECKOUT / "plugins" / "plugin_utils" / "data" / f"{name}.yml").read_text())


@pytest.mark.parametrize("codename", CODENAMES)
@pytest.mark.parametrize("flavour", ["open", "proprietary"])
def test_what_the_collection_would_install_is_there_for_each_branch_that_it_knows(codename: str, flavour: str) -> None:
    rows = [
        row for row in data("packages")["driver"] if "ubuntu" in row.get("platforms", ()) and row["flavour"] == flavour
    ]
    lines = [line for line in data("platforms")["drivers"] if line["id"] == "ubuntu" and line["flavour"] == flavour]
    branches = [line["branch"] for line in lines if line["version"] == CODENAMES[codename]]
    assert rows and branches
    names = {package.name for package in ubuntu.offered(codename)}
    assert {row["name"].format(branch=branch, kernel="generic") for row in rows for branch in branches} <= names


ALL = [host for fleet in fleets.known() for host in fleets.hosts(fleet)]
HOSTS = [host for host in ALL if host.kernel and host.costume.startswith("ubuntu-")]


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_hosts_run_a_kernel_that_their_archive_has(host: fleets.Host) -> None:
    codename = next(name for name, version in CODENAMES.items() if host.costume == f"ubuntu-{version}")
    first = next(suite for suite in SUITES if suite.name == codename)
    assert f"linux-image-{host.kernel}" in {package.name for package in first.components["main"]}


def test_modules_are_those_of_the_driver_for_the_kernel_in_their_name(tmp_path: Path) -> None:
    package = Package(
        "linux-modules-nvidia-580-server-open-6.8.0-134-generic", "6.8.0-134.134", "580.159.03", {}, ("prebuilt",)
    )
    deb = ubuntu.write(package, Sources({}, Path(), Path()), tmp_path)
    subprocess.run(["dpkg-deb", "--extract", deb, tmp_path / "root"], check=True)
    module = tmp_path / "root/usr/lib/modules/6.8.0-134-generic/kernel/nvidia-580srv-open/nvidia.ko"
    assert b"version=580.159.03\0" in module.read_bytes()
    assert b"license=Dual MIT/GPL\0" in module.read_bytes()
