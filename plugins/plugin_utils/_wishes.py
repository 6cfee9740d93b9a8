# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Wishes as people write them in YAML, and as the plan asks for them."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _versions

Section = Mapping[str, t.Any]

PARTS = ("driver", "cuda", "toolkit", "cluster", "kubernetes")
LISTS = ("versions", "cuda_images")
# No cluster is as old as 1.3, but that is what YAML makes of a 1.30 without quotes.
OLDEST_KUBERNETES = (1, 10)


def understood(wishes: Section) -> dict[str, t.Any]:
    """One version without its list is a list of it, as it is for an option of a role; no state is the usual one."""
    return {key: _part(value) if key in PARTS else value for key, value in wishes.items()}


def _part(value: t.Any) -> t.Any:
    if not isinstance(value, Mapping):
        return value
    found = {key: _listed(item) if key in LISTS else item for key, item in value.items()}
    if found.get("state") in (None, ""):
        found.pop("state", None)
    return found


def _listed(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return [str(value)] if isinstance(value, (int, float)) else value


def is_kubernetes(version: str | None) -> bool:
    found = _versions.minor(version)
    return found is not None and found >= OLDEST_KUBERNETES
