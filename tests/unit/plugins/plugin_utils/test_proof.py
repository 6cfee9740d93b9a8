# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host, judged: a table of what facts, Node and pods may say together. All pods here are synthetic."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _proof

ONE = "GPU-11111111-1111-1111-1111-111111111111"
TWO = "GPU-22222222-2222-2222-2222-222222222222"
Thing = dict[str, t.Any]

FACTS: Thing = {
    "gpus": [{"uuid": ONE}, {"uuid": TWO}],
    "driver": {"loaded": "580.95.05", "userland": "580.95.05", "mismatch": None},
}
NODE = {"ready": True, "allocatable": {"nvidia.com/gpu": "2"}}
FULL = "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) didn't satisfy plugin(s) [NodeAffinity]."


def smi(uuid: str) -> str:
    return f"GPU 0: NVIDIA H100 80GB HBM3 (UUID: {uuid})\n"


def pod(phase: str, state: Thing | None = None, name: str = "gpu-proof-x-1", **status: t.Any) -> Thing:
    metadata = {"name": name, "annotations": {"kubegpu.nodes/proof-of": "n1"}}
    return {"metadata": metadata, "status": {"phase": phase, "containerStatuses": [{"state": state or {}}], **status}}


def ended(code: int, message: str) -> Thing:
    return {"terminated": {"exitCode": code, "reason": "Completed" if code == 0 else "Error", "message": message}}


def unscheduled(message: str) -> Thing:
    return pod(
        "Pending",
        conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}],
    )


DRIVER: Thing = FACTS["driver"]
ADMISSION = pod("Failed", reason="UnexpectedAdmissionError", message="Pod was rejected: no healthy devices present")
CASES = {
    # name: (changes of the facts, node, pods, patient, expected state, words of the reason)
    "nothing observed yet": ({}, None, [], False, _proof.NODE, "no such node"),
    "not ready": ({}, {**NODE, "ready": False}, [], False, _proof.NODE, "not Ready"),
    "plugin not there yet": (
        {},
        {"ready": True, "allocatable": {}},
        [],
        False,
        _proof.NODE,
        "is 0, NVML on the host reports 2",
    ),
    "a GPU is missing": (
        {},
        {"ready": True, "allocatable": {"nvidia.com/gpu": "1"}},
        [],
        False,
        _proof.NODE,
        "is 1, NVML on the host reports 2",
    ),
    "shared by somebody": ({}, {"ready": True, "allocatable": {"nvidia.com/gpu": "8"}}, [], False, _proof.NODE, "is 8"),
    "no driver": ({"gpus": []}, NODE, [], False, _proof.FAILED, "NVML on the host reports no GPU"),
    "no facts": ({"gpus": None, "driver": None}, NODE, [], False, _proof.FAILED, "NVML on the host reports no GPU"),
    "facts say mismatch": (
        {"driver": {**DRIVER, "mismatch": "loaded 1, on disk 2"}},
        NODE,
        [],
        False,
        _proof.FAILED,
        "loaded 1, on disk 2",
    ),
    "versions differ": (
        {"driver": {**DRIVER, "userland": "570.1"}},
        NODE,
        [],
        False,
        _proof.FAILED,
        "its libraries are 570.1",
    ),
    "no pod yet": ({}, NODE, [], False, _proof.PROOF, "no pod yet"),
    "image is pulled": (
        {},
        NODE,
        [pod("Pending", {"waiting": {"reason": "ContainerCreating"}})],
        False,
        _proof.PROOF,
        "ContainerCreating",
    ),
    "proven": ({}, NODE, [pod("Succeeded", ended(0, smi(TWO)))], False, _proof.PASSED, None),
    "another GPU": (
        {},
        NODE,
        [pod("Succeeded", ended(0, smi(TWO.replace("2", "3"))))],
        False,
        _proof.FAILED,
        "does not report",
    ),
    "no GPU in the pod": (
        {},
        NODE,
        [pod("Succeeded", ended(0, "No devices were found\n"))],
        False,
        _proof.FAILED,
        "No devices were found",
    ),
    "silent": ({}, NODE, [pod("Succeeded", ended(0, ""))], False, _proof.FAILED, "it said: nothing"),
    "all taken": ({}, NODE, [unscheduled(FULL)], False, _proof.BUSY, "taken all GPUs"),
    "all taken, so far": ({}, NODE, [unscheduled(FULL)], True, _proof.PROOF, "Insufficient nvidia.com/gpu"),
    "another resource is short": (
        {},
        NODE,
        [unscheduled("0/1 nodes are available: 1 Insufficient memory.")],
        False,
        _proof.PROOF,
        "memory",
    ),
    "failed once": ({}, NODE, [ADMISSION], False, _proof.PROOF, "UnexpectedAdmissionError"),
    "failed once, then well": ({}, NODE, [ADMISSION, pod("Succeeded", ended(0, smi(ONE)))], False, _proof.PASSED, None),
    "failed once, tries again": (
        {},
        NODE,
        [ADMISSION, pod("Running", {"running": {}})],
        False,
        _proof.PROOF,
        "Running",
    ),
    "failed twice": (
        {},
        NODE,
        [pod("Failed", ended(127, "sh: nvidia-smi: not found"))] * 2,
        False,
        _proof.FAILED,
        "127 (Error) sh: nvidia-smi",
    ),
}


