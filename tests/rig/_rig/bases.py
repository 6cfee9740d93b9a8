# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose root file system a host has: Debian's, or that of an image which the user names in the place of a costume."""

from __future__ import annotations

import functools
import os
import re
import shutil
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from _rig import debian
from _rig.cache import RIG, cache, key, made_once
from _rig.debian import HOST_KEY
from _rig.dnf_repositories import release_of
from _rig.fleets import Host
from _rig.packages import PACKAGES
from _rig.parts import table
from _rig.podman import LABEL, image_exists, podman, remove
from _rig.shell import RigError, attempt, run, say

VARIABLES = "KUBEGPU_RIG_IMAGE_"
# Beginning of the name of a system that is such an image's.
OF_AN_IMAGE = "image-of-"
# What is in the folder of its base: what the rig lays over it, and which programs are in it.
OVER = "over"
PROGRAMS = "programs"
FOLDERS = {*(f"{place}{name}" for place in ("", "usr/", "usr/local/") for name in ("bin", "sbin", "lib/systemd"))}
CNI = "usr/lib/cni"
DRACUT = PACKAGES / "files" / "dracut"


def system_of(host: Host) -> str:
    """That of an Enterprise Linux is one of its own, for apt cannot be taken for dnf."""
    if image_of(host):
        return f"{OF_AN_IMAGE}{host.costume}"
    return debian.WITH_DNF if release_of(host.costume) else host.os


def systems() -> list[str]:
    """All that hosts can have."""
    return [*table()["systems"], *(f"{OF_AN_IMAGE}{costume}" for costume in costumes())]


def costumes() -> list[str]:
    return sorted(path.name for path in (RIG / "os").iterdir())


def image_of(host: Host) -> str:
    """What the user names for this host's costume. One whose machine or archive is played too stays in it."""
    played = host.machine or (host.kernel and not release_of(host.costume))
    return "" if played else os.environ.get(variable(host.costume), "")


def variable(costume: str) -> str:
    return VARIABLES + re.sub(r"\W", "_", costume).upper()


def base_folder(system: str) -> Path:
    """Where that of this system is, once it is made."""
    costume = system.removeprefix(OF_AN_IMAGE)
    if costume == system:
        return debian.base_folder(system)
    return cache() / "images" / f"base-{key(_image_id(variable(costume)), costume, DRACUT)}"


def base_image(system: str = debian.SYSTEM) -> Path:
    """A folder with `base.tar`, the root file system of a host, and its `HOST_KEY`."""
    costume = system.removeprefix(OF_AN_IMAGE)
    if costume == system:
        return debian.base_image(system)
    name = os.environ[variable(costume)]
    return made_once(base_folder(system), lambda new: _unpack(name, costume, new), f"take {name} for {costume}")


@functools.cache
def _image_id(named_in: str) -> str:
    name = os.environ[named_in]
    if not image_exists(name):
        say(f"pull {name} ...")
        answer = attempt("podman", "pull", "--quiet", name, shielded=True)
        if answer.returncode != 0:
            why = (answer.stderr.strip().splitlines() or ["nothing"])[-1]
            raise RigError(f"there is no image {name}, which {named_in} names; podman said: {why}")
    return podman("image", "inspect", "--format={{.Id}}", name).strip()


def _unpack(name: str, costume: str, folder: Path) -> None:
    base, over = folder / "base.tar", folder / OVER
    container = podman("create", "--network=none", f"--label={LABEL}=image", name, "/sbin/init").strip()
    try:
        podman("export", f"--output={base}", container)
    finally:
        remove(container)
    with tarfile.open(base) as tar:
        (folder / PROGRAMS).write_text("\n".join(programs(tar.getnames())))
    (over / "etc/ssh").mkdir(parents=True)
    host_key = over / "etc/ssh/ssh_host_ed25519_key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kubegpu-rig", "-f", host_key)
    shutil.copyfile(host_key.with_suffix(".pub"), folder / HOST_KEY)
    (over / "etc/machine-id").touch()  # without this file systemd would choose anew which units are enabled
    if release_of(costume):
        (over / "usr/bin").mkdir(parents=True)
        shutil.copy(DRACUT, over / "usr/bin/dracut")


def programs(names: Iterable[str]) -> list[str]:
    """The paths of programs among those of a root file system."""
    paths = {name.removeprefix("./") for name in names}
    return sorted(path for path in paths if path.rpartition("/")[0] in (*FOLDERS, CNI))


def check(hosts: Sequence[Host]) -> None:
    """Refuse an image of which no host can be made, and a variable that names one for nothing, before a host starts."""
    known = {variable(costume): costume for costume in costumes()}
    for name in os.environ:
        if name.startswith(VARIABLES) and name not in known:
            raise RigError(f"{name} is for no costume; there are {', '.join(known)}")
    for costume in sorted({host.costume for host in hosts if image_of(host)}):
        joined = any(host.joined for host in hosts if host.costume == costume and image_of(host))
        there = (base_image(f"{OF_AN_IMAGE}{costume}") / PROGRAMS).read_text().splitlines()
        lacking = missing(there, wanted(costume, joined))
        if lacking:
            name = variable(costume)
            raise RigError(
                f"the image {os.environ[name]} lacks {', '.join(lacking)}: name one in {name} that has what hosts need "
                "(tests/rig/README.md says how to make it), or unset it"
            )


def wanted(costume: str, joined: bool) -> list[str]:
    """The programs that such an image has to bring."""
    kinds = table()["own_image"]
    manager = "dnf" if release_of(costume) else "apt"
    return [*kinds["every"], *kinds[manager], *(kinds["joined"] if joined else [])]


def missing(there: Iterable[str], names: Iterable[str]) -> list[str]:
    """Programs are wanted by their name; those that must be in one folder by their path."""
    paths = set(there)
    found = {path.rpartition("/")[2] for path in paths} | paths
    return [name for name in names if name not in found]
