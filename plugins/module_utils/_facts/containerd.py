# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: containerd, its config file and what is in effect."""

from __future__ import annotations

import posixpath
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import engines, services, shapes, toml
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, first_line

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

CONFIG = "/etc/containerd/config.toml"
TEXT_LIMIT = 64 * 1024
# Files that import each other in a circle end somewhere.
MAX_FILES = 100
# The CRI plugin's name in containerd's config, newest schema (3, 2, 1) first.
CRI_PLUGINS = ("io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "cri")
# Words of the registry sections that carry a secret, a secret by its name in anybody's section, and a URL with a
# password. A comment that has one costs only a second look at the file.
SECRET = re.compile(
    r"\b(auth|authorization|headers?)\b[\"']?\s*(=|\])"
    r"|(password|passwd|token|secret|access_?key)[a-z_]*[\"']?\s*(=|\])"
    r"|://[^/\s\"'@]+@",
    re.I,
)
EFFECTIVE_UNKNOWN: dict[str, t.Any] = {**engines.RUNTIMES_UNKNOWN, "cdi_enabled": None, "disabled_plugins": None}


def effective(dump: dict[str, t.Any]) -> dict[str, t.Any]:
    """What ``containerd config dump`` says of the runtimes that the kubelet can use, whichever schema it is in."""
    plugins = shapes.table(dump.get("plugins"))
    cri: dict[str, t.Any] = next((shapes.table(plugins[name]) for name in CRI_PLUGINS if name in plugins), {})
    engine = shapes.table(cri.get("containerd"))
    cdi, disabled = cri.get("enable_cdi"), dump.get("disabled_plugins")
    return {
        "runtimes": {
            name: _runtime(shapes.table(entry)) for name, entry in shapes.table(engine.get("runtimes")).items()
        },
        "default_runtime": shapes.text(engine.get("default_runtime_name")),
        "cdi_enabled": cdi if isinstance(cdi, bool) else None,
        "disabled_plugins": [name for name in disabled if isinstance(name, str)] if isinstance(disabled, list) else [],
    }


def _runtime(entry: dict[str, t.Any]) -> dict[str, t.Any]:
    options = shapes.table(entry.get("options"))
    cgroup = options.get("SystemdCgroup")
    return {
        "type": shapes.text(entry.get("runtime_type")),
        "binary": shapes.text(options.get("BinaryName")),
        "systemd_cgroup": cgroup if isinstance(cgroup, bool) else None,
    }


def schema(text: str) -> int | None:
    """The schema that a config file declares; without a version line it is 1. None where it is not TOML."""
    try:
        version = toml.parse(text).get("version", 1)
    except KubeGpuError:
        return None
    return version if isinstance(version, int) and not isinstance(version, bool) else None


def _config_file(host: Host, path: str) -> tuple[dict[str, t.Any], str | None]:
    """``config_text`` and ``schema`` of the file, and the reason where something about it cannot be told."""
    try:
        text = host.read(path, limit=TEXT_LIMIT + 1)
    except KubeGpuError as exc:
        missing = exc.details.get("missing")
        return {"config_text": "" if missing else None, "schema": None}, None if missing else str(exc)
    if len(text) > TEXT_LIMIT:
        return {"config_text": None, "schema": None}, f"{path} is larger than {TEXT_LIMIT // 1024} KiB"
    if SECRET.search(text):
        return {"config_text": None, "schema": schema(text)}, f"{path} holds registry credentials"
    version = schema(text)
    return {"config_text": text, "schema": version}, None if version else f"{path} is not TOML"


def _dump(host: Host, path: str) -> tuple[dict[str, t.Any] | None, str | None]:
    config = ["--config", path] if host.exists(path) else []
    try:
        answer = host.run("containerd", *config, "config", "dump")
        if answer.rc != 0:
            words = first_line(answer.err, answer.out)
            return None, f"containerd config dump: exit status {answer.rc}: {words}"
        return toml.parse(answer.out), None
    except KubeGpuError as exc:
        return None, f"containerd config dump: {exc}"


def import_patterns(config: dict[str, t.Any], folder: str) -> list[str]:
    """The patterns of further files that a config names; relative ones are meant from its folder."""
    imports = config.get("imports")
    patterns = [entry for entry in imports if isinstance(entry, str) and entry] if isinstance(imports, list) else []
    return [posixpath.normpath(posixpath.join(folder, pattern)) for pattern in patterns]


def _files(host: Host, path: str, dump: dict[str, t.Any] | None) -> list[str]:
    """All files that make the config: the main one first, then what it and the defaults of containerd import."""
    folder = posixpath.dirname(path)
    found, waiting = [path], import_patterns(dump or {}, folder)
    waiting += import_patterns(_parsed(host, path), folder)
    while waiting and len(found) < MAX_FILES:
        for file in host.glob(waiting.pop(0)):
            if file not in found and not host.is_dir(file):
                found.append(file)
                waiting += import_patterns(_parsed(host, file), posixpath.dirname(file))
    return found


def _parsed(host: Host, path: str) -> dict[str, t.Any]:
    try:
        return toml.parse(host.read(path))
    except KubeGpuError:
        return {}


def read(host: Host) -> Reading:
    if host.which("containerd") is None:
        absent = {**engines.ABSENT, "config_text": None, "schema": None, **EFFECTIVE_UNKNOWN}
        return Reading(absent, {"containerd": OK})
    service, sources = services.read(host, "containerd.service")
    path = services.option(service.arguments, "--config", "-c") or CONFIG
    file, no_file = _config_file(host, path)
    dump, no_dump = _dump(host, path)
    told = {**file, **(EFFECTIVE_UNKNOWN if dump is None else effective(dump))}
    config = engines.Configured(_files(host, path, dump), told, [no_file, no_dump])
    value, source = engines.describe(host, "containerd", service, config)
    return Reading(value, {"containerd": source, **sources})
