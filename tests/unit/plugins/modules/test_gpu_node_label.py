# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gpu_node_label against a cluster in memory that merges, guards and counts as a real one does."""

from __future__ import annotations

import collections
import copy
import io
import json
import threading
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils import basic
from ansible_collections.kubegpu.nodes.plugins.doc_fragments._kubeconfig import ModuleDocFragment
from ansible_collections.kubegpu.nodes.plugins.module_utils import _cluster
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.modules import gpu_node_label

OWNED = "kubegpu.io/owned-labels"
TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


class FakeCluster:
    """Nodes in a dictionary; ``meddle`` is called before each patch and may do what other people do."""

    server = "https://api:6443"

    def __init__(self, *names: str, meddle: t.Callable[[FakeCluster, str], None] | None = None, **labels: str) -> None:
        self.objects: dict[str, dict[str, t.Any]] = {
            name: {"metadata": {"name": name, "resourceVersion": "1", "labels": dict(labels)}, "spec": {}}
            for name in names
        }
        self.requests = collections.Counter(list=0, get=0, patch=0)
        self.meddle = meddle
        self.lock = threading.Lock()

    def nodes(self, page_size: int, name: str = "") -> t.Iterator[dict[str, t.Any]]:
        found = [each for key, each in self.objects.items() if name in ("", key)]
        self.requests["list"] += max(1, -(-len(found) // page_size))
        return iter(copy.deepcopy(found))

    def node(self, name: str) -> dict[str, t.Any]:
        with self.lock:
            self.requests["get"] += 1
            if name not in self.objects:
                raise _cluster.NotFoundError("gone (404)")
            return copy.deepcopy(self.objects[name])

    def patch_node(self, name: str, body: dict[str, t.Any]) -> None:
        with self.lock:
            self.requests["patch"] += 1
            if self.meddle:
                self.meddle(self, name)
            if name not in self.objects:
                raise _cluster.NotFoundError("gone (404)")
            current = self.objects[name]
            metadata = body.get("metadata", {})
            if metadata.get("resourceVersion", current["metadata"]["resourceVersion"]) != self.version(name):
                raise _cluster.ConflictError("somebody was faster (409)")
            for kind in ("labels", "annotations"):
                merged = {**current["metadata"].get(kind, {}), **metadata.get(kind, {})}
                current["metadata"][kind] = {key: value for key, value in merged.items() if value is not None}
            if "spec" in body:
                current["spec"]["taints"] = body["spec"]["taints"] or []
            self.touch(name)

    def version(self, name: str) -> str:
        return t.cast(str, self.objects[name]["metadata"]["resourceVersion"])

    def touch(self, name: str) -> None:
        self.objects[name]["metadata"]["resourceVersion"] = str(int(self.version(name)) + 1)

    def labels(self, name: str) -> dict[str, str]:
        return t.cast("dict[str, str]", self.objects[name]["metadata"]["labels"])


def params(*nodes: dict[str, t.Any], **others: t.Any) -> dict[str, t.Any]:
    """Module parameters as AnsibleModule hands them over."""
    filled = [{"labels": {}, "annotations": {}, "taints": [], "keep": [], **node} for node in nodes]
    defaults = {name: spec.get("default") for name, spec in gpu_node_label.ARGUMENT_SPEC.items()}
    return {**defaults, "nodes": filled or None, "owner": "kubegpu.io", **others}


def run(
    parameters: dict[str, t.Any], cluster: FakeCluster, check_mode: bool = False
) -> tuple[dict[str, t.Any], dict[str, int]]:
    """The result without the request counts, and the counts."""
    before = collections.Counter(cluster.requests)
    result = gpu_node_label.run(parameters, t.cast(t.Any, cluster), check_mode)
    result.pop("requests")
    return result, {verb: cluster.requests[verb] - before[verb] for verb in cluster.requests}


def twelve_runs() -> list[tuple[str, dict[str, t.Any], dict[str, str]]]:
    """Create, modify and delete, and the labels that each leaves."""
    return [
        ("create", params({"name": "n1", "labels": {"gpu": True}, "taints": [TAINT]}), {"zone": "a", "gpu": "true"}),
        ("modify", params({"name": "n1", "labels": {"gpu": 8}}), {"zone": "a", "gpu": "8"}),
        ("delete", params({"name": "n1"}, state="absent"), {"zone": "a"}),
    ]


def test_the_twelve_runs() -> None:
    cluster = FakeCluster("n1", "n2", zone="a")
    for step, parameters, labels in twelve_runs():
        untouched = copy.deepcopy(cluster.objects)
        preview, sent = run(parameters, cluster, check_mode=True)
        assert preview["changed"], step
        assert (sent["patch"], cluster.objects) == (0, untouched)
        real, sent = run(parameters, cluster)
        assert real == preview, step
        assert sent == {"list": 1, "get": 0, "patch": 1}
        assert cluster.labels("n1") == labels
        for check_mode in (True, False):
            again, sent = run(parameters, cluster, check_mode)
            assert not again["changed"], step
            assert again["diff"] == {"before": {}, "after": {}}
            assert sent == {"list": 1, "get": 0, "patch": 0}
    assert cluster.labels("n2") == {"zone": "a"}
    assert cluster.objects["n1"]["spec"]["taints"] == []


def test_the_diff_names_the_nodes_that_change_and_what_changes() -> None:
    cluster = FakeCluster("n1", "n2", gpu="0")
    result, _sent = run(params({"name": "n1", "labels": {"gpu": "1"}}, {"name": "n2", "labels": {"gpu": "0"}}), cluster)
    assert result["diff"] == {
        "before": {"n1": {"labels": {"gpu": "0"}, "annotations": {}}},
        "after": {"n1": {"labels": {"gpu": "1"}, "annotations": {OWNED: "gpu"}}},
    }
    assert [result["nodes"][name]["changed"] for name in ("n1", "n2")] == [True, False]


def test_a_thousand_nodes_of_which_ten_differ() -> None:
    names = [f"n{number}" for number in range(1000)]
    cluster = FakeCluster(*names, gpu="1")
    for name in names[:10]:
        cluster.labels(name)["gpu"] = "0"
    wanted = params(*({"name": name, "labels": {"gpu": "1"}} for name in names), owner="")
    result, sent = run(wanted, cluster)
    assert sent == {"list": 2, "get": 0, "patch": 10}
    assert sorted(name for name, node in result["nodes"].items() if node["changed"]) == sorted(names[:10])
    assert run(wanted, cluster)[1] == {"list": 2, "get": 0, "patch": 0}


def test_reading_needs_no_wish() -> None:
    cluster = FakeCluster("n1", "n2")
    cluster.objects["n1"]["status"] = {"allocatable": {"nvidia.com/gpu": "8"}}
    result, sent = run(params(owner=""), cluster)
    assert (result["changed"], sent["patch"]) == (False, 0)
    assert result["nodes"]["n1"]["allocatable"] == {"nvidia.com/gpu": "8"}
    assert set(result["nodes"]) == {"n1", "n2"}


def test_with_no_nodes_named_nothing_is_removed_anywhere() -> None:
    cluster = FakeCluster("n1", gpu="1")
    cluster.objects["n1"]["metadata"]["annotations"] = {OWNED: "gpu"}
    for state in ("present", "absent"):
        result, sent = run(params(state=state, purge_prefixes=["g"]), cluster)
        assert (result["changed"], sent["patch"]) == (False, 0)
    assert run({**params(state="absent"), "nodes": []}, cluster)[0]["nodes"] == {}
    assert cluster.labels("n1") == {"gpu": "1"}


def test_missing_nodes_are_named_and_the_others_done() -> None:
    cluster = FakeCluster("n1")
    wanted = params(*({"name": name, "labels": {"gpu": "1"}} for name in ("x2", "n1", "x1")))
    for check_mode in (True, False):
        result, _sent = run(wanted, cluster, check_mode)
        assert result["changed"]
        assert result["missing"] == ["x1", "x2"]
        assert "Not in the cluster at https://api:6443: x1, x2." in result["msg"]
        assert "The other nodes (1) are not affected." in result["msg"]
    assert cluster.labels("n1") == {"gpu": "1"}


def test_a_node_that_goes_away_under_our_hands_is_missing() -> None:
    cluster = FakeCluster("n1", meddle=lambda it, name: it.objects.clear())
    result, _sent = run(params({"name": "n1", "labels": {"gpu": "1"}}), cluster)
    assert (result["missing"], result["nodes"], result["changed"]) == (["n1"], {}, False)


def test_a_conflict_is_decided_anew() -> None:
    """Somebody else's taint, put there between our reading and our writing, survives."""

    def meddle(it: FakeCluster, name: str) -> None:
        it.objects[name]["spec"]["taints"] = [{"key": "theirs", "effect": "NoExecute"}]
        it.touch(name)
        it.meddle = None

    cluster = FakeCluster("n1", meddle=meddle)
    result, sent = run(params({"name": "n1", "taints": [TAINT]}), cluster)
    assert sent == {"list": 1, "get": 1, "patch": 2}
    assert [taint["key"] for taint in cluster.objects["n1"]["spec"]["taints"]] == ["theirs", "nvidia.com/gpu"]
    assert result["nodes"]["n1"]["taints"] == cluster.objects["n1"]["spec"]["taints"]


def test_a_conflict_after_which_nothing_is_left_to_do() -> None:
    def meddle(it: FakeCluster, name: str) -> None:
        it.labels(name)["gpu"] = "1"
        it.touch(name)

    cluster = FakeCluster("n1", meddle=meddle)
    result, sent = run(params({"name": "n1", "labels": {"gpu": "1"}}), cluster)
    assert (result["changed"], sent) == (False, {"list": 1, "get": 1, "patch": 1})
    assert "msg" not in result


def test_a_conflict_without_end_is_a_failure() -> None:
    cluster = FakeCluster("n1", meddle=lambda it, name: it.touch(name))
    result, sent = run(params({"name": "n1", "labels": {"gpu": "1"}}), cluster)
    assert sent["patch"] == gpu_node_label.CONFLICTS
    assert result["msg"] == "Not changed: n1. somebody was faster (409)"
    assert (result["changed"], result["nodes"]["n1"]["labels"]) == (False, {})


def test_once_denied_the_rest_is_not_tried() -> None:
    def deny(it: FakeCluster, name: str) -> None:
        raise _cluster.DeniedError("You may not (403).")

    names = [f"n{number}" for number in range(30)]
    cluster = FakeCluster(*names, meddle=deny)
    result, sent = run(params(*({"name": name, "labels": {"gpu": "1"}} for name in names), workers=1), cluster)
    assert sent["patch"] == 1
    assert len(result["refused"]) == 30
    assert result["msg"].endswith(" and 10 more. You may not (403).")
    assert result["msg"].count("You may not") == 1


def test_one_bad_node_does_not_stop_the_others() -> None:
    def refuse(it: FakeCluster, name: str) -> None:
        if name == "n2":
            raise KubeGpuError("A webhook says no (400).")

    cluster = FakeCluster("n1", "n2", "n3", meddle=refuse)
    wanted = params(*({"name": name, "labels": {"gpu": "1"}} for name in ("n1", "n2", "n3")))
    result, _sent = run(wanted, cluster)
    assert result["refused"] == {"n2": "A webhook says no (400)."}
    assert [cluster.labels(name) for name in ("n1", "n2", "n3")] == [{"gpu": "1"}, {}, {"gpu": "1"}]
    assert result["changed"]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (params({"name": "n1", "labels": {"a b": "c d"}}), "label 'a b' is not valid"),
        (params({"name": "n1"}, {"name": "n1"}), "node n1 is named twice"),
        (params({"name": "n1"}, purge_prefixes=[""]), "an empty purge prefix would remove every label"),
        (params({"name": "n1"}, owner="Not a name"), "owner 'Not a name' is not a lower-case DNS name"),
        (params({"name": "n1"}, workers=0), "workers must be at least 1"),
        (params({"name": "n1"}, page_size=0), "page_size must be at least 1"),
    ],
)
def test_what_is_wrong_is_refused_before_any_request(parameters: dict[str, t.Any], said: str) -> None:
    cluster = FakeCluster("n1")
    with pytest.raises(KubeGpuError, match="Nothing was changed: ") as caught:
        run(parameters, cluster)
    assert said in str(caught.value)
    assert sum(cluster.requests.values()) == 0


