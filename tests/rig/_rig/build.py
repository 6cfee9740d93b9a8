# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is made once, before anything is started; what does not wait for each other is made side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from _rig import bases, debian, parts
from _rig.architecture import AARCH64, X86_64, Architecture
from _rig.cache import time_spent
from _rig.dnf_repositories import ensure_dnf_repositories, with_dnf
from _rig.driver_files import ensure_driver_files
from _rig.fleets import Host
from _rig.image import node_image
from _rig.oci import ensure_images
from _rig.repository import ensure_arm64_repositories, ensure_repositories
from _rig.shell import say
from _rig.ubuntu import ensure_ubuntu_archive


class Made(NamedTuple):
    image: str  # of the control plane and of most hosts, in podman's storage
    kubernetes: Path
    etcd: Path
    repositories: Path  # what the HTTPS server serves
    images: Path  # OCI tars that each host's containerd knows


class More(NamedTuple):
    """What only some fleets want."""

    dnf_repositories: Path | None = None
    driver_files: Path | None = None
    ubuntu: Path | None = None
    dnf_arm64: Path | None = None
    apt_arm64: Path | None = None
    ubuntu_arm64: Path | None = None

    def served(self) -> dict[str, Path]:
        """What the server has besides, by its kind."""
        kinds = {"dnf": self.dnf_repositories, "driver-files": self.driver_files, "ubuntu": self.ubuntu}
        kinds |= {"dnf-arm64": self.dnf_arm64, "apt-arm64": self.apt_arm64, "ubuntu-arm64": self.ubuntu_arm64}
        return {kind: made for kind, made in kinds.items() if made}

    def dnf_of(self, host: Host) -> Path | None:
        return self.dnf_arm64 if host.architecture == AARCH64 else self.dnf_repositories


def everything(systems: Iterable[str] = ()) -> Made:
    """Go keeps all cores busy while Debian's packages are mostly waited for: one thread each.

    `systems`: what hosts are to be. Nothing is made for one that nobody asks for.
    """
    with ThreadPoolExecutor(2) as pool:
        taken = {name: pool.submit(bases.base_image, name) for name in sorted({debian.SYSTEM, *systems})}
        etcd = pool.submit(debian.etcd)
        kubernetes = parts.ensure("kubernetes")
        made = pool.submit(lambda: {name: node_image(name, base.result(), kubernetes) for name, base in taken.items()})
        repositories, images = ensure_repositories(), ensure_images()
        return Made(made.result()[debian.SYSTEM], kubernetes, etcd.result(), repositories, images)


def for_hosts(hosts: Sequence[Host]) -> More:
    """What these hosts want beside what all have."""
    usual, arm64 = _with(X86_64, hosts), _with(AARCH64, hosts)
    return More(
        dnf_repositories=ensure_dnf_repositories() if with_dnf(usual) else None,
        driver_files=ensure_driver_files() if any(host.driver_files for host in hosts) else None,
        ubuntu=ensure_ubuntu_archive() if _with_ubuntu(usual) else None,
        dnf_arm64=ensure_dnf_repositories(AARCH64) if with_dnf(arm64) else None,
        apt_arm64=ensure_arm64_repositories() if arm64 else None,
        ubuntu_arm64=ensure_ubuntu_archive(AARCH64) if _with_ubuntu(arm64) else None,
    )


def _with_ubuntu(hosts: Sequence[Host]) -> bool:
    return any(host.kernel and not with_dnf([host]) for host in hosts)


def _with(architecture: Architecture, hosts: Iterable[Host]) -> list[Host]:
    return [host for host in hosts if host.architecture == architecture]


def build(names: list[str]) -> None:
    """`rig build`: all that a demo needs, or the named parts; then where the time went."""
    for name in names:
        OTHERS[name]() if name in OTHERS else parts.ensure(name)
    if not names:
        everything()
    report()


OTHERS: dict[str, Callable[[], Path]] = {
    "etcd": debian.etcd,
    "base": debian.base_image,
    "repositories": ensure_repositories,
    "dnf-repositories": ensure_dnf_repositories,
    "driver-files": ensure_driver_files,
    "ubuntu": ensure_ubuntu_archive,
    "images": ensure_images,
}


def report() -> None:
    spent = time_spent()
    say("where the time went:" if spent else "nothing to build: all of it is in the cache")
    for what, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        say(f"  {seconds:6.1f} s  {what}")
