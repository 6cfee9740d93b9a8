# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compatibility data has a source on each line, no gap, no contradiction, and the newest on top."""

from __future__ import annotations

import re
import typing as t
from itertools import pairwise

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import cards
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _compat, _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_answers import last_day
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_data import DATA, Line, builtin, dangling, load
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_schema import FILES, fault

DATA_OBJECT = _compat.data()
LISTS = [(file, name) for file, tables in FILES.items() for name in tables]
LINES = [(file, name, line) for file, name in LISTS for line in load(file)[name]]
# NVIDIA made no toolkit of this number.
ABSENT = {"12.7"}
# Of this end no page of NVIDIA's speaks, and it is later than that of newer branches of its type.
RECKONED = {590}


def lines(file: str, name: str) -> list[Line]:
    return list(load(file)[name])


def order(version: t.Any) -> tuple[int, ...]:
    return _versions.order(str(version))


def minors(file: str, name: str) -> list[tuple[int, ...]]:
    return [order(line["version"])[:2] for line in lines(file, name)]


# Shape and sources.


def test_every_file_is_described_and_every_description_has_a_file() -> None:
    assert sorted(path.stem for path in DATA.glob("*.yml")) == sorted(FILES)


@pytest.mark.parametrize("file", FILES)
def test_a_file_has_its_lists_and_its_sources(file: str) -> None:
    assert sorted(load(file)) == sorted((*FILES[file], "sources"))


@pytest.mark.parametrize("file, name, line", LINES, ids=[f"{file}: {line}" for file, _, line in LINES])
def test_each_line_is_of_its_list_and_names_its_source(file: str, name: str, line: Line) -> None:
    assert fault(FILES[file][name], line, load(file)["sources"]) is None


@pytest.mark.parametrize("file", FILES)
def test_each_source_is_an_address_and_is_used(file: str) -> None:
    sources = load(file)["sources"]
    assert [key for key, value in sources.items() if not re.match(r"https://\S+", value)] == []
    used = [line.get(field) for other, _, line in LINES if other == file for field in line if field.endswith("source")]
    assert set(sources) == set(used)


@pytest.mark.parametrize("file, name", LISTS)
def test_nothing_is_said_twice(file: str, name: str) -> None:
    known = [FILES[file][name].identify(line) for line in lines(file, name)]
    assert sorted(known) == sorted(set(known))


def test_lines_name_only_what_there_is() -> None:
    assert list(dangling(builtin())) == []


# Order: the newest first, so that a person finds the place of a new line.


@pytest.mark.parametrize(
    "file, name, key",
    [
        ("branches", "branches", "branch"),
        ("architectures", "cards", "device"),
        ("architectures", "capabilities", "capability"),
        ("cuda", "releases", "version"),
        ("cuda", "families", "major"),
        ("kubernetes", "kubernetes", "version"),
        ("kubernetes", "containerd", "version"),
        ("kubernetes", "changes", "since"),
    ],
)
def test_the_newest_is_on_top(file: str, name: str, key: str) -> None:
    found = [order(line[key]) if key != "device" else (int(line[key], 16),) for line in lines(file, name)]
    assert found == sorted(found, reverse=True)


# Contradictions.


def test_a_newer_cuda_never_comes_with_an_older_driver() -> None:
    drivers = [order(line["driver"]) for line in lines("cuda", "releases")]
    assert [pair for pair in pairwise(drivers) if pair[0] < pair[1]] == []


def test_a_cuda_of_another_minor_comes_with_another_branch_since_11() -> None:
    found = {(order(line["version"])[:2], order(line["driver"])[0]) for line in lines("cuda", "releases")}
    recent = [pair for pair in found if pair[0] >= (11, 0)]
    assert len({minor for minor, _ in recent}) == len({branch for _, branch in recent}) == len(recent)


