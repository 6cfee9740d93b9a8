# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: NVIDIA's container toolkit."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import programs
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

CONFIG = "/etc/nvidia-container-runtime/config.toml"


def read(host: Host) -> Reading:
    version, no_version = None, None
    if host.which("nvidia-ctk") is not None:
        version, no_version = programs.version(host, "nvidia-ctk", "--version")
    digest, problems = programs.config_digest(host, [CONFIG])
    reasons = [no_version, *problems] if no_version else problems
    source = Source(not reasons, "; ".join(reasons) or None)
    return Reading({"version": version, "config_digest": digest}, {"toolkit": source})
