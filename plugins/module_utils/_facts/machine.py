# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: what is under the system: Secure Boot, a hypervisor or container, control groups."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source, first_line

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

FIRMWARE = "/sys/firmware"
# UEFI specification: a global variable. The kernel shows four bytes of attributes and then its one byte.
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
CGROUPS = "/sys/fs/cgroup"
DETECT_VIRT = "systemd-detect-virt"
WORD = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")


def parse_secure_boot(text: str) -> bool | None:
    return {"\x00": False, "\x01": True}.get(text[4:]) if len(text) == 5 else None


def secure_boot(host: Host) -> tuple[bool | None, Source]:
    """A machine without UEFI has no Secure Boot. In a container the firmware may be hidden."""
    try:
        if "efi" not in (names := host.list_dir(FIRMWARE)):
            return (False, OK) if names else (None, Source(False, f"{FIRMWARE} is empty, as in a container"))
        state = parse_secure_boot(host.read(SECURE_BOOT, limit=64))
    except KubeGpuError as exc:
        return None, Source(False, str(exc))
    return state, OK if state is not None else Source(False, f"{SECURE_BOOT} holds neither 0 nor 1")


def virtualization(host: Host) -> tuple[str | None, Source]:
    try:
        answer = host.run(DETECT_VIRT)
    except KubeGpuError as exc:
        return None, Source(False, str(exc))
    # its exit status is 1 where it finds none, and says so in a word
    word = answer.out.strip()
    if WORD.fullmatch(word):
        return word, OK
    return None, Source(False, f"exit status {answer.rc}: {first_line(answer.err, answer.out)}")


def cgroup_version(host: Host) -> tuple[int | None, Source]:
    """Where both are mounted the controllers are with version 1."""
    if host.exists(f"{CGROUPS}/cgroup.controllers"):
        return 2, OK
    if host.is_dir(f"{CGROUPS}/cpu") or host.is_dir(f"{CGROUPS}/memory"):
        return 1, OK
    return None, Source(False, f"no controllers are below {CGROUPS}")


def read(host: Host) -> Reading:
    secure, secure_source = secure_boot(host)
    kind, kind_source = virtualization(host)
    version, version_source = cgroup_version(host)
    value = {"secure_boot": secure, "virtualization": kind, "cgroup_version": version}
    return Reading(value, {"secure_boot": secure_source, "virtualization": kind_source, "cgroups": version_source})
