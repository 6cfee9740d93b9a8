# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to this collection: which cluster a kubeconfig leads to, and every way in which it may not.

The client's own loader answers a missing file with "No configuration found" and a YAML error with a piece of the file,
which may be a token; so the file is read here first, and only what is not secret of it is ever repeated.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError

# The kubernetes client needs PyYAML too, so that its absence is reported before this is used.
with contextlib.suppress(ImportError):
    import yaml

ARGUMENT_SPEC: dict[str, t.Any] = {
    "kubeconfig": {"type": "path", "default": ""},
    "context": {"type": "str", "default": ""},
}
DEFAULT = "~/.kube/config"
_HOW = "Name one in kubegpu_kubeconfig (the module's option kubeconfig) or in the environment variable KUBECONFIG"


class Access(t.NamedTuple):
    """What may be said of a kubeconfig's context; the credentials stay in the file."""

    path: str
    context: str
    server: str
    user: str


def find(wanted: str, environment: t.Mapping[str, str]) -> tuple[str, str]:
    """The path to use (or several, as KUBECONFIG allows) and where it comes from."""
    if wanted:
        return os.path.expanduser(wanted), "as kubegpu_kubeconfig or the option kubeconfig says"
    if environment.get("KUBECONFIG"):
        return environment["KUBECONFIG"], "as the environment variable KUBECONFIG says"
    return os.path.expanduser(DEFAULT), "the default"


def read(wanted: str, context: str, environment: t.Mapping[str, str]) -> Access:
    """Find the kubeconfig, read it and pick the context; KubeGpuError says what to do where that fails."""
    path, origin = find(wanted, environment)
    there = [each for each in path.split(os.pathsep) if each and os.path.exists(os.path.expanduser(each))]
    if not there:
        raise KubeGpuError(f"There is no kubeconfig at {path} ({origin}). {_HOW}.")
    # Of several files the first that sets a thing wins, as for kubectl.
    documents = [_load(os.path.expanduser(each)) for each in there]
    return _choose(os.pathsep.join(there), documents, context)


def _load(path: str) -> dict[str, t.Any]:
    try:
        with open(path, encoding="utf-8") as file:
            document = yaml.safe_load(file)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise KubeGpuError(f"The kubeconfig {path} is not valid YAML{where}. {_HOW}.") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise unusable(path, exc) from exc
    if not isinstance(document, dict) or not ({"contexts", "clusters"} & set(document)):
        raise KubeGpuError(f"The file {path} is not a kubeconfig: it has neither contexts nor clusters. {_HOW}.")
    return document


def _choose(path: str, documents: list[dict[str, t.Any]], wanted: str) -> Access:
    contexts, clusters = _named(documents, "contexts", "context"), _named(documents, "clusters", "cluster")
    current = next((each["current-context"] for each in documents if each.get("current-context")), "")
    name = wanted or current
    known = "it has " + (", ".join(sorted(contexts)) or "no context at all")
    if not name:
        raise KubeGpuError(f"The kubeconfig {path} names no current context. Choose one in kubegpu_context; {known}.")
    if name not in contexts:
        raise KubeGpuError(f"The kubeconfig {path} has no context '{name}'; {known}. Choose one in kubegpu_context.")
    cluster = contexts[name].get("cluster")
    if cluster not in clusters:
        raise KubeGpuError(f"The kubeconfig {path} has no cluster '{cluster}', which its context '{name}' refers to.")
    server = clusters[cluster].get("server")
    if not server:
        raise KubeGpuError(f"The kubeconfig {path} gives no server for its cluster '{cluster}'.")
    return Access(path, name, str(server), str(contexts[name].get("user") or ""))


def _named(documents: list[dict[str, t.Any]], plural: str, singular: str) -> dict[str, dict[str, t.Any]]:
    found: dict[str, dict[str, t.Any]] = {}
    entries = [each for document in documents for each in document.get(plural) or []]
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get(singular), dict):
            found.setdefault(str(entry.get("name")), entry[singular])
    return found


def unusable(path: str, exc: BaseException) -> KubeGpuError:
    """An error of reading or interpreting the file, without the urge to print what stood there."""
    if isinstance(exc, PermissionError):
        return KubeGpuError(f"The kubeconfig {path} may not be read by user id {os.geteuid()}. {_HOW}.")
    if isinstance(exc, OSError):
        return KubeGpuError(f"The kubeconfig {path} cannot be read: {exc.strerror or type(exc).__name__}. {_HOW}.")
    if type(exc).__name__ == "ConfigException":
        return KubeGpuError(f"The kubeconfig {path} cannot be used: {str(exc).rstrip('.')}.")
    return KubeGpuError(f"The kubeconfig {path} cannot be used: it holds a value that cannot be decoded. {_HOW}.")
