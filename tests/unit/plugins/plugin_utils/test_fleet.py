# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet's summary. The hosts are synthetic."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.kubegpu.nodes.plugins.filter.gpu_fleet import FilterModule
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _decision, _fleet
from hypothesis import given
from hypothesis import strategies as st

H100, T4 = "NVIDIA H100 80GB HBM3", "Tesla T4"
SENTENCE = "This host has no NVIDIA GPU; take it out of the play."


def row(host: str, decided: str = "ready", **other: t.Any) -> dict[str, t.Any]:
    plain = dict.fromkeys(("node", "os", "kernel", "driver", "disruption_reason"))
    lists: dict[str, t.Any] = {key: [] for key in ("changes", "reasons", "refusals", "warnings", "words")}
    return {"host": host, "decision": decided, "gpus": {}, "disruption": "none", **plain, **lists, **other}


def of(*rows: dict[str, t.Any], **readings: dict[str, t.Any]) -> dict[str, t.Any]:
    """The fleet of hosts with these rows, and of those whose reading failed."""
    hostvars = {row["host"]: {"__gpu_preflight_decision": row, "__gpu_preflight_reading": {}} for row in rows}
    hostvars.update({host: {"__gpu_preflight_reading": reading} for host, reading in readings.items()})
    return _fleet.fleet(list(hostvars), hostvars, [row["host"] for row in rows])


MANY = (
    row("a", gpus={H100: 8}, driver="580.95.05"),
    row("b", gpus={H100: 8}, driver="580.95.05", warnings=["Careful."]),
    row("c", "install", gpus={T4: 4}, disruption="load", changes=["Install the driver: there is none."]),
    row("d", "change", gpus={H100: 1, T4: 1}, driver="570.211.01", disruption="reboot"),
    row("e", "refused", refusals=[{"rule": "no-nvidia-hardware", "sentence": SENTENCE}]),
)
LOST = {"f": {"unreachable": True, "msg": "Connection refused\n"}, "g": {"failed": True, "msg": "no Python"}}


def test_hosts_are_counted_by_model_driver_and_decision() -> None:
    assert of(*MANY, **LOST)["summary"] == {
        "hosts": 7,
        "decisions": {"ready": 2, "install": 1, "change": 1, "refused": 1, "unreachable": 1, "failed": 1},
        "models": {
            H100: {"hosts": 3, "gpus": 17},
            T4: {"hosts": 2, "gpus": 5},
            "not known": {"hosts": 2, "gpus": 0},
            "no NVIDIA GPU": {"hosts": 1, "gpus": 0},
        },
        "drivers": {"580.95.05": 2, "none": 2, "not known": 2, "570.211.01": 1},
        "disruptions": {"load": 1, "reboot": 1},
        "with_warnings": 1,
    }


def test_people_read_it_in_columns() -> None:
    assert of(*MANY, **LOST)["words"] == [
        "7 hosts",
        "decision      2  ready",
        "              1  install",
        "              1  change",
        "              1  refused: e",
        "              1  unreachable: f",
        "              1  failed: g",
        "GPUs          3  NVIDIA H100 80GB HBM3, 17 GPUs",
        "              2  Tesla T4, 5 GPUs",
        "              2  not known",
        "              1  no NVIDIA GPU",
        "driver        2  580.95.05",
        "              2  none",
        "              2  not known",
        "              1  570.211.01",
        "would         1  load kernel modules",
        "              1  reboot",
        "warnings      1  b",
    ]


def test_a_fleet_of_one() -> None:
    words = of(row("a", gpus={T4: 1}, driver="580.95.05"))["words"]
    assert words == [
        "1 host",
        "decision      1  ready",
        "GPUs          1  Tesla T4, 1 GPU",
        "driver        1  580.95.05",
    ]


def test_of_many_names_a_few_are_enough() -> None:
    refused = [row(f"h{number}", "refused") for number in range(13)]
    line = of(*refused)["words"][1]
    assert line == "decision     13  refused: h0, h1, h2, h3, h4, h5, h6, h7, h8, h9 and 3 more"


def test_what_could_not_be_read_is_null_with_a_reason() -> None:
    unreachable, failed = of(**LOST)["hosts"]
    assert (unreachable["decision"], unreachable["reasons"]) == ("unreachable", ["Connection refused"])
    assert (failed["decision"], failed["reasons"]) == ("failed", ["no Python"])
    assert unreachable["gpus"] is None and unreachable["driver"] is None and unreachable["os"] is None
    assert set(unreachable) == set(_decision.decision({}, {}, "a")), "the same keys as any other row"


def test_a_reading_that_failed_outweighs_an_older_decision() -> None:
    hostvars = {"a": {"__gpu_preflight_decision": row("a"), "__gpu_preflight_reading": {"unreachable": True}}}
    assert _fleet.fleet(["a"], hostvars, [])["summary"]["decisions"] == {"unreachable": 1}


def test_a_host_that_failed_before_it_was_read_is_counted() -> None:
    found = _fleet.fleet(["a", "gone"], {"a": {"__gpu_preflight_decision": row("a")}}, ["a"])
    assert found["summary"]["decisions"] == {"ready": 1, "failed": 1}
    assert "earlier" in found["hosts"][1]["reasons"][0]


def test_a_batch_that_is_still_to_come_is_not_counted() -> None:
    found = _fleet.fleet(["a", "later"], {"a": {"__gpu_preflight_decision": row("a")}, "later": {}}, ["a", "later"])
    assert found["summary"]["hosts"] == 1 and [row["host"] for row in found["hosts"]] == ["a"]


def test_statistics_hold_the_decisions_and_are_small() -> None:
    found = of(*MANY, **LOST)
    assert found["stats"]["summary"] == found["summary"]
    assert found["stats"]["hosts"]["c"] == {
        "decision": "install",
        "gpus": {T4: 4},
        "driver": None,
        "disruption": "load",
        "why": ["Install the driver: there is none."],
    }
    assert found["stats"]["hosts"]["e"]["why"] == [SENTENCE]
    assert found["stats"]["hosts"]["f"]["why"] == ["Connection refused"]
    assert max(len(json.dumps(host)) for host in found["stats"]["hosts"].values()) < 1000


def test_no_host_at_all() -> None:
    assert FilterModule().filters()["gpu_fleet"]([], {}, [])["words"] == ["0 hosts"]


ROWS = st.lists(
    st.builds(
        row,
        st.uuids().map(str),
        st.sampled_from([name for name in _fleet.DECISIONS if name not in (_fleet.UNREACHABLE, _fleet.FAILED)]),
        gpus=st.dictionaries(st.sampled_from([H100, T4]), st.integers(1, 16)),
        driver=st.sampled_from([None, "580.95.05", "570.211.01"]),
    )
)


@given(ROWS)
def test_every_host_is_counted_once(rows: list[dict[str, t.Any]]) -> None:
    found = of(*rows)
    for kind in ("decisions", "drivers"):
        assert sum(found["summary"][kind].values()) == len(rows) == found["summary"]["hosts"]
    assert sum(model["gpus"] for model in found["summary"]["models"].values()) == sum(
        sum(row["gpus"].values()) for row in rows
    )
    assert json.loads(json.dumps(found)) == found, "as a file tells it"