@pytest.mark.parametrize("family", lines("cuda", "families"), ids=lambda line: str(line["major"]))
def test_the_minimum_of_a_family_is_not_above_a_driver_that_comes_with_one_of_it(family: Line) -> None:
    members = [line for line in lines("cuda", "releases") if order(line["version"])[0] == family["major"]]
    later = [line for line in members if order(line["version"])[:2] >= order(family["since"])]
    assert later
    assert [line for line in later if order(family["driver"]) > order(line["driver"])] == []


def test_families_follow_each_other_as_drivers_do() -> None:
    found = [(line["major"], order(line["driver"])) for line in lines("cuda", "families")]
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("line", lines("branches", "branches"), ids=lambda line: str(line["branch"]))
def test_the_newest_version_of_a_branch_is_of_it(line: Line) -> None:
    assert line["newest"] is None or _versions.branch_of(line["newest"]) == line["branch"]
    shipped = [order(item["driver"]) for item in lines("cuda", "releases")]
    ours = [driver for driver in shipped if driver[0] == line["branch"]]
    assert line["newest"] is None or all(driver <= order(line["newest"]) for driver in ours)


def test_branches_of_one_type_end_in_their_order() -> None:
    for kind in ("LTSB", "PB", "NFB"):
        named = [line for line in lines("branches", "branches") if line["branch"] not in RECKONED]
        known = [last_day(line["eol"]) for line in named if line["type"] == kind]
        ends = [end for end in known if end]
        assert ends == sorted(ends, reverse=True), kind


def test_long_term_branches_outlive_the_ones_around_them() -> None:
    for number in DATA_OBJECT.branches():
        branch = DATA_OBJECT.branch(number)
        older = [other for other in map(DATA_OBJECT.branch, DATA_OBJECT.branches()) if other and other.branch < number]
        if branch and branch.type == "LTSB" and branch.eol:
            assert all(other.eol is None or other.eol <= branch.eol for other in older), number


def test_versions_of_kubernetes_end_in_their_order() -> None:
    ends = [end for end in (last_day(line["eol"]) for line in lines("kubernetes", "kubernetes")) if end]
    assert ends == sorted(ends, reverse=True)


def test_containerd_serves_a_kubernetes_that_is_known() -> None:
    named = {line["last_kubernetes"] for line in lines("kubernetes", "containerd")} - {None}
    assert named <= {line["version"] for line in lines("kubernetes", "kubernetes")}


@pytest.mark.parametrize("line", lines("architectures", "capabilities"), ids=lambda line: str(line["capability"]))
def test_the_cuda_of_a_capability_is_known_and_fits_the_branches_of_its_architecture(line: Line) -> None:
    oldest = min(minors("cuda", "releases"))
    architecture = DATA_OBJECT.architecture(line["architecture"])
    assert architecture
    for version in filter(None, (line["cuda_first"], line["cuda_last"])):
        assert order(version) < oldest or order(version) in minors("cuda", "releases")
    if line["cuda_last"]:
        assert order(line["cuda_first"]) < order(line["cuda_last"])
        # The last driver for a card runs all that was ever made for it.
        assert architecture.last_branch
        assert DATA_OBJECT.cuda_runs_on(architecture.last_branch, line["cuda_last"]).ok
    if architecture.first_branch:
        assert DATA_OBJECT.cuda_runs_on(architecture.first_branch, line["cuda_first"]).ok


def test_an_architecture_ends_with_cuda_where_it_ends_with_the_driver() -> None:
    for line in lines("architectures", "architectures"):
        architecture = DATA_OBJECT.architecture(line["name"])
        assert architecture
        if architecture.cuda_first:
            assert (architecture.last_branch is None) == (architecture.cuda_last is None), line["name"]


def test_the_last_cuda_of_a_card_is_the_last_of_a_family_or_before_families() -> None:
    for line in lines("architectures", "capabilities"):
        if line["cuda_last"] and order(line["cuda_last"]) >= (11, 0):
            family = [minor for minor in minors("cuda", "releases") if minor[0] == order(line["cuda_last"])[0]]
            assert order(line["cuda_last"]) == max(family)


