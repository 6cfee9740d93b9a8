# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for a node: a table of what may meet on it, and what must hold whatever meets on it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._node_labels import (
    Node,
    Plan,
    Rules,
    Wish,
    node_from_api,
    plan,
)
from hypothesis import given
from hypothesis import strategies as st

NFD = "nfd.node.kubernetes.io/feature-labels"
OWNED = "kubegpu.io/owned-labels"
OURS = Rules(owner="kubegpu.io", leave_to=(NFD,))
GONE = OURS._replace(state="absent")
TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
OTHER_TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule", "timeAdded": "2026-11-22T00:00:00Z"}


def node(labels: t.Any = None, annotations: t.Any = None, taints: t.Any = None) -> Node:
    return node_from_api(
        {
            "metadata": {"name": "n", "resourceVersion": "7", "labels": labels, "annotations": annotations},
            "spec": {"taints": taints},
        }
    )


def wish(labels: t.Any = None, annotations: t.Any = None, taints: t.Any = None, keep: t.Any = ()) -> Wish:
    return Wish(labels or {}, annotations or {}, taints or [], frozenset(keep))


def labels(**changes: str | None) -> dict[str, t.Any]:
    return {"metadata": {"labels": changes}}


CASES: dict[str, tuple[Node, Wish, Rules, dict[str, t.Any]]] = {
    "nothing to do": (node({"gpu": "1"}), wish({"gpu": "1"}), Rules(), {}),
    "nothing wanted": (node({"gpu": "1"}), wish(), Rules(), {}),
    "leave strangers": (node({"zone": "a"}), wish({"gpu": "1"}), Rules(), labels(gpu="1")),
    "another value": (node({"gpu": "0"}), wish({"gpu": "1"}), Rules(), labels(gpu="1")),
    "an empty value": (node(), wish({"gpu": ""}), Rules(), labels(gpu="")),
    "absent": (node({"gpu": "1", "zone": "a"}), wish({"gpu": "0"}), Rules("absent"), labels(gpu=None)),
    "already absent": (node({"zone": "a"}), wish({"gpu": "1"}), Rules("absent"), {}),
    "purge what is under our prefix": (
        node({"zone": "a", "x.io/a": "1", "x.io/b": "1"}),
        wish({"x.io/a": "1"}),
        Rules(purge_prefixes=("x.io/",)),
        {"metadata": {"labels": {"x.io/b": None}}},
    ),
    "purge all under our prefix": (
        node({"zone": "a", "x.io/a": "1"}),
        wish({"x.io/a": "1"}),
        Rules("absent", purge_prefixes=("x.io/",)),
        {"metadata": {"labels": {"x.io/a": None}}},
    ),
    "record what we set": (
        node({"zone": "a"}),
        wish({"gpu": "1"}),
        OURS,
        {"metadata": {"labels": {"gpu": "1"}, "annotations": {OWNED: "gpu"}}},
    ),
    "what was so before is not ours": (node({"gpu": "1"}), wish({"gpu": "1"}), OURS, {}),
    "ours and no longer wanted": (
        node({"gpu": "1", "old": "1"}, {OWNED: "gpu,old"}),
        wish({"gpu": "1"}),
        OURS,
        {"metadata": {"labels": {"old": None}, "annotations": {OWNED: "gpu"}}},
    ),
    "ours, no longer wanted, not to be purged": (
        node({"gpu": "1", "old": "1"}, {OWNED: "gpu,old"}),
        wish({"gpu": "1"}),
        OURS._replace(purge_owned=False),
        {},
    ),
    "ours and unknown today": (
        node({"product": "H100"}, {OWNED: "product"}),
        wish({}, keep=["product"]),
        OURS,
        {},
    ),
    "recorded, but somebody removed it": (
        node({}, {OWNED: "old"}),
        wish(),
        OURS,
        {"metadata": {"annotations": {OWNED: None}}},
    ),
    "remove all that is ours, strangers stay": (
        node({"gpu": "1", "zone": "a"}, {OWNED: "gpu", "note": "x"}),
        wish(),
        GONE,
        {"metadata": {"labels": {"gpu": None}, "annotations": {OWNED: None}}},
    ),
    "keeping does not hinder removing": (
        node({"gpu": "1"}, {OWNED: "gpu"}),
        wish(keep=["gpu"]),
        GONE,
        {"metadata": {"labels": {"gpu": None}, "annotations": {OWNED: None}}},
    ),
    "another labeller's key is left to it": (
        node({"nvidia.com/gpu.product": "H100-SHARED"}, {NFD: "nvidia.com/gpu.product"}),
        wish({"nvidia.com/gpu.product": "H100"}),
        OURS,
        {},
    ),
    "handed over to another labeller, it is no longer ours": (
        node({"nvidia.com/a": "2"}, {OWNED: "nvidia.com/a", NFD: "cpu-x, nvidia.com/a"}),
        wish({"nvidia.com/a": "1"}),
        OURS,
        {"metadata": {"annotations": {OWNED: None}}},
    ),
    "another labeller's key is not removed with ours": (
        node({"nvidia.com/a": "2"}, {OWNED: "nvidia.com/a", NFD: "nvidia.com/a"}),
        wish({"nvidia.com/a": "2"}),
        GONE._replace(purge_prefixes=("nvidia.com/",)),
        {"metadata": {"annotations": {OWNED: None}}},
    ),
    "a key of NFD's own prefix": (
        node({"feature.node.kubernetes.io/x": "2"}, {NFD: "x"}),
        wish({"feature.node.kubernetes.io/x": "1"}),
        OURS,
        {},
    ),
    "annotations": (
        node({}, {"a": "1", "b": "1"}),
        wish({}, {"a": "2"}),
        OURS,
        {"metadata": {"annotations": {"a": "2", "kubegpu.io/owned-annotations": "a"}}},
    ),
    "an annotation that is ours and no longer wanted": (
        node({}, {"a": "1", "b": "1", "kubegpu.io/owned-annotations": "a"}),
        wish(),
        OURS,
        {"metadata": {"annotations": {"a": None, "kubegpu.io/owned-annotations": None}}},
    ),
    "a taint beside a stranger's": (
        node(taints=[OTHER_TAINT]),
        wish(taints=[TAINT]),
        Rules(),
        {"spec": {"taints": [OTHER_TAINT, TAINT]}},
    ),
    "a taint with another value": (
        node(taints=[{**TAINT, "value": "old"}, OTHER_TAINT]),
        wish(taints=[TAINT]),
        Rules(),
        {"spec": {"taints": [TAINT, OTHER_TAINT]}},
    ),
    "the same taint, which the server has dated": (
        node(taints=[{**TAINT, "timeAdded": "2026-11-22T00:00:00Z"}]),
        wish(taints=[TAINT]),
        Rules(),
        {},
    ),
    "the same key with another effect is another taint": (
        node(taints=[TAINT]),
        wish(taints=[{**TAINT, "effect": "NoExecute"}]),
        Rules(),
        {"spec": {"taints": [TAINT, {**TAINT, "effect": "NoExecute"}]}},
    ),
    "remove a taint": (
        node(taints=[TAINT, OTHER_TAINT]),
        wish(taints=[{**TAINT, "value": "whatever"}]),
        Rules("absent"),
        {"spec": {"taints": [OTHER_TAINT]}},
    ),
    "remove a taint with all its effects, the last ones": (
        node(taints=[TAINT, {**TAINT, "effect": "NoExecute"}]),
        wish(taints=[{"key": TAINT["key"], "effect": None}]),
        Rules("absent"),
        {"spec": {"taints": None}},
    ),
    "a taint that is ours and no longer wanted": (
        node(None, {"kubegpu.io/owned-taints": "nvidia.com/gpu:NoSchedule"}, [TAINT, OTHER_TAINT]),
        wish(),
        OURS,
        {"metadata": {"annotations": {"kubegpu.io/owned-taints": None}}, "spec": {"taints": [OTHER_TAINT]}},
    ),
    "a taint that is ours is removed with all that is ours": (
        node(None, {"kubegpu.io/owned-taints": "nvidia.com/gpu:NoSchedule"}, [TAINT]),
        wish(),
        GONE,
        {"metadata": {"annotations": {"kubegpu.io/owned-taints": None}}, "spec": {"taints": None}},
    ),
}


