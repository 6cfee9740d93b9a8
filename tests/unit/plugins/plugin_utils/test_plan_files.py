# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drivers that come as one file: NVIDIA's repository of one version as a package, and NVIDIA's own installer."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _driver_files
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import PIN_FILE, RUNFILE_FILE
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._plan import plan
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules import files
from ansible_collections.kubegpu.nodes.tests.unit.plugins.plugin_utils.plan_hosts import (
    BUSY,
    FOREIGN_KERNEL,
    H100,
    IDLE,
    NVSWITCH,
    Facts,
    Wishes,
    from_distribution,
    host,
    rules,
    wish,
    with_driver,
)

SUM = "0123456789abcdef" * 4
RUN = "https://mirror.example/tesla/580.95.05/NVIDIA-Linux-x86_64-580.95.05.run"
DEB = "/srv/nvidia-driver-local-repo-debian12-580.95.05_1.0-1_amd64.deb"


def run(of: str = "580.95.05", branch: str | None = None, **other: t.Any) -> Wishes:
    """A wish for NVIDIA's installer of this version."""
    file = {"url": RUN.replace("580.95.05", of), "sha256": SUM}
    own = of.split(".", maxsplit=1)[0] if branch is None else branch
    return wish(own, **{"source": "runfile", "file": file, **other})


def local(branch: str = "580", **other: t.Any) -> Wishes:
    return wish(branch, **{"source": "local_repo", "file": {"path": DEB, "sha256": SUM}, **other})


def after_run(version: str, **other: t.Any) -> Facts:
    """The host after NVIDIA's installer, run by the role."""
    flavour = "open"
    parts = {"loaded": version, "flavour": flavour, "userland": version, "on_disk": version, "on_disk_flavour": flavour}
    driver = {**parts, "installed_by": "runfile", "installed_by_evidence": "/var/lib/nvidia/log", **other}
    return host(driver=driver, files={RUNFILE_FILE: SUM})


# ---- NVIDIA's installer ----------------------------------------------------------------------------------------------


def test_an_installer_on_a_bare_host() -> None:
    value = plan(host(), run())
    driver = value["driver"]
    assert value["refusals"] == []
    assert (driver["action"], driver["version"], driver["branch"]) == ("install", "580.95.05", "580")
    assert (driver["packages"], driver["pin"], driver["disruption"]) == ([], None, "load")
    assert driver["file"] == {
        "url": RUN,
        "path": None,
        "host_path": None,
        "sha256": SUM,
        "key_fingerprint": None,
        "arguments": [
            "--silent",
            "--dkms",
            "--no-nouveau-check",
            "--kernel-module-type=open",
            "--allow-installation-with-running-driver",
            "--skip-module-load",
        ],
    }
    assert value["repository"]["needed"] is False
    assert value["services"]["start"] == ["nvidia-persistenced.service"]


def test_it_wants_headers_dkms_and_the_headers_of_the_c_library() -> None:
    kernels = [{"release": "6.1.0-41-amd64", "headers": False, "bootable": True}]
    facts = host(platform={"kernel": {"running": "6.1.0-41-amd64"}, "kernels": kernels})
    assert plan(facts, run())["kernel"]["missing"] == ["linux-headers-6.1.0-41-amd64", "dkms", "libc6-dev"]
    assert "libc6-dev" not in plan(facts, wish())["kernel"]["missing"]


@pytest.mark.parametrize(
    "version, arguments",
    [
        ("470.256.02", ["--kernel-module-build-directory=kernel"]),
        ("535.309.01", ["--kernel-module-build-directory=kernel"]),
        ("550.163.01", ["--kernel-module-build-directory=kernel", "--allow-installation-with-running-driver"]),
        ("570.211.01", ["--kernel-module-type=open", "--allow-installation-with-running-driver"]),
    ],
)
def test_options_that_an_older_installer_does_not_know(version: str, arguments: list[str]) -> None:
    found = plan(host(), run(version))["driver"]["file"]["arguments"]
    loads = ["--skip-module-load"] if version >= "550" else []
    assert found == ["--silent", "--dkms", "--no-nouveau-check", *arguments, *loads]


def test_the_flavour_that_is_wished_for() -> None:
    assert "--kernel-module-type=proprietary" in plan(host(), run(flavour="proprietary"))["driver"]["file"]["arguments"]


