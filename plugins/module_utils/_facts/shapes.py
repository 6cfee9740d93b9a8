# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: a value of the wanted type, or none, out of what a parser made of other people's text."""

from __future__ import annotations

import typing as t


def table(value: t.Any) -> dict[str, t.Any]:
    """The value if it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: t.Any) -> str | None:
    """The value if it is text and says something."""
    return value if isinstance(value, str) and value else None
