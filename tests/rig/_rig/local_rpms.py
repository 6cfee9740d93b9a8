# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's repository of one version as an rpm: the same packages, signed with another key, which is inside too."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from _rig import packages, repository, rpms
from _rig.debs import EPOCH
from _rig.dnf_repositories import index, sign
from _rig.rpms import Release, Rpm
from _rig.shell import run

SPEC = """\
%global debug_package %{{nil}}
%global __os_install_post %{{nil}}
%global _build_name_fmt %%{{NAME}}-%%{{VERSION}}-%%{{RELEASE}}.%%{{ARCH}}.rpm
%global _binary_payload w1.gzdio
Name: {name}
Version: 1.0
Release: 1
Summary: a stub of the test rig of kubegpu.nodes
License: GPL-3.0-or-later
AutoReqProv: no
%description
a repository of stubs for the test rig of kubegpu.nodes
%install
cp -a {tree}/. %{{buildroot}}/
%files
/var/{name}
/etc/yum.repos.d/{called}.repo
"""
SOURCE = """\
[{called}]
name={called}
baseurl=file:///var/{name}
enabled=1
gpgcheck=1
gpgkey=file:///var/{name}/{key}
obsoletes=0
"""


def write_local_rpms(root: Path, where: str, offered: Path) -> list[Path]:
    """One for each release and driver; `where` in the root, `offered`: NVIDIA's repositories of all versions."""
    made = []
    with repository.keyring(None) as home:
        owner = f"{repository.OWNER}: local repositories"
        repository.gpg(home, "--quick-generate-key", owner, "rsa3072", "sign", "never")
        for release in rpms.releases():
            for driver in packages.drivers(packages.table()):
                folder = root / where.format(version=driver.version)
                folder.mkdir(parents=True, exist_ok=True)
                found = [rpm for rpm in rpms.drivers(release) if rpm.upstream == driver.version]
                source = offered / "compute/cuda/repos" / release.folder / "x86_64"
                made.append(_write(release, driver.version, found, source, home, folder))
    return made


def _write(release: Release, version: str, found: list[Rpm], source: Path, home: Path, folder: Path) -> Path:
    name = f"nvidia-driver-local-repo-{release.folder}-{version}"
    fingerprint = repository.fingerprint(repository.gpg(home, "--with-colons", "--list-keys"))
    with tempfile.TemporaryDirectory(prefix="kubegpu-rpm-") as scratch:
        inside = Path(scratch, "tree/var", name)
        inside.mkdir(parents=True)
        sign([Path(shutil.copy(source / rpm.file_name, inside)) for rpm in found], home, fingerprint)
        index(inside, Path(scratch), rpms.streams(found) if release.modules else "")
        key = f"{fingerprint[-8:]}.pub"
        (inside / key).write_text(repository.gpg(home, "--armor", "--export"))
        called = f"nvidia-driver-local-{release.folder}-{version}"
        listed = Path(scratch, "tree/etc/yum.repos.d", f"{called}.repo")
        listed.parent.mkdir(parents=True)
        listed.write_text(SOURCE.format(called=called, name=name, key=key))
        return write_rpm(name, called, Path(scratch), folder)


def write_rpm(name: str, called: str, scratch: Path, folder: Path) -> Path:
    spec = scratch / "local.spec"
    spec.write_text(SPEC.format(name=name, called=called, tree=scratch / "tree"))
    defines = {"_topdir": scratch / "build", "_rpmdir": folder, "_target_cpu": "x86_64"}
    arguments = [word for key, value in defines.items() for word in ("--define", f"{key} {value}")]
    run("rpmbuild", "-bb", "--quiet", *arguments, spec, env={"SOURCE_DATE_EPOCH": str(EPOCH)})
    return folder / f"{name}-1.0-1.x86_64.rpm"
