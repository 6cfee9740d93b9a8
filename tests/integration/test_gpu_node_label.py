# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gpu_node_label against a real API server, as the user that the shipped RBAC describes; node objects come and go here.

With KUBECONFIG and KUBEGPU_ADMIN_KUBECONFIG set it uses that cluster, else it starts the rig's.
"""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

CHECKOUT = Path(__file__).resolve().parents[2]
OWNED = "kubegpu.io/owned-labels"
TAINT = {"key": "example.org/test", "value": "yes", "effect": "NoSchedule"}
STRANGERS = {"key": "example.org/theirs", "effect": "NoSchedule"}
NODES = 5

Api = Any  # a CoreV1Api; its models say of every field that it may be missing


@pytest.fixture(scope="module")
def admin(request: pytest.FixtureRequest) -> Api:
    path = os.environ.get("KUBEGPU_ADMIN_KUBECONFIG")
    if not (path and os.environ.get("KUBECONFIG")):
        path = request.getfixturevalue("control_plane").env["KUBEGPU_ADMIN_KUBECONFIG"]
    connect: Any = config.new_client_from_config  # it has no types of its own
    return client.CoreV1Api(connect(path))


@pytest.fixture(scope="module")
def names(admin: Api) -> Iterator[list[str]]:
    made = [f"label-test-{uuid.uuid4().hex[:8]}-{number}" for number in range(NODES)]
    try:
        for name in made:
            metadata = {"name": name, "labels": {"zone": "a"}}
            spec = {"taints": [STRANGERS]}
            admin.create_node({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec})
        yield made
    finally:
        for node in admin.list_node().items:
            if node.metadata.name in made:
                admin.delete_node(node.metadata.name)


def label(*words: str, **options: Any) -> dict[str, Any]:
    """Run the module as a user does and return its result."""
    argv = ["ansible", "localhost", "--playbook-dir", str(CHECKOUT), *words]
    argv += ["--module-name", "kubegpu.nodes.gpu_node_label", "--args", json.dumps(options)]
    env = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    done = subprocess.run(argv, cwd=CHECKOUT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    verdict, arrow, answer = done.stdout.partition(" => ")
    assert arrow, done.stdout + done.stderr
    result = json.JSONDecoder().raw_decode(answer)[0]
    assert (done.returncode == 0) == ("FAILED" not in verdict)
    return {**result, "failed": done.returncode != 0}


def theirs(node: Any) -> list[str]:
    """The stranger's taint; controllers come and go with taints of their own on a node without a kubelet."""
    return [taint.key for taint in node.spec.taints or [] if taint.key == STRANGERS["key"]]


def own_taints(node: Any) -> list[str]:
    return [
        f"{taint.key}={taint.value}:{taint.effect}" for taint in node.spec.taints or [] if taint.key == TAINT["key"]
    ]


STEPS: dict[str, tuple[dict[str, Any], str, dict[str, str], list[str]]] = {
    "create": (
        {"labels": {"gpu": True, "example.org/rack": "r7"}, "annotations": {"note": "x"}, "taints": [TAINT]},
        "present",
        {"zone": "a", "gpu": "true", "example.org/rack": "r7"},
        ["example.org/test=yes:NoSchedule"],
    ),
    "modify": (
        {"labels": {"gpu": 8}, "annotations": {"note": "y"}, "taints": [{**TAINT, "value": "no"}]},
        "present",
        {"zone": "a", "gpu": "8"},
        ["example.org/test=no:NoSchedule"],
    ),
    "delete": ({}, "absent", {"zone": "a"}, []),
}


def test_the_twelve_runs(admin: Api, names: list[str]) -> None:
    for step, (wish, state, labels, taints) in STEPS.items():
        options = {"nodes": [{"name": names[0], **wish}], "owner": "kubegpu.io", "state": state}
        before = admin.read_node(names[0])
        preview = label("--check", **options)
        untouched = admin.read_node(names[0])
        assert preview["changed"], step
        assert (untouched.metadata.labels, own_taints(untouched)) == (before.metadata.labels, own_taints(before))
        real = label(**options)
        node = admin.read_node(names[0])
        for field in ("labels", "annotations"):
            assert real["nodes"][names[0]][field] == preview["nodes"][names[0]][field], step
        assert node.metadata.labels == labels, step
        assert own_taints(node) == taints, step
        assert theirs(node) == [STRANGERS["key"]], step
        for words in (("--check",), ()):
            again = label(*words, **options)
            assert not again["changed"], step
            assert again["requests"] == {"list": 1, "get": 0, "patch": 0, "throttled": 0}, step
    assert OWNED not in (admin.read_node(names[0]).metadata.annotations or {})


