# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Rules about the host itself: hardware, distribution, user, room on its disks, a reboot that is due."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import Case, flag, part, text, texts
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules.finding import Findings, Planned, Rule, refuse

# Room in MiB that has to be free before anything is installed. The numbers are this collection's own, not measured:
# about what the packages of recent versions take, rounded up generously. /var holds the downloads and the tree that
# DKMS builds in, /boot a second image of the initial RAM disk while the first one is replaced.
DRIVER_ROOM = {"/usr": 2048, "/var": 2048, "/boot": 128}
# For each CUDA toolkit; /usr/local is taken to be where /usr is.
CUDA_ROOM = {"/usr": 8192, "/var": 4096}


def no_hardware(case: Case, planned: Planned) -> Findings:
    if not case.wants_driver or case.cards:
        return
    reading = part(case.facts, "sources", "pci")
    if reading.get("ok") is False:
        reason = f"The PCI bus could not be read ({reading.get('reason')}), so no NVIDIA GPU is known"
        yield refuse("no-nvidia-hardware", "an unreadable PCI bus", "an NVIDIA GPU", "see why on the host", reason)
    elif case.facts.get("pci") is None:
        yield "It is not known whether this host has an NVIDIA GPU: the facts say nothing of its PCI bus."
    elif case.passed_on:
        found = ", ".join(case.passed_on)
        way_out = "take the host out of the play, or give it a card back (driverctl unset-override)"
        reason = f"Virtual machines have all GPUs of this host ({found}, by vfio-pci)"
        yield refuse("no-nvidia-hardware", f"{found} with vfio-pci", "an NVIDIA GPU", way_out, reason)
    else:
        way_out = "take the host out of the play, or see that the card is seated and passed through to this machine"
        reason = "This host has no NVIDIA GPU on its PCI bus"
        yield refuse("no-nvidia-hardware", "no device", "an NVIDIA GPU", way_out, reason)


def unsupported_platform(case: Case, planned: Planned) -> Findings:
    """Of an unknown distribution the names of its packages are unknown too; an unknown machine is let pass."""
    architecture = text(case.platform, "architecture")
    if case.line and architecture in (None, *case.line["architectures"]):
        return
    name, id_, version = (text(case.platform, key) or "unknown" for key in ("name", "id", "version"))
    found = f"{name} (ID {id_}, version {version}) on {architecture}"
    lines = case.data.platforms()
    supported = ", ".join(f"{line['name']} {line['version']}" for line in lines)
    files = f"plugins/plugin_utils/data/platforms.yml and roles/nvidia_driver/vars/{id_}.yml"
    architectures = ", ".join(sorted({name for line in lines for name in line["architectures"]}))
    reason = f"{found} is not supported, only {supported} on {architectures}"
    yield refuse("unsupported-platform", found, supported, f"to support it, add it to {files}", reason)


def not_root(case: Case, planned: Planned) -> Findings:
    uid = case.platform.get("uid")
    if uid not in (0, None):
        reason = f"Tasks run as uid {uid} here, but need root"
        yield refuse("not-root", f"uid {uid}", "uid 0", "set become: true", reason)


def disk_space(case: Case, planned: Planned) -> Findings:
    """Paths on one file system have to find room there together."""
    needs: dict[str, int] = {}
    free: dict[str, int] = {}
    for path, mib in _room(planned):
        found = part(case.platform, "filesystems", path)
        mount, available = text(found, "mount"), found.get("available_mib")
        if mount and isinstance(available, (int, float)):
            needs[mount] = needs.get(mount, 0) + mib
            free[mount] = int(available)
    for mount, mib in needs.items():
        if free[mount] < mib:
            found_words, wanted = f"{free[mount]} MiB free on {mount}", f"{mib} MiB"
            way_out = f"make room on {mount}, or wish for fewer CUDA toolkits" if planned.cuda["missing"] else ""
            reason = (
                f"There are {found_words}, and what is to be installed needs {wanted} by this collection's reckoning"
            )
            yield refuse("disk-space", found_words, wanted, way_out or f"make room on {mount}", reason)


def _room(planned: Planned) -> t.Iterator[tuple[str, int]]:
    if planned.installs_driver:
        yield from DRIVER_ROOM.items()
    for _version in planned.cuda["missing"]:
        yield from CUDA_ROOM.items()


def reboot_pending(case: Case, planned: Planned) -> Findings:
    reboot = part(case.platform, "reboot")
    if flag(reboot, "pending") is True:
        reasons = ", ".join(texts(reboot, "reasons"))
        yield f"The host waits for a reboot already{f' ({reasons})' if reasons else ''}."


def toolkit_of_dnf(case: Case, planned: Planned) -> Findings:
    """Drivers and CUDA come to hosts with dnf, the container toolkit does not yet."""
    if case.wants_toolkit and case.line and case.manager != "apt":
        name = text(case.platform, "name") or str(case.line["name"])
        way_out = "apply the roles nvidia_driver and cuda alone there, and install the container toolkit yourself"
        reason = f"The container toolkit is not installed on {name} by this collection yet"
        yield refuse("toolkit-of-dnf", name, "a host with apt", way_out, reason)


RULES: tuple[Rule, ...] = (no_hardware, unsupported_platform, not_root, disk_space, toolkit_of_dnf, reboot_pending)
