# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CUDA toolkit that a distribution has itself."""

from __future__ import annotations

import hashlib
import typing as t

import pytest
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import COMPONENTS_FILE, CUDA_RECORD, PIN_FILE
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._plan import plan
from ansible_collections.kubegpu.nodes.tests.unit.plugins.plugin_utils.plan_hosts import (
    Facts,
    host,
    rules,
    toolkit,
    wish,
    with_driver,
)

SOURCE = {"file": "/etc/apt/sources.list", "uri": "http://mirror.example/debian", "suite": "bookworm", "options": {}}
BOOKWORM: Facts = {"package_sources": [{**SOURCE, "components": ["main"], "origin": "Debian", "obstacle": None}]}
TOOLKIT = {"nvidia-cuda-toolkit": {"version": "11.8.89~11.8.0-5~deb12u1", "held": False}}
WHOLE = {**TOOLKIT, "nvidia-cuda-gdb": {"version": "11.8.86~11.8.0-5~deb12u1", "held": False}}


def bookworm(facts: Facts | None = None, **other: t.Any) -> Facts:
    found = facts or host(**other)
    return {**found, **BOOKWORM, "platform": {**found["platform"], "codename": "bookworm"}}


def own(*versions: str, **other: t.Any) -> dict[str, t.Any]:
    return {"cuda": {"source": "distro", "versions": list(versions) or ["11.8"], **other}}


def test_a_bare_host() -> None:
    value = plan(bookworm(), own())
    assert value["refusals"] == []
    assert (value["cuda"]["action"], value["cuda"]["missing"]) == ("install", ["11.8"])
    assert value["cuda"]["packages"] == ["nvidia-cuda-toolkit", "nvidia-cuda-gdb"]
    (proof,) = value["cuda"]["proofs"]
    assert (proof["path"], proof["gpus"], proof["record"]) == ("/usr", [], "/var/lib/kubegpu-cuda-11.8")
    (entry,) = value["components"]["missing"]
    assert (entry["suite"], entry["components"]) == ("bookworm", ["contrib", "non-free", "non-free-firmware"])
    assert value["repository"]["needed"] is False
    assert "libcuda1" in " ".join(value["warnings"])


COMPONENTS = {"full": list(WHOLE), "toolkit": list(TOOLKIT), "compiler": list(TOOLKIT)}


@pytest.mark.parametrize("components, names", COMPONENTS.items())
def test_components(components: str, names: list[str]) -> None:
    assert plan(bookworm(), own(components=components))["cuda"]["packages"] == names


INSTALLED = {
    # name: (packages, wish, action)
    "all of it": (WHOLE, own(), "prove"),
    "the compiler": (TOOLKIT, own(components="compiler"), "prove"),
    "not all of it": (TOOLKIT, own(), "install"),
    "another version": (
        {"nvidia-cuda-toolkit": {"version": "11.2.152~11.2.2-3"}},
        own(components="compiler"),
        "install",
    ),
}


@pytest.mark.parametrize("packages, wished, action", INSTALLED.values(), ids=INSTALLED.keys())
def test_what_is_there(packages: Facts, wished: dict[str, t.Any], action: str) -> None:
    value = plan(bookworm(packages=packages), wished)
    assert (value["refusals"], value["cuda"]["action"]) == ([], action)


def test_what_has_been_proven_is_not_again() -> None:
    facts = bookworm(packages=WHOLE)
    (proof,) = plan(facts, own())["cuda"]["proofs"]
    recorded = {proof["record"]: hashlib.sha256(proof["text"].encode()).hexdigest()}
    value = plan({**facts, "files": recorded}, own())["cuda"]
    assert (value["action"], value["proofs"]) == ("none", [])
    assert plan({**facts, "files": recorded}, own(state="absent"))["cuda"]["records"] == [proof["record"]]
    newer = {name: {**line, "version": "11.8.99~11.8.1-1"} for name, line in facts["packages"].items()}
    assert plan({**facts, "packages": newer, "files": recorded}, own())["cuda"]["action"] == "prove"


