# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the kubelet, how it is started and configured, and the name that its node has."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import kubelet_settings, programs, services
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

UNIT = "kubelet.service"
# Where kubeadm puts it.
CONFIG = "/var/lib/kubelet/config.yaml"
TEXT_LIMIT = 64 * 1024
VERSION = re.compile(r"^Kubernetes v([0-9]{1,3}\.[0-9]{1,4}\.[0-9]{1,4}(?:-[0-9A-Za-z.]{1,40})?)", re.M | re.A)
# Files that say how a kubelet is started, where systemd cannot be asked for them.
USUAL_FILES = (
    "/etc/systemd/system/kubelet.service",
    "/usr/lib/systemd/system/kubelet.service",
    "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf",
    "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf",
    "/var/lib/kubelet/kubeadm-flags.env",
    "/etc/default/kubelet",
    "/etc/sysconfig/kubelet",
)
ABSENT: dict[str, t.Any] = {
    "present": False,
    "version": None,
    "active": None,
    "started_by": {"unit": None, "arguments": {}},
    "files": None,
    "config_path": None,
    "config_text": None,
    "cgroup_driver": None,
    "feature_gates": None,
    "runtime_endpoint": None,
}
# The one field of a KubeletConfiguration that may carry a secret.
SECRET = re.compile(r"\bstaticPodURLHeader\b")


def parse_version(text: str) -> str | None:
    """``Kubernetes v1.36.3``."""
    match = VERSION.search(text)
    return match.group(1) if match else None


def node_name(arguments: t.Sequence[str], host_name: str) -> str:
    """As the kubelet chooses it: the option, else the host's name, without blanks and in small letters."""
    return (services.option(arguments, "--hostname-override") or host_name).strip().lower()


def _config_text(host: Host, path: str) -> tuple[str | None, str | None]:
    try:
        text = host.read(path, limit=TEXT_LIMIT + 1)
    except KubeGpuError as exc:
        return ("", None) if exc.details.get("missing") else (None, str(exc))
    if len(text) > TEXT_LIMIT:
        return None, f"{path} is larger than {TEXT_LIMIT // 1024} KiB"
    if SECRET.search(text):
        return None, f"{path} holds credentials (staticPodURLHeader)"
    return text, None


def _drop_ins(host: Host, folder: str) -> list[str]:
    """Files of ``--config-dir`` in the order in which the kubelet reads them: by name, folders in their place."""
    found = []
    for path in host.glob(f"{folder}/*"):
        if host.is_dir(path):
            found += _drop_ins(host, path)
        elif path.endswith(".conf"):
            found.append(path)
    return found


def _configs(host: Host, service: services.Service, path: str) -> list[str]:
    """The config files that count. A kubelet that runs without ``--config`` has none."""
    if not service.arguments:
        return [path]
    main = services.options(service.arguments, "--config")[-1:]
    folders = services.options(service.arguments, "--config-dir")[-1:]
    return [*main, *(file for folder in folders for file in _drop_ins(host, folder))]


def _parsed(host: Host, path: str) -> kubelet_settings.Settings:
    try:
        return kubelet_settings.parse_config(host.read(path))
    except KubeGpuError as exc:
        if exc.details.get("missing"):
            return kubelet_settings.Settings()
        raise exc if exc.details.get("path") else KubeGpuError(f"{path}: {exc}") from exc


def _in_force(host: Host, service: services.Service, path: str) -> tuple[dict[str, t.Any], str | None]:
    """Command line before config files. Where a file is not understood, only the command line can be believed."""
    flags = kubelet_settings.Settings()
    try:
        flags = kubelet_settings.parse_flags(service.arguments)
        files = [_parsed(host, file) for file in _configs(host, service, path)]
    except KubeGpuError as exc:
        return _told(flags, None), str(exc)
    whole = kubelet_settings.combine([*files, flags])
    return _told(whole, dict(whole.feature_gates)), None


def _told(settings: kubelet_settings.Settings, gates: dict[str, bool] | None) -> dict[str, t.Any]:
    return {
        "cgroup_driver": settings.cgroup_driver,
        "feature_gates": gates,
        "runtime_endpoint": settings.runtime_endpoint,
    }


def read(host: Host) -> Reading:
    if host.which("kubelet") is None:
        return Reading({**ABSENT, "node_name": node_name([], host.host_name())}, {"kubelet": OK})
    service, sources = services.read(host, UNIT)
    path = services.option(service.arguments, "--config") or CONFIG
    version, no_version = programs.version(host, "kubelet", "--version", parse=parse_version)
    text, no_text = _config_text(host, path)
    settings, no_settings = _in_force(host, service, path)
    value = {
        "present": True,
        "version": version,
        "active": service.active,
        "started_by": {"unit": service.unit, "arguments": kubelet_settings.harmless(service.arguments)},
        "files": [file for file in (service.files or USUAL_FILES) if host.exists(file)],
        "config_path": path,
        "config_text": text,
        "node_name": node_name(service.arguments, host.host_name()),
        **settings,
    }
    reasons = dict.fromkeys(reason for reason in (no_version, no_text, no_settings) if reason)
    return Reading(value, {"kubelet": Source(not reasons, "; ".join(reasons) or None), **sources})
