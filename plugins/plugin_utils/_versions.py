# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Versions of drivers, of CUDA, of Kubernetes and of the packages that carry them. Text in, data out."""

from __future__ import annotations

import re
from functools import lru_cache

Minor = tuple[int, int]


def upstream(package_version: str) -> str:
    """The vendor's version in a package's: 580.95.05 of 1:580.95.05-1ubuntu1."""
    return re.sub(r"-[^-]*$", "", re.sub(r"^\d+:", "", package_version))


def branch_of(version: str) -> int | None:
    """580 of 580.95.05, and of 580 itself."""
    found = re.match(r"\d+(?=\.|$)", version)
    return int(found.group()) if found else None


@lru_cache(maxsize=4096)
def order(version: str) -> tuple[int, ...]:
    """To compare versions by: 580.95.05 is older than 580.105.08."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def minor(version: str | None) -> Minor | None:
    """1.36 of v1.36.3, as two numbers."""
    found = re.match(r"v?(\d+)\.(\d+)", version or "")
    return (int(found[1]), int(found[2])) if found else None


def is_driver_version(text: str) -> bool:
    """A full version of a driver, such as 580.95.05 or 396.26."""
    return re.fullmatch(r"\d{3,4}\.\d+(\.\d+)?", text) is not None


def is_cuda_version(text: str) -> bool:
    """A toolkit as packages and folders are named after it, such as 13.0."""
    return re.fullmatch(r"\d{1,2}\.\d{1,2}", text) is not None


def is_cuda_image(text: str) -> bool:
    """What an image says of its CUDA: 12.8, or with the update or build, 12.8.1 and 8.0.61."""
    return re.fullmatch(r"\d{1,2}\.\d{1,2}(\.\d{1,3})?", text) is not None
