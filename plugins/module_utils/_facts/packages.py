# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the installed packages that matter, from the package database."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source, first_line

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Answer, Host

NAMES = (
    "nvidia*",
    "libnvidia*",
    "kmod-nvidia*",
    "linux-modules-nvidia*",
    "xserver-xorg-video-nvidia*",
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
    "kubelet",
)
# Of a CUDA toolkit, whose packages end with its version. Not every lib*: libpcre2-8-0 and libgtk-3-0 are no toolkit's.
OF_A_TOOLKIT = re.compile(r"(lib(cu|npp|nv)|nsight-|gds-).*-[0-9]+-[0-9]+")
DPKG = ("dpkg-query", "--show", "--showformat", r"${Package}\t${Version}\t${Architecture}\t${db:Status-Abbrev}\n")
RPM = ("rpm", "-qa", "--queryformat", r"%{NAME}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\t%{ARCH}\t\n")
# dpkg's word for the machine that uname names.
DPKG_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def wanted(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in NAMES) or OF_A_TOOLKIT.fullmatch(name) is not None


def _lines(text: str) -> t.Iterator[tuple[str, str, str, str]]:
    for line in text.splitlines():
        cells = line.split("\t")
        if len(cells) == 4 and cells[0] and cells[1] and wanted(cells[0]):
            yield cells[0], cells[1], cells[2], cells[3]


def parse_dpkg(text: str, machine: str) -> dict[str, dict[str, t.Any]]:
    """Installed packages by name; one of a foreign architecture as ``name:architecture``."""
    native = (DPKG_ARCHITECTURES.get(machine, machine), "all")
    found = {}
    for name, version, architecture, status in _lines(text):
        # Status-Abbrev: what is wanted (h is hold), what is (i is installed), and an error mark.
        if status[1:2] == "i" and status[2:].strip() == "":
            key = name if architecture in native else f"{name}:{architecture}"
            found[key] = {"version": version, "held": status[0] == "h"}
    return found


def parse_rpm(text: str) -> dict[str, dict[str, t.Any]]:
    """Installed packages by name; of several versions side by side the last one listed. Locks are not known here."""
    return {name: {"version": version, "held": None} for name, version, _arch, _status in _lines(text)}


def read(host: Host) -> Reading:
    debian = host.which(DPKG[0]) is not None
    try:
        answer: Answer = host.run(*(DPKG if debian else RPM))
    except KubeGpuError as exc:
        reason = str(exc) if debian else "neither dpkg-query nor rpm gave an answer: " + str(exc)
        return Reading({}, {"packages": Source(False, reason)})
    if answer.rc != 0:
        reason = f"exit status {answer.rc}: {first_line(answer.err, answer.out)}"
        return Reading({}, {"packages": Source(False, reason)})
    found = parse_dpkg(answer.out, host.machine()) if debian else parse_rpm(answer.out)
    return Reading(found, {"packages": OK})
