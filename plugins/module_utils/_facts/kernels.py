# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the installed kernels, which of them boots next, and whether a reboot is due."""

from __future__ import annotations

import glob
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import boot, packages
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.boot import Choice
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

MODULES = "/lib/modules"
IMAGES = ("/boot/vmlinuz-{}", "/boot/vmlinux-{}", "/boot/*/{}/linux", "/efi/*/{}/linux", "/boot/efi/*/{}/linux")
# The build system of a kernel lies where its modules point to, and under these names where a distribution packs it.
HEADERS = (
    "/lib/modules/{}/build/Makefile",
    "/usr/src/linux-headers-{}/Makefile",
    "/usr/src/kernels/{}/Makefile",
)
GRUB_CONFIGS = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/boot/efi/EFI/*/grub.cfg")
GRUB_ENTRIES = "/boot/loader/entries"
SYSTEMD_BOOT_CONFIGS = ("/efi/loader/loader.conf", "/boot/loader/loader.conf", "/boot/efi/loader/loader.conf")
EFI_VARIABLES = "/sys/firmware/efi/efivars"
# The boot loader interface of systemd: who booted this system, and what was told to it besides loader.conf.
LOADER = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
TOLD = ("LoaderEntryOneShot", "LoaderEntryDefault")
# kernel-core brings 5.14.0-570.el9.x86_64, kernel-64k-core 5.14.0-570.el9.aarch64+64k.
CORE = re.compile(r"kernel(?:-(.+))?-core")
# Packages of Debian and Ubuntu leave this, and beside it a list of who did.
REBOOT_MARKS = ("/run/reboot-required", "/var/run/reboot-required")


class Kernel(t.NamedTuple):
    release: str
    headers: bool
    bootable: bool


class NextBoot(t.NamedTuple):
    release: str | None
    source: str | None
    reason: str | None = None


def installed(host: Host) -> list[Kernel]:
    """Oldest first. Raises where they cannot be listed."""
    try:
        releases = host.list_dir(MODULES)
    except KubeGpuError as exc:
        if exc.details.get("missing"):
            return []
        raise
    kernels = []
    for release in sorted(releases, key=boot.order):
        bootable = any(host.glob(image.format(glob.escape(release))) for image in IMAGES)
        if bootable or host.exists(f"{MODULES}/{release}/modules.dep"):
            headers = any(host.exists(path.format(release)) for path in HEADERS)
            kernels.append(Kernel(release, headers, bootable))
    return kernels


def next_boot(host: Host, kernels: list[Kernel]) -> NextBoot:
    """The kernel that boots next, where the boot loader's own files tell it."""
    bootable = [kernel.release for kernel in kernels if kernel.bootable]
    if not bootable:
        return NextBoot(None, None, "no kernel is in /boot")
    if len(bootable) == 1:
        return NextBoot(bootable[0], "the only one")
    try:
        source, choice = _asked(host)
    except KubeGpuError as exc:
        return NextBoot(None, None, str(exc))
    if choice.release is None:
        return NextBoot(None, None, choice.reason)
    if choice.release not in bootable:
        return NextBoot(None, None, f"{source} starts {choice.release}, which is not in /boot")
    return NextBoot(choice.release, source)


def _asked(host: Host) -> tuple[str, Choice]:
    if _variable(host, "LoaderInfo").startswith("systemd-boot"):
        return "systemd-boot", _systemd_boot(host)
    found = next((path for pattern in GRUB_CONFIGS for path in host.glob(pattern)), None)
    if found is None:
        return "", Choice(None, "no grub.cfg is there, and systemd-boot has not started this system")
    text = host.read(found)
    environment = _environment(host, found.rsplit("/", 1)[0] + "/grubenv")
    if boot.BLSCFG.search(text):
        return "boot loader entries", boot.bls_choice(text, environment, _entries(host, GRUB_ENTRIES))
    return "grub.cfg", boot.grub_choice(text, environment)


def _environment(host: Host, path: str) -> dict[str, str]:
    try:
        return boot.parse_assignments(host.read(path, limit=65536))
    except KubeGpuError as exc:
        if exc.details.get("missing"):
            return {}
        raise


def _entries(host: Host, folder: str) -> list[boot.BlsEntry]:
    """A closed folder is an error: a boot loader sees what this user does not."""
    names = [name for name in host.list_dir(folder) if name.endswith(".conf")]
    return [boot.parse_bls(name, host.read(f"{folder}/{name}", limit=65536)) for name in names]


def _systemd_boot(host: Host) -> Choice:
    told = next((name for name in TOLD if host.exists(f"{EFI_VARIABLES}/{name}-{LOADER}")), None)
    if told:
        return Choice(None, f"systemd-boot was told by the EFI variable {told}")
    config = next((path for path in SYSTEMD_BOOT_CONFIGS if host.exists(path)), None)
    if config is None:
        return Choice(None, "loader.conf of systemd-boot is not there")
    root = config[: -len("/loader/loader.conf")]
    if host.glob(f"{root}/EFI/Linux/*.efi"):
        return Choice(None, "systemd-boot has unified kernel images to choose from")
    return boot.systemd_boot_choice(host.read(config, limit=65536), _entries(host, f"{root}/loader/entries"))


def _variable(host: Host, name: str) -> str:
    """Text of an EFI variable: UTF-16 behind four bytes of attributes."""
    try:
        return host.read(f"{EFI_VARIABLES}/{name}-{LOADER}", limit=4096)[4:].replace("\0", "")
    except KubeGpuError:
        return ""


def reboot(host: Host, boots: NextBoot) -> dict[str, t.Any]:
    """Whether a reboot is due, and why. No sign of it is an answer only where the kernel that boots next is known."""
    reasons = []
    mark = next((path for path in REBOOT_MARKS if host.exists(path)), None)
    if mark:
        packages = _packages_that_ask(host, f"{mark}.pkgs")
        reasons.append(f"asked for by packages: {', '.join(packages)}" if packages else f"{mark} is there")
    running = host.kernel()
    if boots.release not in (None, running):
        reasons.append(f"kernel {boots.release} boots next, {running} is running")
    return {"pending": True if reasons else (False if boots.release else None), "reasons": reasons}


def _packages_that_ask(host: Host, path: str) -> list[str]:
    try:
        return sorted(set(host.read(path, limit=65536).split()))
    except KubeGpuError:
        return []


def _packages(host: Host) -> dict[str, str]:
    """The packages of rpm's that bring kernels, by the kernels' releases; none where rpm does not tell."""
    if host.which(packages.DPKG[0]):
        return {}
    try:
        _debian, text = packages.database(host)
    except KubeGpuError:
        return {}
    found = [(CORE.fullmatch(row.name), f"{row.version}.{row.architecture}") for row in packages.rows(text)]
    return {f"{release}+{core[1]}" if core[1] else release: core[0] for core, release in found if core}


def read(host: Host) -> Reading:
    """``kernel``, ``kernels`` and ``reboot`` of the platform."""
    source = OK
    kernels: list[Kernel] = []
    try:
        kernels = installed(host)
    except KubeGpuError as exc:
        source = Source(False, str(exc))
    boots, brought = next_boot(host, kernels), _packages(host)
    value = {
        "kernel": {
            "running": host.kernel(),
            "newest": kernels[-1].release if kernels else None,
            "next_boot": boots.release,
            "next_boot_source": boots.source,
        },
        "kernels": [{**kernel._asdict(), "package": brought.get(kernel.release)} for kernel in kernels],
        "reboot": reboot(host, boots),
    }
    told = Source(False, boots.reason) if boots.reason else OK
    return Reading(value, {"kernels": source, "next_boot": told})