@pytest.mark.parametrize("facts, node, pods, patient, state, words", CASES.values(), ids=CASES.keys())
def test_judge(
    facts: Thing, node: Thing | None, pods: list[Thing], patient: bool, state: str, words: str | None
) -> None:
    verdict = _proof.judge({**FACTS, **facts}, node, pods, patient)
    assert verdict.state == state
    assert words is None if verdict.reason is None else str(words) in verdict.reason


def warning(name: str, message: str) -> Thing:
    return {
        "type": "Warning",
        "reason": "FailedCreatePodSandBox",
        "message": message,
        "involvedObject": {"kind": "Pod", "name": name},
    }


def plugin(phase: str, state: Thing) -> Thing:
    labels = {"app.kubernetes.io/name": "nvidia-device-plugin"}
    return {**pod(phase, state), "metadata": {"name": "plugin-1", "labels": labels}, "spec": {"nodeName": "n1"}}


NO_RUNTIME = 'failed to get sandbox runtime: no runtime for "nvidia" is configured'
CREATING = {"waiting": {"reason": "ContainerCreating"}}
BACKOFF = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x"'}}
ENDS = {
    # name: (verdict, pods, events, words of the reason)
    "no plugin": (_proof.Verdict(_proof.NODE, "allocatable is 0"), [], [], "no device plugin runs on the node"),
    "plugin lacks its image": (
        _proof.Verdict(_proof.NODE, "is 0"),
        [plugin("Pending", BACKOFF)],
        [],
        "the node cannot get the image",
    ),
    "plugin lacks its runtime": (
        _proof.Verdict(_proof.NODE, "is 0"),
        [plugin("Pending", CREATING)],
        [warning("other", "nothing to do with it"), warning("plugin-1", NO_RUNTIME)],
        "run the role nvidia_container_toolkit",
    ),
    "plugin runs": (
        _proof.Verdict(_proof.NODE, "is 0"),
        [plugin("Running", {"running": {}})],
        [],
        "read the log of its pod plugin-1",
    ),
    "proof hangs": (
        _proof.Verdict(_proof.PROOF, "creating"),
        [pod("Pending", CREATING)],
        [warning("gpu-proof-x-1", NO_RUNTIME)],
        "the proof did not end: pod gpu-proof-x-1: ContainerCreating; FailedCreatePodSandBox: failed to get sandbox",
    ),
    "proof never had a pod": (_proof.Verdict(_proof.PROOF, "no pod yet"), [], [], "the proof did not end: no pod yet"),
}


@pytest.mark.parametrize("verdict, pods, events, words", ENDS.values(), ids=ENDS.keys())
def test_what_did_not_come_in_time_has_failed(
    verdict: _proof.Verdict, pods: list[Thing], events: list[Thing], words: str
) -> None:
    final = _proof.explain(verdict, "n1", pods, events)
    assert final.state == _proof.FAILED
    assert words in (final.reason or "")


@pytest.mark.parametrize("state", [_proof.PASSED, _proof.BUSY, _proof.FAILED])
def test_what_is_final_stays(state: str) -> None:
    assert _proof.explain(_proof.Verdict(state), "n1", [], []) == _proof.Verdict(state)


def test_uuids_of_gpus_and_mig_devices() -> None:
    text = smi(ONE) + "  MIG 1g.10gb Device 0: (UUID: MIG-abcdef01-1111-2222-3333-444444444444)\n"
    assert _proof.gpu_uuids(text) == [ONE, "MIG-abcdef01-1111-2222-3333-444444444444"]
    assert _proof.gpu_uuids(None) == []
