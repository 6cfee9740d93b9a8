# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to this collection: what Kubernetes accepts as keys and values of labels, annotations and taints.

The rules are those of k8s.io/apimachinery pkg/util/validation (qualified names, label values, DNS subdomains) and
pkg/api/validation (annotations). They are checked here so that a typing mistake is refused before anything is written.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._node_labels import Wish, record_key, taint_id

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
ANNOTATIONS_LIMIT = 256 * 1024

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?\Z")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\Z")
_NAME_RULE = "letters, digits, '-', '_' and '.', with a letter or digit at both ends"


def as_text(value: t.Any) -> t.Any:
    """YAML's true, 8 and 9.0 as a person wrote them; anything that is no scalar stays what it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float, str)) else value


def key_problem(key: t.Any) -> str | None:
    """Why ``key`` is no qualified name, or None."""
    if not isinstance(key, str):
        return "a key must be text"
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not _SUBDOMAIN.match(prefix)):
        return "the part before '/' must be a lower-case DNS name of at most 253 characters"
    if not name or len(name) > 63:
        return f"the name must have 1 to 63 characters and has {len(name)}"
    return None if _NAME.match(name) else f"the name must consist of {_NAME_RULE}"


def value_problem(value: t.Any) -> str | None:
    """Why ``value`` is no label value, or None."""
    if not isinstance(value, str):
        return "a value must be text, a number or a boolean; write '' for an empty one"
    if len(value) > 63:
        return f"a value has at most 63 characters, this one {len(value)}"
    return None if not value or _NAME.match(value) else f"a value must be empty or consist of {_NAME_RULE}"


def problems(name: str, wish: Wish, state: str, owner: str) -> list[str]:
    """Everything in ``wish`` that the API server would refuse, one sentence each."""
    found = [_sentence(name, "label", key, key_problem(key)) for key in wish.labels]
    found += [_sentence(name, "annotation", key, _annotation_key_problem(key, owner)) for key in wish.annotations]
    if state == "present":
        found += [_sentence(name, "label", f"{k}={v}", value_problem(v)) for k, v in wish.labels.items()]
        found += [_annotation_value(name, key, value) for key, value in wish.annotations.items()]
        found.append(_annotations_size(name, wish.annotations))
    found += _taint_problems(name, wish.taints, state)
    return [each for each in found if each]


def _annotation_key_problem(key: t.Any, owner: str) -> str | None:
    if owner and key in {record_key(owner, kind) for kind in ("labels", "annotations", "taints")}:
        return "this module keeps its own record there"
    # Annotation keys are compared in lower case (ValidateAnnotations), so a prefix with capitals passes.
    return key_problem(key.lower() if isinstance(key, str) else key)


def _annotation_value(name: str, key: str, value: t.Any) -> str | None:
    return _sentence(
        name, "annotation", key, None if isinstance(value, str) else "a value must be text, a number or a boolean"
    )


def _annotations_size(name: str, annotations: t.Mapping[str, t.Any]) -> str | None:
    size = sum(len(str(key).encode()) + len(str(value).encode()) for key, value in annotations.items())
    if size <= ANNOTATIONS_LIMIT:
        return None
    return f"node {name}: the annotations take {size} bytes together; the limit is {ANNOTATIONS_LIMIT}."


def _taint_problems(name: str, taints: t.Sequence[t.Mapping[str, t.Any]], state: str) -> list[str | None]:
    found: list[str | None] = []
    seen: set[str] = set()
    for taint in taints:
        shown = taint_id(dict(taint))
        found.append(_sentence(name, "taint", shown, key_problem(taint.get("key"))))
        if state == "present":
            found.append(_sentence(name, "taint", shown, value_problem(taint.get("value") or "")))
            found.append(_sentence(name, "taint", shown, _effect_problem(taint.get("effect"))))
        if shown in seen:
            found.append(_sentence(name, "taint", shown, "a key and effect may be given once only"))
        seen.add(shown)
    return found


def _effect_problem(effect: t.Any) -> str | None:
    return None if effect in EFFECTS else "a taint needs one of the effects " + ", ".join(EFFECTS)


def _sentence(name: str, kind: str, shown: t.Any, problem: str | None) -> str | None:
    return f"node {name}: {kind} '{shown}' is not valid: {problem}." if problem else None