# ---- main(): what reaches a person


def play(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **options: t.Any) -> dict[str, t.Any]:
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {"_ansible_remote_tmp": "/tmp", **options}}).encode()
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", arguments)
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(SystemExit):
        gpu_node_label.main()
    return t.cast("dict[str, t.Any]", json.loads(capsys.readouterr().out))


def test_main_without_the_client(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(_cluster, "KUBERNETES_IMPORT_ERROR", "Traceback ...")
    result = play(monkeypatch, capsys)
    assert result["failed"]
    assert "Python library (kubernetes)" in result["msg"]


def test_main_without_a_kubeconfig(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    result = play(monkeypatch, capsys, kubeconfig="/nowhere/config")
    assert result["msg"].startswith("There is no kubeconfig at /nowhere/config")


def test_main_says_what_is_wrong_in_the_call_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = play(monkeypatch, capsys, kubeconfig="/nowhere/config", nodes=[{"name": "n1", "labels": {"a b": "1"}}])
    assert "label 'a b' is not valid" in result["msg"]


@pytest.mark.parametrize(("name", "failed"), [("n1", False), ("n2", True)])
def test_main_with_a_cluster(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, failed: bool
) -> None:
    config = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://api:6443"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    monkeypatch.setattr(_cluster, "connect", lambda access, workers: FakeCluster("n1"))
    nodes = [{"name": name, "labels": {"gpu": True}}]
    result = play(monkeypatch, capsys, kubeconfig=str(tmp_path / "config"), nodes=nodes)
    assert result.get("failed", False) is failed
    assert result["changed"] is not failed
    assert result["missing"] == (["n2"] if failed else [])


def test_documented_options_are_the_real_ones() -> None:
    documented = yaml.safe_load(gpu_node_label.DOCUMENTATION)["options"]
    documented.update(yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"])
    compare(documented, gpu_node_label.ARGUMENT_SPEC)


def compare(documented: dict[str, t.Any], spec: dict[str, t.Any]) -> None:
    assert set(documented) == set(spec)
    for name, option in documented.items():
        for field in ("type", "default", "choices", "elements", "required"):
            assert option.get(field) == spec[name].get(field), (name, field)
        if "suboptions" in option:
            compare(option["suboptions"], spec[name]["options"])
