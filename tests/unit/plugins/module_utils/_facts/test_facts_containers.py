# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container runtimes and CDI: what is configured, by whatever file says it, and no secret leaves the host."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import (
    cdi,
    containerd,
    crio,
    docker,
    programs,
    toml,
    toolkit,
)
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Source
from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Answer
from ansible_collections.kubegpu.nodes.tests.unit.plugins.module_utils._facts.folder_host import FolderHost
from hypothesis import given
from hypothesis import strategies as st

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"


@pytest.fixture(name="machine")
def _machine(tmp_path: Path) -> FolderHost:
    return FolderHost(tmp_path)


NVIDIA = {"type": None, "binary": "nvidia-container-runtime"}
DAEMON = {
    "default-runtime": "nvidia",
    "features": {"cdi": True},
    "proxies": {"https-proxy": "http://user:hunter2@proxy.example"},
    "runtimes": {
        "nvidia": {"args": [], "path": "nvidia-container-runtime"},
        "kata": {"runtimeType": "io.containerd.kata.v2", "options": {"secret": "hunter2"}},
    },
}


def test_docker(machine: FolderHost) -> None:
    machine.says("dockerd --version", "Docker version 28.2.2, build e6534b4")
    machine.runs("docker.service", "-H", "fd://")
    machine.file("/etc/docker/daemon.json", json.dumps(DAEMON))
    value, sources = docker.read(machine)
    assert sources == {"docker": OK, "systemd": OK}
    assert (value["version"], value["active"], value["default_runtime"]) == ("28.2.2", True, "nvidia")
    assert value["runtimes"] == {"nvidia": NVIDIA, "kata": {"type": "io.containerd.kata.v2", "binary": None}}
    assert len(value["config_digest"]) == 64
    assert "hunter2" not in json.dumps([value, sources])


def test_docker_by_its_command_line(machine: FolderHost) -> None:
    machine.says("dockerd --version", "Docker version 28.2.2, build e6534b4")
    arguments = ("--config-file=/etc/other.json", "--add-runtime", "nvidia=/opt/run", "--default-runtime=nvidia")
    machine.runs("docker.service", *arguments)
    value, _sources = docker.read(machine)
    assert (value["config_path"], value["config_digest"]) == ("/etc/other.json", None)
    assert value["runtimes"] == {"nvidia": {"type": None, "binary": "/opt/run"}}
    assert value["default_runtime"] == "nvidia"


@pytest.mark.parametrize("text", ["", "{}", '{"runtimes": []}', '{"runtimes": {}, "default-runtime": 3}'])
def test_a_docker_that_is_told_nothing(text: str) -> None:
    assert docker.configured(docker.parse_config(text), []) == {"runtimes": {}, "default_runtime": None}


def test_a_garbled_daemon_json_is_named_and_not_quoted(machine: FolderHost) -> None:
    machine.says("dockerd --version", "Docker version 28.2.2, build e6534b4")
    machine.file("/etc/docker/daemon.json", '{\n"proxies": hunter2')
    value, sources = docker.read(machine)
    assert (value["runtimes"], value["default_runtime"]) == (None, None)
    assert sources["docker"] == Source(False, "/etc/docker/daemon.json: not JSON, line 2")


CRIO_MAIN = """
[crio.runtime]
default_runtime = "crun"
[crio.runtime.runtimes.crun]
runtime_path = "/usr/libexec/crio/crun"
runtime_type = "oci"
"""
CRIO_NVIDIA = """
[crio]
  [crio.runtime]
    default_runtime = "nvidia"
    [crio.runtime.runtimes]
      [crio.runtime.runtimes.nvidia]
        runtime_path = "/usr/bin/nvidia-container-runtime"
        runtime_type = "oci"
"""
CRUN = {"type": "oci", "binary": "/usr/libexec/crio/crun"}


def test_crio_puts_its_files_together_in_order(machine: FolderHost) -> None:
    machine.says("crio --version", "crio version 1.33.1\nVersion:        1.33.1")
    machine.file("/etc/crio/crio.conf", CRIO_MAIN)
    machine.file("/etc/crio/crio.conf.d/99-nvidia.toml", CRIO_NVIDIA)
    machine.file("/etc/crio/crio.conf.d/10-crio.conf", '[crio.runtime.runtimes.nvidia]\nruntime_path = "/old"\n')
    machine.file("/etc/crio/crio.conf.d/folder/00.conf", "not read")
    value, sources = crio.read(machine)
    assert sources["crio"] == OK
    assert value["default_runtime"] == "nvidia"
    assert value["runtimes"] == {
        "crun": CRUN,
        "nvidia": {"type": "oci", "binary": "/usr/bin/nvidia-container-runtime"},
    }


def test_crio_told_where_its_files_are(machine: FolderHost) -> None:
    machine.says("crio --version", "crio version 1.33.1")
    machine.runs("crio.service", "--config", "/etc/c.conf", "--config-dir=/etc/c.d")
    machine.file("/etc/c.conf", CRIO_MAIN)
    value, _sources = crio.read(machine)
    assert (value["config_path"], value["default_runtime"], value["runtimes"]) == (
        "/etc/c.conf",
        "crun",
        {"crun": CRUN},
    )


def test_one_garbled_file_leaves_crio_unknown(machine: FolderHost) -> None:
    machine.says("crio --version", "crio version 1.33.1")
    machine.file("/etc/crio/crio.conf", CRIO_MAIN)
    machine.file("/etc/crio/crio.conf.d/99.conf", "[crio]\npassword hunter2\n")
    value, sources = crio.read(machine)
    assert (value["runtimes"], value["default_runtime"]) == (None, None)
    assert sources["crio"] == Source(False, "/etc/crio/crio.conf.d/99.conf: not TOML, line 2")


