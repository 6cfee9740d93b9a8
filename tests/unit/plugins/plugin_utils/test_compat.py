# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the compatibility data answers to questions."""

from __future__ import annotations

from datetime import date

import pytest
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _compat, _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_answers import last_day, minor
from hypothesis import given
from hypothesis import strategies as st

DATA = _compat.data()

CUDA_ON_DRIVER = {
    # name: (driver or branch, CUDA, whether it runs, in full, rule, oldest driver that would do)
    "its own driver": ("580.95.05", "13.0.2", True, True, "full", "580"),
    "a newer driver": ("595.71.05", "12.4", True, True, "full", "525"),
    "the oldest of a minor": ("570.26", "12.8", True, True, "full", "525"),
    "an update needs more": ("570.26", "12.8.1", True, False, "minor-version", "525"),
    "a whole branch": ("570", "12.8.1", True, True, "full", "525"),
    "a branch as a number": (570, "12.8.1", True, True, "full", "525"),
    "same family, older driver": ("525.147.05", "12.9", True, False, "minor-version", "525"),
    "family of the driver is older": ("470.256.02", "12.0", False, False, "too-old", "525"),
    "13 on its first branch": ("580.65.06", "13.3", True, False, "minor-version", "580"),
    "13 before its first branch": ("575.57.08", "13.0", False, False, "too-old", "580"),
    "11 with the corrected 450": ("450.80.02", "11.8", True, False, "minor-version", "450.80.02"),
    "11 with an early 450": ("450.51.06", "11.2", False, False, "too-old", "450.80.02"),
    "11.0 has no such rule": ("450.51.05", "11.0", True, True, "full", "450.51.05"),
    "driver 7.5 below image 8.0.61": ("352.31", "8.0.61", False, False, "too-old", "375.26"),
    "8.0.44 on a driver between": ("367.57", "8.0.44", True, True, "full", "367.48"),
    "8.0.61 on a driver between": ("367.57", "8.0.61", False, False, "too-old", "375.26"),
    "no bundled driver": ("615.71.10", "13.4.1", True, True, "full", "580"),
    "a toolkit that is not known": ("620.70.06", "12.7", None, False, "unknown", None),
    "not a version": ("620.70.06", "latest", None, False, "unknown", None),
}


@pytest.mark.parametrize(
    "driver, cuda, ok, full, rule, needed", CUDA_ON_DRIVER.values(), ids=list(CUDA_ON_DRIVER.keys())
)
def test_cuda_runs_on(driver: str | int, cuda: str, ok: bool | None, full: bool, rule: str, needed: str | None) -> None:
    found = DATA.cuda_runs_on(driver, cuda)
    assert (found.ok, found.full, found.rule, found.needed) == (ok, full, rule, needed)
    assert (found.source is None) == (ok is None)


VERSIONS = st.builds("{}.{}.{:02}".format, st.integers(300, 700), st.integers(0, 300), st.integers(0, 99))
DRIVERS = st.one_of(VERSIONS, st.sampled_from([line["driver"] for line in DATA.files["cuda"]["releases"]]))


@given(DRIVERS, DRIVERS, st.sampled_from([line["version"] for line in DATA.files["cuda"]["releases"]]))
def test_a_newer_driver_never_loses_a_cuda(one: str, other: str, cuda: str) -> None:
    older, newer = sorted((one, other), key=_versions.order)
    before, after = DATA.cuda_runs_on(older, cuda), DATA.cuda_runs_on(newer, cuda)
    assert bool(before.ok) <= bool(after.ok)
    assert before.full <= after.full
    assert before.needed == after.needed


@given(DRIVERS, st.sampled_from(DATA.cudas()))
def test_a_branch_is_as_good_as_any_driver_of_it(driver: str, cuda: str) -> None:
    one, whole = DATA.cuda_runs_on(driver, cuda), DATA.cuda_runs_on(str(_versions.branch_of(driver)), cuda)
    assert bool(one.ok) <= bool(whole.ok) and one.full <= whole.full


@given(DRIVERS, DRIVERS)
def test_a_newer_driver_serves_no_older_cuda_as_its_newest(one: str, other: str) -> None:
    older, newer = (DATA.newest_cuda(driver) for driver in sorted((one, other), key=_versions.order))
    assert older is None or (newer is not None and _versions.order(older) <= _versions.order(newer))


@given(DRIVERS)
def test_the_newest_cuda_of_a_driver_runs_on_it_in_full(driver: str) -> None:
    newest = DATA.newest_cuda(driver)
    assert newest is None or DATA.cuda_runs_on(driver, newest).full


