# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""podman may still have an image that was made from a base which an emptied cache has made again since."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from _rig import image
from _rig.bases import OVER, systems
from _rig.debian import HOST_KEY


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base-1"
    folder.mkdir()
    (folder / HOST_KEY).write_text("ssh-ed25519 first")
    return folder


def name(base: Path, kubernetes: str = "kubernetes-1", system: str = "debian-12") -> str:
    return image.image_name(system, base, Path(kubernetes))


def test_an_image_is_the_same_as_long_as_its_base_is(base: Path) -> None:
    assert name(base) == name(base)


def test_a_base_that_was_made_again_makes_another_image(base: Path) -> None:
    before = name(base)
    (base / HOST_KEY).write_text("ssh-ed25519 second")
    assert name(base) != before


def test_another_kubelet_makes_another_image(base: Path) -> None:
    assert name(base) != name(base, "kubernetes-2")


def test_an_image_takes_the_place_of_its_own_systems_only(base: Path) -> None:
    twelve, thirteen, newer = name(base), name(base, system="debian-13"), name(base, "kubernetes-2", "debian-13")
    before_there_were_two = f"{image.REPOSITORY}:0123456789abcdef"
    found = [twelve, thirteen, newer, before_there_were_two]
    assert image.older_images(found, newer, "debian-13") == [thirteen, before_there_were_two]
    vendors = name(base, system="image-of-rocky-9")
    assert image.older_images([*found, vendors], vendors, "image-of-rocky-9") == [before_there_were_two]
    assert vendors not in image.older_images([*found, vendors], newer, "debian-13")


def test_keys_are_for_root_alone() -> None:
    modes = {"etc/ssh/ssh_host_ed25519_key": 0o600, "etc/ssh/ssh_host_ed25519_key.pub": 0o644}
    for path, mode in modes.items():
        assert image._of_root(tarfile.TarInfo(path)).mode == mode


def test_an_images_name_tells_its_system() -> None:
    names = systems()
    assert not [(name, other) for name in names for other in names if other.startswith(f"{name}-")]


def test_what_is_laid_over_a_base_takes_the_place_of_its_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, rig, whole = tmp_path / "base", tmp_path / "rig", tmp_path / "whole.tar"
    for path in (base / OVER / "etc/ssh/ssh_host_ed25519_key", rig / "node/usr/sbin/prep", base / "usr/bin/ip"):
        path.parent.mkdir(parents=True)
        path.write_text(f"{path.name} of the rig")
    with tarfile.open(base / "base.tar", "w") as tar:
        linked = tarfile.TarInfo("usr/sbin")
        linked.type, linked.linkname = tarfile.SYMTYPE, "bin"
        tar.addfile(linked)
        for name in ("etc/ssh/ssh_host_ed25519_key", "usr/bin/kubelet", "etc/os-release"):
            tar.addfile(tarfile.TarInfo(name))
    monkeypatch.setattr(image, "RIG", rig)
    image._lay_over(base / "base.tar", dict(image._overlay(base / OVER, base / "usr/bin/ip")), whole)
    with tarfile.open(whole) as tar:
        names = tar.getnames()
        assert len(names) == len(set(names))
        assert {"etc/os-release", "usr/sbin/prep"} <= set(names)
        assert tar.getmember("usr/sbin").issym()
        entry = tar.getmember("etc/ssh/ssh_host_ed25519_key")
        assert (entry.mode, entry.uid, entry.size) == (0o600, 0, len("ssh_host_ed25519_key of the rig"))
