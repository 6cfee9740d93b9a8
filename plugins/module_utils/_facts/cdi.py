# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the specifications of devices (CDI) that container runtimes find, and their devices."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import outline
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

# Where runtimes look unless they are told otherwise.
FOLDERS = ("/etc/cdi", "/var/run/cdi")
LIMIT = 2 * 1024 * 1024
# vendor/class, as in nvidia.com/gpu
KIND = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$", re.ASCII)


class Spec(t.NamedTuple):
    kind: str
    devices: list[str]


def parse_json(text: str) -> Spec:
    try:
        spec = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise KubeGpuError("not JSON") from exc
    devices = spec.get("devices") if isinstance(spec, dict) else None
    if not isinstance(devices, list) or not all(isinstance(device, dict) for device in devices):
        raise KubeGpuError("no list of devices")
    return _spec(spec.get("kind"), [device.get("name") for device in devices])


def parse_yaml(text: str) -> Spec:
    """In the shape in which ``nvidia-ctk`` writes it; another shape is refused, not guessed."""
    keys = outline.document(text)
    if "kind" not in keys or "devices" not in keys:
        raise KubeGpuError("no kind, or no devices")
    devices = outline.items(keys["devices"])
    names = [outline.scalar(device["name"]) if "name" in device else None for device in devices]
    return _spec(outline.scalar(keys["kind"]), names)


def _spec(kind: t.Any, names: list[t.Any]) -> Spec:
    if not isinstance(kind, str) or not KIND.match(kind):
        raise KubeGpuError("no kind such as nvidia.com/gpu")
    if not all(isinstance(name, str) and name for name in names):
        raise KubeGpuError("a device without a name")
    return Spec(kind, names)


PARSERS: dict[str, t.Callable[[str], Spec]] = {".json": parse_json, ".yaml": parse_yaml}


def _read_spec(host: Host, path: str) -> tuple[dict[str, t.Any], str | None]:
    value: dict[str, t.Any] = {"path": path, "kind": None, "devices": None, "ok": False}
    try:
        text = host.read(path, limit=LIMIT + 1)
        if len(text) > LIMIT:
            raise KubeGpuError(f"larger than {LIMIT // 1024} KiB")
        spec = PARSERS[path[-5:]](text)
    except KubeGpuError as exc:
        return value, str(exc) if exc.details.get("path") else f"{path}: {exc}"
    return {"path": path, "kind": spec.kind, "devices": spec.devices, "ok": True}, None


def read(host: Host) -> Reading:
    """The specifications. ``.json`` and ``.yaml`` are the names that runtimes look at; they pass over others."""
    paths = [path for folder in FOLDERS for path in host.glob(f"{folder}/*") if path.endswith(tuple(PARSERS))]
    found = [_read_spec(host, path) for path in paths]
    problems = [problem for _value, problem in found if problem]
    source = Source(False, "; ".join(problems)) if problems else OK
    return Reading({"specs": [value for value, _problem in found]}, {"cdi": source})
