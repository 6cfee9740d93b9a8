# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to this collection: what should change on a node; data in, data out.

Four kinds of label keys meet on a node, and only two of them are ever touched:

* keys that the caller names;
* keys that are ours: under a purge prefix, or recorded in the annotation ``<owner>/owned-labels`` by an earlier run;
* keys that another labeller claims in an annotation of its own (NFD, which writes GFD's labels, lists them in
  ``nfd.node.kubernetes.io/feature-labels``, kubernetes-sigs/node-feature-discovery docs/reference), left to it;
* strangers' keys.
"""

from __future__ import annotations

import typing as t

Map = dict[str, str]
Taint = dict[str, t.Any]


class Node(t.NamedTuple):
    """A node as the plan and the module's answer need it."""

    name: str
    resource_version: str
    labels: Map
    annotations: Map
    taints: list[Taint]
    allocatable: Map
    capacity: Map
    ready: bool
    unschedulable: bool


class Wish(t.NamedTuple):
    """What one node should carry; ``keep`` are label keys to leave as they are, because nobody knows better now."""

    labels: Map
    annotations: Map
    taints: list[Taint]
    keep: frozenset[str] = frozenset()


class Rules(t.NamedTuple):
    """What holds for all nodes of a call."""

    state: str = "present"
    purge_prefixes: tuple[str, ...] = ()
    owner: str = ""
    purge_owned: bool = True
    leave_to: tuple[str, ...] = ()


class Plan(t.NamedTuple):
    """Before, after and the merge patch between them: ``changed``, diff and request come from this one value."""

    before: dict[str, t.Any]
    after: dict[str, t.Any]
    patch: dict[str, t.Any]
    guarded: bool
    left_to_others: list[str]

    @property
    def changed(self) -> bool:
        return bool(self.patch)

    def body(self, resource_version: str) -> dict[str, t.Any]:
        """The merge patch; where it replaces something that was read before, it holds only for what was read."""
        if not self.guarded:
            return self.patch
        metadata = {**self.patch.get("metadata", {}), "resourceVersion": resource_version}
        return {**self.patch, "metadata": metadata}

    def diff(self) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
        """Before and after, reduced to what the patch touches."""
        return _touched(self.before, self.patch), _touched(self.after, self.patch)


class _Part(t.NamedTuple):
    """The plan for one kind of thing: the result, and which of its keys are recorded as ours afterwards."""

    after: t.Any
    owned: set[str]


def node_from_api(obj: t.Mapping[str, t.Any]) -> Node:
    """Read a v1 Node object, of which any part may be missing."""
    metadata, spec, status = (obj.get(key) or {} for key in ("metadata", "spec", "status"))
    conditions = {each.get("type"): each.get("status") for each in status.get("conditions") or []}
    return Node(
        name=metadata.get("name", ""),
        resource_version=metadata.get("resourceVersion", ""),
        labels=dict(metadata.get("labels") or {}),
        annotations=dict(metadata.get("annotations") or {}),
        taints=list(spec.get("taints") or []),
        allocatable=dict(status.get("allocatable") or {}),
        capacity=dict(status.get("capacity") or {}),
        ready=conditions.get("Ready") == "True",
        unschedulable=bool(spec.get("unschedulable")),
    )


def plan(node: Node, wish: Wish, rules: Rules) -> Plan:
    """What must change on ``node`` so that it carries ``wish`` under ``rules``."""
    others = _claimed(node, rules.leave_to)
    keep = wish.keep | others if rules.state == "present" else others
    labels = _plan_map(node.labels, wish.labels, _recorded(node, rules, "labels"), keep, rules)
    recorded = _recorded(node, rules, "annotations")
    annotations = _plan_map(
        node.annotations, wish.annotations, recorded, frozenset(), rules._replace(purge_prefixes=())
    )
    taints = _plan_taints(node.taints, wish.taints, _recorded(node, rules, "taints"), rules)
    if rules.owner:
        owned = {"labels": labels.owned - others, "annotations": annotations.owned, "taints": taints.owned}
        _record(annotations.after, rules.owner, owned)

    before = {"labels": node.labels, "annotations": node.annotations, "taints": node.taints}
    after = {"labels": labels.after, "annotations": annotations.after, "taints": taints.after}
    patch = _merge_patch(before, after)
    return Plan(before, after, patch, _replaces(patch, rules), sorted(others & set(wish.labels)))


