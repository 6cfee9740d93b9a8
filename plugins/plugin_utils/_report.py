# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. The report: data of hosts and cluster in, one row a node out; rows in, a table for people out."""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _proof

Data = t.Mapping[str, t.Any]
Row = dict[str, t.Any]

# Facts that say that a label is about GPUs; the first are NVIDIA's, the others the collection's own defaults.
_LABEL_PREFIX = "nvidia.com/"
_LABELS = ("gpu", "cuda")

_COLUMNS: tuple[tuple[str, t.Callable[[Data], str]], ...] = (
    ("NODE", lambda row: str(row["node"])),
    ("GPUS", lambda row: ", ".join(f"{count} x {model}" for model, count in row["gpus"].items()) or "-"),
    ("DRIVER", lambda row: str(row["driver"] or "-")),
    ("CUDA", lambda row: str(row["cuda_limit"] or "-")),
    ("TOOLKIT", lambda row: str(row["toolkit"] or "-")),
    ("RUNTIME", lambda row: str(row["runtime"] or "-")),
    ("ALLOCATABLE", lambda row: "-" if row["allocatable"] is None else str(row["allocatable"])),
    ("LABELS", lambda row: str(len(row["labels"]))),
    ("VALIDATION", lambda row: str(row["validation"])),
    ("SECONDS", lambda row: "-" if row["seconds"] is None else str(row["seconds"])),
)


class Observed(t.NamedTuple):
    """What the cluster shows: Nodes as kubegpu.nodes.gpu_node_label returns them, pods and events as the API does."""

    nodes: Data
    pods: t.Sequence[Data] = ()
    events: t.Sequence[Data] = ()
    patient: bool = False
    final: bool = True


def rows(hosts: t.Sequence[str], living: t.Collection[str], hostvars: Data, seen: Observed, now: float) -> list[Row]:
    """A row for each of `hosts`, in their order; those not `living` failed before the validation."""
    return [_row(host, host in living, hostvars.get(host) or {}, seen, now) for host in hosts]


def _row(host: str, living: bool, variables: Data, seen: Observed, now: float) -> Row:
    facts = (variables.get("ansible_facts") or {}).get("nvidia") or {}
    name = variables.get("__gpu_validate_node") or (facts.get("kubelet") or {}).get("node_name") or host
    node = seen.nodes.get(name)
    verdict = _verdict(name, facts, node, seen)
    if not living:
        verdict = _proof.Verdict(_proof.UNREACHED, "the host failed earlier in this run: its own error is above")
    started = variables.get("__gpu_preflight_started")
    return {
        "host": host,
        "node": name,
        "gpus": dict(collections.Counter(gpu.get("name") or "unknown" for gpu in facts.get("gpus") or [])),
        "driver": (facts.get("driver") or {}).get("loaded"),
        "cuda_limit": (facts.get("cuda") or {}).get("driver_limit"),
        "toolkit": ((facts.get("container") or {}).get("toolkit") or {}).get("version"),
        "runtime": _runtime(facts.get("container") or {}),
        "allocatable": None if node is None else int((node.get("allocatable") or {}).get(_proof.RESOURCE, 0)),
        "labels": _labels(node or {}),
        "validation": verdict.state,
        "reason": verdict.reason,
        "seconds": None if started is None else round(now - float(started)),
    }


def _verdict(name: str, facts: Data, node: Data | None, seen: Observed) -> _proof.Verdict:
    proofs = [pod for pod in seen.pods if _proof.proof_of(pod) == name]
    verdict = _proof.judge(facts, node, proofs, seen.patient)
    return _proof.explain(verdict, name, seen.pods, seen.events) if seen.final else verdict


def _runtime(container: Data) -> str | None:
    """`containerd 1.6.20 + nvidia`: the engine, and whether it knows the runtime `nvidia`."""
    containerd = container.get("containerd") or {}
    if not containerd.get("present"):
        return None
    known = " + nvidia" if "nvidia" in (containerd.get("runtimes") or {}) else ""
    return f"containerd {containerd.get('version') or '?'}{known}"


def _labels(node: Data) -> dict[str, str]:
    labels = node.get("labels") or {}
    return {key: labels[key] for key in sorted(labels) if key.startswith(_LABEL_PREFIX) or key in _LABELS}


def table(rows: t.Sequence[Data]) -> str:
    """Aligned columns, a line a node; below them a line for each reason."""
    lines = [[title for title, _cell in _COLUMNS]]
    lines += [[cell(row) for _title, cell in _COLUMNS] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    return "\n".join(text + [f"{row['node']}: {row['reason']}" for row in rows if row["reason"]])
