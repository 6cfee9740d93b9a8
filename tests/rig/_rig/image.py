# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of every container of the rig: a root file system, the files of `node/`, and the kubelet."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from _rig.bases import OVER, systems
from _rig.cache import RIG, cache, key, locked
from _rig.debian import HOST_KEY
from _rig.podman import image_exists, podman
from _rig.shell import attempt, say

REPOSITORY = "localhost/kubegpu-rig-node"


def node_image(system: str, base: Path, kubernetes: Path) -> str:
    """The name of the image in podman's storage, imported again from the cache whenever that storage lost it."""
    name = image_name(system, base, kubernetes)
    if image_exists(name):
        return name
    with locked(cache() / "images" / ".import.lock", "another rig imports the node image"):
        if not image_exists(name):
            say(f"import the node image of {system} ...")
            _import(name, base, kubernetes / "bin" / "kubelet")
            _forget_older(name, system)
    return name


def image_name(system: str, base: Path, kubernetes: Path) -> str:
    """By what is in it. A base that an emptied cache makes again differs in its host key from podman's older image."""
    return f"{REPOSITORY}:{system}-{key(base.name, base / HOST_KEY, kubernetes.name, RIG / 'node')}"


def host_keys() -> list[str]:
    """The public keys that hosts' sshd can show: each base has one, made with it."""
    made = [path for path in (cache() / "images").glob(f"base-*/{HOST_KEY}") if not path.parent.suffix]
    return [" ".join(path.read_text().split()[:2]) for path in sorted(made)]


def _import(name: str, base: Path, kubelet: Path) -> None:
    whole = cache() / "images" / "node.tar"
    try:
        _lay_over(base / "base.tar", dict(_overlay(base / OVER, kubelet)), whole)
        podman("import", "--quiet", whole, name)
    finally:
        whole.unlink(missing_ok=True)


def _lay_over(base: Path, overlay: dict[str, Path], whole: Path) -> None:
    """Write the tar again with the overlay's files in it: podman takes no tar that has a path twice."""
    present = set()
    with tarfile.open(base) as old, tarfile.open(whole, "w") as new:
        for entry in old:
            path = entry.name.removeprefix("./").rstrip("/")
            present.add(path)
            if entry.isdir() or path not in overlay or overlay[path].is_dir():  # a folder's name may be a link's
                new.addfile(entry, old.extractfile(entry) if entry.isreg() else None)
        for target, source in overlay.items():
            if not (source.is_dir() and target in present):
                new.add(source, target, recursive=False, filter=_of_root)


def _overlay(of_its_own: Path, kubelet: Path) -> Iterator[tuple[str, Path]]:
    for folder in (of_its_own, RIG / "node"):
        yield from ((str(path.relative_to(folder)), path) for path in sorted(folder.rglob("*")))
    yield "usr/bin/kubelet", kubelet


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """git keeps no owner and one bit of the mode; in the image everything is root's, and readable but for keys."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    readable = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    entry.mode = 0o600 if entry.name.endswith("_key") else readable
    return entry


def _forget_older(name: str, system: str) -> None:
    """Images of earlier states of this checkout, unless a container still runs on one."""
    listed = podman("image", "ls", "--format={{.Repository}}:{{.Tag}}", f"--filter=reference={REPOSITORY}")
    for older in older_images(listed.split(), name, system):
        attempt("podman", "rmi", older)


def older_images(names: Iterable[str], new: str, system: str) -> list[str]:
    """Those that `new` takes the place of. Images of other systems stay."""
    others = tuple(f"{REPOSITORY}:{other}-" for other in systems() if other != system)
    return [name for name in names if name != new and not name.startswith(others)]
