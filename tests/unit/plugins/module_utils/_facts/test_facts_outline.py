# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outline of YAML: the same answer as a whole reader of YAML gives, or a refusal that names the line."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import cdi, kubelet_settings, outline
from hypothesis import given
from hypothesis import strategies as st

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"
SPEC = (FIXTURES / "cdi/1.20.0-h100x2.yaml.txt").read_text(encoding="utf-8")

SCALARS = {
    "k: word": "word",
    "k: two words # and a comment": "two words",
    "k:   a#b": "a#b",
    'k: "0"': "0",
    'k: "a\\tb" # c': "a\tb",
    "k: 'it''s'": "it's",
    "k: true": True,
    "k: False": False,
    "k:": None,
    "k: ~": None,
    "k: null # c": None,
    "--- # first\nk: v\n": "v",
    "\ufeff# c\n\nk: v\r\n": "v",
    "  k: v\n": "v",
    '"k": v': "v",
    "k : v": "v",
    "k: unix:///run/containerd/containerd.sock": "unix:///run/containerd/containerd.sock",
}


@pytest.mark.parametrize("text, value", SCALARS.items())
def test_scalars(text: str, value: t.Any) -> None:
    assert outline.scalar(outline.document(text)["k"]) == value == yaml.safe_load(text.lstrip("\ufeff"))["k"]


REFUSED = {
    "k: yes": 1,
    "k: 0": 1,
    "k: -1.5e3": 1,
    "k: 0x1F": 1,
    "k: &anchor v": 1,
    "k: *alias": 1,
    "k: !!str v": 1,
    "k: [a, b]": 1,
    "k: {a: b}": 1,
    "k: |\n  text": 1,
    "k: >-\n  text": 1,
    "k: a\n  b": 1,
    "k: 'open": 1,
    'k: "a\\q"': 1,
    "k: a: b": 1,
    "k: v\t# no comment": 1,
    "a: b\n\tk: v": 2,
    "a: b\nk": 2,
    "a: b\na: c": 2,
    "  a: b\nk: v": 2,
    "- k: v": 1,
    "k: v\n---\nk: w": 2,
    "%YAML 1.2\n---\nk: v": 1,
    "? k\n: v": 1,
    "k: v\u2028x: y": 1,
    "a: [b,\nk: v]": 1,
    'a: "b\nk: v"': 1,
}


@pytest.mark.parametrize("text, line", REFUSED.items())
def test_refused_with_the_line(text: str, line: int) -> None:
    with pytest.raises(KubeGpuError, match=f"^line {line}: "):
        outline.scalar(outline.document(text)["k"])


LISTS = {
    "dashes in the key's column": (
        "devices:\n- containerEdits:\n    deviceNodes:\n    - path: /dev/nvidia0\n  name: '0'\nkind: a/b\n"
    ),
    "indented": "devices:\n    - name: '0'\n      containerEdits: {}\nkind: a/b\n",
    "a dash alone": "devices:\n-\n  name: '0'\nkind: a/b\n",
    "same column below": "devices:\n  - hooks:\n    - name: x\n    name: '0'\nkind: a/b\n",
    "text below": "devices:\n- note: |\n    name: x\n    - name: y\n  name: '0'\nkind: a/b\n",
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS.keys())
def test_lists_of_mappings(text: str) -> None:
    assert [device["name"] for device in yaml.safe_load(text)["devices"]] == ["0"]
    assert cdi.parse_yaml(text) == ("a/b", ["0"])


