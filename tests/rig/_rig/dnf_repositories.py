# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig's dnf repositories, made only for fleets that have hosts of an Enterprise Linux."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from _rig import debian, rpms
from _rig.architecture import X86_64, Architecture
from _rig.cache import cache, key, made_once, scratch
from _rig.debs import Sources
from _rig.fleets import Host
from _rig.packages import PACKAGES
from _rig.repository import ensure_signing_key, keyring
from _rig.repository import sources as filled_from
from _rig.rpms import Release, Rpm
from _rig.shell import run

# Programs that make them, and Debian's packages of these.
PROGRAMS = {"rpmbuild": "rpm", "createrepo_c": "createrepo-c"}


def ensure_dnf_repositories(architecture: Architecture = X86_64) -> Path:
    """A folder with NVIDIA's repository for each release, and those of the release's own distribution."""
    signing_key = ensure_signing_key()
    sources = filled_from()._replace(dnf_plugins=debian.extract(["dnf-plugins-core"]))
    modules = ("dnf_repositories.py", "rpms.py", "packages.py", "debs.py", "architecture.py")
    code = [Path(__file__).with_name(name) for name in modules]
    names = [folder.name for folder in (*sources.userland.values(), sources.dnf_plugins)]
    own = (signing_key / "fingerprint", os.uname().release, architecture.machine)
    folder = cache() / "rpm" / key(PACKAGES, *code, *names, sources.nvidia_smi, *own)

    def make(new: Path) -> None:
        for release in rpms.releases():
            here = new / "compute/cuda/repos" / release.folder / architecture.nvidia
            offered = rpms.made_for(architecture, rpms.nvidia(release))
            drivers = rpms.made_for(architecture, rpms.drivers(release))
            modules = rpms.streams(drivers) if release.modules else ""
            _fill(here, offered, sources, scratch(new) / release.folder, signing_key, modules)
            shutil.copyfile(signing_key / "public.asc", here / release.key)
            for section in ("system", "epel"):
                system = rpms.made_for(architecture, rpms.of_the_system(release, section))
                place = new / architecture.enterprise / release.major / section
                _fill(place, system, sources, scratch(new) / f"{section}{release.major}")

    return made_once(folder, make, f"write the dnf repositories for {architecture.machine}")


def _fill(
    folder: Path,
    wanted: Sequence[Rpm],
    sources: Sources,
    work: Path,
    signing_key: Path | None = None,
    modules: str = "",
) -> None:
    """rpmbuild puts packages below a folder for their architecture."""
    folder.mkdir(parents=True)
    rpms.write_rpms(wanted, sources, folder, work)
    below = folder / wanted[0].architecture.machine
    for path in below.glob("*.rpm"):
        path.rename(folder / path.name)
    below.rmdir()
    if signing_key:
        with keyring(signing_key) as home:
            sign(sorted(folder.glob("*.rpm")), home, (signing_key / "fingerprint").read_text().strip())
    index(folder, work, modules)


def index(folder: Path, work: Path, modules: str) -> None:
    """What dnf reads of a folder of packages; `modules`: their streams, where there are any."""
    run("createrepo_c", "--quiet", "--no-database", "--simple-md-filenames", folder)
    if modules:
        (work / "modules.yaml").write_text(modules)
        run("modifyrepo_c", "--mdtype=modules", "--simple-md-filenames", work / "modules.yaml", folder / "repodata")


def sign(files: Sequence[Path], home: Path, fingerprint: str) -> None:
    """With a key that is in this GnuPG home; another signature goes."""
    defines = {"_gpg_name": fingerprint, "_gpg_path": home, "__gpg": "/usr/bin/gpg"}
    words = [word for name, value in defines.items() for word in ("--define", f"{name} {value}")]
    run("rpmsign", *words, "--resign", *files)


def release_of(costume: str) -> Release | None:
    """The release of Enterprise Linux that a host plays, rocky-9 that of 9; None of another system."""
    name, _, version = costume.partition("-")
    known = {release.major: release for release in rpms.releases()}
    return known.get(version) if name in ("rocky", "almalinux", "rhel") else None


def with_dnf(hosts: Iterable[Host]) -> bool:
    """Whether one of them plays an Enterprise Linux."""
    return any(release_of(host.costume) for host in hosts)


def programs(hosts: Iterable[Host]) -> dict[str, str]:
    """What the machine has to have for them: drivers as one file are packed for every system."""
    wanted = list(hosts)
    return PROGRAMS if with_dnf(wanted) or any(host.driver_files for host in wanted) else {}


def release_rpm(folder: Path, release: Release, architecture: Architecture) -> Path:
    """What an installed system has of itself."""
    return next((folder / architecture.enterprise / release.major / "system").glob("rocky-release-*.rpm"))
