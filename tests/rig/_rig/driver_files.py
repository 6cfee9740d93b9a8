# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drivers as one file: NVIDIA's own installer, and NVIDIA's repository of one version as a package."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from _rig import local_rpms, packages, repository
from _rig.architecture import X86_64
from _rig.cache import cache, key, made_once
from _rig.debs import EPOCH, FILES, LICENCES, MODULES, Sources, Tree, build_deb, kernel_module
from _rig.dnf_repositories import ensure_dnf_repositories
from _rig.packages import Package, Repository

CHIPS = ("ga10x", "tu10x")
FLAVOURS = {"open": "modules-open", "proprietary": "modules-proprietary"}


def ensure_driver_files() -> Path:
    """A folder with both kinds for each driver and every system; made only for fleets that want it."""
    debs, rpms = repository.ensure_repositories(), ensure_dnf_repositories()
    entries = packages.table()
    code = [Path(__file__).with_name(name) for name in ("driver_files.py", "local_rpms.py")]
    folder = cache() / "driver-files" / key(debs.name, rpms.name, *code)

    def make(new: Path) -> None:
        filled = repository.sources()
        for driver in packages.drivers(entries):
            path = entries["driver_files"]["installer"].format(version=driver.version)
            write_runfile(driver.version, filled, new / path)
        _local_repositories(new, entries, debs)
        for rpm in local_rpms.write_local_rpms(new, entries["driver_files"]["repository"], rpms):
            write_sum(rpm)

    return made_once(folder, make, "write drivers as one file")


def _local_repositories(root: Path, entries: dict[str, Any], debs: Path) -> None:
    """NVIDIA signs each of its repositories that are packages with another key; here one of them has all."""
    with repository.keyring(None) as home, tempfile.TemporaryDirectory(prefix="kubegpu-local-") as scratch:
        owner = f"{repository.OWNER}: local repositories"
        repository.gpg(home, "--quick-generate-key", owner, "default", "default", "never")
        signed_by = Path(scratch, "keyring.gpg")
        repository.gpg(home, "--output", signed_by, "--export")
        for driver in packages.drivers(entries):
            folder = root / entries["driver_files"]["repository"].format(version=driver.version)
            folder.mkdir(parents=True)
            for release, family in entries["driver_files"]["releases"].items():
                inside = Path(scratch, driver.version, release)
                found = packages.of_driver(entries, family, driver)
                _index(inside, f"local-{release}", found, debs / f"compute/cuda/repos/{release}/x86_64", home)
                write_local_repository(local_repository(release, driver.version), inside, signed_by, folder)


def _index(inside: Path, name: str, found: list[Package], debs: Path, home: Path) -> None:
    inside.mkdir(parents=True)
    copies = [Path(shutil.copy(debs / package.file_name, inside)) for package in found]
    repository.index(inside, Repository(name, {}, found), copies, home)


def write_runfile(version: str, sources: Sources, path: Path) -> None:
    """As NVIDIA's: a script that unpacks what is behind it and runs the installer in there."""
    with tempfile.TemporaryDirectory(prefix="kubegpu-run-") as root:
        _fill(Tree(Path(root)), version, sources)
        archive = _archive(Path(root))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_text("driver-runfile", version).encode() + archive)
    write_sum(path)


def write_sum(path: Path) -> None:
    """Beside the file, for who is to name it."""
    Path(f"{path}.sha256").write_text(hashlib.sha256(path.read_bytes()).hexdigest() + "\n")


def _fill(tree: Tree, version: str, sources: Sources) -> None:
    for flavour, kind in FLAVOURS.items():
        for name, needs in MODULES.items():
            kernel_module(tree.root / "modules" / flavour / f"{name}.ko", name, needs, version, LICENCES[kind])
    tree.text("nvidia-installer", _text("nvidia-installer", version), 0o755)
    for name in ("libnvidia-ml.so", "libcuda.so"):
        tree.copy(f"files/{X86_64.libraries}/{name}.{version}", sources.userland[version] / f"{name}.{version}")
        tree.link(f"files/{X86_64.libraries}/{name}.1", f"{name}.{version}")
    tree.copy("files/usr/bin/nvidia-smi", sources.nvidia_smi, 0o755)
    # The daemon without its unit: that is in a tar file among NVIDIA's documentation.
    tree.text("files/usr/bin/nvidia-persistenced", _text("nvidia-persistenced", version), 0o755)
    for chip in CHIPS:
        tree.text(f"files/usr/lib/firmware/nvidia/{version}/gsp_{chip}.bin", f"{chip}: a stub of the test rig\n")
    tree.copy("files/usr/lib/nvidia/simulated-module", FILES / "simulated-module", 0o755)
    tree.copy("files/usr/lib/modprobe.d/nvidia-simulated.conf", FILES / "simulated-module.conf")


def _text(name: str, version: str) -> str:
    return (FILES / name).read_text().replace("@version@", version)


def _archive(root: Path) -> bytes:
    """Equal inputs make equal archives."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = EPOCH
        return entry

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in sorted(root.rglob("*")):
            tar.add(path, arcname=str(path.relative_to(root)), recursive=False, filter=plain)
    return gzip.compress(packed.getvalue(), compresslevel=1, mtime=0)


def local_repository(release: str, version: str) -> Package:
    """The package that is a repository, called as NVIDIA calls it."""
    name = f"nvidia-driver-local-repo-{release}-{version}"
    return Package(name, "1.0-1", version, {}, ())


def write_local_repository(package: Package, content: Path, signed_by: Path, folder: Path) -> Path:
    """`content`: a folder with the packages and signed indexes; `signed_by`: the binary key that signed them."""
    release, version = package.name.removeprefix("nvidia-driver-local-repo-").rsplit("-", 1)
    inside = f"var/{package.name}"
    keyring = f"nvidia-driver-local-{hashlib.sha256(signed_by.read_bytes()).hexdigest()[:8].upper()}-keyring.gpg"
    with tempfile.TemporaryDirectory(prefix="kubegpu-deb-") as root:
        tree = Tree(Path(root))
        Path(root).chmod(0o755)
        for path in sorted(content.iterdir()):
            tree.copy(f"{inside}/{path.name}", path)
        # apt finds the key only where somebody has copied it to, as NVIDIA's guide tells people to.
        tree.copy(f"{inside}/{keyring}", signed_by)
        line = f"deb [signed-by=/usr/share/keyrings/{keyring}] file:///{inside} /\n"
        tree.text(f"etc/apt/sources.list.d/nvidia-driver-local-{release}-{version}.list", line)
        deb = build_deb(tree, package, folder)
    write_sum(deb)
    return deb
