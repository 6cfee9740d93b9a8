# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to this collection: the cluster's API through the official Python client; sends and reads, decides nothing.

The client's typed calls are asked for the raw answer: building its model objects for 1,000 nodes takes seconds.
"""

from __future__ import annotations

import collections
import json
import random
import threading
import time
import traceback
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._kubeconfig import Access, unusable

KUBERNETES_IMPORT_ERROR: str | None = None
try:
    import urllib3
    from kubernetes import client, config
except ImportError:
    KUBERNETES_IMPORT_ERROR = traceback.format_exc()

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIELD_MANAGER = "kubegpu.nodes"
RBAC = "playbooks/files/rbac.yml of this collection"

_TIMEOUT = (10, 60)  # seconds to connect, and to wait for an answer
_ATTEMPTS = 8  # at an API server that answers 429, about 30 seconds in all
_LONGEST_PAUSE = 10.0


class ConflictError(KubeGpuError):
    """The object has changed since it was read (409)."""


class NotFoundError(KubeGpuError):
    """There is no such object (404)."""


class DeniedError(KubeGpuError):
    """The API server knows us not, or does not allow it (401, 403)."""


class Cluster:
    """The Node objects of one cluster; safe to use from several threads."""

    def __init__(self, api: t.Any, access: Access, sleep: Callable[[float], None] = time.sleep) -> None:
        self._api = api
        self._access = access
        self._sleep = sleep
        self._lock = threading.Lock()
        self._requests: collections.Counter[str] = collections.Counter()

    @property
    def server(self) -> str:
        return self._access.server

    @property
    def requests(self) -> dict[str, int]:
        """How many requests were sent, by verb; ``throttled`` are those of them that were answered with 429."""
        return {verb: self._requests[verb] for verb in ("list", "get", "patch", "throttled")}

    def nodes(self, page_size: int, name: str = "") -> Iterator[dict[str, t.Any]]:
        """All nodes, page by page; or the one of this name, if it is there."""
        query: dict[str, t.Any] = {"limit": page_size}
        if name:
            query["field_selector"] = f"metadata.name={name}"
        while True:
            page = self._send("list", self._api.list_node, **query)
            yield from page.get("items") or []
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return
            query["_continue"] = more

    def node(self, name: str) -> dict[str, t.Any]:
        return self._send("get", self._api.read_node, name=name)

    def patch_node(self, name: str, body: dict[str, t.Any]) -> dict[str, t.Any]:
        """Merge ``body`` (RFC 7386) into the node; ConflictError if it names a resourceVersion that is past."""
        return self._send("patch", self._api.patch_node, name=name, body=body, field_manager=FIELD_MANAGER)

    def _send(self, verb: str, call: Callable[..., t.Any], **query: t.Any) -> dict[str, t.Any]:
        for attempt in range(_ATTEMPTS):
            status, headers, body = self._answer(verb, call, query)
            if status != 429:
                break
            with self._lock:
                self._requests["throttled"] += 1
            self._sleep(pause(attempt, headers))
        if not 200 <= status <= 299:
            raise _refusal(verb, status, body, self._access)
        return t.cast("dict[str, t.Any]", json.loads(body))

    def _answer(
        self, verb: str, call: Callable[..., t.Any], query: dict[str, t.Any]
    ) -> tuple[int, t.Mapping[str, str], bytes]:
        """Status, headers and body; older clients raise for a bad status, newer ones hand the answer over."""
        with self._lock:
            self._requests[verb] += 1
        try:
            response = call(_preload_content=False, _request_timeout=_TIMEOUT, **query)
            return response.status, response.headers, response.data
        except client.ApiException as exc:
            if not exc.status:  # that is how the client wraps an error of TLS
                raise self._unreachable(exc) from exc
            return exc.status, exc.headers or {}, _bytes(exc.body)
        except urllib3.exceptions.HTTPError as exc:
            raise self._unreachable(exc) from exc
        except AttributeError as exc:  # client 36.0 stumbles over its own error of TLS, which has no body to decode
            if not isinstance(exc.__context__, client.ApiException):
                raise
            raise self._unreachable(exc) from exc

    def _unreachable(self, exc: BaseException) -> KubeGpuError:
        return KubeGpuError(f"The API server {self.server} cannot be reached: {in_words(exc)}.")


def connect(access: Access, pool_size: int) -> Cluster:
    """A cluster for what a kubeconfig says. No request is sent yet."""
    settings = client.Configuration()
    try:
        load: Callable[..., None] = config.load_kube_config  # it has no types of its own
        load(config_file=access.path, context=access.context, client_configuration=settings, persist_config=False)
    except (config.ConfigException, OSError, ValueError, KeyError, TypeError) as exc:
        raise unusable(access.path, exc) from exc
    settings.retries = False  # one place retries, _send(), and it knows what for
    settings.connection_pool_maxsize = pool_size
    # Both generations of the client let a default header win over the content type they would choose themselves.
    api = client.ApiClient(settings, "Content-Type", "application/merge-patch+json")
    return Cluster(client.CoreV1Api(api), access)


def pause(attempt: int, headers: t.Mapping[str, str]) -> float:
    """Seconds to wait after a 429: as the server asks, else doubling from a quarter; spread, so that threads part."""
    asked = headers.get("Retry-After") or ""
    seconds = float(asked) if asked.isdigit() else 0.25 * 2**attempt
    return min(seconds, _LONGEST_PAUSE) * random.uniform(1.0, 1.25)


def in_words(exc: BaseException) -> str:
    """Why a connection failed, for a person; the innermost cause says most."""
    chain: list[BaseException] = []
    cause: BaseException | None = exc
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = (
            getattr(cause, "reason", None)
            if isinstance(getattr(cause, "reason", None), BaseException)
            else (cause.__cause__ or cause.__context__)
        )
    text = " ".join(f"{type(each).__name__} {each}" for each in chain)
    for sign, words in _REASONS:
        if sign in text:
            return words
    return getattr(chain[-1], "strerror", None) or type(chain[-1]).__name__


_REASONS = (
    ("certificate has expired", "its certificate has expired"),
    ("IP address mismatch", "its certificate is for another address"),
    ("Hostname mismatch", "its certificate is for another name"),
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not signed by the authority that the kubeconfig names"),
    ("WRONG_VERSION_NUMBER", "it does not speak TLS on this port"),
    ("record layer failure", "it does not speak TLS on this port"),
    ("ProxyError", "the proxy does not let the connection through"),
    ("NameResolutionError", "its name cannot be resolved"),
    ("gaierror", "its name cannot be resolved"),
    ("ConnectionRefusedError", "the connection was refused, nothing listens there"),
    ("ConnectTimeoutError", f"no answer to the connection within {_TIMEOUT[0]} seconds"),
    ("ReadTimeoutError", f"no answer to a request within {_TIMEOUT[1]} seconds"),
    ("No route to host", "there is no route to it"),
    ("Network is unreachable", "its network cannot be reached from here"),
    ("ConnectionResetError", "it closed the connection"),
    ("RemoteDisconnected", "it closed the connection"),
)


def _refusal(verb: str, status: int, body: bytes, access: Access) -> KubeGpuError:
    said = _message(body)
    who = f"user '{access.user}' of context '{access.context}' in {access.path}"
    if status == 401:
        return DeniedError(
            f"The API server {access.server} does not accept the credentials of {who} (401): "
            "they are missing, expired or those of another cluster."
        )
    if status == 403:
        return DeniedError(
            f"The API server {access.server} does not allow {who} to {verb} nodes (403): {said}. "
            f"{RBAC} grants the rights that are needed."
        )
    kind = {404: NotFoundError, 409: ConflictError}.get(status, KubeGpuError)
    if status == 429:
        said = f"it is overloaded and asked {_ATTEMPTS} times to wait"
    return kind(f"The API server {access.server} refused to {verb} nodes ({status}): {said}.")


def _message(body: bytes) -> str:
    """The server's own words out of a v1 Status, or the beginning of whatever it sent."""
    try:
        said = json.loads(body).get("message") or ""
    except (ValueError, AttributeError):
        said = body[:200].decode(errors="replace").strip()
    return str(said).rstrip(".") or "it gave no reason"


def _bytes(body: t.Any) -> bytes:
    return body if isinstance(body, bytes) else str(body or "").encode()
