# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the kubelet, its config file and the name that its node has."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import services
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source, first_line

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

# Where kubeadm puts it.
CONFIG = "/var/lib/kubelet/config.yaml"
TEXT_LIMIT = 64 * 1024
VERSION = re.compile(r"^Kubernetes v([0-9]{1,3}\.[0-9]{1,4}\.[0-9]{1,4}(?:-[0-9A-Za-z.]{1,40})?)", re.M | re.A)
# The one field of a KubeletConfiguration that may carry a secret.
SECRET = re.compile(r"\bstaticPodURLHeader\b")


def parse_version(text: str) -> str | None:
    """``Kubernetes v1.36.3``."""
    match = VERSION.search(text)
    return match.group(1) if match else None


def node_name(arguments: t.Sequence[str], host_name: str) -> str:
    """As the kubelet chooses it: the option, else the host's name, without blanks and in small letters."""
    return (services.option(arguments, "--hostname-override") or host_name).strip().lower()


def _version(host: Host) -> tuple[str | None, str | None]:
    try:
        answer = host.run("kubelet", "--version")
    except KubeGpuError as exc:
        return None, str(exc)
    version = parse_version(answer.out) if answer.rc == 0 else None
    return version, None if version else f"kubelet --version: {first_line(answer.err, answer.out)}"


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


def read(host: Host) -> Reading:
    value: dict[str, t.Any] = {"present": False, "version": None, "active": None, "config_path": None}
    if host.which("kubelet") is None:
        value.update(config_text=None, node_name=node_name([], host.host_name()))
        return Reading(value, {"kubelet": OK})
    service = services.read(host, "kubelet.service")
    path = services.option(service.arguments, "--config") or CONFIG
    version, no_version = _version(host)
    text, no_text = _config_text(host, path)
    value = {
        "present": True,
        "version": version,
        "active": service.active,
        "config_path": path,
        "config_text": text,
        "node_name": node_name(service.arguments, host.host_name()),
    }
    reasons = [reason for reason in (no_version, no_text) if reason]
    return Reading(value, {"kubelet": Source(not reasons, "; ".join(reasons) or None)})