@pytest.mark.parametrize(
    "text",
    [
        "kind: a/b\ndevices: [{name: '0'}]",
        "kind: a/b\ndevices:\n- '0'",
        "kind: a/b\ndevices:\n- name: '0'\n-\n- name: '1'",
        "kind: a/b\ndevices:\n  - name: '0'\n name: x",
        "kind: a/b\ndevices:\n  name: '0'",
        "kind: a/b\ndevices:\n- containerEdits: {}",
        "kind: a/b\ndevices:\n- name: true",
        "kind: a/b\ndevices:\n- name: '0'\n  name: '1'",
        "kind: nonsense\ndevices: []",
        "kind: a/b",
        "",
    ],
)
def test_specs_not_understood(text: str) -> None:
    with pytest.raises(KubeGpuError):
        cdi.parse_yaml(text)


def test_what_nvidia_ctk_writes() -> None:
    spec = cdi.parse_yaml(SPEC)
    assert spec == cdi.parse_json((FIXTURES / "cdi/1.20.0-h100x2.json").read_text(encoding="utf-8"))
    assert spec.kind == "nvidia.com/gpu"
    assert spec.devices == [device["name"] for device in yaml.safe_load(SPEC)["devices"]]
    assert spec.devices[:2] == ["0", "1"] and spec.devices[-1] == "all"


ODD = st.text("abcAB01:-#'\"\\ \t\u00e9&*!|>[]{},?%@`~\n", max_size=12) | st.sampled_from(["yes", "null", "0", ""])
NAMES = st.one_of(st.sampled_from(["0:1", "all", "GPU-50179709-d0b4", "a b"]), ODD)
EDITS = st.recursive(
    NAMES | st.integers(0, 300) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["env", "name", "path"]), inner),
    max_leaves=8,
)
SPECS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["nvidia.com/gpu", "a/b"]),
        "devices": st.lists(st.fixed_dictionaries({"name": NAMES, "containerEdits": EDITS}), max_size=3),
        "containerEdits": EDITS,
    }
)


@given(
    spec=SPECS, indent=st.integers(2, 6), width=st.integers(10, 100), sort=st.booleans(), style=st.sampled_from("\"'")
)
def test_never_another_answer_than_a_whole_reader(
    spec: dict[str, t.Any], indent: int, width: int, sort: bool, style: str
) -> None:
    for default_style in (None, style):
        text = yaml.safe_dump(spec, indent=indent, width=width, sort_keys=sort, default_style=default_style)
        try:
            read = cdi.parse_yaml(text)
        except KubeGpuError:
            continue
        assert read == (spec["kind"], [device["name"] for device in spec["devices"]])


CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "cgroupDriver": st.sampled_from(["systemd", "cgroupfs", ""]) | NAMES,
        "containerRuntimeEndpoint": st.just("unix:///run/x.sock"),
        "featureGates": st.dictionaries(st.sampled_from(["A", "B", "AllAlpha"]), st.booleans() | st.just("true")),
        "evictionHard": EDITS,
        "logging": EDITS,
    },
)


@given(config=CONFIGS, width=st.integers(10, 100))
def test_kubelet_configs_read_as_a_whole_reader_does(config: dict[str, t.Any], width: int) -> None:
    gates = config.get("featureGates", {})
    try:
        read = kubelet_settings.parse_config(yaml.safe_dump(config, width=width))
    except KubeGpuError:
        return
    assert read.feature_gates == gates
    assert read.cgroup_driver == (config.get("cgroupDriver") or None)
    assert read.runtime_endpoint == config.get("containerRuntimeEndpoint")


LINES = st.lists(
    st.sampled_from(
        [
            "---",
            "kind: a/b",
            "devices:",
            "- name: '0'",
            "  name: x",
            "  - name: y",
            "-",
            "    - z",
            "\tq: r",
            "[",
            "featureGates:",
        ]
    ),
    max_size=8,
).map("\n".join)


@given(text=LINES | st.text(max_size=60) | st.integers(0, len(SPEC)).map(lambda end: SPEC[:end]))
def test_nonsense(text: str) -> None:
    for parse in (cdi.parse_yaml, cdi.parse_json, kubelet_settings.parse_config):
        try:
            parse(text)
        except KubeGpuError as exc:
            assert str(exc)
