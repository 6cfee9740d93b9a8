# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages come from where the machine gets its own, where it does."""

from __future__ import annotations

import pytest
from _rig.debian import KEYRING, sources_from

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
        ([f"Debian trixie {MIRROR}/"], ["--components=main"]),
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
