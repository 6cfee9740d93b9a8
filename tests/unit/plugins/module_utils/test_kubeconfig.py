# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kubeconfig, and every way in which it may not lead to a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._kubeconfig import Access, find, read

GOOD = """
apiVersion: v1
kind: Config
current-context: one
clusters:
  - {name: c1, cluster: {server: "https://c1:6443"}}
  - {name: c2, cluster: {server: "https://c2:6443"}}
  - {name: c3, cluster: {}}
users:
  - {name: u1, user: {token: s3cr3t}}
contexts:
  - {name: one, context: {cluster: c1, user: u1}}
  - {name: two, context: {cluster: c2, user: u2}}
  - {name: lost, context: {cluster: c9, user: u1}}
  - {name: empty, context: {cluster: c3, user: u1}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "config"
    file.write_text(GOOD)
    return file


def refusal(path: Path, text: str, context: str = "") -> str:
    path.write_text(text)
    with pytest.raises(KubeGpuError) as caught:
        read(str(path), context, {})
    assert "s3cr3t" not in str(caught.value)
    return str(caught.value)


def test_the_option_wins_over_the_environment_and_that_over_the_default() -> None:
    assert find("/a", {"KUBECONFIG": "/b"})[0] == "/a"
    assert find("", {"KUBECONFIG": "/b"})[0] == "/b"
    assert find("", {})[0].endswith("/.kube/config")


def test_current_context(path: Path) -> None:
    assert read(str(path), "", {}) == Access(str(path), "one", "https://c1:6443", "u1")


def test_another_context(path: Path) -> None:
    assert read(str(path), "two", {}).server == "https://c2:6443"


def test_several_files_as_kubectl_reads_them(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("current-context: two\ncontexts: []\n")
    access = read("", "", {"KUBECONFIG": f"{other}:{tmp_path}/none:{path}"})
    assert (access.context, access.path) == ("two", f"{other}:{path}")


@pytest.mark.parametrize(
    ("wanted", "environment", "said"),
    [
        ("/nowhere/config", {}, "option kubeconfig says"),
        ("", {"KUBECONFIG": "/nowhere/config"}, "environment variable KUBECONFIG says"),
    ],
)
def test_missing(wanted: str, environment: dict[str, str], said: str) -> None:
    with pytest.raises(KubeGpuError, match="There is no kubeconfig at /nowhere/config") as caught:
        read(wanted, "", environment)
    assert said in str(caught.value)
    assert "kubegpu_kubeconfig" in str(caught.value)


def test_not_yaml(path: Path) -> None:
    assert "not valid YAML (line 2, column" in refusal(path, "a: b\ntoken: s3cr3t: [\n")


def test_not_a_kubeconfig(path: Path) -> None:
    assert "neither contexts nor clusters" in refusal(path, "s3cr3t")


def test_not_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(KubeGpuError, match="cannot be used"):
        read(str(path), "", {})


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(KubeGpuError, match="Is a directory"):
        read(str(tmp_path), "", {})


def test_unknown_context_lists_those_there_are(path: Path) -> None:
    said = refusal(path, GOOD, "three")
    assert "no context 'three'" in said
    assert "it has empty, lost, one, two" in said


def test_no_current_context(path: Path) -> None:
    said = refusal(path, GOOD.replace("current-context: one", ""))
    assert "no current context" in said
    assert "it has empty, lost, one, two" in said


def test_context_of_a_cluster_that_is_not_there(path: Path) -> None:
    assert "no cluster 'c9'" in refusal(path, GOOD, "lost")


def test_cluster_without_a_server(path: Path) -> None:
    assert "no server for its cluster 'c3'" in refusal(path, GOOD, "empty")