def test_architectures_go_down_in_branches_as_they_go_back_in_time() -> None:
    for key, missing in (("last_branch", 10**6), ("first_branch", 0)):
        named = [line for line in lines("architectures", "architectures") if line["name"] != "older than Turing"]
        found = [line[key] or missing for line in named]
        assert found == sorted(found, reverse=True), key


def test_a_card_that_only_open_modules_serve_is_newer_than_one_that_they_never_do() -> None:
    rank = {"only": 2, "either": 1, "never": 0}
    found = [rank[line["modules"]] for line in lines("architectures", "architectures")]
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("branch", DATA_OBJECT.branches())
def test_the_default_modules_of_a_branch_are_among_those_that_it_has(branch: int) -> None:
    assert DATA_OBJECT.default_flavour(branch).value in DATA_OBJECT.flavours(branch)


@pytest.mark.parametrize("line", lines("architectures", "architectures"), ids=lambda line: str(line["name"]))
def test_the_branches_of_an_architecture_have_its_modules(line: Line) -> None:
    architecture = DATA_OBJECT.architecture(line["name"])
    assert architecture
    for branch in filter(None, (architecture.first_branch, architecture.last_branch)):
        assert architecture.flavour is None or architecture.flavour in DATA_OBJECT.flavours(branch)


@pytest.mark.parametrize("line", lines("known_bad", "known_bad"), ids=lambda line: str(line["name"]))
def test_a_range_of_bad_versions_is_one(line: Line) -> None:
    assert order(line["from"]) < order(line["below"])
    assert [found.name for found in DATA_OBJECT.known_bad(line["from"], line["product"])] == [line["name"]]
    assert DATA_OBJECT.known_bad(line["below"], line["product"]) == []


@pytest.mark.parametrize("line", lines("kubelet_gates", "gates"), ids=lambda line: str(line["name"]))
def test_a_gate_comes_before_it_is_locked_or_goes(line: Line) -> None:
    assert all(order(line["since"]) <= order(line[key]) for key in ("locked", "removed") if key in line)
    assert ("locked" in line) == ("value" in line)


@pytest.mark.parametrize("name", cards.ARCHITECTURES)
def test_what_the_facts_call_an_architecture_is_one_here_with_the_same_modules(name: str) -> None:
    architecture = DATA_OBJECT.architecture(name)
    assert architecture and architecture.modules == cards.open_modules(name, "x86_64")


def test_an_architecture_is_known_to_the_facts_or_named_by_a_device_id() -> None:
    by_id = {line["architecture"] for line in lines("architectures", "device_ids")}
    assert {line["name"] for line in lines("architectures", "architectures")} == {*cards.ARCHITECTURES, *by_id}


# Gaps.


def test_no_minor_of_cuda_is_missing() -> None:
    known = {f"{major}.{minor}" for major, minor in minors("cuda", "releases")}
    wanted = set()
    for major in {int(version.partition(".")[0]) for version in known}:
        numbers = [int(version.partition(".")[2]) for version in known if version.startswith(f"{major}.")]
        first = min(numbers) if major in (7, 9) else 0
        wanted |= {f"{major}.{number}" for number in range(first, max(numbers) + 1)}
    # 7.5 and 8.0 followed 7.0: before 9 not every number was used.
    assert wanted - known == ABSENT | {"7.1", "7.2", "7.3", "7.4"}


def test_no_update_of_cuda_is_missing() -> None:
    updates: dict[tuple[int, ...], list[int]] = {}
    for line in lines("cuda", "releases"):
        version = order(line["version"])
        if version >= (11, 1) and len(version) == 3:
            updates.setdefault(version[:2], []).append(version[2])
    assert all(sorted(found) == list(range(len(found))) for found in updates.values())


