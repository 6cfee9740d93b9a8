# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compatibility data has a source on each line, no gap and no contradiction."""

from __future__ import annotations

import pytest
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _compat, _versions

FILES = ("platforms", "packages", "branches", "cards")
LINES = [
    (name, line) for name in FILES for key, lines in _compat.load(name).items() if key != "sources" for line in lines
]


@pytest.mark.parametrize("name, line", LINES, ids=[f"{name}: {line}" for name, line in LINES])
def test_each_line_names_its_source(name: str, line: dict[str, str]) -> None:
    assert _compat.load(name)["sources"][line["source"]].startswith("https://")


@pytest.mark.parametrize("name", FILES)
def test_each_source_is_used(name: str) -> None:
    assert set(_compat.load(name)["sources"]) == {line["source"] for file, line in LINES if file == name}


def test_branches_fall_and_none_is_named_twice() -> None:
    found = _compat.branches()
    assert found == sorted(set(found), reverse=True)


@pytest.mark.parametrize("branch", _compat.branches())
@pytest.mark.parametrize("manager", sorted({line["package_manager"] for line in _compat.platforms()}))
def test_each_branch_has_one_package_a_flavour_that_stands_for_it(manager: str, branch: int) -> None:
    for flavour in ("open", "proprietary"):
        pinned = [package.name for package in _compat.driver_packages(manager, branch, flavour) if package.pinned]
        assert len(pinned) == 1, (branch, flavour, pinned)
    assert _compat.default_flavour(branch).value in ("open", "proprietary")


@pytest.mark.parametrize(
    "device, old",
    [("13c2", True), ("15f8", True), ("1DB6", True), ("1dff", True), ("1e02", False), ("1eb8", False), ("2330", False)],
)
def test_generations_of_cards(device: str, old: bool) -> None:
    found = _compat.old_generation(device)
    assert (found is not None) is old
    if found:
        assert found.flavour.value == "proprietary" and found.last_branch in _compat.branches()


def test_each_generation_has_a_flavour_and_a_last_branch() -> None:
    data = _compat.load("cards")
    names = [line["name"] for line in data["generations"]]
    for key in ("flavours", "last_branches"):
        assert [line["generation"] for line in data[key]] == names


def test_each_platform_has_packages_of_every_kind() -> None:
    for line in _compat.platforms():
        assert _compat.cuda_packages(line["package_manager"], "13.0") == ["cuda-toolkit-13-0"]
        assert _compat.toolkit_packages(line["package_manager"])


@pytest.mark.parametrize(
    "package, upstream, branch",
    [
        ("580.95.05-1", "580.95.05", 580),
        ("1:580.95.05-0ubuntu1", "580.95.05", 580),
        ("580.95.05", "580.95.05", 580),
        ("13.0.2-1", "13.0.2", 13),
        ("1.6.20~ds1-1+b1", "1.6.20~ds1", 1),
        ("", "", None),
    ],
)
def test_versions_of_packages(package: str, upstream: str, branch: int | None) -> None:
    assert _versions.upstream(package) == upstream
    assert _versions.branch_of(upstream) == branch


def test_versions_are_compared_as_numbers() -> None:
    assert _versions.order("580.95.05") < _versions.order("580.105.08") < _versions.order("595.45.04")
