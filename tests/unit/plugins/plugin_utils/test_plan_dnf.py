# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan on Enterprise Linux: packages as dnf asks for them, streams, locks, and builds that fail unseen."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import PIN_FILE, RECORD_FILE
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._plan import plan
from ansible_collections.kubegpu.nodes.tests.unit.plugins.plugin_utils.plan_hosts import (
    H100,
    NVSWITCH,
    Facts,
    host,
    rules,
    wish,
)

KERNEL = "5.14.0-570.el9.x86_64"
NEXT = "5.14.0-611.el9.x86_64"
NAMES = ("nvidia-open", "nvidia-driver", "nvidia-driver-cuda", "kmod-nvidia-open-dkms", "libnvidia-ml")


def enterprise(version: str = "9.6", id_: str = "rocky", **other: t.Any) -> Facts:
    kernels = [{"release": KERNEL, "headers": False, "bootable": True}]
    platform = {
        "id": id_,
        "version": version,
        "name": f"{id_} {version}",
        "package_manager": "dnf",
        "kernel": {"running": KERNEL, "next_boot": KERNEL},
        "kernels": kernels,
        **other.pop("platform", {}),
    }
    facts = host(platform=platform, packages={}, **other)
    facts["sources"]["packages"] = {"ok": True, "reason": None}
    facts["dnf"] = {"repositories": [], "streams": {}, "locks": []}
    return facts


def installed(version: str = "580.95.05", names: t.Sequence[str] = NAMES, **driver: t.Any) -> Facts:
    found = enterprise(platform={"kernels": [{"release": KERNEL, "headers": True, "bootable": True}]})
    line = {"held": False, "origin": None}
    found["packages"] = {name: {"version": f"3:{version}-1.el9", **line} for name in names}
    found["packages"]["dkms"] = {"version": "3.2.2-1.el9", **line}
    whole = {"loaded": version, "userland": version, "on_disk": version, "flavour": "open", "on_disk_flavour": "open"}
    found["driver"] |= {**whole, "persistenced": {"present": True, "active": True, "enabled": True}, **driver}
    found["driver"]["brought"] = {
        name: {"version": line["version"], "whole": True} for name, line in found["packages"].items()
    }
    found["sources"]["modinfo"] = {"ok": True, "reason": None}
    found["files"][RECORD_FILE] = "0" * 64
    return found


@pytest.mark.parametrize("id_", ["rhel", "rocky", "almalinux"])
@pytest.mark.parametrize(
    "version, stream", [("9.6", "nvidia-driver:580-open"), ("9", "nvidia-driver:580-open"), ("10.1", None)]
)
def test_a_fresh_host(id_: str, version: str, stream: str | None) -> None:
    value = plan(enterprise(version, id_), wish("580"))
    assert value["refusals"] == []
    assert value["driver"]["action"] == "install"
    assert [package["spec"] for package in value["driver"]["packages"]] == ["nvidia-open-580.*-*.*"]
    assert value["driver"]["stream"] == stream
    assert value["driver"]["lock"] == "580.*-*.*"
    assert value["kernel"]["missing"] == [f"kernel-devel-{KERNEL}", "kernel-headers", "dkms"]


def kernel(release: str, package: str | None = "kernel-core", headers: bool = True) -> Facts:
    return {"release": release, "headers": headers, "bootable": True, "package": package}