def digest_of_containerd(machine: FolderHost) -> str:
    digest = containerd.read(machine).value["config_digest"]
    assert isinstance(digest, str)
    return digest


def test_containerds_digest_covers_what_is_imported(machine: FolderHost) -> None:
    machine.says("containerd --version", "containerd v2.1.9")
    machine.says("containerd --config /etc/containerd/config.toml config dump", "version = 3\n")
    machine.file("/etc/containerd/config.toml", 'version = 3\nimports = ["conf.d/*.toml"]\n')
    before = digest_of_containerd(machine)
    machine.file("/etc/containerd/conf.d/99-nvidia.toml", 'imports = ["/etc/containerd/config.toml", "/etc/x.toml"]\n')
    with_drop_in = digest_of_containerd(machine)
    machine.file("/etc/x.toml", "version = 3\n")
    assert len({before, with_drop_in, digest_of_containerd(machine)}) == 3
    assert digest_of_containerd(machine) == digest_of_containerd(machine)


def test_containerds_defaults_may_import_too(machine: FolderHost) -> None:
    machine.says("containerd --version", "containerd v2.2.0")
    machine.says("containerd config dump", 'version = 3\nimports = ["/etc/containerd/conf.d/*.toml"]\n')
    assert containerd.read(machine).value["config_digest"] is None
    machine.file("/etc/containerd/conf.d/99-nvidia.toml", "version = 3\n")
    assert digest_of_containerd(machine)


@pytest.mark.parametrize(
    "imports, patterns", [(None, []), ("x", []), ([1, "", "a/*"], ["/etc/c/a/*"]), (["/b"], ["/b"])]
)
def test_imports(imports: t.Any, patterns: list[str]) -> None:
    assert containerd.import_patterns({"imports": imports}, "/etc/c") == patterns


def test_half_a_digest_is_none(machine: FolderHost) -> None:
    machine.file("/a", "x")
    (machine.root / "b").mkdir()
    assert programs.config_digest(machine, ["/a", "/missing"]) == (
        programs.config_digest(machine, ["/a", "/a"])[0],
        [],
    )
    assert programs.config_digest(machine, ["/a", "/b"]) == (None, ["/b: not a regular file"])
    assert programs.config_digest(machine, ["/missing"]) == (None, [])


def test_toolkit(machine: FolderHost) -> None:
    assert toolkit.read(machine) == ({"version": None, "config_digest": None}, {"toolkit": OK})
    machine.says("nvidia-ctk --version", "NVIDIA Container Toolkit CLI version 1.20.0\ncommit: 0123\n")
    machine.file(toolkit.CONFIG, "")
    value, sources = toolkit.read(machine)
    assert (value["version"], len(value["config_digest"]), sources) == ("1.20.0", 64, {"toolkit": OK})
    machine.commands = {"nvidia-ctk --version": Answer(1, "", "no\n")}
    assert toolkit.read(machine).sources["toolkit"] == Source(False, "nvidia-ctk --version: no")


def test_cdi(machine: FolderHost) -> None:
    assert cdi.read(machine) == ({"specs": []}, {"cdi": OK})
    machine.file("/etc/cdi/nvidia.json", '{"kind": "nvidia.com/gpu", "devices": [{"name": "0"}]}')
    machine.file("/etc/cdi/notes.txt", "not looked at")
    machine.file("/var/run/cdi/nvidia.yaml", "kind: nvidia.com/gpu\ndevices: [{name: all}]\n")
    machine.file("/var/run/cdi/x.yaml", (FIXTURES / "cdi/1.20.0-h100x2.yaml.txt").read_text(encoding="utf-8"))
    value, sources = cdi.read(machine)
    assert [(spec["path"], spec["kind"], spec["ok"]) for spec in value["specs"]] == [
        ("/etc/cdi/nvidia.json", "nvidia.com/gpu", True),
        ("/var/run/cdi/nvidia.yaml", None, False),
        ("/var/run/cdi/x.yaml", "nvidia.com/gpu", True),
    ]
    assert (value["specs"][0]["devices"], value["specs"][1]["devices"]) == (["0"], None)
    assert sources["cdi"] == Source(False, "/var/run/cdi/nvidia.yaml: line 2: not a list in block style")


def test_a_spec_without_end_is_not_read_to_its_end(machine: FolderHost) -> None:
    machine.file("/etc/cdi/x.json", " " * (cdi.LIMIT + 1))
    assert cdi.read(machine).sources["cdi"].reason == "/etc/cdi/x.json: larger than 2048 KiB"


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
KEYS = [
    "runtimes",
    "default-runtime",
    "path",
    "crio",
    "runtime",
    "default_runtime",
    "nvidia",
    "runtime_path",
    "imports",
]
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYS, "kind", "devices", "name"]), inner)
    ),
)


@given(tree=TREES)
def test_any_tree(tree: t.Any) -> None:
    text = json.dumps(tree)
    for parse in (docker.parse_config, cdi.parse_json):
        try:
            parse(text)
        except KubeGpuError as exc:
            assert str(exc)
    if isinstance(tree, dict):
        json.dumps([docker.configured(tree, []), crio.merged([tree, tree]), containerd.import_patterns(tree, "/")])


@given(text=st.text(max_size=40) | st.integers(0, 400).map(lambda end: (CRIO_MAIN + CRIO_NVIDIA)[:end]))
def test_truncated_and_garbled_files(text: str) -> None:
    try:
        assert set(crio.merged([toml.parse(text)])) == {"runtimes", "default_runtime"}
    except KubeGpuError as exc:
        assert exc.details["line"]
