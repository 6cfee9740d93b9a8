# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: CRI-O and the runtimes that its config files name, drop-ins included."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import engines, services, shapes, toml
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

CONFIG = "/etc/crio/crio.conf"
DROP_INS = "/etc/crio/crio.conf.d"


def merged(configs: t.Iterable[dict[str, t.Any]]) -> dict[str, t.Any]:
    """Runtimes and default of several files: a later file's runtime replaces an earlier one of the same name."""
    runtimes: dict[str, t.Any] = {}
    default = None
    for config in configs:
        section = shapes.table(shapes.table(config.get("crio")).get("runtime"))
        default = shapes.text(section.get("default_runtime")) or default
        for name, entry in shapes.table(section.get("runtimes")).items():
            runtimes[name] = _runtime(shapes.table(entry))
    return {"runtimes": runtimes, "default_runtime": default}


def _runtime(entry: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"type": shapes.text(entry.get("runtime_type")), "binary": shapes.text(entry.get("runtime_path"))}


def _paths(host: Host, arguments: t.Sequence[str]) -> tuple[str, list[str]]:
    """The main file, and the drop-ins in the order in which CRI-O reads them."""
    main = services.option(arguments, "--config", "-c") or CONFIG
    folder = services.option(arguments, "--config-dir", "-d") or DROP_INS
    return main, [path for path in host.glob(f"{folder}/*") if not host.is_dir(path)]


def _parsed(host: Host, path: str) -> dict[str, t.Any]:
    try:
        return toml.parse(host.read(path))
    except KubeGpuError as exc:
        if exc.details.get("missing"):
            return {}
        words = str(exc) if exc.details.get("path") else f"{path}: not TOML, line {exc.details.get('line')}"
        raise KubeGpuError(words) from exc


def read(host: Host) -> Reading:
    if host.which("crio") is None:
        return Reading(dict(engines.ABSENT), {"crio": OK})
    service, sources = services.read(host, "crio.service")
    main, drop_ins = _paths(host, service.arguments)
    files = [main, *drop_ins]
    try:
        config = engines.Configured(files, merged([_parsed(host, path) for path in files]))
    except KubeGpuError as exc:
        config = engines.Configured(files, engines.RUNTIMES_UNKNOWN, [str(exc)])
    value, source = engines.describe(host, "crio", service, config)
    return Reading(value, {"crio": source, **sources})