LARGE = "5.14.0-570.28.1.el9_6.aarch64+64k"
MATCHED = {
    # name: (kernels, running, next boot, what keeps DKMS from bringing a kernel)
    "the headers are there": ([kernel(KERNEL)], KERNEL, KERNEL, [f"kernel-devel-matched-{KERNEL}"]),
    "they are not": (
        [kernel(KERNEL, headers=False)],
        KERNEL,
        KERNEL,
        [f"kernel-devel-{KERNEL}", "kernel-headers", f"kernel-devel-matched-{KERNEL}"],
    ),
    "another boots next": ([kernel(KERNEL), kernel(NEXT)], KERNEL, NEXT, [f"kernel-devel-matched-{NEXT}"]),
    "the older boots next": ([kernel(KERNEL), kernel(NEXT)], NEXT, KERNEL, [f"kernel-devel-matched-{KERNEL}"]),
    "what boots next is not known": ([kernel(KERNEL), kernel(NEXT)], KERNEL, None, [f"kernel-devel-matched-{KERNEL}"]),
    "what boots next is no package": (
        [kernel(KERNEL), kernel(NEXT, None)],
        KERNEL,
        NEXT,
        [f"kernel-devel-matched-{KERNEL}"],
    ),
    "neither is one, but another": (
        [kernel("5.14.0-1.el9.x86_64"), kernel(KERNEL), kernel(NEXT, None)],
        NEXT,
        NEXT,
        [f"kernel-devel-matched-{KERNEL}"],
    ),
    "none is a package": ([kernel(KERNEL, None)], KERNEL, KERNEL, []),
    "not told": ([{"release": KERNEL, "headers": True, "bootable": True}], KERNEL, KERNEL, []),
    "for real time": ([kernel(f"{KERNEL}+rt", "kernel-rt-core")], f"{KERNEL}+rt", f"{KERNEL}+rt", []),
    "for debugging": (
        [kernel(KERNEL), kernel(f"{NEXT}+debug", "kernel-debug-core")],
        KERNEL,
        KERNEL,
        [f"kernel-devel-matched-{KERNEL}", f"kernel-debug-devel-matched-{NEXT}"],
    ),
    "large pages": (
        [kernel(LARGE, "kernel-64k-core")],
        LARGE,
        LARGE,
        ["kernel-64k-devel-matched-5.14.0-570.28.1.el9_6.aarch64"],
    ),
}


@pytest.mark.parametrize("kernels, running, boots, wanted", MATCHED.values(), ids=MATCHED.keys())
def test_dkms_brings_no_kernel(kernels: list[Facts], running: str, boots: str | None, wanted: list[str]) -> None:
    facts = enterprise(platform={"kernel": {"running": running, "next_boot": boots}, "kernels": kernels})
    assert plan(facts, wish("580"))["kernel"]["missing"] == [*wanted, "dkms"]
    facts["packages"]["dkms"] = {"version": "3.2.2-1.el9", "held": False}
    kept = [name for name in wanted if "matched" not in name]
    assert plan(facts, wish("580"))["kernel"]["missing"] == kept, "who has DKMS has what it wants"


def test_what_dkms_wants_of_a_kernel_may_be_there() -> None:
    facts = enterprise(platform={"kernels": [kernel(KERNEL), kernel(NEXT)]})
    facts["packages"]["kernel-devel-matched"] = {"version": "5.14.0-611.el9", "held": False}
    assert plan(facts, wish("580"))["kernel"]["missing"] == ["dkms"]


def test_a_runfile_too_comes_with_dkms() -> None:
    facts = enterprise(platform={"kernels": [kernel(KERNEL)]})
    file = {"host_path": "/srv/NVIDIA-Linux-x86_64-580.95.05.run", "sha256": "0" * 64}
    value = plan(facts, wish("580", source="runfile", version="580.95.05", file=file))["kernel"]
    assert value["missing"] == [f"kernel-devel-matched-{KERNEL}", "dkms", "glibc-devel"]


@pytest.mark.parametrize("id_", ["rhel", "rocky", "almalinux"])
@pytest.mark.parametrize("version", ["9.6", "10.1"])
def test_servers_with_arm64(id_: str, version: str) -> None:
    """The same packages as elsewhere; Red Hat's kernel with large pages has headers by a name of its own."""
    kernel = "5.14.0-570.28.1.el9_6.aarch64+64k"
    kernels = [{"release": kernel, "headers": False, "bootable": True}]
    running = {"running": kernel, "next_boot": kernel}
    facts = enterprise(version, id_, platform={"architecture": "aarch64", "kernel": running, "kernels": kernels})
    value = plan(facts, wish("580"))
    assert value["refusals"] == []
    assert value["driver"]["packages"] == plan(enterprise(version, id_), wish("580"))["driver"]["packages"]
    wanted = "kernel-64k-devel-5.14.0-570.28.1.el9_6.aarch64"
    assert value["kernel"]["missing"] == [wanted, "kernel-headers", "dkms"]


def test_an_exact_version_and_the_other_flavour() -> None:
    value = plan(enterprise(), wish("580", version="580.95.05", flavour="proprietary"))["driver"]
    assert [package["spec"] for package in value["packages"]] == ["cuda-drivers-580.95.05-*.*"]
    assert (value["stream"], value["lock"]) == ("nvidia-driver:580-dkms", "580.95.05-*.*")


