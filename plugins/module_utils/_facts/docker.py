# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: Docker's daemon and the runtimes that it is configured with."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import engines, services, shapes
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

CONFIG = "/etc/docker/daemon.json"


def parse_config(text: str) -> dict[str, t.Any]:
    """``daemon.json``. An empty file is an empty config. The reason names a place and no word: there may be secrets."""
    if not text.strip():
        return {}
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as exc:
        line = f", line {exc.lineno}" if isinstance(exc, json.JSONDecodeError) else ""
        raise KubeGpuError(f"not JSON{line}") from exc
    if not isinstance(config, dict):
        raise KubeGpuError("not a JSON object")
    return config


def configured(config: dict[str, t.Any], arguments: t.Sequence[str]) -> dict[str, t.Any]:
    """The runtimes that were added to Docker's own, and the default, by config file and command line."""
    runtimes = {name: _runtime(shapes.table(entry)) for name, entry in shapes.table(config.get("runtimes")).items()}
    for pair in services.options(arguments, "--add-runtime"):
        name, equals, path = pair.partition("=")
        if name and equals:
            runtimes[name] = {"type": None, "binary": shapes.text(path)}
    default = services.option(arguments, "--default-runtime") or shapes.text(config.get("default-runtime"))
    return {"runtimes": runtimes, "default_runtime": default}


def _runtime(entry: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"type": shapes.text(entry.get("runtimeType")), "binary": shapes.text(entry.get("path"))}


def _configured(host: Host, path: str, arguments: t.Sequence[str]) -> tuple[dict[str, t.Any], str | None]:
    try:
        return configured(parse_config(host.read(path)), arguments), None
    except KubeGpuError as exc:
        if exc.details.get("missing"):
            return configured({}, arguments), None
        words = str(exc) if exc.details.get("path") else f"{path}: {exc}"
        return engines.RUNTIMES_UNKNOWN, words


def read(host: Host) -> Reading:
    if host.which("dockerd") is None:
        return Reading(dict(engines.ABSENT), {"docker": OK})
    service, sources = services.read(host, "docker.service")
    path = services.option(service.arguments, "--config-file") or CONFIG
    runtimes, problem = _configured(host, path, service.arguments)
    value, source = engines.describe(host, "dockerd", service, engines.Configured([path], runtimes, [problem]))
    return Reading(value, {"docker": source, **sources})
