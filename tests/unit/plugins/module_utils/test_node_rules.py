# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Kubernetes accepts, checked before anything is written."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._node_labels import Wish
from ansible_collections.kubegpu.nodes.plugins.module_utils._node_rules import (
    as_text,
    key_problem,
    problems,
    value_problem,
)

KEYS = {
    "gpu": None,
    "nvidia.com/gpu.product": None,
    "a" * 63: None,
    "a.b/" + "c" * 63: None,
    "": "1 to 63",
    "a" * 64: "has 64",
    "a.b/": "has 0",
    "Upper.Case/a": "lower-case DNS name",
    "a_b/c": "lower-case DNS name",
    "/a": "lower-case DNS name",
    "a/b/c": "lower-case DNS name",
    "x" * 254 + "/a": "253",
    "-a": "letter or digit at both ends",
    "a.": "letter or digit at both ends",
    "a b": "letter or digit at both ends",
    "a\n": "letter or digit at both ends",
}
VALUES: list[tuple[t.Any, str | None]] = [
    ("", None),
    ("NVIDIA-H100-80GB-HBM3", None),
    ("9.0", None),
    ("a" * 63, None),
    ("a" * 64, "this one 64"),
    ("H100 80GB", "letter or digit"),
    ("-a", "letter or digit"),
    ("a\n", "letter or digit"),
    (None, "''"),
    ({"a": 1}, "must be text"),
]


@pytest.mark.parametrize(("key", "said"), KEYS.items())
def test_keys(key: str, said: str | None) -> None:
    problem = key_problem(key)
    assert problem is None if said is None else said in (problem or "")


@pytest.mark.parametrize(("value", "said"), VALUES)
def test_values(value: t.Any, said: str | None) -> None:
    problem = value_problem(value)
    assert problem is None if said is None else said in (problem or "")


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (False, "false"), (8, "8"), (9.0, "9.0"), ("x", "x")])
def test_scalars_become_the_text_a_person_meant(value: t.Any, text: str) -> None:
    assert as_text(value) == text


def said(wish: Wish, state: str = "present", owner: str = "kubegpu.io") -> str:
    return " ".join(problems("n1", wish, state, owner))


def test_all_that_is_wrong_is_said_at_once() -> None:
    wrong = Wish({"a b": "1", "ok": "c d"}, {"/x": "1", "y": t.cast(str, None)}, [{"key": "k", "effect": None}])
    text = said(wrong)
    assert text.count("node n1: ") == 5
    for part in ("'a b'", "'ok=c d'", "'/x'", "'y'", "'k:'"):
        assert part in text


def test_removing_asks_for_keys_only() -> None:
    assert said(Wish({"a": "not a value"}, {"b": t.cast(str, None)}, [{"key": "k"}]), "absent") == ""


def test_a_taint_is_given_once() -> None:
    taint = {"key": "k", "effect": "NoSchedule"}
    assert "once only" in said(Wish({}, {}, [taint, taint]))
    assert said(Wish({}, {}, [taint, {**taint, "effect": "NoExecute"}])) == ""


def test_the_records_are_not_for_others() -> None:
    assert "its own record" in said(Wish({}, {"kubegpu.io/owned-labels": "x"}, []))
    assert said(Wish({}, {"kubegpu.io/owned-labels": "x"}, []), owner="") == ""


def test_annotations_have_a_size() -> None:
    assert "262145 bytes" in said(Wish({}, {"a": "x" * (256 * 1024)}, []))
    assert said(Wish({}, {"a": "x" * (256 * 1024 - 1)}, [])) == ""


def test_annotation_keys_may_have_capitals_before_the_slash() -> None:
    assert said(Wish({}, {"Example.com/Owner": "x"}, [])) == ""
