# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A KubeletConfiguration: tables for the decisions, hypothesis for what strangers wrote."""

from __future__ import annotations

import io
import typing as t

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._merge.kubelet import merge, read
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

# As kubeadm 1.36 writes it, shortened, with comments of a person.
KUBEADM = """apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: false
  webhook:
    cacheTTL: 0s   # kubeadm's
    enabled: true
cgroupDriver: systemd
# the cluster's DNS
clusterDNS:
- 10.96.0.10
clusterDomain: cluster.local
containerRuntimeEndpoint: ""
cpuManagerReconcilePeriod: 0s # as it was
featureGates:
    # ours
    NodeSwap: true
    KubeletPSI: false
kind: KubeletConfiguration
logging:
  flushFrequency: 0
  options:
    json:
      infoBufferSize: "0"
memorySwap: {}
topologyManagerScope: null
"""

WISHES: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
    # name: (wish, what must be there then)
    "a new key": ({"topologyManagerPolicy": "best-effort"}, {"topologyManagerPolicy": "best-effort"}),
    "another value": ({"cgroupDriver": "cgroupfs"}, {"cgroupDriver": "cgroupfs"}),
    "beside a comment": ({"cpuManagerReconcilePeriod": "5s"}, {"cpuManagerReconcilePeriod": "5s"}),
    "one gate of three": (
        {"featureGates": {"KubeletPSI": True}},
        {"featureGates": {"NodeSwap": True, "KubeletPSI": True}},
    ),
    "a new gate": (
        {"featureGates": {"ResourceHealthStatus": True}},
        {"featureGates": {"NodeSwap": True, "KubeletPSI": False, "ResourceHealthStatus": True}},
    ),
    "a list": ({"clusterDNS": ["10.0.0.1", "10.0.0.2"]}, {"clusterDNS": ["10.0.0.1", "10.0.0.2"]}),
    "deep": (
        {"authentication": {"webhook": {"enabled": False}}},
        {"authentication": {"anonymous": {"enabled": False}, "webhook": {"cacheTTL": "0s", "enabled": False}}},
    ),
    "a key with dots": ({"evictionHard": {"memory.available": "1Gi"}}, {"evictionHard": {"memory.available": "1Gi"}}),
    "into an empty mapping": ({"memorySwap": {"swapBehavior": "NoSwap"}}, {"memorySwap": {"swapBehavior": "NoSwap"}}),
    "over null": ({"topologyManagerScope": "pod"}, {"topologyManagerScope": "pod"}),
    "a list of mappings": (
        {"reservedMemory": [{"numaNode": 0, "limits": {"memory": "1Gi"}}]},
        {"reservedMemory": [{"numaNode": 0, "limits": {"memory": "1Gi"}}]},
    ),
    "two at once": ({"maxPods": 200, "podsPerCore": 0}, {"maxPods": 200, "podsPerCore": 0}),
}


@pytest.mark.parametrize("wish, wanted", WISHES.values(), ids=WISHES.keys())
def test_merge_once_and_take_back(wish: dict[str, t.Any], wanted: dict[str, t.Any]) -> None:
    first = merge(KUBEADM, wish)
    assert first.changed and first.effective and len(first.reasons) >= 1
    assert read(first.text) == {**read(KUBEADM), **wanted}
    again = merge(first.text, wish)
    assert again == again._replace(text=first.text, changed=False, effective=False, reasons=[])
    back = merge(first.text, {})
    assert read(back.text) == read(KUBEADM) or wish.keys() == {
        "memorySwap"
    }  # an empty mapping says nothing to a kubelet
    assert "kubegpu" not in back.text


@pytest.mark.parametrize("name", [name for name in WISHES if name != "into an empty mapping"])
def test_taken_back_to_the_byte(name: str) -> None:
    for text in (KUBEADM, KUBEADM.replace("\n", "\r\n")):
        assert merge(merge(text, WISHES[name][0]).text, {}).text == text


def test_what_is_so_already_is_left_alone() -> None:
    assert not merge(
        KUBEADM, {"cgroupDriver": "systemd", "featureGates": {"NodeSwap": True}, "maxPods": None, "x": {}}
    ).changed


def test_only_the_lines_of_the_key_change() -> None:
    made = merge(KUBEADM, {"cpuManagerReconcilePeriod": "5s"}).text
    assert made == KUBEADM.replace(
        "cpuManagerReconcilePeriod: 0s # as it was\n",
        '# kubegpu.nodes set ["cpuManagerReconcilePeriod"] to "5s" (before: "0s")\n'
        "cpuManagerReconcilePeriod: 5s # as it was\n",
    )


