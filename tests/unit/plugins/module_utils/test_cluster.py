# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The adapter: pages, counts, back-off, and failures in words; against answers as urllib3 gives them."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import MappingProxyType

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils import _cluster, _kubeconfig
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from kubernetes.client import ApiException

ACCESS = _kubeconfig.Access("/home/me/.kube/config", "prod", "https://api:6443", "me")


class Answer(t.NamedTuple):
    status: int
    data: bytes
    headers: t.Mapping[str, str] = MappingProxyType({})


def ok(**content: t.Any) -> Answer:
    return Answer(200, json.dumps(content).encode())


def status(code: int, message: str = "", **headers: str) -> Answer:
    return Answer(code, json.dumps({"kind": "Status", "message": message}).encode(), headers)


class FakeApi:
    """The client's typed calls, answering from a list and keeping what they were asked."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, t.Any]] = []

    def list_node(self, **query: t.Any) -> Answer:
        self.asked.append(query)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    read_node = patch_node = list_node


def cluster(*answers: Answer | Exception) -> tuple[_cluster.Cluster, FakeApi, list[float]]:
    api = FakeApi(*answers)
    slept: list[float] = []
    return _cluster.Cluster(api, ACCESS, slept.append), api, slept


def test_pages() -> None:
    it, api, _slept = cluster(
        ok(items=[{"a": 1}, {"a": 2}], metadata={"continue": "token"}), ok(items=[{"a": 3}], metadata={})
    )
    assert list(it.nodes(2)) == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert [each.get("_continue") for each in api.asked] == [None, "token"]
    assert all(each["limit"] == 2 and each["_preload_content"] is False for each in api.asked)
    assert it.requests == {"list": 2, "get": 0, "patch": 0, "throttled": 0}


def test_one_node_is_asked_for_by_name() -> None:
    it, api, _slept = cluster(ok(items=[]))
    assert list(it.nodes(500, "n1")) == []
    assert api.asked[0]["field_selector"] == "metadata.name=n1"


def test_waits_as_long_as_the_server_asks() -> None:
    it, _api, slept = cluster(status(429, **{"Retry-After": "2"}), status(429), ok(items=[]))
    assert list(it.nodes(500)) == []
    assert 2 <= slept[0] <= 2.5
    assert 0.5 <= slept[1] <= 0.625
    assert it.requests == {"list": 3, "get": 0, "patch": 0, "throttled": 2}


def test_an_older_client_raises_where_a_newer_one_hands_over() -> None:
    old: t.Any = ApiException(status=429)
    old.headers = {"Retry-After": "1"}
    it, _api, slept = cluster(old, ok(items=[]))
    assert list(it.nodes(500)) == []
    assert len(slept) == 1


def stumble() -> AttributeError:
    try:
        try:
            raise ApiException(status=0, reason="SSLError: CERTIFICATE_VERIFY_FAILED")
        except ApiException as error:
            t.cast(t.Any, error.body).decode()
    except AttributeError as error:
        return error
    raise AssertionError


def test_a_client_that_stumbles_over_its_own_error() -> None:
    it, _api, _slept = cluster(stumble())
    with pytest.raises(KubeGpuError, match="its certificate is not signed by the authority"):
        it.node("n1")
    it, _api, _slept = cluster(AttributeError("ours"))
    with pytest.raises(AttributeError, match="ours"):
        it.node("n1")


def test_gives_up_on_an_overloaded_server() -> None:
    it, _api, slept = cluster(*[status(429)] * 20)
    with pytest.raises(KubeGpuError, match=r"\(429\): it is overloaded and asked 8 times to wait"):
        list(it.nodes(500))
    assert len(slept) == 8
    assert sum(slept) < 45


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (401, _cluster.DeniedError, "does not accept the credentials of user 'me' of context 'prod'"),
        (
            403,
            _cluster.DeniedError,
            "does not allow user 'me' of context 'prod' in /home/me/.kube/config to patch nodes",
        ),
        (404, _cluster.NotFoundError, "(404): because"),
        (409, _cluster.ConflictError, "(409): because"),
        (422, KubeGpuError, "(422): because"),
        (500, KubeGpuError, "(500): because"),
    ],
)
def test_refusals(code: int, kind: type[KubeGpuError], said: str) -> None:
    it, _api, _slept = cluster(status(code, "because."))
    with pytest.raises(kind) as caught:
        it.patch_node("n1", {})
    assert type(caught.value) is kind
    assert said in str(caught.value)
    assert ("rbac.yml" in str(caught.value)) == (code == 403)


def test_an_answer_that_is_not_from_kubernetes() -> None:
    it, _api, _slept = cluster(Answer(502, b"<html>Bad gateway</html>"))
    with pytest.raises(KubeGpuError, match=r"\(502\): <html>Bad gateway</html>"):
        it.node("n1")


# ---- failures of a connection, as they really come about


def kubeconfig(tmp_path: Path, server: str, **cluster_settings: t.Any) -> _kubeconfig.Access:
    path = tmp_path / "config"
    path.write_text(
        json.dumps(
            {
                "current-context": "c",
                "clusters": [{"name": "c", "cluster": {"server": server, **cluster_settings}}],
                "users": [{"name": "u", "user": {"token": "s3cr3t"}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    return _kubeconfig.read(str(path), "", {})


def failure(access: _kubeconfig.Access) -> str:
    with pytest.raises(KubeGpuError) as caught:
        list(_cluster.connect(access, 1).nodes(500))
    said = str(caught.value)
    assert access.server in said
    assert "urllib3" not in said
    assert "Error" not in said
    assert "0x" not in said
    return said


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return t.cast(int, listener.getsockname()[1])


def test_nothing_listens(tmp_path: Path) -> None:
    said = failure(kubeconfig(tmp_path, f"https://127.0.0.1:{closed_port()}"))
    assert "the connection was refused, nothing listens there" in said


def test_no_such_name(tmp_path: Path) -> None:
    said = failure(kubeconfig(tmp_path, "https://no-such-name.invalid:6443"))
    assert "its name cannot be resolved" in said


class Handler(BaseHTTPRequestHandler):
    seen: t.ClassVar[list[tuple[str, str, str]]] = []

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        self.seen.append((f"{self.command} {self.path}", self.headers.get("Content-Type", ""), body))
        content = b'{"items": [{"metadata": {"name": "n1"}}]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PATCH = answer  # noqa: N815 (the names are http.server's)

    def log_message(self, *_args: t.Any) -> None:
        pass


@pytest.fixture
def http_server() -> t.Iterator[int]:
    Handler.seen.clear()
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_what_is_really_sent(tmp_path: Path, http_server: int) -> None:
    it = _cluster.connect(kubeconfig(tmp_path, f"http://127.0.0.1:{http_server}"), 2)
    assert [each["metadata"]["name"] for each in it.nodes(500)] == ["n1"]
    it.patch_node("n1", {"metadata": {"labels": {"a": None}}})
    assert Handler.seen[0][0] == "GET /api/v1/nodes?limit=500"
    assert Handler.seen[1] == (
        "PATCH /api/v1/nodes/n1?fieldManager=kubegpu.nodes",
        "application/merge-patch+json",
        '{"metadata": {"labels": {"a": null}}}',
    )


def test_no_tls_there(tmp_path: Path, http_server: int) -> None:
    said = failure(kubeconfig(tmp_path, f"https://127.0.0.1:{http_server}"))
    assert "it does not speak TLS on this port" in said


def test_an_authority_file_that_is_not_there(tmp_path: Path) -> None:
    access = kubeconfig(tmp_path, "https://127.0.0.1:1", **{"certificate-authority": "/nowhere/ca.crt"})
    with pytest.raises(KubeGpuError, match="cannot be used: File does not exist: /nowhere/ca.crt"):
        _cluster.connect(access, 1)


def test_an_authority_that_is_not_base64(tmp_path: Path) -> None:
    access = kubeconfig(tmp_path, "https://127.0.0.1:1", **{"certificate-authority-data": "%%%"})
    with pytest.raises(KubeGpuError, match="cannot be"):
        list(_cluster.connect(access, 1).nodes(1))


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("unable to get local issuer certificate", "not signed by the authority"),
        ("certificate has expired", "certificate has expired"),
        ("IP address mismatch, certificate is not valid for '10.0.0.1'.", "for another address"),
        ("Hostname mismatch, certificate is not valid for 'x'.", "for another name"),
    ],
)
def test_certificates(reason: str, said: str) -> None:
    error = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {reason}")
    assert said in _cluster.in_words(error)
