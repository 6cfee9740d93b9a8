# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan says of CUDA: toolkits from packages and runfiles, libraries beside them, and what of them goes."""

from __future__ import annotations

import hashlib
import typing as t

import pytest
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _cuda_proof
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._plan import plan
from ansible_collections.kubegpu.nodes.tests.unit.plugins.plugin_utils.plan_hosts import (
    K80,
    V100,
    Facts,
    host,
    rules,
    toolkit,
    wish,
    with_cuda,
    with_driver,
)

SUM = "a" * 64
URL = "https://mirror.example/cuda_9.2.148_396.37_linux.run"
OLD: Facts = {"version": "9.2", "release": "9.2.148", "url": URL, "sha256": SUM}
PATCH: Facts = {"version": "9.2.148.1", "path": "/srv/cuda_9.2.148.1_linux.run", "sha256": SUM}
PATCHED: Facts = {**OLD, "patches": [PATCH]}
NEW: Facts = {"version": "12.6", "path": "/srv/cuda_12.6.3_560.35.05_linux.run", "sha256": SUM}
COMMON = ("cuda-toolkit-config-common", "cuda-toolkit-12-config-common", "cuda-toolkit-13-config-common")


def of_a_runfile(release: str, *patches: str, default: str | None = None) -> Facts:
    version = ".".join(release.split(".")[:2])
    row = {**toolkit(version), "release": release, "patches": list(patches)}
    return host(cuda={"toolkits": [row], "default": default})


def proven(facts: Facts, text: str | None = None) -> Facts:
    """The same host with a record for each toolkit: what the plan asks for, or this text."""
    wished = {"runfiles": [{"version": row["version"]} for row in facts["cuda"]["toolkits"]]}
    proofs = plan(facts, {"cuda": wished})["cuda"]["proofs"]
    found = {proof["record"]: hashlib.sha256((text or proof["text"]).encode()).hexdigest() for proof in proofs}
    return {**facts, "files": {**facts["files"], **found}}


def idle(uuid: str = "GPU-1", capability: str = "9.0", **other: t.Any) -> Facts:
    return {"index": 0, "uuid": uuid, "compute_capability": capability, "processes": [], **other}


def packages(*names: str, version: str = "12.8.1-1") -> Facts:
    return {name: {"version": version} for name in names}


def whole(*versions: str) -> Facts:
    """A toolkit as apt leaves it: with the packages that it brings along."""
    tags = [version.replace(".", "-") for version in versions]
    majors = [name for name in COMMON if not name[13:15].isdigit() or any(name[13:15] == tag[:2] for tag in tags)]
    parts = [f"{name}-{tag}" for tag in tags for name in ("cuda-toolkit", "cuda-nvcc", "libcublas", "cuda-toolkit")]
    mine = [f"cuda-toolkit-{tag}-config-common" for tag in tags]
    return host(
        packages=packages(*parts, *mine, *majors), cuda={"toolkits": [toolkit(version) for version in versions]}
    )


