# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of every container of the rig: Debian's root file system, the files of `node/`, and the kubelet."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

from _rig.cache import RIG, cache, key, locked
from _rig.debian import HOST_KEY, base_image
from _rig.podman import image_exists, podman
from _rig.shell import attempt, say

REPOSITORY = "localhost/kubegpu-rig-node"


def node_image(base: Path, kubernetes: Path, family: str = "") -> str:
    """The name of the image in podman's storage, imported again from the cache whenever that storage lost it."""
    name = image_name(base, kubernetes, family)
    if image_exists(name):
        return name
    with locked(cache() / "images" / ".import.lock", "another rig imports the node image"):
        if not image_exists(name):
            say("import the node image ...")
            _import(name, base / "base.tar", kubernetes / "bin" / "kubelet")
    return name


def image_name(base: Path, kubernetes: Path, family: str = "") -> str:
    """By what is in it. A base that an emptied cache makes again differs in its host key from podman's older image."""
    name = f"{REPOSITORY}-{family}" if family else REPOSITORY
    return f"{name}:{key(base.name, base / HOST_KEY, kubernetes.name, RIG / 'node')}"


def host_key(family: str = "debian") -> str:
    """The public key that the sshd of every host of a family shows; made once, with the base."""
    return " ".join((base_image(family) / HOST_KEY).read_text().split()[:2])


def _import(name: str, base: Path, kubelet: Path) -> None:
    whole = cache() / "images" / "node.tar"
    try:
        _lay_over(base, dict(_overlay(kubelet)), whole)
        podman("import", "--quiet", whole, name)
    finally:
        whole.unlink(missing_ok=True)
    _forget_older(name)


def _lay_over(base: Path, overlay: dict[str, Path], whole: Path) -> None:
    """Write the tar again with the overlay's files in it: podman takes no tar that has a path twice."""
    present = set()
    with tarfile.open(base) as old, tarfile.open(whole, "w") as new:
        for entry in old:
            path = entry.name.removeprefix("./").rstrip("/")
            present.add(path)
            if entry.isdir() or path not in overlay:
                new.addfile(entry, old.extractfile(entry) if entry.isreg() else None)
        for target, source in overlay.items():
            if not (source.is_dir() and target in present):
                new.add(source, target, recursive=False, filter=_of_root)


def _overlay(kubelet: Path) -> Iterator[tuple[str, Path]]:
    node = RIG / "node"
    yield from ((str(path.relative_to(node)), path) for path in sorted(node.rglob("*")))
    yield "usr/bin/kubelet", kubelet


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """git keeps no owner and one bit of the mode; in the image everything is root's and readable."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


def _forget_older(name: str) -> None:
    """Images of earlier states of this checkout, unless a container still runs on one."""
    listed = podman("image", "ls", "--format={{.Repository}}:{{.Tag}}", f"--filter=reference={name.partition(':')[0]}")
    for older in set(listed.split()) - {name}:
        attempt("podman", "rmi", older)
