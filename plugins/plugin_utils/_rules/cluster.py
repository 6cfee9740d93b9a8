# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Rules about the host as a node of a cluster: its kubelet, its runtime; asked where wishes name a cluster."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

import yaml
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _kubelet_gates, _versions, _wishes
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import Case, Section, flag, part, text
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules.finding import Findings, Planned, Rule, refuse

OTHER_RUNTIME = "move the kubelet to containerd or CRI-O first (--container-runtime-endpoint)"


def _is_node(case: Case) -> bool:
    return any(isinstance(case.wishes.get(key), Mapping) for key in ("cluster", "kubernetes"))


def _kubernetes(case: Case) -> str | None:
    """The version that the kubelet is to have, or has."""
    wished = text(part(case.wishes, "kubernetes"), "version")
    return wished if _wishes.is_kubernetes(wished) else text(case.kubelet, "version")


def _config(case: Case) -> Section | None:
    """The kubelet's configuration; None where it is not known."""
    raw = text(case.kubelet, "config_text")
    try:
        found = yaml.safe_load(raw) if raw else None
    except yaml.YAMLError:
        return None
    return found if isinstance(found, Mapping) else None


def node_not_registered(case: Case, planned: Planned) -> Findings:
    cluster = part(case.wishes, "cluster")
    if flag(cluster, "registered") is False:
        node = cluster.get("node")
        way_out = "join the host to the cluster first, or name its node with kubegpu_node_name"
        reason = f"The cluster has no node {node}"
        yield refuse("node-not-registered", "no such node", str(node), way_out, reason)


def kubelet_gates(case: Case, planned: Planned) -> Findings:
    """A kubelet does not start with a gate that it does not know."""
    if not _is_node(case):
        return
    in_force = {name: value for name, value in part(case.kubelet, "feature_gates").items() if value is not None}
    gates: dict[str, t.Any] = {**part(_config(case) or {}, "featureGates"), **in_force}
    version = _kubernetes(case)
    judgement = _kubelet_gates.judge(gates, version, case.data)
    if judgement.unknown and version:
        yield f"It is not known whether a kubelet {version} starts with these gates: {', '.join(judgement.unknown)}."
    if judgement.refused:
        found = "; ".join(judgement.refused)
        file = text(case.kubelet, "config_path") or "the kubelet's configuration"
        way_out = f"take these gates out of {file} and of the kubelet's arguments"
        yield refuse(
            "kubelet-gates", found, "gates that it knows", way_out, f"The kubelet has gates that stop it: {found}"
        )


def cgroup_v1(case: Case, planned: Planned) -> Findings:
    version, change = _kubernetes(case), case.data.change("cgroup-v1")
    if not _is_node(case) or str(case.platform.get("cgroup_version")) != "1" or not _from(version, change.since):
        return
    config = _config(case)
    if config is None:
        yield (
            f"This host has cgroup v1, and from {change.since} on {change.words}; its configuration is not known"
            f" ({change.source})."
        )
    elif config.get("failCgroupV1") is not False:
        way_out = (
            "boot with systemd.unified_cgroup_hierarchy=1, or set failCgroupV1: false in the kubelet's configuration"
            " for the time being"
        )
        reason = f"This host has cgroup v1 and a kubelet {version}: from {change.since} on {change.words}"
        yield refuse("cgroup-v1", "cgroup v1", "cgroup v2", way_out, reason, change.source)


def _from(version: str | None, since: str) -> bool:
    """Whether a version is known, and is this one or a later one."""
    minor, first = _versions.minor(version), _versions.minor(since)
    return bool(minor and first and minor >= first)


def containerd(case: Case, planned: Planned) -> Findings:
    there, kubernetes = part(case.container, "containerd"), _kubernetes(case)
    version = text(there, "version")
    if not _is_node(case) or flag(there, "present") is not True or not _uses(case, "containerd"):
        return
    known = case.data.containerd(version)
    if known is None:
        return
    if case.data.containerd_runs(version, kubernetes) is False:
        last = known.last_kubernetes
        reason = (
            f"A kubelet {kubernetes} does not work with containerd {version}, for which {last} is the last Kubernetes"
        )
        way_out = "upgrade containerd first"
        source = known.last_kubernetes_source
        yield refuse(
            "containerd-kubernetes", f"containerd {version}", f"for Kubernetes {kubernetes}", way_out, reason, source
        )
    elif case.today and known.eol and known.eol < case.today:
        yield f"containerd {known.version} ended on {known.eol} and gets no corrections any more ({known.source})."


def _uses(case: Case, runtime: str) -> bool:
    """Whether the kubelet's runtime is this one; where it is not known, what is there is taken to be it."""
    endpoint = text(case.kubelet, "runtime_endpoint")
    return endpoint is None or runtime in endpoint


def dockershim(case: Case, planned: Planned) -> Findings:
    """Docker alone, which a kubelet cannot use by itself any more. With cri-dockerd its endpoint has another name."""
    version, change = _kubernetes(case), case.data.change("dockershim")
    if not _is_node(case) or not _from(version, change.since):
        return
    endpoint = text(case.kubelet, "runtime_endpoint")
    present = {name: flag(part(case.container, name), "present") for name in ("docker", "containerd", "crio")}
    alone = present == {"docker": True, "containerd": False, "crio": False} and endpoint is None
    if alone or (endpoint and "dockershim" in endpoint):
        reason = f"Docker is the only container runtime here, and from {change.since} on {change.words}"
        yield refuse("dockershim", "Docker", "containerd or CRI-O", OTHER_RUNTIME, reason, change.source)


def old_nvidia_docker(case: Case, planned: Planned) -> Findings:
    """nvidia-docker 1.x links the driver's files into /var/lib/nvidia-docker; hard links do not leave a file system."""
    version = case.package_version("nvidia-docker")
    if version is None or not version.startswith("1.") or not (_is_node(case) or case.wants_toolkit):
        return
    mounts = [text(part(case.platform, "filesystems", path), "mount") for path in ("/var/lib", "/usr")]
    words = f"nvidia-docker {version} is installed, which the NVIDIA container toolkit has long replaced"
    if None in mounts or mounts[0] == mounts[1]:
        yield f"{words}: remove it (apt purge nvidia-docker)."
        return
    reason = f"{words}; and it cannot link the driver's files from {mounts[1]} into {mounts[0]}, another file system"
    source = "https://github.com/NVIDIA/nvidia-docker/wiki/nvidia-docker-plugin"
    way_out = "remove it (apt purge nvidia-docker)"
    yield refuse("nvidia-docker-1", f"nvidia-docker {version}", "none", way_out, reason, source)


RULES: tuple[Rule, ...] = (
    node_not_registered,
    kubelet_gates,
    cgroup_v1,
    containerd,
    dockershim,
    old_nvidia_docker,
)
