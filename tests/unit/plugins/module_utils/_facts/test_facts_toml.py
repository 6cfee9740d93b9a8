# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small reader of TOML: like Python's own where there is one, and never anything but a reason for nonsense."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import toml
from hypothesis import given
from hypothesis import strategies as st

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"
RECORDED = sorted(FIXTURES.glob("containerd/*.toml"))

DOCUMENTS: dict[str, tuple[str, dict[str, t.Any]]] = {
    "empty": ("", {}),
    "scalars": ("a = 1\nb = 'x'\nc = true\nd = 1.5\ne = 0x1F", {"a": 1, "b": "x", "c": True, "d": 1.5, "e": 31}),
    "comment": ('a = "x # y" # z\n# all\n', {"a": "x # y"}),
    "escapes": (r'a = "\"\\\tA\u00e9"', {"a": '"\\\tA\u00e9'}),
    "long strings": ('a = """\nx\\\n   y"z"""\nb = \'\'\'\n\\n\'\'\'', {"a": 'xy"z', "b": "\\n"}),
    "dotted keys": ("a.'b.c'.d = 1", {"a": {"b.c": {"d": 1}}}),
    "quoted tables": ("[\"x.y\".'z'.w]\nk = 1", {"x.y": {"z": {"w": {"k": 1}}}}),
    "array over lines": ("a = [\n  1, # one\n  2,\n]\n", {"a": [1, 2]}),
    "inline table": ("o = {A = true, b.c = 'x', d = {}}", {"o": {"A": True, "b": {"c": "x"}, "d": {}}}),
    "array of tables": ("[[s]]\na = 1\n[[s]]\na = 2\n[s.t]\nb = 3", {"s": [{"a": 1}, {"a": 2, "t": {"b": 3}}]}),
    "windows lines": ("a = 1\r\n[t]\r\nb = 2\r\n", {"a": 1, "t": {"b": 2}}),
    "date stays text": ("d = 2026-11-22T05:27:20Z", {"d": "2026-11-22T05:27:20Z"}),
}


@pytest.mark.parametrize("text, value", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_reads(text: str, value: dict[str, t.Any]) -> None:
    assert toml.parse(text) == value


BROKEN = {
    "a = 1\nb =": "line 2: a value is missing",
    "a = 'x": "line 1: a string does not end",
    "\n[a": "line 2: ] is missing",
    "a = [1, 2": "line 1: , is missing",
    "a = [1": "line 1: , is missing",
    "= 1": "line 1: a key is missing",
    "a = 1 b = 2\n": None,
    "a = 1\n[a]\n": "line 2: a is not a table",
    "a = 1\n[[a]]\n": "line 2: a is not an array of tables",
    r'a = "\q"': "line 1: unknown escape \\q",
    'a = "x" "y"': "line 1: something is left at the end of the line",
    "a = " + "[" * 200: "line 1: nested too deep",
}


@pytest.mark.parametrize("text, reason", BROKEN.items())
def test_refuses_by_line(text: str, reason: str | None) -> None:
    if reason is None:  # not a value of TOML, but nothing of containerd's either: read as a word
        assert toml.parse(text) == {"a": "1 b = 2"}
        return
    with pytest.raises(KubeGpuError) as caught:
        toml.parse(text)
    assert str(caught.value) == reason


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_reads_containerd_as_python_does(path: Path) -> None:
    tomllib = pytest.importorskip("tomllib")
    text = path.read_text(encoding="utf-8")
    assert toml.parse(text) == tomllib.loads(text)


KEYS = st.text(min_size=1, max_size=6)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_reads_back_what_a_writer_wrote(value: dict[str, t.Any]) -> None:
    tomlkit = pytest.importorskip("tomlkit")
    tomllib = pytest.importorskip("tomllib")
    text = tomlkit.dumps(value)
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # the writer's mistake
    assert toml.parse(text) == expected


PIECES = st.sampled_from(
    ["a", "=", "[", "]", "[[", "]]", "{", "}", '"', "'", '"""', "'''", "\\", "\\u", "\n", ",", ".", "1", "0x", "#", " "]
)


@given(st.text(max_size=80) | st.lists(PIECES, max_size=40).map("".join))
def test_nonsense_is_a_table_or_a_reason(text: str) -> None:
    try:
        assert isinstance(toml.parse(text), dict)
    except KubeGpuError as exc:
        assert str(exc).startswith("line ")


@given(st.sampled_from(RECORDED), st.integers(0, 9000), st.integers(0, 20), st.text(max_size=3))
def test_damaged_recordings(path: Path, at: int, length: int, instead: str) -> None:
    text = path.read_text(encoding="utf-8")
    for damaged in (text[:at], text[:at] + instead + text[at + length :]):
        try:
            assert isinstance(toml.parse(damaged), dict)
        except KubeGpuError as exc:
            assert str(exc).startswith("line ")