def test_a_running_kernel_without_headers_is_passed_over() -> None:
    facts = host(platform=FOREIGN_KERNEL)
    assert plan(facts, run())["driver"]["file"]["arguments"][-1] == "--kernel-name=6.1.0-41-amd64"


def test_what_the_installer_has_done_is_proven_by_what_is_there() -> None:
    facts = after_run("580.95.05")
    assert plan(facts, run())["driver"]["action"] == "none"
    assert plan(facts, run())["refusals"] == []


@pytest.mark.parametrize("who, disruption", [(IDLE, "reload"), (BUSY, "reboot")])
def test_another_version(who: Facts, disruption: str) -> None:
    value = plan(after_run("580.95.05", **who), run("595.91.07"))
    assert value["refusals"] == []
    assert (value["driver"]["action"], value["driver"]["disruption"]) == ("change", disruption)
    assert "driver 580.95.05 (open) is installed" in value["driver"]["reason"]


def test_another_flavour_is_a_change() -> None:
    assert plan(after_run("580.95.05"), run(flavour="proprietary"))["driver"]["action"] == "change"


def test_a_module_that_is_gone_is_made_again() -> None:
    facts = after_run("580.95.05", loaded=None, flavour=None, on_disk=None, on_disk_flavour=None)
    assert plan(facts, run())["driver"]["action"] == "install"


def test_a_downgrade_has_to_be_allowed() -> None:
    facts = after_run("595.91.07")
    assert rules(facts, run()) == ["downgrade"]
    assert plan(facts, run(allow_downgrade=True))["driver"]["action"] == "change"


@pytest.mark.parametrize(
    "facts", [with_driver("580.95.05"), from_distribution("535.261.03")], ids=["NVIDIA's", "the distribution's"]
)
def test_not_beside_packages(facts: Facts) -> None:
    (found,) = plan(facts, run("595.91.07"))["refusals"]
    assert found["rule"] == "packaged-driver"
    assert "NVIDIA's installer does not go beside them" in found["sentence"]


@pytest.mark.parametrize(
    "wishes", [wish(), local(), wish("535", source="distro")], ids=["repo", "local_repo", "distro"]
)
def test_no_packages_beside_it(wishes: Wishes) -> None:
    found = plan(after_run("470.256.02"), wishes)["refusals"]
    (mine,) = [refusal for refusal in found if refusal["rule"] == "foreign-driver"]
    assert "remove it first with nvidia_driver_state: absent" in mine["way_out"]


def test_one_that_others_have_run_is_removed_their_way() -> None:
    facts = {**after_run("570.211.01"), "files": {}}
    (found,) = plan(facts, wish())["refusals"]
    assert "nvidia-uninstall" in found["way_out"]


def test_removal() -> None:
    value = plan(after_run("580.95.05"), wish(state="absent"))["driver"]
    assert (value["action"], value["uninstall"], value["remove"]) == ("absent", True, [])
    assert value["disruption"] == "unload"


def test_what_others_have_installed_stays() -> None:
    facts = {**after_run("580.95.05"), "files": {}}
    assert plan(facts, wish(state="absent"))["driver"]["action"] == "none"


def test_removal_after_an_installer_that_broke_off() -> None:
    facts = host(files={RUNFILE_FILE: SUM})
    value = plan(facts, wish(state="absent"))["driver"]
    assert (value["action"], value["uninstall"]) == ("absent", True)
    assert value["reason"] == "only files of ours are left"


def test_switches_want_more_than_an_installer_brings() -> None:
    facts = host(pci=[H100, NVSWITCH])
    assert rules(facts, run()) == ["runfile-without-fabric"]
    assert rules(host(), run(imex=True)) == ["imex-without-packages"]
    assert plan(host(), run(imex=True))["fabric"]["missing"] == []
    assert rules(facts, local()) == []


# ---- a repository in a package -------------------------------------------------------------------------------------


def test_a_repository_of_one_version() -> None:
    value = plan(host(), local())
    driver = value["driver"]
    assert value["refusals"] == []
    assert [package["spec"] for package in driver["packages"]] == ["nvidia-open-580=580.95.05-*"]
    assert (driver["pin"], driver["file"]["path"], driver["file"]["arguments"]) == ("580.95.05-*", DEB, [])
    assert value["repository"]["needed"] is False


def test_it_needs_no_package_that_pins() -> None:
    wishes = local("595", file={"path": DEB.replace("580.95.05", "595.91.07"), "sha256": SUM})
    assert [package["spec"] for package in plan(host(), wishes)["driver"]["packages"]] == ["nvidia-open=595.91.07-*"]


