# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet: how it is started, and what is in force of what it was told; and what systemd says of units."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import kubelet, kubelet_settings, services
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.kubelet_settings import Settings
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.services import Unit
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Source
from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Answer
from ansible_collections.kubegpu.nodes.tests.unit.plugins.module_utils._facts.folder_host import FolderHost
from hypothesis import given
from hypothesis import strategies as st

SHOW = """\
MainPID=812
Names=kubelet.service
LoadState=loaded
ActiveState=active
UnitFileState=enabled
FragmentPath=/usr/lib/systemd/system/kubelet.service
DropInPaths=/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf /etc/systemd/system/kubelet.service.d/x.conf
EnvironmentFiles=/var/lib/kubelet/kubeadm-flags.env (ignore_errors=yes)
EnvironmentFiles=/etc/default/kubelet (ignore_errors=no)

MainPID=0
Names=nvidia-fabricmanager.service fabric.service
LoadState=not-found
ActiveState=inactive
UnitFileState=
FragmentPath=
DropInPaths=
"""


def test_systemctl_show() -> None:
    units = services.parse_show(SHOW)
    assert set(units) == {"kubelet.service", "nvidia-fabricmanager.service", "fabric.service"}
    assert units["fabric.service"] == Unit(loaded=False, active=False)
    assert units["kubelet.service"] == Unit(
        True,
        True,
        True,
        812,
        (
            "/usr/lib/systemd/system/kubelet.service",
            "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf",
            "/etc/systemd/system/kubelet.service.d/x.conf",
            "/var/lib/kubelet/kubeadm-flags.env",
            "/etc/default/kubelet",
        ),
    )


def test_options() -> None:
    words = ["kubelet", "--a=1", "--a", "2", "--b"]
    assert (services.options(words, "--a"), services.option(words, "--a")) == (["1", "2"], "2")
    assert services.option(words, "--b") is None


@pytest.fixture(name="machine")
def _machine(tmp_path: Path) -> FolderHost:
    host = FolderHost(tmp_path)
    host.says("kubelet --version", "Kubernetes v1.36.3\n")
    return host


IN_FORCE = ("cgroup_driver", "feature_gates", "runtime_endpoint")
CONFIG = """\
apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: false
cgroupDriver: systemd
clusterDNS:
- 10.96.0.10
containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock"
featureGates:
  DynamicResourceAllocation: true
  KubeletPodResourcesGet: false
kind: KubeletConfiguration
"""


def in_force(machine: FolderHost) -> tuple[t.Any, ...]:
    value = kubelet.read(machine).value
    return tuple(value[name] for name in IN_FORCE)


def test_how_it_is_started(machine: FolderHost) -> None:
    arguments = ("--config=/var/lib/kubelet/config.yaml", "--node-ip", "10.0.0.5", "--token-of-mine=hunter2")
    machine.systemd_says(SHOW)
    machine.file("/proc/812/cmdline", "\0".join(["/usr/bin/kubelet", *arguments]))
    machine.file("/var/lib/kubelet/config.yaml", CONFIG)
    machine.file("/usr/lib/systemd/system/kubelet.service")
    machine.file("/var/lib/kubelet/kubeadm-flags.env")
    value, sources = kubelet.read(machine)
    assert sources == {"kubelet": OK, "systemd": OK}
    assert value["started_by"] == {
        "unit": "kubelet.service",
        "arguments": {"config": "/var/lib/kubelet/config.yaml", "node-ip": "10.0.0.5"},
    }
    assert value["files"] == ["/usr/lib/systemd/system/kubelet.service", "/var/lib/kubelet/kubeadm-flags.env"]
    assert in_force(machine) == (
        "systemd",
        {"DynamicResourceAllocation": True, "KubeletPodResourcesGet": False},
        "unix:///run/containerd/containerd.sock",
    )
    assert "hunter2" not in json.dumps(value)


def test_without_systemd_the_usual_files_are_told(machine: FolderHost) -> None:
    machine.commands[" ".join(services.SHOW)] = Answer(1, "", "System has not been booted with systemd\n")
    machine.file("/etc/default/kubelet")
    value, sources = kubelet.read(machine)
    assert (value["files"], value["active"], value["started_by"]["unit"]) == (["/etc/default/kubelet"], None, None)
    assert sources["systemd"] == Source(False, "systemctl show: exit status 1: System has not been booted with systemd")


