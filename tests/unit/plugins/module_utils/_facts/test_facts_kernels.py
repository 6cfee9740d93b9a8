# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernels are there and which of them boots next, by what the boot loaders' files say."""

from __future__ import annotations

import random
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import boot, kernels, packages
from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host
from ansible_collections.kubegpu.nodes.tests.unit.plugins.module_utils._facts.folder_host import FolderHost
from hypothesis import given
from hypothesis import strategies as st

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures/boot"
LOADER = kernels.LOADER
DEBIAN = ("6.1.0-9-amd64", "6.1.0-40-amd64", "6.1.0-41-amd64")
UBUNTU = ("6.8.0-60-generic", "6.8.0-79-generic")
EL = ("5.14.0-570.12.1.el9_6.x86_64", "5.14.0-570.9.1.el9_6.x86_64")
MACHINE = "0123456789abcdef0123456789abcdef"


def fixture(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


class Disk:
    """A root folder with kernels in it."""

    def __init__(self, root: Path, *releases: str) -> None:
        self.root = root
        for release in releases:
            self.file(f"/lib/modules/{release}/modules.dep")
            self.file(f"/boot/vmlinuz-{release}")

    def file(self, path: str, text: str = "") -> None:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def variable(self, name: str, text: str) -> None:
        target = self.root / f"sys/firmware/efi/efivars/{name}-{LOADER}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"\x06\0\0\0" + text.encode("utf-16-le") + b"\0\0")

    def entry(self, release: str, folder: str = "/boot/loader/entries", title: str = "") -> None:
        text = f"title {title or 'Rocky Linux (' + release + ')'}\nversion {release}\nlinux /vmlinuz-{release}\n"
        self.file(f"{folder}/{MACHINE}-{release}.conf", text)

    def next(self) -> kernels.NextBoot:
        host = Host(str(self.root))
        return kernels.next_boot(host, kernels.installed(host))

    def read(self, *rpms: str) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
        host = FolderHost(self.root)
        if rpms:
            host.says(" ".join(packages.RPM), "".join(f"{rpm}\tRocky\n" for rpm in rpms))
        reading = kernels.read(host)
        return reading.value, {name: source.as_dict() for name, source in reading.sources.items()}


def test_kernels_are_told_oldest_first_with_their_headers(tmp_path: Path) -> None:
    disk = Disk(tmp_path, *DEBIAN)
    disk.file("/usr/src/linux-headers-6.1.0-41-amd64/Makefile")
    disk.file("/lib/modules/6.1.0-40-amd64/build/Makefile")
    disk.file("/lib/modules/6.1.0-8-amd64/updates/dkms/nvidia.ko")
    disk.file("/boot/grub/grub.cfg", fixture("grub-2.06-debian12-first.cfg"))
    value, sources = disk.read()
    assert value["kernels"] == [
        {"release": "6.1.0-9-amd64", "headers": False, "bootable": True, "package": None},
        {"release": "6.1.0-40-amd64", "headers": True, "bootable": True, "package": None},
        {"release": "6.1.0-41-amd64", "headers": True, "bootable": True, "package": None},
    ]
    assert value["kernel"]["newest"] == value["kernel"]["next_boot"] == "6.1.0-41-amd64"
    assert value["kernel"]["next_boot_source"] == "grub.cfg"
    assert sources == {"kernels": {"ok": True, "reason": None}, "next_boot": {"ok": True, "reason": None}}


PACKAGED = [
    ("5.14.0-570.12.1.el9_6.x86_64", "kernel-core"),
    ("5.14.0-570.12.1.el9_6.x86_64+debug", "kernel-debug-core"),
    ("5.14.0-570.12.1.el9_6.x86_64+rt", "kernel-rt-core"),
    ("5.14.0-570.12.1.el9_6.x86_64+rt-debug", "kernel-rt-debug-core"),
    ("5.14.0-611.5.1.el9_7.x86_64", None),
    ("6.12.10-1.el9.elrepo.x86_64", None),
]


def test_rpm_knows_which_package_a_kernel_came_with(tmp_path: Path) -> None:
    names = [name for _release, name in PACKAGED if name]
    rpms = [
        f"{name}\t5.14.0-570.12.1.el9_6\tx86_64" for name in (*names, "kernel", "kernel-devel", "kernel-modules-core")
    ]
    value, _sources = Disk(tmp_path, *(release for release, _name in PACKAGED)).read(*rpms)
    assert {line["release"]: line["package"] for line in value["kernels"]} == dict(PACKAGED)


def test_pages_of_64k_are_a_kernel_of_its_own(tmp_path: Path) -> None:
    release = "5.14.0-570.12.1.el9_6.aarch64"
    rpms = [f"{name}\t5.14.0-570.12.1.el9_6\taarch64" for name in ("kernel-64k-core", "kernel-64k-modules-core")]
    value, _sources = Disk(tmp_path, release, f"{release}+64k").read(*rpms)
    assert [line["package"] for line in value["kernels"]] == [None, "kernel-64k-core"]


def test_a_container_has_no_kernel_that_boots_next(tmp_path: Path) -> None:
    value, sources = Disk(tmp_path).read()
    assert value["kernels"] == []
    assert (value["kernel"]["newest"], value["kernel"]["next_boot"]) == (None, None)
    assert sources["kernels"] == {"ok": True, "reason": None}
    assert sources["next_boot"] == {"ok": False, "reason": "no kernel is in /boot"}


def test_modules_without_an_image_boot_nothing(tmp_path: Path) -> None:
    disk = Disk(tmp_path, "6.1.0-40-amd64")
    disk.file("/lib/modules/6.1.0-41-amd64/modules.dep")
    assert disk.next() == ("6.1.0-40-amd64", "the only one", None)


ORDERS = [
    ("6.1.0-9-amd64", "6.1.0-40-amd64"),
    ("5.14.0-570.9.1.el9_6.x86_64", "5.14.0-570.12.1.el9_6.x86_64"),
    ("6.12.0-rc1-amd64", "6.12.0-1-amd64"),
    ("5.15.0-1005-nvidia", "5.15.0-1050-nvidia"),
    ("6.8.0-79-generic", "6.11.0-1-generic"),
]


@pytest.mark.parametrize("older, newer", ORDERS)
def test_order_of_releases(older: str, newer: str) -> None:
    assert boot.order(older) < boot.order(newer)


UUID = "5f3c0a52-7a3e-4d0a-9f0c-2f5be1a7c001"
SAVED = f"gnulinux-advanced-{UUID}>gnulinux-6.1.0-9-amd64-advanced-{UUID}"
RECORDED = {
    "the first": ("first", "", "6.1.0-41-amd64"),
    "once another": ("first", f"next_entry={SAVED}\n", "6.1.0-9-amd64"),
    "once the second of the submenu": ("first", "next_entry=1>2\n", "6.1.0-40-amd64"),
    "the submenu itself is its first": ("first", "next_entry=1\n", "6.1.0-41-amd64"),
    "nothing saved yet": ("saved", "", "6.1.0-41-amd64"),
    "saved": ("saved", fixture("grub-2.06-debian12.grubenv"), "6.1.0-40-amd64"),
    "saved under a name that is gone": ("saved", "saved_entry=gone>too\n", "6.1.0-41-amd64"),
    "by title": ("title", "", "6.1.0-40-amd64"),
    "saved is of no interest": ("title", f"saved_entry={SAVED}\n", "6.1.0-40-amd64"),
}


@pytest.mark.parametrize("config, environment, release", RECORDED.values(), ids=RECORDED.keys())
def test_grub_of_debian(tmp_path: Path, config: str, environment: str, release: str) -> None:
    disk = Disk(tmp_path, *DEBIAN)
    disk.file("/boot/grub/grub.cfg", fixture(f"grub-2.06-debian12-{config}.cfg"))
    disk.file("/boot/grub/grubenv", environment)
    assert disk.next() == (release, "grub.cfg", None)


UBUNTUS: dict[str, tuple[str, str | None, str]] = {
    "by numbers": ("", UBUNTU[0], ""),
    "the initrd failed": ("initrdfail=1\n", None, "GRUB counts failed boots"),
    "after the condition, by number": ("next_entry=3\n", None, "may or may not be there"),
    "after the condition, by title": ("next_entry=The company's own >> kernel\n", UBUNTU[0], ""),
    "no kernel at all": ("next_entry=uefi-firmware\n", None, "names no kernel"),
    "beyond the menu": ("next_entry=77\n", UBUNTU[1], ""),
}


@pytest.mark.parametrize("environment, release, reason", UBUNTUS.values(), ids=UBUNTUS.keys())
def test_grub_of_ubuntu(tmp_path: Path, environment: str, release: str | None, reason: str) -> None:
    disk = Disk(tmp_path, *UBUNTU)
    disk.file("/boot/grub/grub.cfg", fixture("synthetic-ubuntu-24.04.cfg"))
    disk.file("/boot/grub/grubenv", environment)
    found = disk.next()
    assert found.release == release and reason in (found.reason or "")


def test_grub_that_starts_a_kernel_which_is_gone(tmp_path: Path) -> None:
    disk = Disk(tmp_path, *DEBIAN[:2])
    disk.file("/boot/grub/grub.cfg", fixture("grub-2.06-debian12-first.cfg"))
    assert disk.next() == (None, None, "grub.cfg starts 6.1.0-41-amd64, which is not in /boot")


def test_a_default_that_grub_computes_is_not_guessed() -> None:
    assert boot.grub_choice('set default="${company_choice}"\n', {}).reason == (
        "grub.cfg sets the default to ${company_choice}"
    )


def test_no_boot_loader_that_is_understood(tmp_path: Path) -> None:
    assert "no grub.cfg is there" in (Disk(tmp_path, *DEBIAN).next().reason or "")


ELS: dict[str, tuple[str, str | None, str]] = {
    "saved": (f"saved_entry={MACHINE}-{EL[1]}\n", EL[1], ""),
    "saved by title": (f"saved_entry=Rocky Linux ({EL[1]})\n", EL[1], ""),
    "once another": (f"saved_entry={MACHINE}-{EL[1]}\nnext_entry={MACHINE}-{EL[0]}\n", EL[0], ""),
    "nothing saved: the newest": ("", EL[0], ""),
    "saved under a name that is gone": ("saved_entry=gone\n", None, "no boot loader entry is named gone"),
    "greenboot counts": ("boot_counter=2\n", None, "GRUB counts failed boots"),
}


@pytest.mark.parametrize("environment, release, reason", ELS.values(), ids=ELS.keys())
def test_grub_of_enterprise_linux(tmp_path: Path, environment: str, release: str | None, reason: str) -> None:
    disk = Disk(tmp_path, *EL)
    disk.file("/boot/grub2/grub.cfg", fixture("synthetic-el9.cfg"))
    disk.file("/boot/grub2/grubenv", f"# GRUB Environment Block\n{environment}###")
    for version in (*EL, f"0-rescue-{MACHINE}"):
        disk.entry(version)
    found = disk.next()
    assert found.release == release and reason in (found.reason or "")
    assert found.source == ("boot loader entries" if release else None)


def test_entries_of_two_installations_have_no_order_that_is_known() -> None:
    entries = [boot.BlsEntry("a-6.1", "", "6.1", "/vmlinuz-6.1"), boot.BlsEntry("b-6.2", "", "6.2", "/vmlinuz-6.2")]
    assert "do not tell their order" in (boot.bls_choice('set default="0"', {}, entries).reason or "")


def test_systemd_boot(tmp_path: Path) -> None:
    disk = Disk(tmp_path, *DEBIAN)
    disk.file("/boot/grub/grub.cfg", fixture("grub-2.06-debian12-first.cfg"))
    disk.variable("LoaderInfo", "systemd-boot 252.38-1~deb12u1")
    assert disk.next().reason == "loader.conf of systemd-boot is not there"
    for release in DEBIAN:
        disk.entry(release, "/efi/loader/entries")
    disk.file("/efi/loader/loader.conf", f"timeout 3\ndefault {MACHINE}-6.1.0-40-*\n")
    assert disk.next() == ("6.1.0-40-amd64", "systemd-boot", None)
    disk.file("/efi/loader/loader.conf", f"default {MACHINE}-*\n")
    assert disk.next().reason == "3 entries match the default of loader.conf"
    disk.variable("LoaderEntryOneShot", "x.conf")
    assert disk.next().reason == "systemd-boot was told by the EFI variable LoaderEntryOneShot"


def test_systemd_boot_with_unified_images(tmp_path: Path) -> None:
    disk = Disk(tmp_path, *DEBIAN)
    disk.variable("LoaderInfo", "systemd-boot 257.9")
    disk.file("/boot/efi/loader/loader.conf", "default @saved\n")
    assert disk.next().reason == "/boot/efi/loader/entries: No such file or directory"
    disk.entry(DEBIAN[0], "/boot/efi/loader/entries")
    assert disk.next().reason == "loader.conf names no default entry"
    disk.file("/boot/efi/EFI/Linux/debian.efi")
    assert disk.next().reason == "systemd-boot has unified kernel images to choose from"


PIECES = st.sampled_from(
    [
        *("menuentry ", "submenu ", "'a'", "'", '"', "{", "}", "\n", " ", "\t", ">", ">>", "linux ", "if ", "fi", ";"),
        *(
            "/boot/vmlinuz-1",
            'set default="',
            "${saved_entry}",
            "${next_entry}",
            "$menuentry_id_option ",
            "--id=b",
            "0",
        ),
        *("1>2", "²", "٣", "default *\n", "version 1\n", "blscfg\n", "#", "=", "9" * 50),
    ]
)
GARBLED = st.text(max_size=60) | st.lists(PIECES, max_size=30).map("".join)


def judge(text: str, environment: str) -> None:
    told = boot.parse_assignments(environment)
    entries = [boot.parse_bls("a.conf", text), boot.parse_bls("b-1.conf", environment)]
    for choice in (
        boot.grub_choice(text, told),
        boot.bls_choice(text, told, entries),
        boot.systemd_boot_choice(text, entries),
    ):
        assert (choice.release is None) != (choice.reason is None)


@given(text=GARBLED, wanted=GARBLED)
def test_nonsense_is_a_kernel_or_a_reason(text: str, wanted: str) -> None:
    judge(text, f"saved_entry={wanted}")
    judge(text, f"next_entry={wanted}")


@given(path=st.sampled_from(sorted(FIXTURES.glob("*.cfg"))), end=st.integers(0, 9000), wanted=GARBLED)
def test_truncated_files_are_a_kernel_or_a_reason(path: Path, end: int, wanted: str) -> None:
    judge(path.read_text(encoding="utf-8")[:end], f"next_entry={wanted}")


@given(releases=st.lists(GARBLED, max_size=6))
def test_releases_have_one_order(releases: list[str]) -> None:
    ordered = sorted(releases, key=boot.order)
    shuffled = random.sample(releases, len(releases))
    assert [boot.order(release) for release in sorted(shuffled, key=boot.order)] == list(map(boot.order, ordered))
