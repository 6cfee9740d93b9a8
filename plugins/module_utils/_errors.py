# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the one exception that cores and adapters raise; only main() turns it into a failure."""

from __future__ import annotations

import typing as t


class KubeGpuError(Exception):
    """A reason in one sentence, and the details that a person needs to check it (``cmd``, ``rc``, ``path``, ...).

    ``details`` become return values of the failed module, so they never hold a secret and never use the names
    that Ansible gives a meaning of its own.
    """

    RESERVED: t.ClassVar[frozenset[str]] = frozenset({"msg", "failed", "changed", "invocation", "exception"})

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        taken = self.RESERVED.intersection(details)
        if taken:
            raise TypeError(f"details may not be named {', '.join(sorted(taken))}")
        self.details = details