CUDA = {
    # name: (facts, wish, action, missing, remove)
    "none wished": (with_cuda("12.8"), {"versions": []}, "none", [], []),
    "both missing": (host(), {"versions": ["12.8", "13.0"]}, "install", ["12.8", "13.0"], []),
    "one missing": (with_cuda("12.8"), {"versions": ["12.8", "13.0"]}, "install", ["13.0"], []),
    "there": (with_cuda("12.8", "13.0"), {"versions": ["13.0"]}, "prove", [], []),
    "there, and proven": (proven(with_cuda("12.8", "13.0")), {"versions": ["13.0"]}, "none", [], []),
    "there, and not to be proven": (with_cuda("13.0"), {"versions": ["13.0"], "verify": False}, "none", [], []),
    "there, and proven as another release": (
        {**proven(of_a_runfile("12.6.2")), "cuda": of_a_runfile("12.6.3")["cuda"]},
        {"runfiles": [NEW]},
        "prove",
        [],
        [],
    ),
    "an installer was cut off": (
        proven(of_a_runfile("12.6.3"), _cuda_proof.BEGUN),
        {"runfiles": [NEW]},
        "install",
        ["12.6"],
        [],
    ),
    "a folder without its package": (
        host(cuda={"toolkits": [toolkit("13.0")]}),
        {"versions": ["13.0"]},
        "install",
        ["13.0"],
        [],
    ),
    "a package without its folder": (
        host(packages=packages("cuda-toolkit-13-0")),
        {"versions": ["13.0"]},
        "install",
        ["13.0"],
        [],
    ),
    "libraries alone have no folder that says so": (
        host(packages=packages("cuda-libraries-13-0")),
        {"versions": ["13.0"], "components": "runtime"},
        "none",
        [],
        [],
    ),
    "more of it is wished": (
        host(packages=packages("cuda-libraries-13-0")),
        {"versions": ["13.0"], "components": "toolkit"},
        "install",
        ["13.0"],
        [],
    ),
    "another default": (
        with_cuda("12.8", "13.0", default="12.8"),
        {"versions": ["13.0"], "default": "13.0"},
        "default",
        [],
        [],
    ),
    "a runfile": (host(), {"runfiles": [NEW]}, "install", ["12.6"], []),
    "a runfile has run": (proven(of_a_runfile("12.6.3")), {"runfiles": [NEW]}, "none", [], []),
    "a patch is missing": (of_a_runfile("9.2.148"), {"runfiles": [PATCHED]}, "install", [], []),
    "a patch is there": (proven(of_a_runfile("9.2.148", "9.2.148.1")), {"runfiles": [PATCHED]}, "none", [], []),
    "unlisted, not asked": (proven(with_cuda("12.8", "13.0")), {"versions": ["13.0"]}, "none", [], []),
    "unlisted, asked": (
        with_cuda("12.8", "13.0"),
        {"versions": ["13.0"], "remove_unlisted": True},
        "remove",
        [],
        ["cuda-toolkit-12-8"],
    ),
    "unlisted, with what it brought": (
        whole("12.8", "13.0"),
        {"versions": ["13.0"], "remove_unlisted": "true"},
        "remove",
        [],
        [
            "cuda-nvcc-12-8",
            "cuda-toolkit-12-8",
            "cuda-toolkit-12-8-config-common",
            "cuda-toolkit-12-config-common",
            "libcublas-12-8",
        ],
    ),
    "unlisted, and one missing": (
        with_cuda("12.8"),
        {"versions": ["13.0"], "remove_unlisted": True},
        "install",
        ["13.0"],
        ["cuda-toolkit-12-8"],
    ),
    "none listed any more": (
        with_cuda("12.8"),
        {"versions": [], "remove_unlisted": True},
        "remove",
        [],
        ["cuda-toolkit-12-8"],
    ),
    "a library of the driver is no toolkit": (
        host(packages=packages("cuda-compat-13-0", "cuda-drivers-580", "libcuda1")),
        {"versions": [], "remove_unlisted": True},
        "none",
        [],
        [],
    ),
    "a library of the driver stays when the toolkit goes": (
        host(packages=packages("cuda-toolkit-13-0", "gds-tools-13-0", "cuda-compat-13-0", "somebodys-tool-13-0")),
        {"state": "absent", "versions": ["13.0"]},
        "absent",
        [],
        ["cuda-toolkit-13-0", "gds-tools-13-0"],
    ),
    "removed, the other one stays": (
        with_cuda("12.8", "13.0", default="12.8"),
        {"state": "absent", "versions": ["13.0"]},
        "absent",
        [],
        ["cuda-toolkit-13-0"],
    ),
    "the last one takes along what all shared": (
        whole("13.0"),
        {"state": "absent", "versions": ["13.0"]},
        "absent",
        [],
        [
            "cuda-nvcc-13-0",
            "cuda-toolkit-13-0",
            "cuda-toolkit-13-0-config-common",
            "cuda-toolkit-13-config-common",
            "cuda-toolkit-config-common",
            "libcublas-13-0",
        ],
    ),
    "removed with its libraries": (
        host(packages=packages("cuda-toolkit-13-0", "libcudnn9-cuda-12", "libcudnn9-headers-cuda-13", "libnccl2")),
        {"state": "absent", "versions": ["13.0"], "cudnn": "9"},
        "absent",
        [],
        ["cuda-toolkit-13-0", "libcudnn9-headers-cuda-13"],
    ),
    "removed without the libraries of the one that stays": (
        host(
            packages={
                **packages("cuda-toolkit-12-8", "cuda-toolkit-13-0", "libcudnn9-cuda-12", "libcudnn9-cuda-13"),
                **packages("libnccl2", version="2.27.7-1+cuda13.0"),
            }
        ),
        {"state": "absent", "versions": ["12.8"], "cudnn": "9", "nccl": True},
        "absent",
        [],
        ["cuda-toolkit-12-8", "libcudnn9-cuda-12"],
    ),
    "removed with the libraries of the last of its kind": (
        host(packages={**packages("cuda-toolkit-13-0"), **packages("libnccl2", version="2.27.7-1+cuda13.0")}),
        {"state": "absent", "versions": ["13.0"], "nccl": True},
        "absent",
        [],
        ["cuda-toolkit-13-0", "libnccl2"],
    ),
    "NCCL of the distribution is nobody's": (
        host(packages={**packages("cuda-toolkit-13-0"), **packages("libnccl2", version="2.18.5-1")}),
        {"state": "absent", "versions": ["13.0"], "nccl": True},
        "absent",
        [],
        ["cuda-toolkit-13-0"],
    ),
    "only the record is left": (
        {**proven(with_cuda("13.0")), "packages": {}, "cuda": {"toolkits": []}},
        {"state": "absent", "versions": ["13.0"]},
        "absent",
        [],
        [],
    ),
    "cuDNN of a CUDA before": (
        host(packages=packages("libcudnn9-cuda-12", "libcudnn9-cuda-13", "libcudnn9-dev-cuda-13", "libcudnn8-cuda-12")),
        {"cudnn": "9", "default": "13.0", "remove_unlisted": True, "runfiles": [{**NEW, "version": "13.0"}]},
        "install",
        ["13.0"],
        ["libcudnn9-cuda-12"],
    ),
    "a link to nothing is left": (
        host(cuda={"toolkits": [], "default": "/usr/local/cuda-13.0"}),
        {"state": "absent", "versions": ["13.0"]},
        "absent",
        [],
        [],
    ),
    "nothing named, nothing removed": (with_cuda("13.0"), {"state": "absent", "versions": []}, "none", [], []),
}


