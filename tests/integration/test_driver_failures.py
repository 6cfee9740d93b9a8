# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong while one driver takes the place of another: the old one works on, and the next run completes it.

In this order: each test goes on with the driver that the one before has left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from conftest import Played, Rig, fleet, passed
from cut_line import cut_after

HOST = "fail-debian"
PLAY = ("tests/integration/failures/driver.yml", "-i", "tests/integration/failures/hosts.yml")
FIRST, NEXT, LAST = "570.195.03", "580.95.05", "595.91.07"
NEWER = "570.211.01"  # of the first one's branch
GATEWAY = "10.213.0.1"
END_OF_THE_LOG = ("make.log is:", "rig: this build was told to fail")

LOCKED = """import fcntl, time
file = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(file, fcntl.LOCK_EX)
time.sleep(600)"""
ARCHIVES = "/var/cache/apt/archives"
SOURCES = "/usr/src"
PIN, BLACKLIST = "/etc/apt/preferences.d/kubegpu-nvidia-driver", "/etc/apt/apt.conf.d/52kubegpu-nvidia-driver"


@pytest.fixture(scope="module")
def rig(control_plane: Rig) -> Iterator[Rig]:
    """A host without a driver."""
    with fleet(control_plane, "failures"):
        yield control_plane


def ask_for(rig: Rig, version: str, *words: str) -> Played:
    wishes = {"nvidia_driver_branch": version.split(".")[0], "nvidia_driver_version": version}
    wishes["nvidia_driver_imex"] = "true"
    return rig.play(*PLAY, *(f"-e{name}={value}" for name, value in wishes.items()), *words)


def works(rig: Rig, version: str) -> None:
    """The driver is loaded and on disk, answers by NVML, has IMEX and its service, and no upgrade would move it."""
    assert f" {version} " in rig.on(HOST, "cat /proc/driver/nvidia/version")
    assert rig.on(HOST, "modinfo -F version nvidia").strip() == version
    assert rig.on(HOST, "nvidia-smi --query-gpu=driver_version --format=csv,noheader").split() == [version]
    assert version in rig.on(HOST, "nvidia-imex --version")
    assert rig.on(HOST, "systemctl is-active nvidia-persistenced.service").strip() == "active"
    assert f"Pin: version {version}-*" in rig.on(HOST, f"cat {PIN}")
    assert "nvidia" not in rig.on(HOST, "apt-get --simulate dist-upgrade")
    assert rig.on(HOST, "dpkg --audit") == ""


def broken_off(rig: Rig, there: str, wanted: str, *words: str) -> str:
    """What the role says that cannot go on to the wanted driver, and leaves the one that is there."""
    played = ask_for(rig, wanted, *words)
    assert played.status != 0, played.text
    assert "Traceback" not in played.text
    works(rig, there)
    said = " ".join(played.text.split())
    assert f"Driver {there} is there as before." in said and "The next run of this role goes on from here." in said
    return said


def completed(rig: Rig, wanted: str, *words: str) -> None:
    passed(ask_for(rig, wanted, *words))
    works(rig, wanted)


@contextlib.contextmanager
def told(rig: Rig, before: str, after: str) -> Iterator[None]:
    """Something on the host that is over in the end."""
    rig.on(HOST, before)
    try:
        yield
    finally:
        rig.on(HOST, after)


def test_the_very_first_build_fails(rig: Rig) -> None:
    """There is nothing to come back then."""
    with told(rig, f"touch /run/rig-dkms-fails-{FIRST}", f"rm /run/rig-dkms-fails-{FIRST}"):
        played = ask_for(rig, FIRST)
    said = " ".join(played.text.split())
    assert played.status != 0 and all(words in said for words in END_OF_THE_LOG), said
    assert "The next run of this role goes on from here." in said and "there as before" not in said
    completed(rig, FIRST)