def test_a_folder_of_the_same_version_is_another_toolkit() -> None:
    facts = bookworm(cuda={"toolkits": [toolkit("11.8")], "default": None})
    assert plan(facts, own())["cuda"]["missing"] == ["11.8"]


def test_beside_a_driver_nothing_is_said_of_its_library() -> None:
    assert "libcuda1" not in " ".join(plan(bookworm(with_driver("580.95.05")), own())["warnings"])
    assert "libcuda1" not in " ".join(plan(bookworm(), {**wish("580"), **own()})["warnings"])


REFUSED = {
    # name: (facts, wish, rule, words)
    "another version": (bookworm(), own("12.4"), "distribution-cuda", "has CUDA 11.8 itself, not 12.4"),
    "two of them": (bookworm(), own("11.8", "12.8"), "distribution-cuda", "not 12.8"),
    "no distribution that has one": (
        host(platform={"id": "ubuntu", "version": "24.04", "name": "Ubuntu 24.04"}) | {"package_sources": []},
        own("12.0"),
        "distribution-cuda",
        "no CUDA that is known",
    ),
    "libraries alone": (bookworm(), own(components="runtime"), "distribution-cuda-components", "runtime"),
    "cuDNN": (bookworm(), own(cudnn="9"), "library-of-another-source", "cudnn-9"),
    "a link to it": (bookworm(), own(default="11.8"), "default-toolkit", "in no folder"),
    "a source that is none": (bookworm(), own(source="snap"), "unknown-cuda-source", "called snap"),
}


@pytest.mark.parametrize("facts, wished, rule, words", REFUSED.values(), ids=REFUSED.keys())
def test_refused(facts: Facts, wished: dict[str, t.Any], rule: str, words: str) -> None:
    assert rule in rules(facts, wished)
    assert words in " ".join(refusal["sentence"] for refusal in plan(facts, wished)["refusals"])


def test_what_goes() -> None:
    value = plan(bookworm(packages={**WHOLE, "libcudart11.0": {"version": "11.8.89~11.8.0-5~deb12u1"}}), own())
    assert value["cuda"]["remove"] == []
    gone = plan(bookworm(packages=WHOLE), own(state="absent"))["cuda"]
    assert (gone["action"], gone["remove"]) == ("absent", sorted(WHOLE))
    assert plan(bookworm(packages=WHOLE), {"cuda": {"state": "absent", "versions": ["11.8"]}})["cuda"]["remove"] == []


STAYS = {
    # name: (files, who brought the driver, wish, whether the components stay)
    "nothing came from them": ({}, None, own(state="absent"), False),
    "the toolkit goes": ({CUDA_RECORD: ""}, None, own(state="absent"), False),
    "the toolkit goes, the driver stays": ({CUDA_RECORD: "", PIN_FILE: ""}, "distro", own(state="absent"), True),
    "another's driver stays": ({CUDA_RECORD: "", PIN_FILE: ""}, "repo", own(state="absent"), False),
    "the driver goes": ({PIN_FILE: ""}, "distro", wish(state="absent"), False),
    "the driver goes, the toolkit stays": ({PIN_FILE: "", CUDA_RECORD: ""}, "distro", wish(state="absent"), True),
    "both stay": ({PIN_FILE: "", CUDA_RECORD: ""}, "distro", own(), True),
}


@pytest.mark.parametrize("files, by, wished, stays", STAYS.values(), ids=STAYS.keys())
def test_components_stay_while_somebody_needs_them(
    files: Facts, by: str | None, wished: dict[str, t.Any], stays: bool
) -> None:
    facts = bookworm(files={COMPONENTS_FILE: "", **files}, driver={"installed_by": by})
    assert plan(facts, wished)["repository"]["components_needed"] is stays
