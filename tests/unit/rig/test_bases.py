# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A variable puts an image in the place of a costume; what that image lacks is said before a host starts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from _rig import bases, fleets
from _rig.fleets import Host
from _rig.shell import RigError

NAME = "registry.invalid/rocky:9"
ROCKY = "KUBEGPU_RIG_IMAGE_ROCKY_9"


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for costume in bases.costumes():
        monkeypatch.delenv(bases.variable(costume), raising=False)
    monkeypatch.setenv("KUBEGPU_CACHE", str(tmp_path))
    bases._image_id.cache_clear()


@pytest.fixture
def rocky(monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setenv(ROCKY, NAME)
    return fleets.hosts("dnf:dnf-rocky9")[0]


def unpacked(monkeypatch: pytest.MonkeyPatch, folder: Path, programs: list[str]) -> None:
    (folder / bases.PROGRAMS).write_text("\n".join(programs))
    monkeypatch.setattr(bases, "base_image", lambda system: folder)


def whole(costume: str, joined: bool) -> list[str]:
    return [name if "/" in name else f"usr/bin/{name}" for name in bases.wanted(costume, joined)]


def test_a_variable_is_named_after_its_costume() -> None:
    assert bases.variable("rocky-9") == ROCKY
    assert bases.variable("ubuntu-24.04") == "KUBEGPU_RIG_IMAGE_UBUNTU_24_04"
    assert len({bases.variable(costume) for costume in bases.costumes()}) == len(bases.costumes())


def test_without_one_hosts_are_what_they_were() -> None:
    nine = fleets.hosts("dnf:dnf-rocky9")[0]
    assert bases.system_of(nine) == "dnf-on-debian-12"
    assert bases.system_of(nine._replace(costume="ubuntu-24.04")) == "debian-12"


def test_with_one_hosts_of_that_costume_are_the_image(rocky: Host) -> None:
    assert bases.system_of(rocky) == "image-of-rocky-9"
    assert bases.system_of(rocky._replace(costume="rocky-10")) == "dnf-on-debian-12"
    assert bases.system_of(rocky._replace(costume="")) == "debian-12"


def test_a_host_whose_machine_or_archive_is_played_stays_in_its_costume(
    monkeypatch: pytest.MonkeyPatch, rocky: Host
) -> None:
    assert rocky.kernel and bases.system_of(rocky._replace(machine="aarch64")) == "dnf-on-debian-12"
    monkeypatch.setenv("KUBEGPU_RIG_IMAGE_UBUNTU_24_04", NAME)
    noble = rocky._replace(costume="ubuntu-24.04", kernel="6.8.0-134-generic")
    assert bases.system_of(noble) == "debian-12"
    assert bases.system_of(noble._replace(kernel="")) == "image-of-ubuntu-24.04"


def test_a_base_is_kept_by_the_id_of_its_image(monkeypatch: pytest.MonkeyPatch, rocky: Host) -> None:
    ids = iter(["first", "second", "first"])
    monkeypatch.setattr(bases, "_image_id", lambda _: next(ids))
    folders = [bases.base_folder(bases.system_of(rocky)) for _ in range(3)]
    assert folders[0] == folders[2] != folders[1]


def test_programs_are_those_of_the_usual_folders() -> None:
    files = ["./usr/bin/ip", "sbin/init", "usr/share/doc/ip", "usr/lib/cni/bridge", "opt/ip"]
    assert bases.programs(files) == ["sbin/init", "usr/bin/ip", "usr/lib/cni/bridge"]


def test_what_is_missing_is_told_by_name_or_by_path() -> None:
    assert bases.missing(["usr/sbin/ip", "usr/bin/bridge"], ["ip", "sshd", "usr/lib/cni/bridge"]) == [
        "sshd",
        "usr/lib/cni/bridge",
    ]


@pytest.mark.parametrize(
    "costume, joined, has, has_not",
    [
        ("rocky-9", False, "dnf", "containerd"),
        ("rocky-10", True, "containerd", "apt-get"),
        ("ubuntu-22.04", False, "apt-get", "update-ca-trust"),
    ],
)
def test_what_is_wanted_goes_by_family_and_cluster(costume: str, joined: bool, has: str, has_not: str) -> None:
    found = bases.wanted(costume, joined)
    assert has in found
    assert has_not not in found
    assert "sshd" in found


def test_an_image_that_has_all_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rocky: Host) -> None:
    unpacked(monkeypatch, tmp_path, whole("rocky-9", False))
    bases.check([rocky])


def test_an_image_that_lacks_something_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rocky: Host
) -> None:
    there = whole("rocky-9", False)
    unpacked(monkeypatch, tmp_path, [path for path in there if not path.endswith(("/sshd", "/lspci"))])
    with pytest.raises(RigError, match=rf"{NAME} lacks sshd, lspci: .*{ROCKY}.*README.md"):
        bases.check([rocky])


def test_one_host_that_joins_wants_containerd_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rocky: Host) -> None:
    unpacked(monkeypatch, tmp_path, whole("rocky-9", False))
    with pytest.raises(RigError, match="lacks containerd, ctr, .*usr/lib/cni/portmap"):
        bases.check([rocky, rocky._replace(joined=True)])


def test_a_variable_for_no_costume_is_refused_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEGPU_RIG_IMAGE_ROCKY9", NAME)
    with pytest.raises(RigError, match=f"KUBEGPU_RIG_IMAGE_ROCKY9 is for no costume.*{ROCKY}"):
        bases.check([])


def test_an_image_that_podman_cannot_get_is_refused_with_its_words(
    monkeypatch: pytest.MonkeyPatch, rocky: Host
) -> None:
    said = "Trying to pull...\nError: no such registry\n"
    monkeypatch.setattr(bases, "image_exists", lambda name: False)
    monkeypatch.setattr(bases, "attempt", lambda *argv, **_: subprocess.CompletedProcess(argv, 125, "", said))
    with pytest.raises(RigError) as refused:
        bases.check([rocky])
    assert str(refused.value) == f"there is no image {NAME}, which {ROCKY} names; podman said: Error: no such registry"
