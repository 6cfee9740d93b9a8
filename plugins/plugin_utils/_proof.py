# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. What facts of a host, its Node and its proof pods say together: one verdict. Data in, data out."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils._gpus import answering

Data = t.Mapping[str, t.Any]

RESOURCE = "nvidia.com/gpu"

# States of a verdict. Two are worth waiting for, the others are final.
NODE = "waiting for the node"
PROOF = "waiting for the proof"
BUSY = "passed (no GPU free)"
PASSED = "passed"
FAILED = "failed"
UNREACHED = "not reached"

# What the pods carry; the templates of the roles set it. An annotation, since a node name may be longer than a label.
PROOF_ANNOTATION = "kubegpu.nodes/proof-of"
PLUGIN_NAME = "nvidia-device-plugin"

_UUID = re.compile(r"UUID: ((?:GPU|MIG)-[0-9a-fA-F-]+)")

# What a pod's waiting reason or event means here, and the way out of it: first match wins.
_RUNTIME = "the NVIDIA runtime could not start the container: see the toolkit and the driver on the host"
_WAYS_OUT = (
    ("ErrImageNeverPull", "the image is not on the node and may not be pulled"),
    ("ImagePull", "the node cannot get the image: name one that it can reach"),
    ("InvalidImageName", "correct the name of the image"),
    ("no runtime for", "containerd does not know this runtime: run the role nvidia_container_toolkit on the host"),
    ("RunContainerError", _RUNTIME),
    ("CreateContainerError", _RUNTIME),
    ("StartError", _RUNTIME),
    ("CrashLoopBackOff", "read the log of the pod"),
    ("UnexpectedAdmissionError", "the kubelet and the device plugin disagree: restart the device plugin's pod"),
)


class Verdict(t.NamedTuple):
    """One host, judged. `reason` is a sentence, and None where all is well."""

    state: str
    reason: str | None = None


def gpu_uuids(text: str | None) -> list[str]:
    """The UUIDs in the output of `nvidia-smi -L`."""
    return _UUID.findall(text or "")


def judge(facts: Data, node: Data | None, pods: t.Sequence[Data], patient: bool) -> Verdict:
    """`pods` are the proof pods of this node; `patient` means that a pod without a free GPU may still get one."""
    stack = _stack(facts)
    if stack:
        return Verdict(FAILED, stack)
    allocatable = _allocatable(facts, node)
    if allocatable:
        return Verdict(NODE, allocatable)
    return _proof(facts, pods, patient)


def _stack(facts: Data) -> str | None:
    """Why no pod can use a GPU here, as the host itself knows."""
    driver = facts.get("driver") or {}
    if not answering(facts):
        return "NVML on the host reports no GPU: see the driver (role nvidia_driver)"
    if driver.get("mismatch"):
        return str(driver["mismatch"])
    if driver.get("loaded") != driver.get("userland"):
        return (
            f"the loaded driver is {driver.get('loaded')}, its libraries are {driver.get('userland')}:"
            " reload the driver or reboot the host"
        )
    return None


def _allocatable(facts: Data, node: Data | None) -> str | None:
    """What the Node does not offer yet."""
    if node is None:
        return "the cluster has no such node"
    if not node.get("ready"):
        return "the node is not Ready"
    wanted = len(answering(facts))
    found = int((node.get("allocatable") or {}).get(RESOURCE, 0))
    if found != wanted:
        return f"allocatable {RESOURCE} is {found}, NVML on the host reports {wanted}"
    return None


def _proof(facts: Data, pods: t.Sequence[Data], patient: bool) -> Verdict:
    done = [pod for pod in pods if _phase(pod) == "Succeeded"]
    if done:
        return _compare(facts, done[0])
    living = [pod for pod in pods if _phase(pod) != "Failed"]
    if living:
        return _unfinished(living[0], patient)
    # A Job tries twice; after its first failure the second pod is still to come.
    if len(pods) < 2:
        return Verdict(PROOF, pod_story(pods[0]) if pods else "the proof has no pod yet")
    return Verdict(FAILED, f"the proof failed twice: {pod_story(pods[-1])}")