@pytest.mark.parametrize("facts, wished, action, missing, remove", CUDA.values(), ids=CUDA.keys())
def test_cuda(facts: Facts, wished: dict[str, t.Any], action: str, missing: list[str], remove: list[str]) -> None:
    value = plan(facts, {"cuda": wished})
    assert (value["cuda"]["action"], value["cuda"]["missing"], value["cuda"]["remove"]) == (action, missing, remove)
    assert bool(value["summary"]) is (action != "none")
    assert value["refusals"] == []


COMPONENTS = {
    "full": ["cuda-toolkit-13-0"],
    "toolkit": [
        "cuda-compiler-13-0",
        "cuda-libraries-13-0",
        "cuda-libraries-dev-13-0",
        "cuda-command-line-tools-13-0",
    ],
    "runtime": ["cuda-libraries-13-0"],
    "compiler": ["cuda-compiler-13-0", "cuda-cudart-dev-13-0"],
}


@pytest.mark.parametrize("components, names", COMPONENTS.items())
def test_components(components: str, names: list[str]) -> None:
    cuda = plan(host(), {"cuda": {"versions": ["13.0"], "components": components}})["cuda"]
    assert cuda["packages"] == names
    assert [proof["version"] for proof in cuda["proofs"]] == ([] if components == "runtime" else ["13.0"])


