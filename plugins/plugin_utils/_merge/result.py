# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: what every merge of somebody else's file answers."""

from __future__ import annotations

import typing as t


class Merged(t.NamedTuple):
    """The text as it should be, and why it differs from the one that came in."""

    text: str
    changed: bool  # the text differs
    effective: bool  # what the text says to its daemon differs, so that a restart is due
    reasons: list[str]  # one for each thing that was set, taken back or deliberately left