def carried_out(before: Node, todo: Plan) -> Node:
    """The node as the API server makes it of the merge patch (RFC 7386), not as the plan says it will be."""
    metadata = todo.patch.get("metadata", {})
    maps = []
    for kind in ("labels", "annotations"):
        merged = {**getattr(before, kind), **metadata.get(kind, {})}
        maps.append({key: value for key, value in merged.items() if value is not None})
    taints = todo.patch["spec"]["taints"] or [] if "spec" in todo.patch else before.taints
    return before._replace(labels=maps[0], annotations=maps[1], taints=taints)


@pytest.mark.parametrize(("current", "wanted", "rules", "patch"), CASES.values(), ids=CASES.keys())
def test_plan(current: Node, wanted: Wish, rules: Rules, patch: dict[str, t.Any]) -> None:
    todo = plan(current, wanted, rules)
    assert todo.patch == patch
    result = carried_out(current, todo)
    assert todo.after == {"labels": result.labels, "annotations": result.annotations, "taints": result.taints}
    assert not plan(result, wanted, rules).changed, "a second run must change nothing"


def test_a_label_alone_needs_no_guard() -> None:
    todo = plan(node(), wish({"a": "1"}), Rules())
    assert todo.body("7") == {"metadata": {"labels": {"a": "1"}}}


@pytest.mark.parametrize("rules", [Rules(), OURS])
def test_a_list_is_replaced_only_as_it_was_read(rules: Rules) -> None:
    body = plan(node(), wish({"a": "1"}, taints=[TAINT]), rules).body("7")
    assert body["metadata"]["resourceVersion"] == "7"
    assert plan(node(), wish({"a": "1"}), OURS).guarded