LIBRARIES = {
    # name: (installed, wish, what is missing of libraries)
    "cuDNN, of the newest": ({}, {"cudnn": "9"}, ["libcudnn9-cuda-13", "libcudnn9-dev-cuda-13"]),
    "cuDNN, of the default": ({}, {"cudnn": "9", "default": "12.8"}, ["libcudnn9-cuda-12", "libcudnn9-dev-cuda-12"]),
    "cuDNN without headers": ({}, {"cudnn": "9", "components": "runtime"}, ["libcudnn9-cuda-13"]),
    "cuDNN is there": (packages("libcudnn9-cuda-13", "libcudnn9-dev-cuda-13"), {"cudnn": "9"}, []),
    "NCCL": ({}, {"nccl": True}, ["libnccl2=*+cuda13.*[0-9]", "libnccl-dev=*+cuda13.*[0-9]"]),
    "NCCL is there": (packages("libnccl2", "libnccl-dev", version="2.30.7-1+cuda13.3"), {"nccl": "yes"}, []),
    "NCCL of another CUDA": (
        packages("libnccl2", version="2.30.7-1+cuda12.9"),
        {"nccl": True, "components": "runtime"},
        ["libnccl2=*+cuda13.*[0-9]"],
    ),
    "neither": ({}, {"cudnn": "", "nccl": False}, []),
}


@pytest.mark.parametrize("installed, wished, missing", LIBRARIES.values(), ids=LIBRARIES.keys())
def test_libraries(installed: Facts, wished: dict[str, t.Any], missing: list[str]) -> None:
    cuda = plan(host(packages=installed), {"cuda": {"versions": ["12.8", "13.0"], **wished}})["cuda"]
    assert cuda["libraries"] == missing
    assert set(missing) <= set(cuda["packages"])


def test_a_runfile_installs_the_toolkit_and_nothing_else() -> None:
    (new,) = plan(host(), {"cuda": {"runfiles": [NEW]}})["cuda"]["steps"]
    assert new["arguments"] == [
        "--silent",
        "--toolkit",
        "--override",
        "--toolkitpath=/usr/local/cuda-12.6",
        "--no-man-page",
    ]
    assert (new["url"], new["path"], new["sha256"]) == (None, NEW["path"], SUM)
    old, patch = plan(host(), {"cuda": {"runfiles": [PATCHED]}})["cuda"]["steps"]
    assert old["arguments"] == ["--silent", "--toolkit", "--override", "--toolkitpath=/usr/local/cuda-9.2"]
    assert patch["arguments"] == ["--accept-eula", "--silent", "--installdir=/usr/local/cuda-9.2"]
    assert (old["words"], patch["words"]) == ("CUDA toolkit 9.2", "patch 9.2.148.1 of CUDA toolkit 9.2")


def test_only_a_folder_that_no_package_owns_is_removed_as_a_runfiles() -> None:
    wished = {"cuda": {"state": "absent", "runfiles": [NEW]}}
    assert plan(of_a_runfile("12.6.3"), wished)["cuda"]["folders"] == ["/usr/local/cuda-12.6"]
    assert plan(with_cuda("12.6"), wished)["cuda"]["folders"] == []
    assert plan(of_a_runfile("12.5.1"), wished)["cuda"]["folders"] == []


def in_another_folder(path: str = "/usr/local/cuda-12.6.3") -> Facts:
    facts = of_a_runfile("12.6.3")
    facts["cuda"]["toolkits"][0]["path"] = path
    return facts


def test_a_toolkit_in_a_folder_of_somebody_elses_is_used_where_it_is() -> None:
    wished = {"cuda": {"runfiles": [NEW], "default": "12.6"}}
    cuda = plan(in_another_folder(), wished)["cuda"]
    assert (cuda["steps"], cuda["default"]) == ([], "/usr/local/cuda-12.6.3")
    assert [proof["path"] for proof in cuda["proofs"]] == ["/usr/local/cuda-12.6.3"]
    both = in_another_folder()
    both["cuda"]["toolkits"] += of_a_runfile("12.6.3")["cuda"]["toolkits"]
    assert plan(both, wished)["cuda"]["default"] == "/usr/local/cuda-12.6"