@given(st.tuples(st.integers(0, 999), st.integers(0, 999)), st.tuples(st.integers(0, 999), st.integers(0, 999)))
def test_versions_are_compared_as_numbers(one: tuple[int, int], other: tuple[int, int]) -> None:
    texts = [".".join(map(str, version)) for version in (one, other)]
    assert (_versions.order(texts[0]) < _versions.order(texts[1])) == (one < other)


@pytest.mark.parametrize(
    "driver, newest",
    [("580.95.05", "13.0"), ("580", "13.0"), (620, "13.5"), ("570.20", "12.6"), ("340.108", None), ("nothing", None)],
)
def test_newest_cuda(driver: str | int, newest: str | None) -> None:
    assert DATA.newest_cuda(driver) == newest


@pytest.mark.parametrize(
    "asked, full",
    [("12.8", "570.26"), ("12.8.1", "570.124.06"), ("12.8.9", "570.124.06"), ("10.2.89", "440.33"), ("8.0", "367.48")],
)
def test_a_release_that_is_not_listed_is_taken_for_the_one_before_it(asked: str, full: str) -> None:
    found = DATA.cuda(asked)
    assert found and found.full_driver == full


@pytest.mark.parametrize(
    "branch, day, ended",
    [
        (580, date(2026, 11, 22), False),
        (580, date(2028, 6, 30), False),
        (580, date(2028, 7, 1), True),
        ("535", date(2026, 11, 22), True),
        (575, date(2026, 11, 22), True),
        (620, date(2026, 11, 22), None),
    ],
)
def test_the_end_of_a_branch(branch: int | str, day: date, ended: bool | None) -> None:
    found = DATA.branch(branch)
    assert found and found.ended(day) is ended


def test_a_branch_that_is_not_known() -> None:
    assert DATA.branch(581) is None and DATA.branch("newest") is None and DATA.branch(None) is None


@pytest.mark.parametrize(
    "text, day",
    [
        ("2028-06", date(2028, 6, 30)),
        ("2028-02", date(2028, 2, 29)),
        ("2026-12-22", date(2026, 12, 22)),
        ("ended", None),
        (None, None),
    ],
)
def test_a_month_ends_with_its_last_day(text: str | None, day: date | None) -> None:
    assert last_day(text) == day


@pytest.mark.parametrize("text, found", [("12.8.1", "12.8"), ("v1.36.3", "1.36"), ("1.6.20~ds1", "1.6"), ("", "")])
def test_minor(text: str, found: str) -> None:
    assert minor(text) == found


@pytest.mark.parametrize(
    "name, last, modules, flavour, cuda_last",
    [
        ("kepler", 470, "never", "proprietary", "11.8"),
        ("volta", 580, "never", "proprietary", "12.9"),
        ("turing", None, "either", None, None),
        ("blackwell", None, "only", "open", None),
    ],
)
def test_architecture(name: str, last: int | None, modules: str, flavour: str | None, cuda_last: str | None) -> None:
    found = DATA.architecture(name)
    assert found
    assert (found.last_branch, found.modules, found.flavour, found.cuda_last) == (last, modules, flavour, cuda_last)
    assert "kernel-modules" in found.modules_source


def test_one_generation_ends_with_several_toolkits() -> None:
    early, late = DATA.capability("3.0"), DATA.capability("3.7")
    assert early and late and (early.cuda_last, late.cuda_last) == ("10.2", "11.8")
    assert (early.name, early.last_branch) == (late.name, late.last_branch) == ("kepler", 470)
    assert DATA.capability("99.0") is None and DATA.capability(None) is None and DATA.architecture(None) is None


@pytest.mark.parametrize(
    "device, old",
    [("13c2", True), ("15f8", True), ("1DB6", True), ("1dff", True), ("1e02", False), ("2330", False), ("", False)],
)
def test_cards_known_by_their_id_only(device: str, old: bool) -> None:
    found = DATA.architecture_of(device)
    assert (found is not None) is old
    if found:
        assert (found.flavour, found.last_branch) == ("proprietary", 580)


def test_single_cards() -> None:
    grace, b200 = DATA.card("2342"), DATA.card("2901")
    assert grace and (grace.modules, grace.first_driver) == ("only", None)
    assert b200 and (b200.modules, b200.first_driver) == (None, "570.133.20")
    assert DATA.card("2330") is None and DATA.card(None) is None


@pytest.mark.parametrize(
    "branch, flavours", [(510, {"proprietary"}), (580, {"open", "proprietary"}), (615, {"open"}), (620, {"open"})]
)
def test_flavours(branch: int, flavours: set[str]) -> None:
    assert set(DATA.flavours(branch)) == flavours