def test_a_wish_that_changes_keeps_what_was_first() -> None:
    one = merge(KUBEADM, {"maxPods": 100, "cgroupDriver": "cgroupfs"})
    two = merge(one.text, {"maxPods": 120})
    assert read(two.text) == {**read(KUBEADM), "maxPods": 120}
    assert "to 120 (before: unset)" in two.text and merge(two.text, {}).text == KUBEADM


def test_somebody_elses_later_change_is_theirs() -> None:
    made = merge(KUBEADM, {"maxPods": 100}).text.replace("maxPods: 100", "maxPods: 90")
    left = merge(made, {})
    assert read(left.text)["maxPods"] == 90 and "left so" in left.reasons[0] and not left.effective
    again = merge(made, {"maxPods": 100})
    assert read(merge(again.text, {}).text)["maxPods"] == 90, "what is taken back is what was there before this wish"


def test_a_broken_memory_is_a_comment() -> None:
    text = KUBEADM + "# kubegpu.nodes set [broken\nmaxPods: 5\n"
    assert merge(text, {}).text == text


def test_more_documents_markers_and_no_last_newline() -> None:
    text = "---\nkind: KubeletConfiguration\nmaxPods: 5\n...\n"
    made = merge(text, {"podsPerCore": 3})
    assert read(made.text)["podsPerCore"] == 3 and merge(made.text, {}).text == text
    assert read(merge(text.replace("\n...\n", ""), {"podsPerCore": 3}).text)["podsPerCore"] == 3


REFUSED = {
    "not YAML": ("kind: [\n", {}, ["line 2", "nothing was touched"]),
    "a tab": ("kind: KubeletConfiguration\n\tmaxPods: 1\n", {}, ["line 2"]),
    "a key twice": ("kind: KubeletConfiguration\nmaxPods: 1\nmaxPods: 2\n", {}, ["line 3", "duplicate"]),
    "JSON": ('{"kind": "KubeletConfiguration"}', {"maxPods": 1}, ["JSON", "block YAML"]),
    "empty": ("", {}, ["0 YAML documents"]),
    "two documents": ("kind: KubeletConfiguration\n---\nkind: X\n", {}, ["2 YAML documents"]),
    "another kind": ("kind: ClusterConfiguration\n", {}, ["ClusterConfiguration"]),
    "a scalar in the way": (
        "kind: KubeletConfiguration\nfeatureGates: 5\n",
        {"featureGates": {"A": True}},
        ["featureGates: 5"],
    ),
    "an alias": ("kind: KubeletConfiguration\na: &x {b: 1}\nc: *x\n", {"c": {"d": 1}}, ["line 3", "anchor"]),
}


@pytest.mark.parametrize("text, wish, words", REFUSED.values(), ids=REFUSED.keys())
def test_refused(text: str, wish: dict[str, t.Any], words: list[str]) -> None:
    with pytest.raises(KubeGpuError) as refusal:
        merge(text, wish)
    assert [word for word in words if word not in str(refusal.value)] == []


WORDS = st.text("abcxyzABC", min_size=1, max_size=5)
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-99, 99),
    st.sampled_from(["0s", "1Gi", "yes", "null", "~", "1:30", "a: b", "# no", " x", "ü", ""]),
)
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=3),
    st.dictionaries(WORDS, st.one_of(SCALARS, st.lists(SCALARS, max_size=2)), min_size=1, max_size=3),
)
CONFIGS = st.dictionaries(WORDS, VALUES, max_size=5)


def written(config: dict[str, t.Any]) -> str:
    """Each key with a comment of its own, by somebody else's writer."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    parts = ["kind: KubeletConfiguration\n"]
    for key, value in config.items():
        out = io.StringIO()
        yaml.dump({key: value}, out)
        parts.append(f"# about {key}\n{out.getvalue()}")
    return "".join(parts)


@settings(deadline=None)
@given(CONFIGS, CONFIGS)
def test_what_strangers_wrote_stays(config: dict[str, t.Any], wish: dict[str, t.Any]) -> None:
    text = written(config)
    try:
        made = merge(text, wish)
    except KubeGpuError as refusal:
        assert "is wished for" in str(refusal)  # a scalar stands where a mapping is wished for
        return
    assert not merge(made.text, wish).changed
    assert [key for key in config if f"# about {key}\n" not in made.text] == []
    untouched = {key: value for key, value in config.items() if key not in wish}
    assert {key: value for key, value in read(made.text).items() if key in untouched} == untouched
    assert read(merge(made.text, {}).text) == read(text)