def test_its_packages_are_nvidias() -> None:
    assert plan(with_driver("580.95.05"), local())["driver"]["action"] == "none"
    assert rules(with_driver("580.95.05"), local()) == []
    assert rules(from_distribution("535.261.03"), local()) == ["distribution-driver"]


def test_the_fabric_manager_is_in_it() -> None:
    found = plan(host(pci=[H100, NVSWITCH]), local())["fabric"]["packages"]
    assert [package["spec"] for package in found] == ["nvidia-fabricmanager=580.95.05-*", "libnvidia-nscq=580.95.05-*"]


def test_its_own_source_is_nobody_elses() -> None:
    path = "/etc/apt/sources.list.d/nvidia-driver-local-debian12-580.95.05.list"
    row = {"file": path, "uri": "file:///var/nvidia-driver-local-repo-debian12-580.95.05", "suite": "/"}
    assert rules({**host(files={path: SUM}), "package_sources": [row]}, wish()) == []
    row["uri"] = "https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64/"
    assert rules({**host(files={path: SUM}), "package_sources": [row]}, wish()) == ["foreign-source"]


@pytest.mark.parametrize("wishes", [local, run], ids=["local_repo", "runfile"])
def test_with_dnf(wishes: t.Callable[[], t.Any]) -> None:
    platform = {"id": "rocky", "version": "9.6", "package_manager": "dnf"}
    facts = host(platform=platform, packages={})
    facts["sources"]["packages"] = {"ok": True, "reason": None}
    value = plan(facts, wishes())
    assert value["refusals"] == []
    assert ("glibc-devel" in value["kernel"]["missing"]) is (wishes is run)
    assert value["driver"]["stream"] == (None if wishes is run else "nvidia-driver:580-open")


def test_removal_of_its_packages() -> None:
    facts = with_driver("580.95.05", files={PIN_FILE: SUM})
    value = plan(facts, local(state="absent"))["driver"]
    assert (value["action"], value["uninstall"]) == ("absent", False)
    assert "nvidia-open-580" in value["remove"]


# ---- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file, fault",
    [
        ({}, "it needs one of url, path, host_path"),
        ({"url": RUN, "path": DEB, "sha256": SUM}, "it needs one of url, path, host_path"),
        ({"url": RUN.replace("https", "http"), "sha256": SUM}, "is not https"),
        ({"url": RUN.replace("//", "//me:secret@"), "sha256": SUM}, "its url holds a name or a password"),
        ({"host_path": "a.run", "sha256": SUM}, "a.run does not begin with /"),
        ({"url": RUN}, "sha256 is not 64 hexadecimal digits"),
        ({"url": RUN, "sha256": SUM, "key_fingerprint": "EB69"}, "key_fingerprint is not 40 hexadecimal digits"),
    ],
)
def test_a_file_that_cannot_be_proven(file: dict[str, str], fault: str) -> None:
    (found,) = [found for found in plan(host(), run(file=file))["refusals"] if found["rule"] == "bad-driver-file"]
    assert fault in found["sentence"]
    assert "secret" not in found["sentence"]


@pytest.mark.parametrize("place", _driver_files.PLACES)
def test_each_place_is_as_good(place: str) -> None:
    path = RUN if place == "url" else "/srv/NVIDIA-Linux-x86_64-580.95.05.run"
    assert rules(host(), run(file={place: path, "sha256": SUM})) == []


@pytest.mark.parametrize(
    "name, version",
    [
        ("/srv/NVIDIA-Linux-x86_64-580.95.05.run", "580.95.05"),
        ("/srv/NVIDIA-Linux-x86_64-390.157.run", "390.157"),
        ("/srv/NVIDIA-Linux-x86_64-580.95.05-grid.run", "580.95.05"),
        ("/srv/NVIDIA-Linux-aarch64-580.95.05.run", "580.95.05"),
        ("/srv/nvidia-driver-local-repo-debian12-580.95.05_1.0-1_amd64.deb", "580.95.05"),
        ("/srv/nvidia-driver-local-repo-ubuntu2404-580.95.05_1.0-1_amd64.deb", "580.95.05"),
        ("/srv/driver.run", None),
    ],
)
def test_the_version_in_a_name(name: str, version: str | None) -> None:
    assert _driver_files.named_version({"path": name}) == version


