# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions on files of others decide beside the merges; the fake host counts who asks it."""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t

import pytest
from ansible_collections.kubegpu.nodes.plugins.action import kubelet_config, runtime_config
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._config_action import diff_of, proven

TEXT = "kind: KubeletConfiguration\n"
SHA256 = hashlib.sha256(TEXT.encode()).hexdigest()


class Host(kubelet_config.ActionModule):
    """A host with one file, or none."""

    def __init__(self, content: bytes | None) -> None:
        self.content = content
        self.asked: list[str] = []

    def _execute_remote_stat(self, path: str, **options: t.Any) -> dict[str, t.Any]:
        self.asked.append("stat")
        return {"exists": self.content is not None}

    def _execute_module(self, module_name: str, module_args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        self.asked.append(module_name)
        return {"content": base64.b64encode(self.content or b"").decode()}

    def text(self, known: str | None, sha256: str | None) -> str | None:
        return self._text({"path": "/x", "known_text": known, "known_sha256": sha256}, {})


def test_a_known_text_with_its_digest_asks_nobody() -> None:
    host = Host(b"something else by now, but facts are one moment")
    assert host.text(TEXT, SHA256) == TEXT and host.asked == []


@pytest.mark.parametrize("known, sha256", [(None, None), (TEXT, None), (TEXT, "0" * 64), (None, SHA256), ("", None)])
def test_what_is_not_proven_is_read(known: str | None, sha256: str | None) -> None:
    host = Host(b"there: 1\n")
    assert not proven(known, sha256)
    assert host.text(known, sha256) == "there: 1\n" and host.asked == ["stat", "ansible.builtin.slurp"]


def test_a_missing_file_is_none() -> None:
    assert Host(None).text(None, None) is None


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(KubeGpuError, match="not UTF-8"):
        Host(b"\xff").text(None, None)


def test_credentials_are_not_shown() -> None:
    before = '[plugins.x.auth]\npassword = "secret"\n'
    shown = diff_of("/x", before, before + "new\n", ["why"], runtime_config.ActionModule.SECRET)
    assert "secret" not in str(shown) and "why" in shown["prepared"]
    assert diff_of("/x", "a\n", "b\n", [], re.compile("password"))["after"] == "b\n"


ARGUMENTS: dict[str, t.Any] = {"config": {}, "feature_gates": {}, "topology_manager_policy": None}


def test_three_ways_to_wish_are_one_wish() -> None:
    wish = kubelet_config.wished(
        {
            "config": {"maxPods": 5, "featureGates": {"A": True}},
            "feature_gates": {"A": True, "B": False},
            "topology_manager_policy": "restricted",
        }
    )
    assert wish == {"maxPods": 5, "featureGates": {"A": True, "B": False}, "topologyManagerPolicy": "restricted"}
    assert kubelet_config.wished(ARGUMENTS) == {"featureGates": {}}


def test_wishes_that_contradict_each_other_are_all_named() -> None:
    arguments = {
        "config": {"featureGates": {"A": True}, "topologyManagerPolicy": "none"},
        "feature_gates": {"A": False},
        "topology_manager_policy": "restricted",
    }
    with pytest.raises(KubeGpuError, match=r"featureGates\.A, topologyManagerPolicy is wished for twice"):
        kubelet_config.wished(arguments)


HEALTH = {
    "as it is": ({}, "http://127.0.0.1:10248/healthz"),
    "elsewhere": ({"healthzBindAddress": "::1", "healthzPort": 99}, "http://[::1]:99/healthz"),
    "switched off": ({"healthzPort": 0}, None),
}


@pytest.mark.parametrize("config, url", HEALTH.values(), ids=HEALTH.keys())
def test_where_a_kubelet_says_that_it_is_well(config: dict[str, t.Any], url: str | None) -> None:
    assert kubelet_config.health_url(config) == url