def test_a_toolkit_in_a_folder_of_somebody_elses_stays_and_is_named() -> None:
    value = plan(in_another_folder(), {"cuda": {"state": "absent", "runfiles": [NEW]}})
    assert (value["cuda"]["action"], value["cuda"]["folders"]) == ("none", [])
    assert [words for words in value["warnings"] if words.startswith("/usr/local/cuda-12.6.3 was put there")]


def test_half_a_toolkit_goes_before_its_installer_runs_again() -> None:
    facts = proven(of_a_runfile("12.6.3"), _cuda_proof.BEGUN)
    cuda = plan(facts, {"cuda": {"runfiles": [NEW]}})["cuda"]
    assert [(step["makes"], step["half"]) for step in cuda["steps"]] == [("/usr/local/cuda-12.6", True)]
    assert cuda["records"] == [], "it says so until the toolkit is whole"
    cuda = plan(facts, {"cuda": {"state": "absent", "runfiles": [NEW]}})["cuda"]
    assert (cuda["folders"], cuda["records"]) == (["/usr/local/cuda-12.6"], ["/var/lib/kubegpu-cuda-12.6"])


def test_a_proof_is_of_the_toolkit_that_was_there() -> None:
    """One that comes anew, or that goes, takes along what was said of the one before."""
    facts = proven(with_cuda("13.0"))
    assert plan({**facts, "packages": {}}, {"cuda": {"versions": ["13.0"]}})["cuda"]["records"] != []
    assert plan(facts, {"cuda": {"versions": [], "remove_unlisted": True}})["cuda"]["records"] != []
    assert plan(facts, {"cuda": {"state": "absent", "versions": ["13.0"]}})["cuda"]["records"] != []
    assert plan(facts, {"cuda": {"versions": ["13.0"]}})["cuda"]["records"] == []


H100_IDLE = idle("GPU-1")
PROOFS = {
    # name: (facts, wish, GPUs that run the program)
    "no driver": (host(gpus=[H100_IDLE]), {}, []),
    "a driver that answers": (with_driver("580.95.05", gpus=[H100_IDLE]), {}, ["GPU-1"]),
    "a driver without GPUs": (with_driver("580.95.05"), {}, []),
    "a driver that is too old": (with_driver("470.256.02", gpus=[H100_IDLE]), {"build_only": True}, []),
    "a driver that cannot translate": (with_driver("570.211.01", gpus=[H100_IDLE]), {"versions": ["12.9"]}, []),
    "a driver that can": (with_driver("570.211.01", gpus=[H100_IDLE]), {"versions": ["12.8"]}, ["GPU-1"]),
    "a host that builds for others": (with_driver("580.95.05", gpus=[H100_IDLE]), {"build_only": "true"}, []),
    "a GPU that somebody uses": (
        with_driver("580.95.05", gpus=[idle("GPU-1", processes=[{"pid": 4711}]), idle("GPU-2")]),
        {},
        ["GPU-2"],
    ),
    "a GPU of which that is not known": (with_driver("580.95.05", gpus=[idle(processes=None)]), {}, []),
    "a GPU under MIG": (
        with_driver("580.95.05", gpus=[idle(mig={"current": "enabled"}), idle("GPU-2", mig={"current": "disabled"})]),
        {},
        ["GPU-2"],
    ),
    "a GPU that lets nobody compute": (with_driver("580.95.05", gpus=[idle(compute_mode="prohibited")]), {}, []),
    "a GPU for which nvcc builds nothing by itself": (
        with_driver("580.95.05", pci=[V100], gpus=[idle(capability="7.0"), idle("GPU-2", capability="7.5")]),
        {},
        ["GPU-2"],
    ),
    "an old GPU, and an old toolkit": (
        with_driver("470.256.02", "proprietary", pci=[K80], gpus=[idle(capability="3.7")]),
        {"versions": ["10.2"]},
        ["GPU-1"],
    ),
    "an old GPU, and one that builds for newer ones": (
        with_driver("470.256.02", "proprietary", pci=[K80], gpus=[idle(capability="3.7")]),
        {"versions": ["11.4"]},
        [],
    ),
}