CUDA = "https://mirror.example/compute/cuda/12.6.3/local_installers/cuda_12.6.3_560.35.05_linux"
MACHINES = {
    "/srv/NVIDIA-Linux-x86_64-580.95.05.run": "x86_64",
    "/srv/NVIDIA-Linux-aarch64-580.95.05.run": "aarch64",
    "/srv/nvidia-driver-local-repo-ubuntu2404-580.95.05_1.0-1_arm64.deb": "aarch64",
    "/srv/nvidia-driver-local-repo-ubuntu2404-580.95.05_1.0-1_amd64.deb": "x86_64",
    "/srv/nvidia-driver-local-repo-rhel9-580.95.05-1.0-1.aarch64.rpm": "aarch64",
    "/srv/x86_64/driver-580.95.05.run": None,
    f"{CUDA}.run": "x86_64",
    f"{CUDA}_sbsa.run": "aarch64",
    f"{CUDA}_ppc64le.run": "ppc64le",
    "https://mirror.example/9.2/Prod2/patches/1/cuda_9.2.148.1_linux": "x86_64",
}


@pytest.mark.parametrize("name, machine", MACHINES.items())
def test_the_machine_in_a_name(name: str, machine: str | None) -> None:
    assert files.named_machine(name) == machine


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("name", [name for name in MACHINES if "580.95.05" in name])
def test_a_driver_for_another_machine(name: str, machine: str) -> None:
    source = "runfile" if name.endswith(".run") else "local_repo"
    wishes = wish(source=source, file={"path": name, "sha256": SUM})
    found = plan(host(platform={"architecture": machine}), wishes)["refusals"]
    if MACHINES[name] in (None, machine):
        assert found == []
    else:
        assert [refusal["rule"] for refusal in found] == ["file-architecture"]
        assert f"{name} is for {MACHINES[name]}, and this host is {machine}" in found[0]["sentence"]


@pytest.mark.parametrize("machine, wrong", [("x86_64", 1), ("aarch64", 2)])
def test_a_toolkit_for_another_machine(machine: str, wrong: int) -> None:
    patch = {"version": "9.2.148.1", "path": "/srv/cuda_9.2.148.1_linux", "sha256": SUM}
    files = [
        {"version": "9.2", "path": "/srv/cuda_9.2.148_396.37_linux", "sha256": SUM, "patches": [patch]},
        {"version": "12.6", "url": f"{CUDA}_sbsa.run", "sha256": SUM},
    ]
    facts = host(platform={"architecture": machine})
    assert rules(facts, wish("keep", cuda={"runfiles": files})).count("file-architecture") == wrong
    absent = {"runfiles": files, "state": "absent"}
    assert "file-architecture" not in rules(facts, wish("keep", cuda=absent))


def test_a_file_that_does_not_say_its_version() -> None:
    file = {"path": "/srv/driver.run", "sha256": SUM}
    assert rules(host(), run(file=file)) == ["driver-file-version"]
    assert plan(host(), run(file=file, version="580.95.05"))["driver"]["version"] == "580.95.05"
    assert rules(host(), run(file=file, version="580.95.05")) == []


def test_a_file_of_another_version_than_the_one_that_is_wished_for() -> None:
    (found,) = plan(host(), run(version="580.105.08", file={"url": RUN, "sha256": SUM}))["refusals"]
    assert found["rule"] == "driver-file-version" and "580.105.08 is wanted" in found["sentence"]


@pytest.mark.parametrize("branch", ["570", "newest", "needed"])
def test_the_branch_is_that_of_the_file(branch: str) -> None:
    assert "version-not-in-branch" in rules(host(), run(branch=branch, cuda_images=["12.8"]))


def test_a_file_that_nobody_asks_for_is_told_of() -> None:
    value = plan(host(), wish(file={"url": RUN, "sha256": SUM}))
    assert value["refusals"] == [] and "counts for nothing" in value["warnings"][0]


def test_nothing_is_built_before_an_installer_has_run() -> None:
    tools = {name: {"version": "1"} for name in ("dkms", "libc6-dev")}
    kernel = {"kernel": {"running": "6.1.0-31-amd64"}}
    facts = host(packages=tools, sources={"modinfo": {"ok": True}}, platform=kernel)
    value = plan(facts, run())
    assert (value["driver"]["action"], value["kernel"]["build"]) == ("install", [])