def test_what_is_there_is_locked_as_it_is() -> None:
    value = plan(installed(), wish("580"))["driver"]
    assert value["action"] == "none"
    assert value["lock"] == "580.95.05-*.*"


def test_another_branch_is_locked_before_it_comes() -> None:
    value = plan(installed(), wish("595"))
    assert value["driver"]["action"] == "change"
    assert value["driver"]["lock"] == "595.*-*.*"
    assert value["driver"]["stream"] == "nvidia-driver:595-open"


def test_an_older_one_is_refused_unless_it_is_allowed() -> None:
    facts = installed("595.91.07")
    assert "downgrade" in rules(facts, wish("580"))
    assert rules(facts, wish("580", allow_downgrade=True)) == []


def test_a_build_that_has_failed_is_made_again() -> None:
    """rpm hears of no script that fails, so that the packages are there and the module is not."""
    value = plan(installed(on_disk=None, on_disk_flavour=None), wish("580"))
    assert value["kernel"]["build"] == [KERNEL]
    assert plan(installed(), wish("580"))["kernel"]["build"] == []


def test_a_fabric_manager_by_the_names_and_in_the_words_of_dnf() -> None:
    value = plan(enterprise(pci=[H100, NVSWITCH]), wish("580", version="580.95.05"))["fabric"]
    assert [package["spec"] for package in value["packages"]] == [
        "nvidia-fabricmanager-580.95.05-*.*",
        "libnvidia-nscq-580.95.05-*.*",
    ]


def test_removal_goes_by_what_the_role_has_written_down() -> None:
    value = plan(installed(), wish("580", state="absent"))["driver"]
    assert (value["action"], value["disruption"]) == ("absent", "unload")
    assert value["remove"] == sorted(NAMES)
    foreign = installed()
    del foreign["files"][RECORD_FILE]
    foreign["driver"]["brought"] = {}
    foreign["files"][PIN_FILE] = "0" * 64
    assert plan(foreign, wish("580", state="absent"))["driver"]["action"] == "none"


def test_somebodys_lock_is_a_refusal_with_dnfs_words() -> None:
    facts = installed()
    facts["packages"]["nvidia-driver"]["held"] = True
    (refusal,) = plan(facts, wish("595"))["refusals"]
    assert refusal["rule"] == "held-packages"
    assert "dnf versionlock delete nvidia-driver" in refusal["way_out"]


def test_the_container_toolkit_is_not_for_dnf_yet() -> None:
    assert rules(enterprise(), {**wish("580"), "toolkit": {"version": ""}}) == ["toolkit-of-dnf"]


def test_cuda_beside_it() -> None:
    wishes = {"cuda": {"versions": ["12.8"], "components": "compiler", "cudnn": "9", "nccl": True}}
    value = plan(enterprise(), wishes)
    assert value["refusals"] == []
    assert value["cuda"]["packages"] == [
        "cuda-compiler-12-8",
        "cuda-cudart-devel-12-8",
        "libcudnn9-cuda-12",
        "libcudnn9-devel-cuda-12",
        "libnccl-*-*+cuda12.*",
        "libnccl-devel-*-*+cuda12.*",
    ]
    assert value["repository"]["needed"] is True


def test_the_distribution_has_no_driver_of_its_own() -> None:
    assert rules(enterprise(), wish("580", source="distro")) == ["distribution-branch"]


def test_the_distribution_has_no_cuda_either() -> None:
    assert rules(enterprise(), {"cuda": {"versions": ["12.4"], "source": "distro"}}) != []


def test_what_comes_back_where_a_change_breaks_off() -> None:
    before = plan(installed(), wish("595"))["driver"]["before"]
    assert (before["version"], before["pin"]) == ("580.95.05", "580.95.05-*.*")
    assert before["packages"] == [f"{name}-3:580.95.05-1.el9" for name in sorted(NAMES)]


@pytest.mark.parametrize("installed_by, needed", [("unknown", True), ("runfile", False)])
def test_who_else_needs_the_repository(installed_by: str, needed: bool) -> None:
    """The record is there with NVIDIA's installer too: headers and DKMS are in it."""
    facts = installed(installed_by=installed_by)
    assert plan(facts, {"cuda": {"state": "absent"}})["repository"]["needed"] is needed