@pytest.mark.parametrize("facts, wished, gpus", PROOFS.values(), ids=PROOFS.keys())
def test_a_program_is_run_where_it_can(facts: Facts, wished: dict[str, t.Any], gpus: list[str]) -> None:
    value = plan(facts, {"cuda": {"versions": ["13.0"], **wished}})
    (proof,) = value["cuda"]["proofs"]
    assert proof["gpus"] == gpus
    assert proof["text"].endswith("compiled and run.\n" if gpus else "compiled.\n")
    assert value["refusals"] == []


def test_what_was_only_compiled_is_run_once_a_gpu_can() -> None:
    def action(facts: Facts, gpus: list[Facts]) -> str:
        there = {**facts, "gpus": gpus, "driver": with_driver("580.95.05")["driver"]}
        return str(plan(there, {"cuda": {"versions": ["13.0"]}})["cuda"]["action"])

    compiled = proven(with_cuda("13.0"))
    assert (action(compiled, []), action(compiled, [idle()])) == ("none", "prove")
    ran = proven({**with_cuda("13.0"), "gpus": [idle()], "driver": with_driver("580.95.05")["driver"]})
    assert (action(ran, [idle()]), action(ran, [])) == ("none", "none"), "what has run once is not asked again"


def changed(**other: t.Any) -> dict[str, t.Any]:
    return {"runfiles": [{key: value for key, value in {**NEW, **other}.items() if value is not None}]}


REFUSED = {
    # name: (facts, wish, rules, words)
    "a runfile": (host(), {"runfiles": [NEW, PATCHED]}, [], ""),
    "from nowhere": (host(), changed(path=None), ["bad-runfile"], "either url or path"),
    "from two places": (host(), changed(url=URL), ["bad-runfile"], "either url or path"),
    "not TLS": (host(), changed(path=None, url="http://x/y.run"), ["bad-runfile"], "http://x/y.run is not https"),
    "with a password": (host(), changed(path=None, url="https://me:secret@x/y"), ["bad-runfile"], "a password"),
    "a relative path": (host(), changed(path="y.run"), ["bad-runfile"], "does not begin with /"),
    "without a sum": (host(), changed(sha256=None), ["bad-runfile"], "64 hexadecimal digits"),
    "a number": (host(), changed(version=12.6, sha256=SUM), [], ""),
    "a release for a version": (host(), changed(version="12.6.3"), ["bad-cuda-version"], "12.6.3 is not a version"),
    "a patch without a sum": (
        host(),
        {"runfiles": [{**OLD, "patches": [{**PATCH, "sha256": ""}]}]},
        ["bad-runfile"],
        "The patch 9.2.148.1 of CUDA 9.2",
    ),
    "a patch of another version": (
        host(),
        {"runfiles": [{**OLD, "patches": [{**PATCH, "version": "9.0.176.1"}]}]},
        ["bad-patch"],
        "9.0.176.1 is not the version of a patch",
    ),
    "a patch that nothing proves": (
        host(),
        {"runfiles": [{**NEW, "patches": [{**PATCH, "version": "12.6.4"}]}]},
        ["unprovable-patch"],
        "newer release",
    ),
    "a runfile of what is listed": (
        host(),
        {"versions": ["12.6"], "runfiles": [NEW]},
        ["runfile-beside-packages"],
        "take 12.6 out of cuda_versions",
    ),
    "a runfile of what packages are": (
        with_cuda("12.6"),
        {"runfiles": [NEW]},
        ["runfile-beside-packages"],
        "from packages",
    ),
    "another release is there": (
        of_a_runfile("12.6.2"),
        changed(release="12.6.3"),
        ["other-runfile-release"],
        "has release 12.6.2",
    ),
    "some release is there": (of_a_runfile("12.6.2"), {"runfiles": [NEW]}, [], ""),
    "removal asks for nothing": (host(), {"state": "absent", **changed(path=None)}, [], ""),
    "a default by runfile": (host(), {"runfiles": [NEW], "default": "12.6"}, [], ""),
    "cuDNN for nothing": (host(), {"cudnn": "9"}, ["library-without-toolkit"], "name a toolkit in cuda_versions"),
    "cuDNN that is not known": (host(), {"versions": ["13.0"], "cudnn": "8"}, ["unknown-library"], 'cuda_cudnn to "9"'),
    "components that are none": (
        host(),
        {"versions": ["13.0"], "components": "all"},
        ["bad-cuda-components"],
        "full, toolkit, runtime, compiler",
    ),
}


