# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is under a system, its file systems, and whether a reboot is due."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils import _host
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import filesystems, kernels, machine, platform
from hypothesis import given
from hypothesis import strategies as st

Host = _host.Host


def put(root: Path, path: str, text: str | bytes = "") -> None:
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(text.encode() if isinstance(text, str) else text)


FIRMWARES: dict[str, tuple[dict[str, bytes], bool | None, str]] = {
    "on": ({machine.SECURE_BOOT: b"\x06\0\0\0\x01"}, True, ""),
    "off": ({machine.SECURE_BOOT: b"\x16\0\0\0\0"}, False, ""),
    "BIOS": ({"/sys/firmware/dmi/tables/DMI": b""}, False, ""),
    "hidden by a container": ({"/sys/firmware/": b""}, None, "/sys/firmware is empty, as in a container"),
    "no sysfs": ({}, None, "/sys/firmware: No such file or directory"),
    "variables are not mounted": ({"/sys/firmware/efi/systab": b""}, None, "No such file or directory"),
    "truncated": ({machine.SECURE_BOOT: b"\x06\0\0"}, None, "holds neither 0 nor 1"),
    "garbled": ({machine.SECURE_BOOT: b"\x06\0\0\0\xff"}, None, "holds neither 0 nor 1"),
}


@pytest.mark.parametrize("files, state, reason", FIRMWARES.values(), ids=FIRMWARES.keys())
def test_secure_boot(tmp_path: Path, files: dict[str, bytes], state: bool | None, reason: str) -> None:
    for path, content in files.items():
        if path.endswith("/"):
            (tmp_path / path.lstrip("/")).mkdir(parents=True)
        else:
            put(tmp_path, path, content)
    found, source = machine.secure_boot(Host(str(tmp_path)))
    assert found is state
    assert reason in (source.reason or "") and source.ok is (state is not None)


