# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way: two bare hosts, site.yml in check mode, for real, and again. In this order.

test_nvidia_facts.py and test_remove.py go on with the same hosts.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from _rig.parts import ensure
from conftest import CHECKOUT, DEMO, DEMO_INVENTORY, Rig, passed, state
from executions import count_executions


@pytest.fixture(scope="module")
def rig(demo: Rig) -> Rig:
    return demo


def test_bare_hosts_have_nothing_of_nvidia(rig: Rig, bare: dict[str, dict[str, Any]]) -> None:
    for host, gpus in DEMO.items():
        names = " ".join(bare[host]["host"])
        assert "package nvidia" not in names and "device /dev/nvidia" not in names
        assert "nvidia.com/gpu" not in rig.node(host)["status"].get("allocatable", {})
        assert rig.on(host, "lspci -d 10de::0302 | wc -l").strip() == str(gpus)


def test_bare_hosts_know_no_way_out_of_their_network(rig: Rig) -> None:
    """An air gap: all that the roles load from here on is what the mirror has."""
    for host in DEMO:
        assert "default" not in rig.on(host, "ip route")
        assert "unreachable" in rig.on(host, "ip route get 192.0.2.1 2>&1 || true")


def test_check_mode_names_the_changes_and_makes_none(rig: Rig, bare: dict[str, dict[str, Any]]) -> None:
    played = passed(rig.play("site.yml", *DEMO_INVENTORY, "--check", "--diff"))
    for change in (
        "nvidia-open",
        "nvidia-container-toolkit",
        "cuda-toolkit-13-0",
        "config.toml",
        "nvidia.com/gpu.present",
    ):
        assert change in played.text
    assert all(count > 0 for host, count in played.changed.items() if host in DEMO)
    assert state(rig) == bare


def test_site_makes_gpu_nodes(rig: Rig, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    passed(rig.play("site.yml", *DEMO_INVENTORY, "-e", f"gpu_validate_report={report}"))
    for host, gpus in DEMO.items():
        assert rig.node(host)["status"]["allocatable"]["nvidia.com/gpu"] == str(gpus)
        assert rig.on(host, "cat /proc/driver/nvidia/version").count("580.95.05") == 1
        assert "runtimes.nvidia" in rig.on(host, "containerd config dump")
    rows = {row["node"]: row for row in json.loads(report.read_text())["nodes"]}
    assert {name: row["allocatable"] for name, row in rows.items()} == DEMO
    assert {row["validation"] for row in rows.values()} == {"passed"}


def test_cuda_is_proven_on_every_gpu(rig: Rig) -> None:
    """On the host whose inventory wants a toolkit."""
    host = "rig-h100"
    assert "compiled and run" in rig.on(host, "cat /var/lib/kubegpu-cuda-13.0")
    there = set(re.findall(r"UUID: (GPU-[0-9a-f-]+)", rig.on(host, "nvidia-smi -L")))
    ran = set(re.findall(r"CUDA 13.0 on (GPU-[0-9a-f-]+)", rig.on(host, "cat /run/cuda-programs")))
    assert ran == there and len(there) == DEMO[host]


def test_a_job_sees_the_gpu_that_it_was_given(rig: Rig) -> None:
    """The proof of the product, made once more without the product."""
    for host in DEMO:
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"probe-{host}"},
            "spec": {
                "nodeName": host,
                "runtimeClassName": "nvidia",
                "restartPolicy": "Never",
                "containers": [
                    {
                        "name": "probe",
                        "image": "localhost/kubegpu/gpu-proof:1",
                        "imagePullPolicy": "Never",
                        "command": ["nvidia-smi", "-L"],
                        "resources": {"limits": {"nvidia.com/gpu": 2}},
                    }
                ],
            },
        }
        rig.kubectl_apply(manifest)
        rig.kubectl_wait(f"pod/probe-{host}", "jsonpath={.status.phase}=Succeeded")
        seen = set(re.findall(r"UUID: (GPU-[0-9a-f-]+)", rig.kubectl_text("logs", f"probe-{host}")))
        there = set(re.findall(r"UUID: (GPU-[0-9a-f-]+)", rig.on(host, "nvidia-smi -L")))
        assert len(seen) == 2 and seen < there and len(there) == DEMO[host]
        rig.kubectl_text("delete", f"pod/probe-{host}", "--wait=false")


def test_our_labels_are_those_of_gpu_feature_discovery(rig: Rig) -> None:
    """NVIDIA's own program is asked on the same hosts; it knows more labels, but none that it would set otherwise."""
    program = ensure("gpu-feature-discovery") / "bin" / "gpu-feature-discovery"
    options = "--oneshot --no-timestamp --use-node-feature-api=false --output-file=/run/gfd.labels"
    for host in DEMO:
        rig.put(host, program, "/run/gfd")
        said = rig.on(host, f"/run/gfd {options} >/run/gfd.log 2>&1 || cat /run/gfd.log >&2; cat /run/gfd.labels")
        theirs = dict(line.split("=", 1) for line in said.splitlines())
        labels = rig.node(host)["metadata"]["labels"]
        ours = {key: value for key, value in labels.items() if key.startswith("nvidia.com/")}
        assert ours.pop("nvidia.com/gpu.present") == "true", "the operator's label, not the discovery's"
        assert len(ours) >= 10 and ours == {key: theirs.get(key) for key in ours}


def test_second_run_changes_nothing_and_costs_little(rig: Rig, tmp_path: Path) -> None:
    downloads, log = rig.downloads(DEMO), tmp_path / "ssh.log"
    ssh = str(CHECKOUT / "tests" / "bench" / "ssh")
    played = passed(rig.play("site.yml", *DEMO_INVENTORY, KUBEGPU_BENCH_LOG=str(log), ANSIBLE_SSH_EXECUTABLE=ssh))
    assert set(played.changed.values()) == {0}, played.text
    assert downloads and rig.downloads(DEMO) == downloads, "a converged host asked the network for something"
    asked = count_executions(log.read_text().splitlines())
    assert len(asked) == len(DEMO) and max(asked.values()) <= 8, asked


def test_check_mode_on_a_converged_host_is_silent(rig: Rig) -> None:
    assert set(passed(rig.play("site.yml", *DEMO_INVENTORY, "--check", "--diff")).changed.values()) == {0}


def test_somebody_elses_change_is_found_and_healed(rig: Rig) -> None:
    rig.on("rig-t4", "sed -i '/runtimes.nvidia/,$d' /etc/containerd/config.toml && systemctl restart containerd")
    assert "runtimes.nvidia" not in rig.on("rig-t4", "containerd config dump")
    played = passed(rig.play("site.yml", *DEMO_INVENTORY, "--limit", "rig-t4"))
    assert played.changed["rig-t4"] > 0
    assert "runtimes.nvidia" in rig.on("rig-t4", "containerd config dump")