def _plan_map(current: Map, wanted: Map, owned: set[str], keep: t.AbstractSet[str], rules: Rules) -> _Part:
    under_prefix = {key for key in current if rules.purge_prefixes and key.startswith(rules.purge_prefixes)}
    if rules.state == "absent":
        gone = (owned | under_prefix | set(wanted)) & set(current)
        wanted = {}
    else:
        gone = ((owned if rules.purge_owned else set()) | under_prefix) - set(wanted)
    gone -= keep
    new = {key: value for key, value in wanted.items() if key not in keep and current.get(key) != value}
    after = {key: value for key, value in {**current, **new}.items() if key not in gone}
    return _Part(after, (owned | set(new)) & set(after))


def _plan_taints(current: list[Taint], wanted: list[Taint], owned: set[str], rules: Rules) -> _Part:
    wishes = {taint_id(each): each for each in wanted}
    if rules.state == "absent":
        left = [each for each in current if taint_id(each) not in owned and not _named(each, wanted)]
        return _Part(left, owned & {taint_id(each) for each in left})

    stale = owned - set(wishes) if rules.purge_owned else set()
    after = [_settled(each, wishes.get(taint_id(each))) for each in current if taint_id(each) not in stale]
    present = {taint_id(each) for each in current}
    after += [_bare(each) for name, each in wishes.items() if name not in present]
    new = {taint_id(each) for each in after if each not in current}
    return _Part(after, (owned | new) & {taint_id(each) for each in after})


def taint_id(taint: Taint) -> str:
    """A node holds at most one taint for a key and effect (kubernetes pkg/apis/core/validation, ValidateTaints)."""
    return f"{taint.get('key')}:{taint.get('effect') or ''}"


def _settled(current: Taint, wanted: Taint | None) -> Taint:
    if wanted is None or (current.get("value") or "") == (wanted.get("value") or ""):
        return current
    return _bare(wanted)


def _bare(taint: Taint) -> Taint:
    return {key: taint[key] for key in ("key", "value", "effect") if taint.get(key)}


def _named(taint: Taint, wanted: list[Taint]) -> bool:
    """Whether a removal names this taint; without an effect it names all taints of the key."""
    return any(
        taint.get("key") == each.get("key") and each.get("effect") in (None, "", taint.get("effect")) for each in wanted
    )


def _claimed(node: Node, leave_to: t.Iterable[str]) -> frozenset[str]:
    """NFD writes keys of its own default prefix without it (nfd-master, FeatureLabelsAnnotation)."""
    listed = {key for name in leave_to for key in _split(node.annotations.get(name, ""))}
    return frozenset(key if "/" in key else f"feature.node.kubernetes.io/{key}" for key in listed)


def _recorded(node: Node, rules: Rules, kind: str) -> set[str]:
    return set(_split(node.annotations.get(record_key(rules.owner, kind), ""))) if rules.owner else set()


def record_key(owner: str, kind: str) -> str:
    """The annotation that lists what we set on a node."""
    return f"{owner}/owned-{kind}"


def _record(annotations: Map, owner: str, owned: t.Mapping[str, set[str]]) -> None:
    for kind, keys in owned.items():
        annotations.pop(record_key(owner, kind), None)
        if keys:
            annotations[record_key(owner, kind)] = ",".join(sorted(keys))


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _merge_patch(before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The JSON merge patch (RFC 7386) from one to the other: null deletes, a list is replaced as a whole."""
    metadata = {}
    for kind in ("labels", "annotations"):
        changes: dict[str, str | None] = {k: v for k, v in after[kind].items() if before[kind].get(k) != v}
        changes.update(dict.fromkeys(set(before[kind]) - set(after[kind])))
        if changes:
            metadata[kind] = changes
    patch: dict[str, t.Any] = {"metadata": metadata} if metadata else {}
    if before["taints"] != after["taints"]:
        patch["spec"] = {"taints": after["taints"] or None}
    return patch


def _replaces(patch: t.Mapping[str, t.Any], rules: Rules) -> bool:
    """Taints and our record are lists computed from what was read: they must not overwrite somebody's newer ones."""
    records = {record_key(rules.owner, kind) for kind in ("labels", "annotations", "taints")} if rules.owner else set()
    return "spec" in patch or bool(records & set(patch.get("metadata", {}).get("annotations", {})))


def _touched(picture: t.Mapping[str, t.Any], patch: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    shown: dict[str, t.Any] = {
        kind: {key: picture[kind][key] for key in sorted(changes) if key in picture[kind]}
        for kind, changes in patch.get("metadata", {}).items()
    }
    if "spec" in patch:
        shown["taints"] = picture["taints"]
    return shown
