# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the CUDA toolkits that are installed side by side, and cuDNN."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import cudnn
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

PARENT = "/usr/local"
DEFAULT = "/usr/local/cuda"
# The first release of a version has a day for its third number, the others a small one: 11.8.20220929, 13.0.2.
RELEASE = re.compile(r"^([0-9]{1,3}\.[0-9]{1,3})(?:\.[0-9]{1,8}){0,2}$", re.A)
# CUDA before 11.1 has version.txt: "CUDA Version 10.2.89".
VERSION_TXT = re.compile(r"^CUDA Version ([0-9.]{3,20})\s*$", re.M | re.A)
# A patch adds a line to it: "CUDA Patch Version 9.2.148.1".
PATCH_TXT = re.compile(r"^CUDA Patch Version ([0-9.]{3,20})\s*$", re.M | re.A)


def parse_version_json(text: str) -> str | None:
    try:
        version = json.loads(text)["cuda"]["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return version if isinstance(version, str) and RELEASE.match(version) else None


def parse_version_txt(text: str) -> str | None:
    match = VERSION_TXT.search(text)
    return match.group(1) if match and RELEASE.match(match.group(1)) else None


def parse_patches(text: str) -> list[str]:
    return PATCH_TXT.findall(text)


PARSERS: dict[str, t.Callable[[str], str | None]] = {
    "version.json": parse_version_json,
    "version.txt": parse_version_txt,
}


def _release(host: Host, path: str) -> str | None:
    for name, parse in PARSERS.items():
        try:
            release = parse(host.read(f"{path}/{name}", limit=65536))
        except KubeGpuError:
            continue
        if release:
            return release
    return None


def _patches(host: Host, path: str) -> list[str]:
    """Only toolkits with a ``version.txt`` had patches; the later ones come as a whole new release."""
    try:
        return parse_patches(host.read(f"{path}/version.txt", limit=65536))
    except KubeGpuError:
        return []


def _toolkit(host: Host, path: str) -> dict[str, t.Any] | None:
    """A folder is a toolkit where it says so itself, or where it brings the compiler."""
    release = _release(host, path)
    named = RELEASE.match(path.rsplit("cuda-", 1)[-1])
    if release is None and not (named and host.exists(f"{path}/bin/nvcc")):
        return None
    match = RELEASE.match(release) if release else named
    version = match.group(1) if match else None
    return {"version": version, "release": release, "patches": _patches(host, path), "path": path}


def _order(toolkit: dict[str, t.Any]) -> list[int]:
    return [int(part) for part in toolkit["version"].split(".")]


def _toolkits(host: Host) -> tuple[list[dict[str, t.Any]], Source]:
    try:
        names = [name for name in host.list_dir(PARENT) if name.startswith("cuda")]
    except KubeGpuError as exc:
        return [], Source(False, str(exc))
    paths = {path for path in (host.real_path(f"{PARENT}/{name}") for name in names) if path}
    return sorted((toolkit for toolkit in (_toolkit(host, path) for path in paths) if toolkit), key=_order), OK


def read(host: Host) -> Reading:
    """Toolkits and cuDNN. ``driver_limit`` is the running driver's to tell."""
    toolkits, source = _toolkits(host)
    libraries, libraries_source = cudnn.read(host)
    value = {"driver_limit": None, "toolkits": toolkits, "default": host.real_path(DEFAULT), "cudnn": libraries}
    return Reading(value, {"cuda": source, "cudnn": libraries_source})
