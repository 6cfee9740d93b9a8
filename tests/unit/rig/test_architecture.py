# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts find that say that they are of another architecture: the same packages, made for it, at its address."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from _rig import fleets, hosts, packages, rpms
from _rig.architecture import AARCH64, X86_64
from _rig.cache import CHECKOUT
from _rig.debs import Sources, control, write_deb
from _rig.packages import Package
from _rig.repository import release

REPOSITORIES = packages.of_drivers_and_cuda(packages.table(), AARCH64)
HOST = fleets.hosts("arm64:arm-noble")[0]


def test_they_are_where_nvidia_has_them_for_the_distributions_that_it_has_them_for() -> None:
    """The collection's data knows which these are, and where the repository has less than the distribution."""
    data = yaml.safe_load((CHECKOUT / "plugins" / "plugin_utils" / "data" / "platforms.yml").read_text())
    less = {(line["id"], line["version"]) for line in data["repositories"] if "aarch64" not in line["architectures"]}
    lines = [line for line in data["platforms"] if "aarch64" in line["architectures"]]
    known = {line["id"] + line["version"].replace(".", "") for line in lines if line["package_manager"] == "apt"}
    wanted = known - {id_ + version for id_, version in less}
    assert {path for repository in REPOSITORIES for path in repository.paths} == {
        f"compute/cuda/repos/{name}/sbsa" for name in wanted
    }


@pytest.mark.parametrize("repository", REPOSITORIES, ids=lambda repository: repository.name)
def test_there_is_all_that_there_is_for_the_usual_one(repository: packages.Repository) -> None:
    usual = next(other for other in packages.repositories(packages.table()) if other.name == repository.name)
    assert packages.made_for(X86_64, repository.packages) == usual.packages
    assert "Architectures: arm64\n" in release(repository, {})
    for package in repository.packages:
        assert package.file_name.endswith("_arm64.deb")
        assert "\nArchitecture: arm64\n" in control(package)


def test_libraries_are_where_that_architecture_has_them(tmp_path: Path) -> None:
    for name in ("libnvidia-ml.so", "libcuda.so"):
        (tmp_path / f"{name}.580.95.05").write_text(name)
    package = Package("libnvidia-compute-580", "580.95.05-1", "580.95.05", {}, ("nvml", "cudart 13.0"), AARCH64)
    deb = write_deb(package, Sources({"580.95.05": tmp_path}, Path(), Path()), tmp_path)
    subprocess.run(["dpkg-deb", "--extract", deb, tmp_path / "root"], check=True)
    assert (tmp_path / "root/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1").exists()
    assert (tmp_path / "root/usr/local/cuda-13.0/lib64").readlink() == Path("targets/sbsa-linux/lib")


@pytest.mark.parametrize("line", rpms.releases(), ids=lambda line: line.folder)
def test_streams_name_the_rpms_of_that_architecture(line: rpms.Release) -> None:
    drivers = rpms.made_for(AARCH64, rpms.drivers(line))
    text = rpms.streams(drivers)
    assert "arch: aarch64" in text and "x86_64" not in text
    assert all(rpm.file_name.endswith(".aarch64.rpm") for rpm in drivers)


def test_uname_says_what_the_fleet_says(tmp_path: Path) -> None:
    hosts.compile_kernel(HOST, tmp_path / "kernel.so")
    said = {"LD_PRELOAD": str(tmp_path / "kernel.so"), "PATH": os.environ["PATH"]}
    words = subprocess.run(["uname", "-s", "-r", "-m"], env=said, check=True, capture_output=True, text=True).stdout
    assert words.split() == ["Linux", "6.8.0-134-generic", "aarch64"]


def test_a_kernel_that_is_the_machines_own_is_left_as_it_is(tmp_path: Path) -> None:
    hosts.compile_kernel(fleets.hosts("arm64:arm-rocky9")[0], tmp_path / "kernel.so")
    said = {"LD_PRELOAD": str(tmp_path / "kernel.so"), "PATH": os.environ["PATH"]}
    words = subprocess.run(["uname", "-r", "-m"], env=said, check=True, capture_output=True, text=True).stdout
    assert words.split() == [os.uname().release, "aarch64"]
