# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. What preflight tells of the fleet: the decisions of all hosts in; numbers, and words for people, out."""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.kubegpu.nodes.plugins.plugin_utils._decision import LABEL, NO_GPU, NOT_KNOWN, READY, REFUSED

Data = t.Mapping[str, t.Any]
Row = dict[str, t.Any]

UNREACHABLE, FAILED, NO_DRIVER = "unreachable", "failed", "none"
# In the order of the summary: what needs no hand, what a run would do, what a person has to look at.
DECISIONS = (READY, "install", "change", "load", "reload", "reboot", "remove", REFUSED, UNREACHABLE, FAILED)
DISRUPTIONS = {
    "load": "load kernel modules",
    "reload": "reload kernel modules",
    "unload": "unload kernel modules",
    "reboot": "reboot",
}
NAMES = 10  # of hosts in a line


def fleet(hosts: t.Sequence[str], hostvars: Data, living: t.Collection[str]) -> Row:
    """All hosts that preflight was to read. One of a batch that is still to come is not counted."""
    rows = list(filter(None, (_row_of(host, hostvars.get(host) or {}, host in living) for host in hosts)))
    summary = {
        "hosts": len(rows),
        "decisions": _counted(row["decision"] for row in rows),
        "models": _models(rows),
        "drivers": _sorted(_driver_of(row) for row in rows),
        "disruptions": _sorted(row["disruption"] for row in rows if row["disruption"] not in (None, "none")),
        "with_warnings": sum(1 for row in rows if row["warnings"]),
    }
    return {"summary": summary, "hosts": rows, "stats": _stats(summary, rows), "words": _fleet_words(summary, rows)}


def _row_of(host: str, variables: Data, lives: bool) -> Row | None:
    """A reading that failed counts for more than a decision that was made before it."""
    reading, row = variables.get("__gpu_preflight_reading") or {}, variables.get("__gpu_preflight_decision")
    if reading.get("unreachable"):
        return _unread(host, UNREACHABLE, reading)
    if reading.get("failed"):
        return _unread(host, FAILED, reading)
    if row:
        return dict(row)
    return None if lives else _unread(host, FAILED, {})


def _unread(host: str, decided: str, reading: Data) -> Row:
    why = str(reading.get("msg") or "the host failed earlier in this run: its own error is above").strip()
    unknown = dict.fromkeys(("node", "gpus", "os", "kernel", "driver", "disruption", "disruption_reason"))
    empty: Row = {key: [] for key in ("changes", "cuda_images", "refusals", "warnings")}
    return {"host": host, **unknown, **empty, "decision": decided, "reasons": [why], "words": []}


def _counted(decisions: t.Iterable[str]) -> dict[str, int]:
    counts = Counter(decisions)
    return {name: counts[name] for name in DECISIONS if counts[name]}


def _sorted(names: t.Iterable[str]) -> dict[str, int]:
    """The most first."""
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def _driver_of(row: Data) -> str:
    return NOT_KNOWN if row["gpus"] is None else row["driver"] or NO_DRIVER


def _models(rows: t.Sequence[Data]) -> dict[str, dict[str, int]]:
    """A host with two models counts for each."""
    known = [row["gpus"] or {NO_GPU: 0} if row["gpus"] is not None else {NOT_KNOWN: 0} for row in rows]
    hosts = _sorted(model for gpus in known for model in gpus)
    return {
        model: {"hosts": count, "gpus": sum(gpus.get(model, 0) for gpus in known)} for model, count in hosts.items()
    }


def _stats(summary: Data, rows: t.Sequence[Data]) -> Row:
    """What a workflow can decide by, and no more: it travels with the job."""
    keys = ("decision", "gpus", "driver", "disruption")
    return {
        "summary": summary,
        "hosts": {row["host"]: {**{key: row[key] for key in keys}, "why": _why(row)} for row in rows},
    }


def _why(row: Data) -> list[str]:
    return [refusal["sentence"] for refusal in row["refusals"]] or list(row["changes"] or row["reasons"])


def _fleet_words(summary: Data, rows: t.Sequence[Data]) -> list[str]:
    names = {decided: [row["host"] for row in rows if row["decision"] == decided] for decided in summary["decisions"]}
    decisions = [
        (count, decided if decided not in (REFUSED, UNREACHABLE, FAILED) else f"{decided}: {_few(names[decided])}")
        for decided, count in summary["decisions"].items()
    ]
    gpus = [(count["hosts"], _model_words(model, count["gpus"])) for model, count in summary["models"].items()]
    disruptions = [(count, DISRUPTIONS.get(name, name)) for name, count in summary["disruptions"].items()]
    warned = [row["host"] for row in rows if row["warnings"]]
    return [
        f"{summary['hosts']} host{'' if summary['hosts'] == 1 else 's'}",
        *_column("decision", decisions),
        *_column("GPUs", gpus),
        *_column("driver", [(count, version) for version, count in summary["drivers"].items()]),
        *_column("would", disruptions),
        *_column("warnings", [(len(warned), _few(warned))] if warned else []),
    ]


def _model_words(model: str, gpus: int) -> str:
    return f"{model}, {gpus} GPU{'' if gpus == 1 else 's'}" if gpus else model


def _few(names: t.Sequence[str]) -> str:
    more = len(names) - NAMES
    return ", ".join(names[:NAMES]) + (f" and {more} more" if more > 0 else "")


def _column(label: str, counts: t.Sequence[tuple[int, str]]) -> list[str]:
    return [f"{'' if index else label:<{LABEL}}{count:>5}  {words}" for index, (count, words) in enumerate(counts)]