def test_unattended_upgrades_never_move_it(rig: Rig) -> None:
    """Debian's own program, and a newer driver of the branch in the repository."""
    apt = "apt-get -o Dir::Etc::SourceList=/usr/share/kubegpu-rig/debian-sources.list"
    with told(rig, f"ip route add default via {GATEWAY}", "ip route del default"):
        rig.on(HOST, f"{apt} update && {apt} install -y --no-install-recommends unattended-upgrades")
    rig.on(HOST, """echo 'Unattended-Upgrade::Origins-Pattern { "origin=NVIDIA"; };' >/etc/apt/apt.conf.d/99rig""")
    ask = "apt-get update >/dev/null && unattended-upgrade --dry-run --debug 2>&1"
    moves = f"{NEWER}-1"

    def without(*files: str) -> str:
        away = " && ".join(f"mv {file} /run/" for file in files) or "true"
        back = " && ".join(f"mv /run/{file.rsplit('/', 1)[1]} {file}" for file in files) or "true"
        with told(rig, away, back):
            return rig.on(HOST, ask)

    assert moves not in without() and moves not in without(PIN)
    assert moves in without(PIN, BLACKLIST), "it would have moved it"


def test_another_package_manager_is_at_work(rig: Rig) -> None:
    before = rig.picture(HOST)
    program = LOCKED.replace("\n", "; ")
    start = f"systemd-run --quiet --unit=other-manager /usr/bin/python3 -c '{program}'"
    with told(rig, start, "systemctl stop other-manager.service"):
        said = broken_off(rig, FIRST, NEXT, "-envidia_driver_lock_timeout=3")
    assert "Could not get lock /var/lib/dpkg/lock-frontend" in said and "held by process" in said
    assert rig.picture(HOST) == before


def test_no_room_for_what_is_downloaded(rig: Rig) -> None:
    before = rig.picture(HOST)
    with told(rig, f"mount -t tmpfs -o size=64k tmpfs {ARCHIVES}", f"umount {ARCHIVES}"):
        said = broken_off(rig, FIRST, NEXT)
    assert f"You don't have enough free space in {ARCHIVES}" in said
    assert rig.picture(HOST) == before


def test_the_network_is_lost_half_way(rig: Rig) -> None:
    before = rig.picture(HOST)
    with cut_after(100_000, GATEWAY) as line:
        said = broken_off(rig, FIRST, NEXT, f"-envidia_driver_proxy=http://{GATEWAY}:{line.server_address[1]}")
        assert line.is_cut
    assert "Failed to fetch" in said
    assert rig.picture(HOST) == before
    completed(rig, NEXT)


def test_a_build_of_dkms_fails(rig: Rig) -> None:
    """The libraries of the new driver are in place by then, and go again."""
    with told(rig, f"touch /run/rig-dkms-fails-{LAST}", f"rm /run/rig-dkms-fails-{LAST}"):
        said = broken_off(rig, NEXT, LAST)
    assert all(words in said for words in END_OF_THE_LOG), said
    completed(rig, LAST)


def test_a_disk_fills_up_half_way(rig: Rig) -> None:
    full = f"mkdir /run/full && mount -t tmpfs -o size=1m tmpfs /run/full && cp -a {SOURCES}/. /run/full"
    full += f" && {{ head -c 2m /dev/zero >/run/full/filler; mount --bind /run/full {SOURCES}; }}"
    with told(rig, full, f"umount {SOURCES} && umount /run/full && rmdir /run/full"):
        said = broken_off(rig, LAST, NEXT, "-envidia_driver_allow_downgrade=true")
    assert "No space left on device" in said
    completed(rig, NEXT, "-envidia_driver_allow_downgrade=true")


def test_modules_that_are_gone_are_built_again(rig: Rig) -> None:
    """As for a kernel that came while DKMS could not build for it, and that runs by now."""
    rig.on(HOST, "rm -r /usr/lib/modules/$(uname -r)/updates && depmod")
    completed(rig, NEXT)