def pages(admin: Api) -> int:
    return -(-len(admin.list_node().items) // 2)


def test_pages_and_one_patch_for_each_node_that_differs(admin: Api, names: list[str]) -> None:
    admin.patch_node(names[0], {"metadata": {"labels": {"example.org/x": "1"}}})
    options = {"nodes": [{"name": name, "labels": {"example.org/x": "1"}} for name in names], "page_size": 2}
    before = pages(admin)
    first, second = (label(**options)["requests"] for _call in range(2))
    # nodes of others may come and go meanwhile
    possible = range(min(before, pages(admin)), max(before, pages(admin)) + 1)
    assert first["list"] in possible and first["patch"] == NODES - 1
    assert second["list"] in possible and (second["get"], second["patch"], second["throttled"]) == (0, 0, 0)
    label(**options, state="absent")
    assert all("example.org/x" not in admin.read_node(name).metadata.labels for name in names)


def test_gfd_keeps_its_labels(admin: Api, names: list[str]) -> None:
    product, nfd = "nvidia.com/gpu.product", "nfd.node.kubernetes.io/feature-labels"
    theirs_now = {"labels": {product: "A-SHARED"}, "annotations": {nfd: product}}
    admin.patch_node(names[1], {"metadata": theirs_now})
    options = {"owner": "kubegpu.io", "leave_to": [nfd]}
    result = label(nodes=[{"name": names[1], "labels": {product: "A", "gpu": True}}], **options)
    assert result["nodes"][names[1]]["left_to_others"] == [product]
    label(nodes=[{"name": names[1]}], state="absent", **options)
    assert admin.read_node(names[1]).metadata.labels == {"zone": "a", product: "A-SHARED"}


def test_missing_nodes_are_named_and_the_others_done(admin: Api, names: list[str]) -> None:
    result = label(nodes=[{"name": name, "labels": {"example.org/m": "1"}} for name in ("nowhere", names[2])])
    assert "Not in the cluster" in result["msg"]
    assert (result["missing"], result["changed"]) == (["nowhere"], True)
    assert admin.read_node(names[2]).metadata.labels["example.org/m"] == "1"


def test_reading_all_nodes(names: list[str]) -> None:
    result = label(state="present")  # ad hoc, no option at all would be a free-form "{}"
    assert set(names) <= set(result["nodes"])
    assert not result["changed"]
    assert result["requests"]["patch"] == 0


def test_what_we_accept_the_server_accepts_too(admin: Api, names: list[str]) -> None:
    odd = {"a.b-c.d/" + "x" * 63: "y" * 63, "A_b.c-1": "", "n": "0.5"}
    annotations = {"Example.com/Owner": "any text: ü\n"}
    wish = {"name": names[3], "labels": odd, "annotations": annotations}
    label(nodes=[wish])
    metadata = admin.read_node(names[3]).metadata
    assert metadata.labels == {"zone": "a", **odd}
    assert metadata.annotations["Example.com/Owner"] == annotations["Example.com/Owner"]
    label(nodes=[wish], state="absent")
    assert admin.read_node(names[3]).metadata.labels == {"zone": "a"}


def changed_kubeconfig(tmp_path: Path, **user: str) -> str:
    """The kubeconfig of the tests with other credentials."""
    text = subprocess.run(
        ["kubectl", "config", "view", "--raw", "--flatten", "--minify", "--output", "json"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    document = json.loads(text)
    document["users"][0]["user"] = user
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(document))
    return str(path)


def test_a_stranger_is_told_what_is_wrong(tmp_path: Path, names: list[str]) -> None:
    result = label(kubeconfig=changed_kubeconfig(tmp_path, token="nonsense"))
    assert "(401)" in result["msg"]
    assert "does not accept the credentials" in result["msg"]
    assert "nonsense" not in json.dumps(result)


def test_somebody_without_the_right_is_told_which(tmp_path: Path, names: list[str]) -> None:
    """system:anonymous may not list nodes."""
    result = label(kubeconfig=changed_kubeconfig(tmp_path))
    assert 'User "system:anonymous" cannot list resource "nodes"' in result["msg"]
    assert "playbooks/files/rbac.yml of this collection grants" in result["msg"]


def test_an_unknown_context(names: list[str]) -> None:
    assert "has no context 'nowhere'; it has " in label(context="nowhere")["msg"]
