# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own compatibility data: it takes effect line by line, or is refused in one sentence."""

from __future__ import annotations

import typing as t
from datetime import date

import pytest
import yaml
from ansible_collections.kubegpu.nodes.plugins.doc_fragments._compatibility import ModuleDocFragment
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _compat
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_data import builtin
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_schema import FILES
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._kubelet_gates import judge
from hypothesis import given
from hypothesis import strategies as st

OURS = """
branches:
  sources: {notice: https://vendor.example/notices/17}
  branches:
    - {branch: 630, type: PB, newest: "630.10.01", eol: "2028-01", source: notice}
    - {branch: 580, type: LTSB, newest: "580.200.01", eol: "2029-06-30", source: notice}
cuda:
  releases:
    - {version: "14.0.0", driver: "630.10.01", source: release-notes}
known_bad:
  sources: {ticket: OPS-4711}
  known_bad:
    - {name: our-hang, product: driver, from: "580.95.05", below: "580.105.08", words: hangs on reboot, source: ticket}
kubelet_gates:
  gates:
    - {name: Tomorrow, since: "1.37", source: features}
"""


def test_a_new_line_is_added_and_a_known_one_is_replaced() -> None:
    data = _compat.data(yaml.safe_load(OURS))
    assert data.branches()[:2] == [630, 620]
    ours, theirs = data.branch(580), _compat.data().branch(580)
    assert ours and theirs
    assert (ours.newest, ours.eol, ours.source) == (
        "580.200.01",
        date(2029, 6, 30),
        "https://vendor.example/notices/17",
    )
    assert theirs.newest == "580.178.04"
    assert data.newest_cuda(630) == "14.0" and data.cuda_runs_on(620, "14.0").ok is False
    assert [entry.source for entry in data.known_bad("580.100.01")] == ["OPS-4711"]
    assert judge({"Tomorrow": True}, "1.37.0", data) == ([], [])


def test_what_is_not_named_stays() -> None:
    data, plain = _compat.data(yaml.safe_load(OURS)), _compat.data()
    assert set(plain.branches()) < set(data.branches()) and set(plain.cudas()) < set(data.cudas())
    assert data.files["packages"] == plain.files["packages"]


def test_nothing_of_ones_own_changes_nothing() -> None:
    assert _compat.data({}).files == _compat.data().files
    assert _compat.data(None) is _compat.data()


@given(st.sampled_from([(file, name) for file, tables in FILES.items() for name in tables]), st.data())
def test_a_line_of_the_collection_laid_over_it_changes_nothing(place: tuple[str, str], choose: st.DataObject) -> None:
    file, name = place
    line = choose.draw(st.sampled_from(builtin()[file][name]))
    assert _compat.data({file: {name: [line]}}).files == _compat.data().files


RELEASE = {"version": "14.0.0", "driver": "630.10.01", "source": "release-notes"}


def release(**changes: t.Any) -> dict[str, t.Any]:
    line = {**RELEASE, **changes}
    return {"cuda": {"releases": [{key: value for key, value in line.items() if value is not None}]}}


