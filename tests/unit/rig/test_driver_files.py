# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drivers as one file: the stub of NVIDIA's installer, and the package that is a repository."""

from __future__ import annotations

import configparser
import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from _rig import driver_files, local_rpms
from _rig.debs import Sources

VERSION = "580.95.05"


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    folder = tmp_path / "sources"
    folder.mkdir()
    for name in (f"libnvidia-ml.so.{VERSION}", f"libcuda.so.{VERSION}", "nvidia-smi"):
        (folder / name).write_text(name)
    return Sources({VERSION: folder}, folder / "nvidia-smi", folder)


def test_an_installer_says_what_it_is_and_has_both_flavours(tmp_path: Path, sources: Sources) -> None:
    path = tmp_path / "served" / f"NVIDIA-Linux-x86_64-{VERSION}.run"
    driver_files.write_runfile(VERSION, sources, path)
    said = subprocess.run(["sh", path, "--info"], check=True, capture_output=True, text=True).stdout
    assert f"NVIDIA-Linux-x86_64-{VERSION}" in said
    content = path.read_bytes()
    assert Path(f"{path}.sha256").read_text().strip() == hashlib.sha256(content).hexdigest()
    with tarfile.open(fileobj=io.BytesIO(content.partition(b"\n#ARCHIVE\n")[2])) as archive:
        names = archive.getnames()
    for flavour in ("open", "proprietary"):
        assert f"modules/{flavour}/nvidia.ko" in names
    assert f"files/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.{VERSION}" in names
    assert not [name for name in names if name.endswith(".service")], "NVIDIA's brings no unit"


def test_equal_inputs_make_equal_installers(tmp_path: Path, sources: Sources) -> None:
    paths = [tmp_path / name / "a.run" for name in ("one", "two")]
    for path in paths:
        driver_files.write_runfile(VERSION, sources, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_repository_in_a_package_has_its_key_but_where_apt_does_not_look(tmp_path: Path) -> None:
    inside, key = tmp_path / "inside", tmp_path / "key.gpg"
    inside.mkdir()
    (inside / "Packages").write_text("")
    key.write_bytes(b"key")
    package = driver_files.local_repository("debian12", VERSION)
    deb = driver_files.write_local_repository(package, inside, key, tmp_path)
    assert deb.name == f"nvidia-driver-local-repo-debian12-{VERSION}_1.0-1_amd64.deb"
    subprocess.run(["dpkg-deb", "--extract", deb, tmp_path / "root"], check=True)
    (listed,) = (tmp_path / "root" / "etc/apt/sources.list.d").iterdir()
    line = listed.read_text()
    assert f"file:///var/nvidia-driver-local-repo-debian12-{VERSION} /" in line
    signed_by = line.partition("signed-by=")[2].partition("]")[0]
    assert signed_by.startswith("/usr/share/keyrings/") and not (tmp_path / "root" / signed_by[1:]).exists()
    copy = tmp_path / "root" / f"var/nvidia-driver-local-repo-debian12-{VERSION}" / Path(signed_by).name
    assert copy.read_bytes() == b"key"


@pytest.mark.skipif(not shutil.which("rpmbuild"), reason="only fleets with such hosts need rpm")
def test_a_repository_in_an_rpm_has_its_key_where_its_source_looks(tmp_path: Path) -> None:
    name, called = f"nvidia-driver-local-repo-rhel9-{VERSION}", f"nvidia-driver-local-rhel9-{VERSION}"
    source = local_rpms.SOURCE.format(called=called, name=name, key="0A1B2C3D.pub")
    for path, text in ((f"var/{name}/0A1B2C3D.pub", "key"), (f"etc/yum.repos.d/{called}.repo", source)):
        (tmp_path / "tree" / path).parent.mkdir(parents=True)
        (tmp_path / "tree" / path).write_text(text)
    rpm = local_rpms.write_rpm(name, called, tmp_path, tmp_path)
    assert rpm.name == f"{name}-1.0-1.x86_64.rpm"
    listed = subprocess.run(["rpm", "-qpl", rpm], check=True, capture_output=True, text=True).stdout.split()
    parsed = configparser.ConfigParser()
    parsed.read_string(source)
    assert parsed[called]["gpgkey"].removeprefix("file://") in listed
