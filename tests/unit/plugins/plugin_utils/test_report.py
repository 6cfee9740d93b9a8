# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows and their table. The hosts are synthetic."""

from __future__ import annotations

import json

from ansible_collections.kubegpu.nodes.plugins.filter.gpu_report import FilterModule
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _report

UUID = "GPU-11111111-1111-1111-1111-111111111111"
FACTS = {
    "gpus": [{"uuid": UUID, "name": "Tesla"}],
    "driver": {"loaded": "580.1", "userland": "580.1", "mismatch": None},
    "cuda": {"driver_limit": "13.0"},
    "container": {
        "toolkit": {"version": "1.20.0"},
        "containerd": {"present": True, "version": "1.6.20", "runtimes": {"runc": {}, "nvidia": {}}},
    },
    "kubelet": {"node_name": "n1"},
}
HOSTVARS = {
    "h1": {"ansible_facts": {"nvidia": FACTS}, "__gpu_preflight_started": 1000.4},
    "h2": {"ansible_facts": {}},
    "h3": {"ansible_facts": {"nvidia": FACTS}, "__gpu_validate_node": "n3"},
}
LABELS = {"nvidia.com/gpu.present": "true", "gpu": "true", "zone": "a"}
NODES = {"n1": {"ready": True, "allocatable": {"nvidia.com/gpu": "1"}, "labels": LABELS}}
POD = {
    "metadata": {"name": "p", "annotations": {"kubegpu.nodes/proof-of": "n1"}},
    "status": {
        "phase": "Succeeded",
        "containerStatuses": [
            {"state": {"terminated": {"exitCode": 0, "message": f"GPU 0: NVIDIA H100 (UUID: {UUID})"}}}
        ],
    },
}
SEEN = _report.Observed(NODES, [POD])


def test_a_row_says_all_of_a_proven_node() -> None:
    (row,) = _report.rows(["h1"], ["h1"], HOSTVARS, SEEN, now=1072.0)
    assert row == {
        "host": "h1",
        "node": "n1",
        "gpus": {"Tesla": 1},
        "driver": "580.1",
        "cuda_limit": "13.0",
        "toolkit": "1.20.0",
        "runtime": "containerd 1.6.20 + nvidia",
        "allocatable": 1,
        "labels": {"gpu": "true", "nvidia.com/gpu.present": "true"},
        "validation": "passed",
        "reason": None,
        "seconds": 72,
    }


def test_what_is_unknown_is_null_and_not_a_guess() -> None:
    (row,) = _report.rows(["h2"], ["h2"], HOSTVARS, SEEN, now=0)
    unknown = ("driver", "cuda_limit", "toolkit", "runtime", "allocatable", "seconds")
    assert [row[key] for key in unknown] == [None] * len(unknown)
    assert (row["gpus"], row["labels"], row["validation"]) == ({}, {}, "failed")


def test_hosts_that_failed_earlier_are_in_the_report() -> None:
    rows = _report.rows(["h1", "h2", "gone"], ["h1"], HOSTVARS, SEEN, now=0)
    assert [(row["host"], row["validation"]) for row in rows] == [
        ("h1", "passed"),
        ("h2", "not reached"),
        ("gone", "not reached"),
    ]


def test_waiting_ends_with_the_final_word() -> None:
    waiting = _report.Observed(NODES, final=False)
    assert [row["validation"] for row in _report.rows(["h1", "h3"], ["h1", "h3"], HOSTVARS, waiting, now=0)] == [
        "waiting for the proof",
        "waiting for the node",
    ]
    final = _report.rows(["h1", "h3"], ["h1", "h3"], HOSTVARS, waiting._replace(final=True), now=0)
    assert {row["validation"] for row in final} == {"failed"}


def test_a_runtime_without_nvidia_does_not_say_nvidia() -> None:
    containerd = {"present": True, "version": None, "runtimes": None}
    hostvars = {"h": {"ansible_facts": {"nvidia": {**FACTS, "container": {"containerd": containerd}}}}}
    (row,) = _report.rows(["h"], ["h"], hostvars, SEEN, now=0)
    assert row["runtime"] == "containerd ?"


def test_the_table_survives_json_and_is_aligned() -> None:
    rows = _report.rows(["h1", "h2"], ["h1", "h2"], HOSTVARS, SEEN, now=1072.0)
    text = _report.table(json.loads(json.dumps(rows)))
    assert text == _report.table(rows)
    assert text.splitlines() == [
        "NODE  GPUS       DRIVER  CUDA  TOOLKIT  RUNTIME                     ALLOCATABLE  LABELS  VALIDATION  SECONDS",
        "n1    1 x Tesla  580.1   13.0  1.20.0   containerd 1.6.20 + nvidia  1            2       passed      72",
        "h2    -          -       -     -        -                           -            0       failed      -",
        "h2: NVML on the host reports no GPU: see the driver (role nvidia_driver)",
    ]


def test_a_table_of_nothing_is_its_head() -> None:
    assert _report.table([]).startswith("NODE  GPUS")


def test_the_filters_take_what_the_role_gives_them() -> None:
    filters = FilterModule().filters()
    rows = filters["gpu_report"](
        ["h1"], HOSTVARS, NODES, living=["h1"], pods=[POD], events=[], patient=False, final=True
    )
    assert rows[0]["validation"] == "passed"
    assert "passed" in filters["gpu_table"](rows)
