# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the installed packages that matter, from the package database."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import holds, origins
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source, first_line

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

NAMES = (
    "nvidia*",
    "libnvidia*",
    "kmod-nvidia*",
    "linux-modules-nvidia*",
    "linux-objects-nvidia*",
    "linux-signatures-nvidia*",
    "xserver-xorg-video-nvidia*",
    "xorg-x11-nvidia*",
    "python3-dnf-plugin-versionlock",
    "cuda*",
    "libcuda*",
    "libcudnn*",
    "libnccl*",
    "datacenter-gpu-manager*",
    "containerd*",
    "docker*",
    "moby*",
    "cri-o",
    "runc",
    "dkms",
    "kernel-devel-matched",
    "kernel-*-devel-matched",
    "libc6-dev",
    "glibc-devel",
    "kubelet",
)
# Of a CUDA toolkit, whose packages end with its version. Not every lib*: libpcre2-8-0 and libgtk-3-0 are no toolkit's.
OF_A_TOOLKIT = r"(lib(cu|npp|nv)|nsight-|gds-).*-[0-9]+-[0-9]+"
# One pattern, because a host has thousands of packages.
WANTED = re.compile("|".join([*map(fnmatch.translate, NAMES), OF_A_TOOLKIT]))
DPKG = ("dpkg-query", "--show", "--showformat", r"${Package}\t${Version}\t${Architecture}\t${db:Status-Abbrev}\n")
RPM = ("rpm", "-qa", "--queryformat", r"%{NAME}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\t%{ARCH}\t%{VENDOR}\n")
NO_VENDOR = ("", "(none)")
# dpkg's word for the machine that uname names.
DPKG_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def wanted(name: str) -> bool:
    return WANTED.fullmatch(name) is not None


class Row(t.NamedTuple):
    name: str
    version: str
    architecture: str
    # dpkg's status, rpm's vendor
    more: str


def rows(text: str) -> t.Iterator[Row]:
    """All that the database tells of, in whatever state it is."""
    for line in text.splitlines():
        cells = line.split("\t")
        if len(cells) == 4 and cells[0] and cells[1]:
            yield Row(*cells)


def _rows(text: str) -> t.Iterator[Row]:
    return (row for row in rows(text) if wanted(row.name))


def dpkg_name(row: Row, machine: str) -> str:
    """As apt is asked for it: one of a foreign architecture as ``name:architecture``."""
    native = (DPKG_ARCHITECTURES.get(machine, machine), "all")
    return row.name if row.architecture in native else f"{row.name}:{row.architecture}"


def parse_dpkg(text: str, machine: str) -> dict[str, dict[str, t.Any]]:
    """Installed packages by name. Origins are apt's to tell."""
    return {
        dpkg_name(row, machine): {"version": row.version, "held": row.more[0] == "h", "origin": None}
        for row in _rows(text)
        if is_whole(row)
    }


def is_whole(row: Row) -> bool:
    """Status-Abbrev: what is wanted (h is hold), what is (i is installed), and an error mark."""
    return row.more[1:2] == "i" and row.more[2:].strip() == ""


def parse_rpm(text: str, locks: holds.Locks | None) -> dict[str, dict[str, t.Any]]:
    """Installed packages by name; of several versions side by side the last one listed."""
    return {
        row.name: {
            "version": row.version,
            "held": locks.hold(row.name, row.version, row.architecture) if locks else None,
            "origin": None if row.more in NO_VENDOR else row.more,
        }
        for row in _rows(text)
    }


def database(host: Host) -> tuple[bool, str]:
    """Whether it is dpkg's, and what it says of all packages. Raises where it says nothing."""
    debian = host.which(DPKG[0]) is not None
    try:
        answer = host.run_once(*(DPKG if debian else RPM))
    except KubeGpuError as exc:
        if debian:
            raise
        raise KubeGpuError(f"neither dpkg-query nor rpm gave an answer: {exc}") from exc
    if answer.rc != 0:
        raise KubeGpuError(f"exit status {answer.rc}: {first_line(answer.err, answer.out)}")
    return debian, answer.out


def installed(host: Host) -> dict[str, dict[str, t.Any]]:
    """Versions alone, for readers that need no more. Raises where nobody tells."""
    debian, text = database(host)
    return parse_dpkg(text, host.machine()) if debian else parse_rpm(text, None)


def read(host: Host) -> Reading:
    try:
        debian, text = database(host)
    except KubeGpuError as exc:
        not_asked = Source(None, "not asked: the packages are not known")
        return Reading({}, {"packages": Source(False, str(exc)), "origins": not_asked})
    if not debian:
        locks, told = holds.read(host)
        return Reading(parse_rpm(text, locks), {"packages": OK, "origins": OK, "holds": told})
    found = parse_dpkg(text, host.machine())
    by_name, source = origins.read(host, list(found))
    for name, package in found.items():
        package["origin"] = by_name.get(name)
    return Reading(found, {"packages": OK, "origins": source})