@pytest.mark.parametrize(
    "script, kind, reason",
    [
        ("echo none; exit 1", "none", None),
        ("echo kvm", "kvm", None),
        ("echo 'Failed to check' >&2; exit 1", None, "exit status 1: Failed to check"),
        (None, None, "systemd-detect-virt not found"),
    ],
)
def test_virtualization(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, kind: str | None, reason: str | None
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(_host, "SEARCH_PATH", ())
    if script:
        put(tmp_path, machine.DETECT_VIRT, f"#!/bin/sh\n{script}\n")
        (tmp_path / machine.DETECT_VIRT).chmod(0o755)
    found, source = machine.virtualization(Host())
    assert (found, source.reason) == (kind, reason)


@pytest.mark.parametrize(
    "path, version", [("cgroup.controllers", 2), ("memory/tasks", 1), ("unified/cgroup.controllers", None)]
)
def test_control_groups(tmp_path: Path, path: str, version: int | None) -> None:
    put(tmp_path, f"/sys/fs/cgroup/{path}")
    assert machine.cgroup_version(Host(str(tmp_path)))[0] == version


MOUNTS = """\
/dev/vda1 / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
/dev/vdb1 /var xfs rw 0 0
/dev/vdc1 /var/li ext4 rw 0 0
/dev/vdd1 /srv/a\\040b ext4 rw 0 0
truncated /x
"""
HOLDERS = {
    "/": "/",
    "/usr": "/",
    "/var": "/var",
    "/var/lib": "/var",
    "/var/li/x": "/var/li",
    "/variable": "/",
    "/srv/a b": "/srv/a b",
}


@pytest.mark.parametrize("path, mount", HOLDERS.items())
def test_mount_that_holds_a_path(path: str, mount: str) -> None:
    assert filesystems.mount_of(path, filesystems.parse_mounts(MOUNTS)) == mount


def test_no_mounts_hold_nothing() -> None:
    assert filesystems.mount_of("/", []) is None


def test_filesystems_of_a_host(tmp_path: Path) -> None:
    put(tmp_path, "/proc/self/mounts", "disk / ext4 rw 0 0\nother /data ext4 rw 0 0\n")
    (tmp_path / "data/var").mkdir(parents=True)
    (tmp_path / "usr").mkdir()
    (tmp_path / "var").symlink_to("data/var")
    reading = filesystems.read(Host(str(tmp_path)))
    found = reading.value["filesystems"]
    assert list(found) == ["/", "/boot", "/usr", "/var", "/var/lib"]
    assert {path: space["mount"] for path, space in found.items()} == {
        "/": "/",
        "/boot": None,
        "/usr": "/",
        "/var": "/data",
        "/var/lib": None,
    }
    assert found["/usr"]["total_mib"] > found["/usr"]["available_mib"] > 0
    assert found["/boot"] == {"mount": None, "total_mib": None, "available_mib": None}
    assert reading.sources["filesystems"].ok


def test_without_mounts_the_room_is_still_told(tmp_path: Path) -> None:
    reading = filesystems.read(Host(str(tmp_path)))
    assert reading.value["filesystems"]["/"]["total_mib"] > 0
    assert reading.sources["filesystems"].reason == "/proc/self/mounts: No such file or directory"


class Rebooted(Host):
    """A host that runs a kernel of our choice."""

    def kernel(self) -> str:
        return "6.1"


REBOOTS: dict[str, tuple[str | None, dict[str, str], bool | None, list[str]]] = {
    "runs what boots": ("6.1", {}, False, []),
    "another kernel": ("6.2", {}, True, ["kernel 6.2 boots next, 6.1 is running"]),
    "nobody knows": (None, {}, None, []),
    "a mark": (
        None,
        {"/run/reboot-required": "*** System restart required ***"},
        True,
        ["/run/reboot-required is there"],
    ),
    "packages ask": (
        "6.2",
        {"/var/run/reboot-required": "", "/var/run/reboot-required.pkgs": "linux-base\nlibc6\nlinux-base\n"},
        True,
        ["asked for by packages: libc6, linux-base", "kernel 6.2 boots next, 6.1 is running"],
    ),
}


@pytest.mark.parametrize("release, files, pending, reasons", REBOOTS.values(), ids=REBOOTS.keys())
def test_reboot(
    tmp_path: Path, release: str | None, files: dict[str, str], pending: bool | None, reasons: list[str]
) -> None:
    for path, text in files.items():
        put(tmp_path, path, text)
    found = kernels.reboot(Rebooted(str(tmp_path)), kernels.NextBoot(release, None))
    assert found == {"pending": pending, "reasons": reasons}


def test_each_part_of_the_platform_has_its_source(tmp_path: Path) -> None:
    reading = platform.read(Host(str(tmp_path)))
    assert set(reading.sources) == {
        *("platform", "kernels", "next_boot", "secure_boot", "virtualization", "cgroups", "filesystems"),
    }
    assert reading.value["kernel"]["running"]


PIECES = st.sampled_from(["/", " ", "\\040", "\\", "\\777", "\n", "var", "disk /var ext4\n", "\0", "\x01", "\x06"])


@given(text=st.text(max_size=40) | st.lists(PIECES, max_size=20).map("".join))
def test_nonsense(text: str) -> None:
    found: t.Any = filesystems.mount_of("/var/lib", filesystems.parse_mounts(text))
    assert found is None or isinstance(found, str)
    assert machine.parse_secure_boot(text) in (None, True, False)


@pytest.mark.parametrize(
    "id_, installed, manager",
    [
        ("debian", ("apt", "dnf"), "apt"),
        ("rocky", ("dnf", "yum"), "dnf"),
        ("centos", ("yum",), "yum"),
        ("rhel", (), None),
        ("arch", ("apt",), None),
    ],
)
def test_package_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, id_: str, installed: tuple[str, ...], manager: str | None
) -> None:
    put(tmp_path, "/etc/os-release", f'ID={id_}\nID_LIKE="{"rhel" if id_ == "rocky" else ""}"\n')
    monkeypatch.setattr(Host, "which", lambda self, command: command if command in installed else None)
    assert platform.read(Host(str(tmp_path))).value["package_manager"] == manager
