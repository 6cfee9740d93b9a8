# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. The files of compatibility data, and the user's own lines over them."""

from __future__ import annotations

import typing as t
from functools import cache
from pathlib import Path

import yaml

Line = dict[str, t.Any]
Files = dict[str, dict[str, t.Any]]

DATA = Path(__file__).parent / "data"
NAMES = ("platforms", "packages", "branches", "architectures", "cuda", "kubernetes", "known_bad")


class CompatError(ValueError):
    """What is wrong with a user's own compatibility data, in one sentence."""


@cache
def load(name: str) -> dict[str, t.Any]:
    with (DATA / f"{name}.yml").open(encoding="utf-8") as stream:
        return dict(yaml.safe_load(stream))


def builtin() -> Files:
    return {name: load(name) for name in NAMES}


def merged(overlay: t.Mapping[str, t.Any]) -> Files:
    raise CompatError("not yet")