def test_each_branch_that_cards_need_is_known() -> None:
    known = DATA_OBJECT.branches()
    cards = [_versions.branch_of(line.get("first_driver") or "") for line in lines("architectures", "cards")]
    assert [branch for branch in cards if branch is not None and branch not in known] == []


def test_each_branch_with_support_has_a_cuda_in_full() -> None:
    shipped = {order(line["driver"])[0] for line in lines("cuda", "releases")}
    supported = [line["branch"] for line in lines("branches", "branches") if line["branch"] >= 570]
    assert [branch for branch in supported if branch not in shipped] == []


def test_each_kubernetes_and_containerd_between_two_known_ones_is_known() -> None:
    for name in ("kubernetes", "containerd"):
        for major in {version[0] for version in minors("kubernetes", name)}:
            found = sorted(version[1] for version in minors("kubernetes", name) if version[0] == major)
            assert found == list(range(found[0], found[-1] + 1)), name


@pytest.mark.parametrize("branch", DATA_OBJECT.branches())
@pytest.mark.parametrize("manager, release", [("apt", None), ("dnf", "9.4"), ("dnf", "10.1")])
def test_each_branch_has_one_package_a_flavour_that_stands_for_it(manager: str, release: str, branch: int) -> None:
    for flavour in ("open", "proprietary"):
        found = DATA_OBJECT.driver_packages(manager, branch, flavour, release)
        assert len([package for package in found if package.pinned]) == 1, (branch, flavour, found)
        held = [package for package in found if str(branch) in package.name]
        assert held or release == "10.1", "nothing keeps the host on its branch"  # there only versionlock does


@pytest.mark.parametrize("branch", [branch for branch in DATA_OBJECT.branches() if branch >= 550])
@pytest.mark.parametrize("manager", ["apt", "dnf"])
def test_each_branch_has_the_packages_of_a_fabric(manager: str, branch: int) -> None:
    for purpose, wanted in (("nvswitch", "nvidia-fabric"), ("nvlink5", "nvlsm"), ("imex", "nvidia-imex")):
        names = [package.name for package in DATA_OBJECT.fabric_packages(manager, branch, purpose)]
        assert len([name for name in names if name.startswith(wanted)]) == 1, (purpose, names)


def test_each_platform_has_packages_of_every_kind() -> None:
    for line in DATA_OBJECT.platforms():
        manager = line["package_manager"]
        assert DATA_OBJECT.cuda_packages(manager, "13.0") == ["cuda-toolkit-13-0"]
        assert DATA_OBJECT.cuda_packages(manager, "13.0", "runtime") == ["cuda-libraries-13-0"]
        assert DATA_OBJECT.toolkit_packages(manager)
        assert DATA_OBJECT.header_packages(manager, "6.1.0-40-amd64")


DRIVERS_OF_CUDA = re.compile(r"cuda(-[0-9-]+|-\{version\})?|cuda-(runtime|drivers|demo-suite|compat).*")


def test_no_part_of_cuda_brings_a_driver() -> None:
    """NVIDIA's metapackages of these names pull one; the others are of the toolkit alone."""
    names = [line["name"] for line in (*lines("packages", "cuda"), *lines("packages", "cuda_libraries"))]
    assert [name for name in names if DRIVERS_OF_CUDA.fullmatch(name)] == []


def test_a_library_is_matched_to_the_major_version_of_cuda() -> None:
    found = {library.name: library.match for library in DATA_OBJECT.cuda_libraries("apt", "cudnn-9", 13)}
    assert found == {"libcudnn9-cuda-13": None, "libcudnn9-dev-cuda-13": None}
    assert [library.name for library in DATA_OBJECT.cuda_libraries("apt", "nccl", 12, "runtime")] == ["libnccl2"]


def test_only_what_the_roles_can_do_is_called_supported() -> None:
    assert {line["package_manager"] for line in DATA_OBJECT.platforms()} == {"apt", "dnf"}
