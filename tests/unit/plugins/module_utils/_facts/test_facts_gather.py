# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole reading, of hosts that are folders with a few programs in them."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils import _host
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import engines, nvml
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import gather as gathering
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.gather import gather
from ansible_collections.kubegpu.nodes.tests.unit.plugins.module_utils._facts.folder import Folder

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"
NOT_LOADED = {"ok": None, "reason": "not asked: no driver is loaded"}
OK = {"ok": True, "reason": None}


class Machine(Folder):
    """A root folder and a folder of programs; nothing of the real machine is to be seen."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.bin = tmp_path / "root", tmp_path / "bin"
        self.root.mkdir()
        self.bin.mkdir()
        monkeypatch.setenv("PATH", str(self.bin))
        monkeypatch.setattr(_host, "SEARCH_PATH", ())
        self._monkeypatch = monkeypatch
        self.nvml({"reason": "the Python module pynvml is not there"})

    def program(self, name: str, script: str) -> None:
        program = self.bin / name
        program.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n", encoding="utf-8")
        program.chmod(0o755)

    def prints(self, name: str, fixture: str, status: int = 0) -> None:
        self.program(name, f"cat '{FIXTURES / fixture}'; exit {status}")

    def unit(self, name: str, pid: int, *lines: str) -> None:
        """systemd knows one unit, which runs."""
        said = (f"MainPID={pid}", f"Names={name}", "LoadState=loaded", "ActiveState=active", *lines)
        self.program("systemctl", "cat <<'END'\n{}\nEND".format("\n".join(said)))

    def nvml(self, said: t.Any) -> None:
        self._monkeypatch.setattr(nvml, "ask", said if callable(said) else lambda: said)

    def read(self, *subset: str, time_limit_s: float = 10) -> dict[str, t.Any]:
        facts: dict[str, t.Any] = gather(_host.Host(str(self.root), time_limit_s), subset or ["all"])
        json.dumps(facts)
        return facts


@pytest.fixture(name="machine")
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def load_driver(machine: Machine) -> None:
    version = (FIXTURES / "proc/synthetic-580-open-arm.txt").read_text(encoding="utf-8")
    machine.file("/proc/driver/nvidia/version", version)


def test_a_host_without_anything(machine: Machine) -> None:
    facts = machine.read()
    assert list(facts) == [*gathering.SUBSETS, "sources"]
    assert (facts["pci"], facts["gpus"], facts["packages"], facts["files"]) == ([], [], {}, {})
    driver = facts["driver"]
    assert driver.pop("next_boot") == {"kernel": None, "version": None, "flavour": None}
    absent = {"present": False, "version": None, "active": None, "enabled": None}
    assert [driver.pop(name) for name in ("persistenced", "fabric_manager", "imex")] == [absent] * 3
    assert [driver.pop(name) for name in ("parameters", "brought", "holders", "partitioned")] == [{}, {}, [], []]
    assert set(driver.values()) == {None}
    assert facts["cuda"] == {"driver_limit": None, "toolkits": [], "default": None, "cudnn": []}
    assert not any(facts["container"][name]["present"] for name in ("containerd", "docker", "crio"))
    assert facts["kubelet"]["present"] is False and facts["kubelet"]["node_name"]
    assert facts["sources"]["nvml"] == facts["sources"]["nvidia_smi"] == NOT_LOADED
    assert facts["sources"]["modinfo"] == {"ok": False, "reason": "modinfo not found"}
    assert facts["sources"]["pci"]["reason"].startswith("/sys/bus/pci/devices: No such file")


def test_a_subset_is_all_there_is(machine: Machine) -> None:
    assert set(machine.read("pci", "kubelet")) == {"pci", "kubelet", "sources"}
    assert set(machine.read("pci")["sources"]) == {"pci", "pci_ids", "nvlink_bridges"}
    assert set(machine.read("platform", "all")) == {*gathering.SUBSETS, "sources"}
    assert set(machine.read("cuda")) == {"cuda", "sources"}


def test_a_hanging_nvml_costs_one_time_limit(machine: Machine) -> None:
    load_driver(machine)
    machine.nvml(lambda: time.sleep(30))
    for name in ("modinfo", "dpkg-query", "nvidia-smi"):
        machine.program(name, "sleep 30")
    began = time.monotonic()
    facts = machine.read(time_limit_s=0.5)
    assert time.monotonic() - began < 3
    assert facts["driver"]["loaded"] == "580.95.05"
    reasons = {
        name: facts["sources"][name]["reason"]
        for name in ("nvml", "nvidia_smi_xml", "nvidia_smi", "modinfo", "packages")
    }
    assert reasons == {
        "nvml": "did not answer within 1.5 s",
        "nvidia_smi_xml": "not asked: NVML hangs",
        "nvidia_smi": "not asked: NVML hangs",
        "modinfo": "modinfo did not answer within 0.5 s",
        "packages": "dpkg-query did not answer within 0.5 s",
    }


def test_libraries_newer_than_the_kernel_module(machine: Machine) -> None:
    load_driver(machine)
    machine.file("/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.595.91.07")
    machine.link("/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1", "libnvidia-ml.so.595.91.07")
    machine.program("modinfo", "echo 'version: 595.91.07'; echo 'license: Dual MIT/GPL'")
    driver = machine.read("driver")["driver"]
    assert (driver["userland"], driver["on_disk"], driver["on_disk_flavour"]) == ("595.91.07", "595.91.07", "open")
    assert "580.95.05 but the libraries are 595.91.07" in driver["mismatch"]


def test_modinfo_without_the_module_is_an_answer(machine: Machine) -> None:
    machine.program("modinfo", "echo 'modinfo: ERROR: Module nvidia not found.' >&2; exit 1")
    facts = machine.read("driver")
    assert (facts["driver"]["on_disk"], facts["sources"]["modinfo"]) == (None, OK)


def test_garbled_proc_version(machine: Machine) -> None:
    machine.file("/proc/driver/nvidia/version", "NVRM version: of another kind\n")
    facts = machine.read("driver")
    assert facts["driver"]["loaded"] is None
    assert facts["sources"]["proc"]["ok"] is False


def test_toolkits_side_by_side(machine: Machine) -> None:
    machine.file("/usr/local/cuda-13.0/version.json", '{"cuda": {"version": "13.0.2"}}')
    machine.file("/usr/local/cuda-12.8/bin/nvcc")
    machine.file("/usr/local/cuda-9.2/version.txt", "CUDA Version 9.2.148\nCUDA Patch Version 9.2.148.1\n")
    machine.file("/usr/local/cuda-notes/readme")
    machine.link("/usr/local/cuda-13", "cuda-13.0")
    machine.link("/usr/local/cuda", "cuda-13")
    assert machine.read("cuda")["cuda"] == {
        "driver_limit": None,
        "toolkits": [
            {"version": "9.2", "release": "9.2.148", "patches": ["9.2.148.1"], "path": "/usr/local/cuda-9.2"},
            {"version": "12.8", "release": None, "patches": [], "path": "/usr/local/cuda-12.8"},
            {"version": "13.0", "release": "13.0.2", "patches": [], "path": "/usr/local/cuda-13.0"},
        ],
        "default": "/usr/local/cuda-13.0",
        "cudnn": [],
    }


def containerd(machine: Machine, case: str, config: str = "/etc/containerd/config.toml") -> None:
    dump = FIXTURES / f"containerd/{case}.dump.toml"
    machine.file(config, (FIXTURES / f"containerd/{case}.config.toml").read_text(encoding="utf-8"))
    machine.program(
        "containerd",
        f'case "$*" in --version) echo "containerd github.com/containerd/containerd 1.6.20~ds1";;\n'
        f'"--config {config} config dump") cat "{dump}";; *) echo "$*" >&2; exit 1;; esac',
    )


def test_containerd_and_where_its_config_is(machine: Machine) -> None:
    containerd(machine, "1.6.20-nvidia", "/etc/other.toml")
    machine.unit("containerd.service", 42)
    machine.file("/proc/42/cmdline", "/usr/bin/containerd\0--config\0/etc/other.toml\0")
    facts = machine.read("container")
    value = facts["container"]["containerd"]
    assert facts["sources"]["containerd"] == OK
    assert (value["version"], value["active"], value["schema"]) == ("1.6.20", True, 2)
    assert (value["config_path"], value["default_runtime"]) == ("/etc/other.toml", "nvidia")
    assert value["config_text"].startswith("# schema 2")


def test_registry_credentials_stay_on_the_host(machine: Machine) -> None:
    containerd(machine, "1.6.20-nvidia")
    machine.file(
        "/etc/containerd/config.toml", 'version = 2\n[plugins.x.registry.configs.r.auth]\npassword = "hunter2"\n'
    )
    facts = machine.read("container", "files")
    assert "hunter2" not in json.dumps(facts)
    assert facts["container"]["containerd"]["config_text"] is None
    assert facts["container"]["containerd"]["schema"] == 2
    assert facts["sources"]["containerd"]["reason"] == "/etc/containerd/config.toml holds registry credentials"
    assert len(facts["files"]["/etc/containerd/config.toml"]) == 64


def test_containerd_that_refuses_its_config(machine: Machine) -> None:
    machine.file("/etc/containerd/config.toml", "version = \n")
    machine.program(
        "containerd", 'case "$*" in --version) echo "containerd x v2.1.9";; *) echo bad toml >&2; exit 1;; esac'
    )
    facts = machine.read("container")
    value = facts["container"]["containerd"]
    assert (value["version"], value["schema"], value["runtimes"]) == ("2.1.9", None, None)
    assert facts["sources"]["containerd"] == {
        "ok": False,
        "reason": "/etc/containerd/config.toml is not TOML; containerd config dump: exit status 1: bad toml",
    }


def test_containerd_without_a_config_file(machine: Machine) -> None:
    dump = FIXTURES / "containerd/2.1.9-debian.dump.toml"
    machine.program(
        "containerd", f'case "$*" in --version) echo v2.1.9;; "config dump") cat "{dump}";; *) exit 1;; esac'
    )
    facts = machine.read("container")
    value = facts["container"]["containerd"]
    assert (value["config_text"], value["schema"], value["default_runtime"]) == ("", None, "runc")
    assert facts["sources"]["containerd"] == OK


def test_kubelet(machine: Machine) -> None:
    machine.program("kubelet", "echo Kubernetes v1.36.3")
    machine.unit("kubelet.service", 7)
    machine.file("/proc/7/cmdline", "/usr/bin/kubelet\0--config=/etc/k.yaml\0--hostname-override=Node-7\0")
    machine.file("/etc/k.yaml", "kind: KubeletConfiguration\n")
    facts = machine.read("kubelet")
    assert facts["kubelet"] == {
        "present": True,
        "version": "1.36.3",
        "active": True,
        "started_by": {
            "unit": "kubelet.service",
            "arguments": {"config": "/etc/k.yaml", "hostname-override": "Node-7"},
        },
        "files": [],
        "config_path": "/etc/k.yaml",
        "config_text": "kind: KubeletConfiguration\n",
        "node_name": "node-7",
        "cgroup_driver": None,
        "feature_gates": {},
        "runtime_endpoint": None,
    }
    assert facts["sources"] == {"kubelet": OK, "systemd": OK}


@pytest.mark.parametrize(
    "text, reason", [("#" * 70000, "larger than 64 KiB"), ("staticPodURLHeader: {}", "credentials")]
)
def test_kubelet_config_that_stays_on_the_host(machine: Machine, text: str, reason: str) -> None:
    machine.program("kubelet", "echo Kubernetes v1.36.3")
    machine.file("/var/lib/kubelet/config.yaml", text)
    facts = machine.read("kubelet")
    assert facts["kubelet"]["config_text"] is None
    assert reason in facts["sources"]["kubelet"]["reason"]


def test_settings_of_a_kubelet_config_that_is_too_large_for_its_text_are_of_all_of_it(machine: Machine) -> None:
    machine.program("kubelet", "echo Kubernetes v1.36.3")
    machine.file("/var/lib/kubelet/config.yaml", f"#{'-' * 70000}\ncgroupDriver: cgroupfs\n")
    assert machine.read("kubelet")["kubelet"]["cgroup_driver"] == "cgroupfs"


def test_docker_crio_and_the_toolkit(machine: Machine) -> None:
    machine.program("dockerd", "echo 'Docker version 28.2.2, build e6534b4'")
    machine.program("crio", "exit 3")
    machine.program("nvidia-ctk", "echo NVIDIA Container Toolkit CLI version 1.20.0")
    facts = machine.read("container")
    assert facts["container"]["docker"]["version"] == "28.2.2"
    assert facts["container"]["toolkit"] == {"version": "1.20.0", "config_digest": None}
    assert facts["container"]["crio"]["present"] and facts["container"]["crio"]["version"] is None
    assert facts["sources"]["crio"] == {"ok": False, "reason": "crio --version: no words"}


def test_digests(machine: Machine) -> None:
    machine.file("/etc/apt/sources.list.d/nvidia-cuda.sources")
    machine.file("/etc/containerd/conf.d/99-nvidia.toml", "x")
    machine.file("/etc/passwd", "not ours")
    machine.link("/etc/modules-load.d/modules.conf", "../modules")
    facts = machine.read("files")
    assert list(facts["files"]) == [
        "/etc/apt/sources.list.d/nvidia-cuda.sources",
        "/etc/containerd/conf.d/99-nvidia.toml",
    ]
    assert facts["sources"] == {"files": OK}


def test_a_bug_in_one_reader_is_named_and_harms_no_other(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(host: object) -> t.NoReturn:
        raise ZeroDivisionError("boom")

    monkeypatch.setitem(gathering.READERS, "driver.versions", broken)
    monkeypatch.setitem(gathering.READERS, "container.crio", broken)
    facts = machine.read()
    assert facts["driver"]["loaded"] is None and facts["container"]["crio"] is None
    assert facts["container"]["docker"] == engines.ABSENT
    assert (
        facts["sources"]["versions"] == facts["sources"]["crio"] == {"ok": False, "reason": "ZeroDivisionError: boom"}
    )