@pytest.mark.parametrize("facts, wished, names, words", REFUSED.values(), ids=REFUSED.keys())
def test_refusals(facts: Facts, wished: dict[str, t.Any], names: list[str], words: str) -> None:
    refusals = plan(facts, {"cuda": wished})["refusals"]
    assert [refusal["rule"] for refusal in refusals] == names
    assert words in " ".join(refusal["sentence"] for refusal in refusals)
    assert "secret" not in str(refusals)


def test_a_runfile_that_the_driver_cannot_run_is_refused_with_the_driver_that_could() -> None:
    wished = wish("470", cuda={"runfiles": [NEW]})
    assert rules(host(), wished) == ["cuda-toolkit-needs-driver"]
    assert "set nvidia_driver_branch to" in plan(host(), wished)["refusals"][0]["sentence"]


def test_a_folder_of_no_package_is_left_and_named() -> None:
    facts = with_cuda("12.8")
    facts["cuda"]["toolkits"].append(toolkit("9.2"))
    warnings = plan(facts, {"cuda": {"remove_unlisted": True}})["warnings"]
    assert [words for words in warnings if words.startswith("/usr/local/cuda-9.2 is of no package")]


@pytest.mark.parametrize("driver, said", [("580.95.05", False), ("535.261.03", True)])
def test_a_driver_that_is_older_than_the_toolkit_runs_it_with_less(driver: str, said: bool) -> None:
    warnings = plan(with_driver(driver), {"cuda": {"versions": ["12.8"]}})["warnings"]
    assert any("by minor-version compatibility only" in words for words in warnings) is said


TOO_OLD = {
    # name: (wishes, whether driver 535 is refused for CUDA 13.0)
    "the role alone: the driver that is there stays": ({}, True),
    "a driver that can is wished for": (wish("580"), False),
    "one that cannot is": (wish("535"), True),
    "the driver goes": ({"driver": {"state": "absent"}}, False),
}


@pytest.mark.parametrize("wishes, refused", TOO_OLD.values(), ids=TOO_OLD.keys())
def test_a_toolkit_that_the_driver_cannot_run_is_refused(wishes: dict[str, t.Any], refused: bool) -> None:
    facts = with_driver("535.261.03")
    found = plan(facts, {**wishes, "cuda": {"versions": ["13.0"]}})["refusals"]
    assert [refusal["rule"] for refusal in found] == (["cuda-toolkit-needs-driver"] if refused else [])
    for refusal in found:
        assert "needs driver 580 or newer" in refusal["sentence"] and "branch to 595" in refusal["sentence"]
        assert "cuda_build_only" in refusal["sentence"]
        assert ("with the role nvidia_driver" in refusal["sentence"]) is (not wishes)
    assert rules(facts, {**wishes, "cuda": {"versions": ["13.0"], "build_only": True}}) == []
    assert rules(host(), {"cuda": {"versions": ["13.0"]}}) == [], "no driver is no old driver"


def test_libraries_of_a_newer_driver_are_known() -> None:
    facts = with_driver("535.261.03")
    facts["packages"]["cuda-compat-13-0"] = {"version": "580.95.05-1"}
    value = plan(facts, {"cuda": {"versions": ["13.0"]}})
    assert value["refusals"] == []
    assert [words for words in value["warnings"] if "only by cuda-compat-13-0, on data-center cards" in words]


def test_what_is_built_for_other_hosts_chooses_no_driver_here() -> None:
    wished = wish("newest", cuda={"versions": ["13.0"], "build_only": True})
    assert rules(host(pci=[K80]), wished) == []
    assert rules(host(pci=[K80]), wish("newest", cuda={"versions": ["13.0"]})) != []
