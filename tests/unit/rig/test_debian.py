# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages come from where the machine gets its own, where it does."""

from __future__ import annotations

import pytest
from _rig.debian import KEYRING, SYSTEM, sources_from, suite
from _rig.shell import RigError

MIRROR = "http://mirror.invalid/debian"
SECURITY = "http://mirror.invalid/debian-security"
OF_DEBIAN = [
    f"Debian bookworm {MIRROR}/",
    f"Debian bookworm-updates {MIRROR}/",
    f"Debian bookworm-security {SECURITY}/",
    "somebody bookworm http://elsewhere.invalid/apt/",
]
FOUND = [
    f"deb [signed-by={KEYRING}] {MIRROR} bookworm main",
    f"deb [signed-by={KEYRING}] {SECURITY} bookworm-security main",
    f"deb [signed-by={KEYRING}] {MIRROR} bookworm-updates main",
]


@pytest.mark.parametrize(
    "targets, expected",
    [
        (OF_DEBIAN, FOUND),
        (OF_DEBIAN * 2, FOUND),
        ([f"Debian trixie {MIRROR}/", *OF_DEBIAN], FOUND),
        ([f"Debian sid {MIRROR}/", f"Debian experimental {MIRROR}/"], FOUND[:1]),
        (["Ubuntu noble http://mirror.invalid/ubuntu/"], ["--components=main"]),
        ([], ["--components=main"]),
    ],
)
def test_sources(targets: list[str], expected: list[str]) -> None:
    assert sources_from(targets, "bookworm", ["main"]) == expected


def test_other_components_are_asked_of_the_same_mirror() -> None:
    assert sources_from(OF_DEBIAN[:1], "bookworm", ["main", "non-free"]) == [
        f"deb [signed-by={KEYRING}] {MIRROR} bookworm main non-free"
    ]


def test_a_mirror_that_has_the_machines_release_has_the_others() -> None:
    assert sources_from(OF_DEBIAN, "trixie", ["main"]) == [line.replace("bookworm", "trixie") for line in FOUND]


def test_a_system_that_hosts_can_only_look_like_is_refused_with_the_word_for_that() -> None:
    assert suite(SYSTEM) == "bookworm"
    with pytest.raises(RigError, match=r"costume = 'ubuntu-24.04'.*debian-12, debian-13"):
        suite("ubuntu-24.04")