def test_the_diff_holds_only_what_changes() -> None:
    todo = plan(node({"zone": "a", "gpu": "0"}, taints=[OTHER_TAINT]), wish({"gpu": "1", "new": "1"}), Rules())
    assert todo.diff() == ({"labels": {"gpu": "0"}}, {"labels": {"gpu": "1", "new": "1"}})


def test_what_is_left_to_others_is_said() -> None:
    todo = plan(node({"a/b": "2"}, {NFD: "a/b,a/c"}), wish({"a/b": "1", "d": "1"}), OURS)
    assert todo.left_to_others == ["a/b"]


def test_a_node_that_nobody_has_told_anything_of() -> None:
    assert node_from_api({"metadata": {"name": "n"}}) == Node("n", "", {}, {}, [], {}, {}, False, False)


def test_the_state_of_a_node() -> None:
    read = node_from_api(
        {
            "metadata": {"name": "n"},
            "spec": {"unschedulable": True},
            "status": {
                "allocatable": {"nvidia.com/gpu": "7"},
                "capacity": {"nvidia.com/gpu": "8"},
                "conditions": [{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
            },
        }
    )
    assert (read.ready, read.unschedulable) == (True, True)
    assert (read.allocatable, read.capacity) == ({"nvidia.com/gpu": "7"}, {"nvidia.com/gpu": "8"})


# ---- whatever meets on a node

KEYS = st.sampled_from(["a", "b", "nvidia.com/a", "nvidia.com/b", "x.io/a", "zone"])
MAPS = st.dictionaries(KEYS, st.sampled_from(["", "1", "2"]))
RECORDS = st.lists(KEYS, unique=True).map(",".join)
TAINTS = st.lists(
    st.fixed_dictionaries(
        {"key": st.sampled_from(["a", "b"]), "effect": st.sampled_from(["NoSchedule", "NoExecute"])},
        optional={"value": st.sampled_from(["", "1", "2"])},
    ),
    unique_by=lambda taint: (taint["key"], taint["effect"]),
)
NODES = st.builds(
    lambda labels, annotations, mine, theirs, taints: node(labels, {**annotations, OWNED: mine, NFD: theirs}, taints),
    MAPS,
    MAPS,
    RECORDS,
    RECORDS,
    TAINTS,
)
WISHES = st.builds(wish, MAPS, MAPS, TAINTS, st.lists(KEYS))
RULES = st.builds(
    Rules,
    state=st.sampled_from(["present", "absent"]),
    purge_prefixes=st.sampled_from([(), ("nvidia.com/",)]),
    owner=st.sampled_from(["", "kubegpu.io"]),
    purge_owned=st.booleans(),
    leave_to=st.sampled_from([(), (NFD,)]),
)


@given(NODES, WISHES, RULES)
def test_carrying_out_a_plan_leaves_nothing_to_do(current: Node, wanted: Wish, rules: Rules) -> None:
    todo = plan(current, wanted, rules)
    result = carried_out(current, todo)
    assert todo.after == {"labels": result.labels, "annotations": result.annotations, "taints": result.taints}
    assert not plan(result, wanted, rules).changed


@given(NODES, WISHES, RULES)
def test_strangers_are_never_touched(current: Node, wanted: Wish, rules: Rules) -> None:
    result = carried_out(current, plan(current, wanted, rules))
    recorded = set(current.annotations[OWNED].split(",")) if rules.owner else set()
    claimed = {key for key in current.annotations[NFD].split(",") if rules.leave_to and "/" in key}
    for key in set(current.labels) | set(result.labels):
        purged = bool(rules.purge_prefixes) and key.startswith("nvidia.com/")
        if key in claimed or not (key in wanted.labels or key in recorded or purged):
            assert result.labels.get(key) == current.labels.get(key)
    named = {(taint["key"], taint["effect"]) for taint in wanted.taints}
    for taint in current.taints:
        if (taint["key"], taint["effect"]) not in named:
            assert taint in result.taints
    for key in set(current.annotations) - set(wanted.annotations) - {OWNED}:
        assert result.annotations.get(key) == current.annotations[key]


@given(NODES, WISHES, RULES)
def test_what_is_wanted_is_there_afterwards(current: Node, wanted: Wish, rules: Rules) -> None:
    todo = plan(current, wanted, rules._replace(state="present"))
    for key, value in wanted.labels.items():
        if key not in wanted.keep and key not in todo.left_to_others:
            assert todo.after["labels"][key] == value
    assert len(todo.after["taints"]) >= len(wanted.taints)


@given(MAPS, MAPS, TAINTS, TAINTS)
def test_removing_undoes_setting(before: dict[str, str], labels: dict[str, str], had: t.Any, taints: t.Any) -> None:
    """Except where a stranger's own value was overwritten on request, the node is as it was before we came."""
    mine = {key: value for key, value in labels.items() if before.get(key, value) == value}
    fresh = [taint for taint in taints if (taint["key"], taint["effect"]) not in {(x["key"], x["effect"]) for x in had}]
    start = node(before, {"note": "x"}, had)
    labelled = carried_out(start, plan(start, wish(mine, {"b": "1"}, fresh), OURS))
    assert carried_out(labelled, plan(labelled, wish(), GONE)) == start
