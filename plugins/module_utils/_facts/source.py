# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: what became of a source of facts."""

from __future__ import annotations

import typing as t


class Source(t.NamedTuple):
    """``ok`` is True where the source answered and was understood, False where not, None where it was not asked."""

    ok: bool | None
    reason: str | None = None

    def as_dict(self) -> dict[str, t.Any]:
        return {"ok": self.ok, "reason": self.reason}


class Reading(t.NamedTuple):
    """The part of the facts that a reader is responsible for, and the sources that it came from."""

    value: t.Any
    sources: dict[str, Source]


OK = Source(True)


def first_line(*texts: str) -> str:
    """The first line that says something, short enough for a reason."""
    for text in texts:
        for line in text.splitlines():
            if line.strip():
                return line.strip()[:300]
    return "no words"