@pytest.mark.parametrize(
    "manager, branch, release, flavour, names",
    [
        ("apt", 580, None, "open", ["nvidia-open-580"]),
        ("apt", 590, None, "open", ["nvidia-open", "nvidia-driver-pinning-590"]),
        ("apt", 580, "12", "proprietary", ["cuda-drivers-580"]),
        ("dnf", 580, "9.4", "open", ["nvidia-driver:580-open", "nvidia-open"]),
        ("dnf", 580, "8.10", "proprietary", ["nvidia-driver:580-dkms", "cuda-drivers"]),
        ("dnf", 595, "10.1", "open", ["nvidia-open"]),
        ("zypper", 580, "15.6", "open", []),
    ],
)
def test_driver_packages(manager: str, branch: int, release: str | None, flavour: str, names: list[str]) -> None:
    assert [package.name for package in DATA.driver_packages(manager, branch, flavour, release)] == names


@pytest.mark.parametrize(
    "branch, purpose, names",
    [
        (570, "nvswitch", ["nvidia-fabricmanager-570", "libnvidia-nscq-570"]),
        (580, "nvswitch", ["nvidia-fabricmanager", "libnvidia-nscq"]),
        (595, "nvlink5", ["nvidia-fabricmanager", "libnvidia-nscq", "nvlsm", "infiniband-diags"]),
        (595, "imex", ["nvidia-imex"]),
        (535, "imex", []),
    ],
)
def test_fabric_packages(branch: int, purpose: str, names: list[str]) -> None:
    found = DATA.fabric_packages("apt", branch, purpose)
    assert [package.name for package in found] == names
    assert [package.pinned for package in found] == [name not in ("nvlsm", "infiniband-diags") for name in names]


def test_header_packages() -> None:
    assert DATA.header_packages("apt", "6.8.0-40-generic") == ["linux-headers-6.8.0-40-generic"]
    assert DATA.header_packages("dnf", "5.14.0-1.el9") == ["kernel-devel-5.14.0-1.el9", "kernel-headers"]


def test_matched_packages() -> None:
    """A kernel for real time has none."""
    assert DATA.matched_packages("dnf", ["dkms"]) == {
        "kernel-core": "kernel-devel-matched",
        "kernel-64k-core": "kernel-64k-devel-matched",
        "kernel-debug-core": "kernel-debug-devel-matched",
    }
    assert DATA.matched_packages("dnf", ["glibc-devel"]) == DATA.matched_packages("apt", ["dkms"]) == {}


@pytest.mark.parametrize("variant", ["64k", "64k-debug", "rt"])
def test_headers_of_a_variant_of_the_kernel(variant: str) -> None:
    """Grace has pages of 64k with such a kernel. Elsewhere a plus is part of a release like any other."""
    found = DATA.header_packages("dnf", f"5.14.0-570.28.1.el9_6.aarch64+{variant}")
    assert found == [f"kernel-{variant}-devel-5.14.0-570.28.1.el9_6.aarch64", "kernel-headers"]
    assert DATA.header_packages("apt", f"6.1.0+{variant}") == [f"linux-headers-6.1.0+{variant}"]


@pytest.mark.parametrize(
    "containerd, kubernetes, runs",
    [
        ("1.7.28", "1.37.0", True),
        ("1.6.20~ds1", "v1.36.3", True),
        ("1.7.28", "1.38.1", False),
        ("2.2.1", "1.38.1", True),
        ("1.4.13", "1.38.1", None),
        ("1.7.28", None, None),
        (None, "1.38.1", None),
    ],
)
def test_containerd_and_kubernetes(containerd: str | None, kubernetes: str | None, runs: bool | None) -> None:
    assert DATA.containerd_runs(containerd, kubernetes) is runs


def test_changes_of_kubernetes() -> None:
    assert DATA.change("cgroup-v1").since == "1.35"
    assert DATA.change("dockershim").since == "1.24"
    kubernetes = DATA.kubernetes("v1.36.3")
    assert kubernetes and kubernetes.eol == date(2027, 6, 28)


@pytest.mark.parametrize(
    "version, bad", [("595.58.03", True), ("595.91.07", False), ("580.95.05", False), (None, False)]
)
def test_known_bad(version: str | None, bad: bool) -> None:
    found = DATA.known_bad(version)
    assert [entry.name for entry in found] == (["hmm-kaslr"] if bad else [])
    assert all(entry.versions == "from 595.45.04 below 595.71.06" for entry in found)
    assert DATA.known_bad("595.58.03", "container-toolkit") == []


@pytest.mark.parametrize(
    "id_, version, found",
    [("debian", "12", "12"), ("debian", "12.4", "12"), ("ubuntu", "24.10", None), ("ubuntu", None, None)],
)
def test_platform(id_: str, version: str | None, found: str | None) -> None:
    line = DATA.platform(id_, version)
    assert (line["version"] if line else None) == found


def test_forward_compatibility() -> None:
    line = DATA.forward()
    assert line and line["package"] == "cuda-compat" and line["source"].startswith("https://")


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