REFUSED: dict[str, tuple[t.Any, list[str]]] = {
    # name: (overlay, words of the sentence)
    "not a mapping": ([1], ["it is [1]", "a mapping"]),
    "a text": ("branches.yml", ["'branches.yml'", "a mapping"]),
    "unknown file": ({"brunches": {}}, ["there is no brunches", "one of platforms, packages, branches"]),
    "empty file": ({"branches": None}, ["branches is empty", "a mapping"]),
    "unknown list": ({"cuda": {"relases": []}}, ["cuda has no relases", "one of releases, families, forward, sources"]),
    "not a list": ({"cuda": {"releases": RELEASE}}, ["cuda.releases is {", "a list of lines"]),
    "not a line": ({"cuda": {"releases": ["14.0"]}}, ["line 1 of cuda.releases is '14.0'", "a mapping"]),
    "unknown field": (release(colour="green"), ["cuda.releases (14.0.0)", "colour is not known", "version, driver"]),
    "a number that should be a text": (release(version=14.0), ["version is 14.0", "in quotes", '"12.8"']),
    "not a version": (release(driver="r630"), ["(14.0.0)", "driver is 'r630'", "a version in quotes"]),
    "missing identity": (release(version=None), ["line 1 of cuda.releases", "version is missing", "in quotes"]),
    "missing field": (release(driver=None), ["(14.0.0)", "driver is missing", "a version in quotes"]),
    "missing source": (release(source=None), ["source is missing", "a key of the file's sources (release-notes,"]),
    "unknown source": (release(source="rumour"), ["source is 'rumour'", "a key of the file's sources"]),
    "a source that is a list": (release(source=["redist"]), ["source is ['redist']", "a key of the file's sources"]),
    "sources are no texts": ({"cuda": {"sources": {"us": 7}}}, ["cuda.sources has 7 for us", "https://"]),
    "sources are no mapping": ({"cuda": {"sources": ["us"]}}, ["cuda.sources is ['us']", "a mapping"]),
    "the same twice": (
        {"cuda": {"releases": [RELEASE, RELEASE]}},
        ["line 2 of cuda.releases (14.0.0) is there twice", "one line for each version"],
    ),
    "a date without quotes": (
        {"branches": {"branches": [{"branch": 580, "eol": date(2028, 6, 30), "source": "redist"}]}},
        ["branches.branches (580)", "eol is datetime.date(2028, 6, 30)", 'in quotes, such as "2027-03-31"'],
    ),
    "a day that no calendar has": (
        {"branches": {"branches": [{"branch": 580, "eol": "2027-02-30", "source": "redist"}]}},
        ["branches.branches (580)", "eol is '2027-02-30'", "a day or a month in quotes"],
    ),
    "a source with a number for a name": (
        {"branches": {"sources": {17: "OPS-17"}, "branches": [{"branch": 580, "source": 17}]}},
        ["branches.sources has 17 as a key", "a text"],
    ),
    "a branch as a text": (
        {"branches": {"branches": [{"branch": "580", "source": "redist"}]}},
        ["branch is '580'", "a whole number"],
    ),
    "true is no number": (
        {"branches": {"branches": [{"branch": True, "source": "redist"}]}},
        ["branch is True", "a whole number"],
    ),
    "not one of the words": (
        {"branches": {"branches": [{"branch": 580, "type": "LTS", "source": "redist"}]}},
        ["type is 'LTS'", "one of LTSB, PB, NFB"],
    ),
    "a capability of nothing": (
        {
            "architectures": {
                "capabilities": [
                    {"capability": "13.0", "architecture": "vera", "cuda_first": "14.0", "source": "matrix"}
                ]
            }
        },
        ["names the architecture vera", "a line for vera there, or one of rubin"],
    ),
    "a branch that is not known": (
        {
            "architectures": {
                "architectures": [
                    {
                        "name": "turing",
                        "last_branch": 640,
                        "modules": "either",
                        "source": "matrix",
                        "modules_source": "matrix",
                    }
                ]
            }
        },
        ["names the last_branch 640", "branches.branches does not have"],
    ),
}


@pytest.mark.parametrize("overlay, words", REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_understood_is_refused_in_one_sentence(overlay: t.Any, words: list[str]) -> None:
    with pytest.raises(_compat.CompatError) as refused:
        _compat.data(overlay)
    sentence = str(refused.value)
    assert [word for word in words if word not in sentence] == []
    assert "kubegpu_compatibility" in sentence and "; wanted: " in sentence and "ansible-doc" in sentence
    assert "\n" not in sentence


def packages(**lists: t.Any) -> dict[str, t.Any]:
    return {"packages": {"sources": {"us": "OPS-1"}, **lists}}


NAMED = {"package_manager": "apt", "flavour": "open", "pinned": True, "source": "us"}


@pytest.mark.parametrize("name", ["ours-{flavour}", "ours-{", "ours-{}", "ours-{branch.major}"])
def test_a_name_with_other_braces_is_refused_when_it_is_asked_for(name: str) -> None:
    data = _compat.data(packages(driver=[{**NAMED, "name": name}]))
    with pytest.raises(_compat.CompatError, match="{branch} or none"):
        data.driver_packages("apt", 580, "open")


def test_a_branch_without_default_modules_is_refused_when_it_is_asked_for() -> None:
    data = _compat.data(packages(defaults=[{"flavour": "proprietary", "below": 500, "source": "us"}]))
    with pytest.raises(_compat.CompatError, match="packages.defaults says nothing of branch 535"):
        data.default_flavour(535)


def test_a_gate_that_is_locked_to_nobody_knows_what_is_let_pass() -> None:
    gate = {"name": "Ours", "since": "1.30", "locked": "1.31", "source": "features"}
    data = _compat.data({"kubelet_gates": {"gates": [gate]}})
    assert judge({"Ours": True}, "1.36.0", data) == ([], [])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.sampled_from([(file, name) for file, tables in FILES.items() for name in tables]), ANYTHING)
def test_garbage_ends_with_a_sentence_and_never_with_a_traceback(place: tuple[str, str], garbage: t.Any) -> None:
    file, name = place
    overlays: list[t.Any] = [garbage, {file: garbage}, {file: {name: garbage}}, {file: {name: [garbage]}}]
    fields = FILES[file][name].fields
    overlays += [{file: {name: [{**dict.fromkeys(fields, garbage), "source": garbage}]}}, {file: {"sources": garbage}}]
    for overlay in overlays:
        try:
            _compat.data(overlay)
        except _compat.CompatError as refused:
            assert str(refused)


# Documentation.


def test_the_documentation_names_every_list_and_every_field() -> None:
    option = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]["compatibility"]
    assert list(option["suboptions"]) == list(FILES)
    for file, tables in FILES.items():
        text = " ".join(option["suboptions"][file]["description"])
        for name, table in tables.items():
            assert f"C({name})" in text, (file, name)
            for field, kind in table.fields.items():
                wanted = f"[C({field})]" if kind.endswith("?") else f"C({field})"
                assert wanted in text, (file, name, field)
