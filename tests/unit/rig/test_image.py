# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""podman may still have an image that was made from a base which an emptied cache has made again since."""

from __future__ import annotations

from pathlib import Path

import pytest
from _rig import image
from _rig.debian import HOST_KEY


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base-1"
    folder.mkdir()
    (folder / HOST_KEY).write_text("ssh-ed25519 first")
    return folder


def test_an_image_is_the_same_as_long_as_its_base_is(base: Path) -> None:
    assert image.image_name(base, Path("kubernetes-1")) == image.image_name(base, Path("kubernetes-1"))


def test_a_base_that_was_made_again_makes_another_image(base: Path) -> None:
    before = image.image_name(base, Path("kubernetes-1"))
    (base / HOST_KEY).write_text("ssh-ed25519 second")
    assert image.image_name(base, Path("kubernetes-1")) != before


def test_another_kubelet_makes_another_image(base: Path) -> None:
    assert image.image_name(base, Path("kubernetes-1")) != image.image_name(base, Path("kubernetes-2"))
