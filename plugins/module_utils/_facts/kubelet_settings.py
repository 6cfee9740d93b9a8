# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: what a kubelet was told, by its config files and its command line."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import outline, services

# Options whose values hold no secret. What is not here is not told.
HARMLESS = (
    "bootstrap-kubeconfig",
    "cert-dir",
    "cgroup-driver",
    "cgroup-root",
    "cloud-provider",
    "cluster-dns",
    "cluster-domain",
    "config",
    "config-dir",
    "container-runtime-endpoint",
    "cpu-manager-policy",
    "feature-gates",
    "hostname-override",
    "kube-reserved",
    "kubeconfig",
    "max-pods",
    "memory-manager-policy",
    "node-ip",
    "node-labels",
    "pod-infra-container-image",
    "pod-manifest-path",
    "register-with-taints",
    "reserved-cpus",
    "root-dir",
    "system-reserved",
    "topology-manager-policy",
    "topology-manager-scope",
    "v",
)
# As strconv.ParseBool of Go reads it.
BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


class Settings(t.NamedTuple):
    """None (no gate) where nothing was said."""

    cgroup_driver: str | None = None
    runtime_endpoint: str | None = None
    feature_gates: t.Mapping[str, bool] = {}


def harmless(arguments: t.Sequence[str]) -> dict[str, str]:
    """The options of a command line that may be told, each with its last value."""
    told = {name: services.option(arguments, f"--{name}", f"-{name}") for name in HARMLESS}
    return {name: value for name, value in told.items() if value is not None}


def parse_config(text: str) -> Settings:
    """A config file or a part of one, in YAML or JSON. Raises where it is not understood."""
    values = _from_json(text) if text.lstrip().startswith("{") else _from_yaml(text)
    gates = values["featureGates"]
    if not isinstance(gates, dict) or not all(isinstance(value, bool) for value in gates.values()):
        raise KubeGpuError("featureGates are not true or false")
    return Settings(
        _said(values["cgroupDriver"], "cgroupDriver"),
        _said(values["containerRuntimeEndpoint"], "containerRuntimeEndpoint"),
        gates,
    )


def _said(value: t.Any, name: str) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    raise KubeGpuError(f"{name} is not text")


def _from_json(text: str) -> dict[str, t.Any]:
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise KubeGpuError("not JSON") from exc
    names = ("cgroupDriver", "containerRuntimeEndpoint")
    return {**{name: config.get(name) for name in names}, "featureGates": config.get("featureGates") or {}}


def _from_yaml(text: str) -> dict[str, t.Any]:
    keys = outline.document(text)
    names = ("cgroupDriver", "containerRuntimeEndpoint")
    values: dict[str, t.Any] = {name: outline.scalar(keys[name]) if name in keys else None for name in names}
    gates = outline.children(keys["featureGates"]) if "featureGates" in keys else {}
    values["featureGates"] = {name: outline.scalar(entry) for name, entry in gates.items()}
    return values


def parse_flags(arguments: t.Sequence[str]) -> Settings:
    """What the command line says."""
    gates = {}
    for pair in ",".join(services.options(arguments, "--feature-gates")).split(","):
        name, _equals, word = pair.strip().partition("=")
        if not name:
            continue
        if word.strip() not in BOOLEANS:
            raise KubeGpuError(f"--feature-gates: {name} is neither true nor false")
        gates[name] = BOOLEANS[word.strip()]
    return Settings(
        services.option(arguments, "--cgroup-driver"),
        services.option(arguments, "--container-runtime-endpoint"),
        gates,
    )


def combine(several: t.Iterable[Settings]) -> Settings:
    """The later one wins; gates are put together, each by its last word."""
    whole = Settings()
    for one in several:
        whole = Settings(
            one.cgroup_driver or whole.cgroup_driver,
            one.runtime_endpoint or whole.runtime_endpoint,
            {**whole.feature_gates, **one.feature_gates},
        )
    return whole
