# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the container runtimes and NVIDIA's container toolkit."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import services, toml
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source, first_line

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

CONTAINERD_CONFIG = "/etc/containerd/config.toml"
TEXT_LIMIT = 64 * 1024
# The CRI plugin's name in containerd's config, newest schema (3, 2, 1) first.
CRI_PLUGINS = ("io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "cri")
VERSION = re.compile(r"\bv?([0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,6}(?:-(?:alpha|beta|rc)\.?[0-9]+)?)", re.A)
# Words of the registry sections that carry a secret. A comment that has one costs only a second look at the file.
SECRET = re.compile(r"\b(password|auth|authorization|identity_?token|headers?)\b[\"']?\s*(=|\])", re.I)
# Program of a runtime, its unit, and where its config is: what Part 1 tells of docker and CRI-O.
OTHERS = {
    "docker": ("dockerd", "docker.service", "/etc/docker/daemon.json"),
    "crio": ("crio", "crio.service", "/etc/crio/crio.conf"),
}

EFFECTIVE_UNKNOWN: dict[str, t.Any] = {
    "runtimes": None,
    "default_runtime": None,
    "cdi_enabled": None,
    "disabled_plugins": None,
}


def parse_version(text: str) -> str | None:
    """The first thing that looks like a version in what ``--version`` printed."""
    match = VERSION.search(text)
    return match.group(1) if match else None


def effective(dump: dict[str, t.Any]) -> dict[str, t.Any]:
    """What ``containerd config dump`` says of the runtimes that the kubelet can use, whichever schema it is in."""
    plugins = _table(dump.get("plugins"))
    cri: dict[str, t.Any] = next((_table(plugins[name]) for name in CRI_PLUGINS if name in plugins), {})
    engine = _table(cri.get("containerd"))
    cdi, disabled = cri.get("enable_cdi"), dump.get("disabled_plugins")
    return {
        "runtimes": {name: _runtime(_table(entry)) for name, entry in _table(engine.get("runtimes")).items()},
        "default_runtime": _text(engine.get("default_runtime_name")),
        "cdi_enabled": cdi if isinstance(cdi, bool) else None,
        "disabled_plugins": [name for name in disabled if isinstance(name, str)] if isinstance(disabled, list) else [],
    }


def _runtime(entry: dict[str, t.Any]) -> dict[str, t.Any]:
    options = _table(entry.get("options"))
    cgroup = options.get("SystemdCgroup")
    return {
        "type": _text(entry.get("runtime_type")),
        "binary": _text(options.get("BinaryName")),
        "systemd_cgroup": cgroup if isinstance(cgroup, bool) else None,
    }


def schema(text: str) -> int | None:
    """The schema that a config file declares; without a version line it is 1. None where it is not TOML."""
    try:
        version = toml.parse(text).get("version", 1)
    except KubeGpuError:
        return None
    return version if isinstance(version, int) and not isinstance(version, bool) else None


def _table(value: t.Any) -> dict[str, t.Any]:
    return value if isinstance(value, dict) else {}


def _text(value: t.Any) -> str | None:
    return value if isinstance(value, str) and value else None


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


def _dump(host: Host, path: str) -> tuple[dict[str, t.Any], str | None]:
    config = ["--config", path] if host.exists(path) else []
    try:
        answer = host.run("containerd", *config, "config", "dump")
        if answer.rc != 0:
            words = first_line(answer.err, answer.out)
            return EFFECTIVE_UNKNOWN, f"containerd config dump: exit status {answer.rc}: {words}"
        return effective(toml.parse(answer.out)), None
    except KubeGpuError as exc:
        return EFFECTIVE_UNKNOWN, f"containerd config dump: {exc}"


def _version(host: Host, *argv: str) -> tuple[str | None, str | None]:
    try:
        answer = host.run(*argv)
    except KubeGpuError as exc:
        return None, str(exc)
    version = parse_version(answer.out) if answer.rc == 0 else None
    return version, None if version else f"{' '.join(argv)}: {first_line(answer.err, answer.out)}"


def read_containerd(host: Host) -> Reading:
    absent = {"present": False, "version": None, "active": None, "config_path": None, "config_text": None}
    if host.which("containerd") is None:
        return Reading({**absent, "schema": None, **EFFECTIVE_UNKNOWN}, {"containerd": OK})
    service = services.read(host, "containerd.service")
    path = services.option(service.arguments, "--config", "-c") or CONTAINERD_CONFIG
    version, no_version = _version(host, "containerd", "--version")
    file, file_reason = _config_file(host, path)
    running, no_dump = _dump(host, path)
    value = {"present": True, "version": version, "active": service.active, "config_path": path, **file, **running}
    reasons = [reason for reason in (no_version, file_reason, no_dump) if reason]
    return Reading(value, {"containerd": Source(not reasons, "; ".join(reasons) or None)})


def read_other(host: Host, name: str) -> Reading:
    program, unit, config = OTHERS[name]
    if host.which(program) is None:
        return Reading({"present": False, "version": None, "active": None, "config_path": None}, {name: OK})
    version, reason = _version(host, program, "--version")
    active = services.read(host, unit).active
    value = {"present": True, "version": version, "active": active, "config_path": config}
    return Reading(value, {name: Source(reason is None, reason)})


def read_toolkit(host: Host) -> Reading:
    if host.which("nvidia-ctk") is None:
        return Reading({"version": None}, {"toolkit": OK})
    version, reason = _version(host, "nvidia-ctk", "--version")
    return Reading({"version": version}, {"toolkit": Source(reason is None, reason)})