def test_the_command_line_comes_before_the_files(machine: FolderHost) -> None:
    machine.runs(
        "kubelet.service",
        "--config=/k.yaml",
        "--config-dir=/k.d",
        "--cgroup-driver=cgroupfs",
        "--feature-gates=KubeletPodResourcesGet=true,A=0",
        "--feature-gates",
        "A=T",
    )
    machine.file("/k.yaml", CONFIG)
    machine.file("/k.d/20.conf", '{"featureGates": {"B": true}, "containerRuntimeEndpoint": "unix:///twenty"}')
    machine.file("/k.d/10/x.conf", "featureGates: {}\ncontainerRuntimeEndpoint: unix:///ten\ncgroupDriver: systemd\n")
    machine.file("/k.d/30.yaml", "not read: [")
    gates = {"DynamicResourceAllocation": True, "KubeletPodResourcesGet": True, "A": True, "B": True}
    assert in_force(machine) == ("cgroupfs", gates, "unix:///twenty")


def test_a_kubelet_that_runs_without_config_has_none(machine: FolderHost) -> None:
    machine.runs("kubelet.service", "--container-runtime-endpoint=unix:///x")
    machine.file("/var/lib/kubelet/config.yaml", CONFIG)
    assert in_force(machine) == (None, {}, "unix:///x")


def test_what_a_garbled_file_said_is_not_guessed(machine: FolderHost) -> None:
    machine.runs("kubelet.service", "--config=/k.yaml", "--cgroup-driver=systemd")
    machine.file("/k.yaml", "cgroupDriver: cgroupfs\nfeatureGates: {A: true}\n")
    assert in_force(machine) == ("systemd", None, None)
    assert kubelet.read(machine).sources["kubelet"] == Source(False, "/k.yaml: line 2: not a mapping in block style")


GATES = {
    "A=maybe": "--feature-gates: A is neither true nor false",
    "A": "--feature-gates: A is neither true nor false",
}


@pytest.mark.parametrize("words, reason", GATES.items())
def test_gates_that_no_kubelet_would_take(words: str, reason: str) -> None:
    with pytest.raises(KubeGpuError, match=f"^{reason}$"):
        kubelet_settings.parse_flags([f"--feature-gates={words}"])


CONFIGS = {
    "": Settings(),
    "---\nkind: KubeletConfiguration\n": Settings(),
    "{}": Settings(),
    '{"cgroupDriver": "systemd", "featureGates": null}': Settings("systemd"),
    "featureGates:\n  A: true\n  B: false # why\n": Settings(feature_gates={"A": True, "B": False}),
    'cgroupDriver: ""': Settings(),
}


@pytest.mark.parametrize("text, settings", CONFIGS.items())
def test_configs(text: str, settings: Settings) -> None:
    assert kubelet_settings.parse_config(text) == settings


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"featureGates": {"A": 1}}',
        '{"cgroupDriver": 3}',
        "featureGates:\n  A: 'true'\n",
        "featureGates:\n- A\n",
        "- x",
    ],
)
def test_configs_not_understood(text: str) -> None:
    with pytest.raises(KubeGpuError):
        kubelet_settings.parse_config(text)


WORDS = st.sampled_from(
    ["Names=", "kubelet.service", "\n", "\n\n", "MainPID=", "1", "LoadState=loaded", "EnvironmentFiles=/x", " ("]
)


@given(
    text=st.text(max_size=60)
    | st.lists(WORDS, max_size=15).map("".join)
    | st.integers(0, len(SHOW)).map(lambda end: SHOW[:end])
)
def test_nonsense_of_systemctl(text: str) -> None:
    assert all(isinstance(unit, Unit) for unit in services.parse_show(text).values())


@given(
    words=st.lists(
        st.sampled_from(["--feature-gates", "--feature-gates=A=1", "A=true,B=f", ",", "=", "--config=", "--config"])
        | st.text(max_size=9)
    )
)
def test_any_command_line(words: list[str]) -> None:
    json.dumps(kubelet_settings.harmless(words))
    try:
        assert all(isinstance(value, bool) for value in kubelet_settings.parse_flags(words).feature_gates.values())
    except KubeGpuError as exc:
        assert str(exc).startswith("--feature-gates: ")


@given(text=st.integers(0, len(CONFIG)).map(lambda end: CONFIG[:end]))
def test_truncated_configs(text: str) -> None:
    try:
        gates = kubelet_settings.parse_config(text).feature_gates
    except KubeGpuError as exc:
        assert str(exc)
    else:
        assert set(gates) <= {"DynamicResourceAllocation", "KubeletPodResourcesGet"}
