# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module for real, on the machine that runs the tests, and its documentation against what it returns."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import gpus, holders, nvml
from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host
from ansible_collections.kubegpu.nodes.plugins.modules import nvidia_facts

CHECKOUT = Path(__file__).resolve().parents[4]
# Keys that are data and not fields: names of packages, files, runtimes and sources.
MAPS = {
    "packages",
    "filesystems",
    "files",
    "sources",
    "runtimes",
    "modules",
    "parameters",
    "arguments",
    "feature_gates",
}


def ansible(*arguments: str) -> dict[str, t.Any]:
    command = [str(Path(sys.executable).parent / "ansible"), "--playbook-dir", str(CHECKOUT), "localhost", *arguments]
    environment = {
        **os.environ,
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    done = subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    result: dict[str, t.Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return result


@pytest.mark.skipif(os.path.exists("/proc/driver/nvidia/version"), reason="this machine has a driver")
@pytest.mark.parametrize("check", [[], ["--check"]], ids=["run", "check"])
def test_on_this_machine(check: list[str]) -> None:
    result = ansible("-m", "kubegpu.nodes.nvidia_facts", *check)
    facts = result["ansible_facts"]["nvidia"]
    assert result["changed"] is False
    assert facts["gpus"] == [] and facts["driver"]["loaded"] is None
    assert facts["platform"]["kernel"]["running"] == os.uname().release
    assert facts["sources"]["platform"] == {"ok": True, "reason": None}
    assert facts["sources"]["nvml"] == {"ok": None, "reason": "not asked: no driver is loaded"}
    assert all(set(source) == {"ok", "reason"} for source in facts["sources"].values())
    assert all((source["ok"] is True) == (source["reason"] is None) for source in facts["sources"].values())


def pythons(minor: int) -> list[str]:
    """Where a Python 3.<minor> may be: on the PATH, or among pyenv's."""
    on_path = shutil.which(f"python3.{minor}")
    pyenv = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3.{minor}"))
    return [*map(str, pyenv), *([on_path] if on_path else [])]


@pytest.mark.parametrize("minor", range(9, 14))
def test_on_each_python_that_a_node_may_have(minor: int) -> None:
    for python in pythons(minor):
        command = [python, "-c", "import platform; print(platform.python_version())"]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            break
    else:
        pytest.skip(f"no Python 3.{minor} on this machine")
    result = ansible("-m", "kubegpu.nodes.nvidia_facts", "-e", f"ansible_python_interpreter={python}")
    assert result["ansible_facts"]["nvidia"]["platform"]["python"] == asked.stdout.strip()


def test_an_unknown_subset_is_refused() -> None:
    with pytest.raises(AssertionError, match="value of gather_subset must be one or more of"):
        ansible("-m", "kubegpu.nodes.nvidia_facts", "-a", "gather_subset=pci,everything")


def fields(documented: dict[str, t.Any], prefix: str = "") -> set[str]:
    found = set()
    for name, field in documented.items():
        found.add(prefix + name)
        found |= fields(field.get("contains", {}), f"{prefix}{name}.")
    return found


def returned(value: t.Any, prefix: str = "") -> set[str]:
    found = set()
    if isinstance(value, list):
        return {name for item in value for name in returned(item, prefix)}
    if isinstance(value, dict):
        for name, inner in value.items():
            found.add(prefix + name)
            found |= set() if name in MAPS else returned(inner, f"{prefix}{name}.")
    return found


def test_each_field_is_documented_and_each_documented_field_is_returned(tmp_path: Path) -> None:
    for name, text in {"vendor": "0x10de", "class": "0x030200"}.items():
        target = tmp_path / "sys/bus/pci/devices/0000:1b:00.0" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    for path in (
        "usr/local/cuda-13.0/bin/nvcc",
        "usr/lib64/libcudnn.so.9.5.1",
        "lib/modules/6.1.0-40-amd64/modules.dep",
        "etc/cdi/x.json",
    ):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    (tmp_path / "etc/apt").mkdir()
    for path in ("etc/dnf/modules.d", "etc/dnf/plugins", "etc/yum.repos.d"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "etc/yum.repos.d/epel.repo").write_text("[epel]\nbaseurl=https://mirror.example.org/epel\n")
    (tmp_path / "etc/apt/sources.list").write_text("deb http://deb.debian.org/debian bookworm main\n")
    result = nvidia_facts.run({"gather_subset": ["all"]}, Host(str(tmp_path)))
    one_of_each = {"index": 0, "mig.instances": [[]], "nvlink": [[]], "processes": [[]]}
    said = nvml.understand({"gpus": [one_of_each]}).gpus
    result["ansible_facts"]["nvidia"]["gpus"] = gpus.with_owners(Host(str(tmp_path)), said)
    result["ansible_facts"]["nvidia"]["driver"]["holders"] = [holders.holder(Host(str(tmp_path)), 1, [])]
    documented = yaml.safe_load(nvidia_facts.RETURN)
    assert returned(result) == fields(documented)
    words = " ".join(documented["ansible_facts"]["contains"]["nvidia"]["contains"]["sources"]["description"])
    assert [name for name in result["ansible_facts"]["nvidia"]["sources"] if f"C({name})" not in words] == []


def test_each_field_says_its_type_and_when_it_is_returned() -> None:
    def check(documented: dict[str, t.Any]) -> None:
        for name, field in documented.items():
            assert field["type"] and field["returned"] and field["description"], name
            check(field.get("contains", {}))

    check(yaml.safe_load(nvidia_facts.RETURN))


def test_documented_options_are_the_real_ones() -> None:
    documented = yaml.safe_load(nvidia_facts.DOCUMENTATION)["options"]["gather_subset"]
    spec = nvidia_facts.ARGUMENT_SPEC["gather_subset"]
    assert {key: documented[key] for key in spec} == spec