def _compare(facts: Data, pod: Data) -> Verdict:
    said = gpu_uuids(_message(pod))
    known = {gpu.get("uuid") for gpu in answering(facts)}
    if not said:
        return Verdict(FAILED, f"nvidia-smi -L in the pod named no GPU, it said: {_message(pod).strip() or 'nothing'}")
    strange = [uuid for uuid in said if uuid not in known]
    if strange:
        return Verdict(FAILED, f"the pod saw {', '.join(strange)}, which NVML on the host does not report")
    return Verdict(PASSED)


def _unfinished(pod: Data, patient: bool) -> Verdict:
    refused = _unschedulable(pod)
    if refused and f"Insufficient {RESOURCE}" in refused and not patient:
        return Verdict(
            BUSY, "pods have taken all GPUs of the node, so that no proof could run; its allocatable is right"
        )
    return Verdict(PROOF, pod_story(pod))


def _phase(pod: Data) -> str:
    return str((pod.get("status") or {}).get("phase"))


def _unschedulable(pod: Data) -> str | None:
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return str(condition.get("message") or condition.get("reason"))
    return None


def _container_states(pod: Data) -> t.Iterator[tuple[str, Data]]:
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        for kind, state in (container.get("state") or {}).items():
            if state is not None:
                yield kind, state


def _message(pod: Data) -> str:
    """What the container left as its termination message."""
    return "".join(str(state.get("message") or "") for kind, state in _container_states(pod) if kind == "terminated")


def pod_story(pod: Data, events: t.Sequence[Data] = ()) -> str:
    """Why a pod is where it is, in words, with the way out where one is known."""
    name = pod["metadata"]["name"]
    parts = list(_reasons(pod))
    parts += [f"{event.get('reason')}: {event.get('message')}" for event in events if _is_about(event, name)][-1:]
    if not parts:
        parts = [f"{_phase(pod)}, without a reason given"]
    told = f"pod {name}: " + "; ".join(part.strip() for part in parts)
    way_out = next((words for sign, words in _WAYS_OUT if sign in told), None)
    return f"{told} ({way_out})" if way_out else told


def _reasons(pod: Data) -> t.Iterator[str]:
    status = pod.get("status") or {}
    refused = _unschedulable(pod)
    if refused:
        yield f"not scheduled, {refused}"
    if status.get("reason") or (status.get("message") and _phase(pod) == "Failed"):
        yield ": ".join(str(status[key]) for key in ("reason", "message") if status.get(key))
    for kind, state in _container_states(pod):
        if kind == "waiting":
            yield ": ".join(str(state[key]) for key in ("reason", "message") if state.get(key))
        elif kind == "terminated" and state.get("exitCode"):
            yield f"exit code {state['exitCode']} ({state.get('reason')}) {state.get('message') or ''}"


def _is_about(event: Data, pod: str) -> bool:
    about = event.get("involvedObject") or {}
    return event.get("type") == "Warning" and about.get("kind") == "Pod" and about.get("name") == pod


def explain(verdict: Verdict, node: str, pods: t.Sequence[Data], events: t.Sequence[Data]) -> Verdict:
    """The final word on what was still waited for when the time was over."""
    if verdict.state == NODE:
        return Verdict(FAILED, f"{verdict.reason}; {_plugin_story(node, pods, events)}")
    if verdict.state == PROOF:
        proofs = [pod for pod in pods if proof_of(pod) == node]
        story = pod_story(proofs[-1], events) if proofs else verdict.reason
        return Verdict(FAILED, f"the proof did not end: {story}")
    return verdict


def proof_of(pod: Data) -> str | None:
    """Node that this pod is the proof of, None for every other pod."""
    return ((pod.get("metadata") or {}).get("annotations") or {}).get(PROOF_ANNOTATION)


def _plugin_story(node: str, pods: t.Sequence[Data], events: t.Sequence[Data]) -> str:
    plugins = [
        pod
        for pod in pods
        if ((pod.get("metadata") or {}).get("labels") or {}).get("app.kubernetes.io/name") == PLUGIN_NAME
        and (pod.get("spec") or {}).get("nodeName") == node
    ]
    if not plugins:
        return "no device plugin runs on the node (does it carry nvidia.com/gpu.present=true? see gpu_node_labels)"
    if _phase(plugins[0]) == "Running" and not list(_reasons(plugins[0])):
        return f"the device plugin runs: read the log of its pod {plugins[0]['metadata']['name']}"
    return pod_story(plugins[0], events)
