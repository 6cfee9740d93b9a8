# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: what the facts of all container engines have in common."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import programs
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.services import Service
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

RUNTIMES_UNKNOWN: dict[str, t.Any] = {"runtimes": None, "default_runtime": None}
ABSENT: dict[str, t.Any] = {
    "present": False,
    "version": None,
    "active": None,
    "config_path": None,
    "config_digest": None,
    **RUNTIMES_UNKNOWN,
}


class Configured(t.NamedTuple):
    """``value`` holds at least ``runtimes`` and ``default_runtime``; ``problems`` say what of it could not be told."""

    files: t.Sequence[str]
    value: dict[str, t.Any]
    problems: t.Sequence[str | None] = ()


def describe(host: Host, program: str, service: Service, config: Configured) -> tuple[dict[str, t.Any], Source]:
    """An engine that is there. The first of its config files is the main one."""
    version, no_version = programs.version(host, program, "--version")
    digest, no_digest = programs.config_digest(host, config.files)
    value = {
        "present": True,
        "version": version,
        "active": service.active,
        "config_path": config.files[0],
        "config_digest": digest,
        **config.value,
    }
    reasons = dict.fromkeys(reason for reason in (no_version, *no_digest, *config.problems) if reason)
    return value, Source(not reasons, "; ".join(reasons) or None)
