# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: which system this is: os-release, its kernels, what is under it, its file systems."""

from __future__ import annotations

import shlex
import sys
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import filesystems, kernels, machine
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")

# os-release(5): ID, and ID_LIKE where a derived system names its relatives.
FAMILIES = {"debian": "debian", "ubuntu": "debian", "rhel": "redhat", "fedora": "redhat", "centos": "redhat"}
# Of each family the newer one first: old systems of it have only the other.
PACKAGE_MANAGERS = {"debian": ("apt",), "redhat": ("dnf", "yum")}


def parse_os_release(text: str) -> dict[str, str]:
    """Assignments of os-release(5). A line that is none is passed over."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals or not key.isidentifier():
            continue
        try:
            words = shlex.split(value)
        except ValueError:
            continue
        found[key] = words[0] if words else ""
    return found


def family(release: dict[str, str]) -> str | None:
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return next((FAMILIES[name] for name in names if name in FAMILIES), None)


def _release(host: Host) -> tuple[dict[str, str], Source]:
    for path in OS_RELEASE:
        try:
            release = parse_os_release(host.read(path))
        except KubeGpuError:
            continue
        return release, OK if release.get("ID") else Source(False, f"{path}: no ID")
    return {}, Source(False, f"none of {', '.join(OS_RELEASE)} can be read")


def _identity(host: Host) -> Reading:
    release, source = _release(host)
    kind = family(release)
    value = {
        "id": release.get("ID") or None,
        "version": release.get("VERSION_ID") or None,
        "codename": release.get("VERSION_CODENAME") or None,
        "name": release.get("PRETTY_NAME") or None,
        "family": kind,
        "package_manager": next(filter(host.which, PACKAGE_MANAGERS.get(kind or "", ())), None),
        "architecture": host.machine(),
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "python_path": sys.executable or None,
        "service_manager": "systemd" if host.is_dir("/run/systemd/system") else None,
        "uid": host.uid(),
        "hostname": host.host_name(),
    }
    return Reading(value, {"platform": source})


def read(host: Host) -> Reading:
    parts = [part(host) for part in (_identity, kernels.read, machine.read, filesystems.read)]
    value = {key: fact for part in parts for key, fact in part.value.items()}
    return Reading(value, {name: source for part in parts for name, source in part.sources.items()})
