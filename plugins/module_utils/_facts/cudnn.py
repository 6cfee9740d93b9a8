# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: cuDNN: as packages, and as files that no package brought."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import packages
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

# Where an archive of NVIDIA's, or an image, puts the library and its header.
LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/libcudnn.so.*",
    "/usr/lib/aarch64-linux-gnu/libcudnn.so.*",
    "/usr/lib64/libcudnn.so.*",
    "/usr/local/lib/libcudnn.so.*",
    "/usr/local/cuda*/lib64/libcudnn.so.*",
    "/usr/local/cuda*/targets/*/lib/libcudnn.so.*",
)
HEADERS = (
    "/usr/include/cudnn_version.h",
    "/usr/include/*-linux-gnu/cudnn_version*.h",
    "/usr/local/include/cudnn_version.h",
    "/usr/local/cuda*/include/cudnn_version.h",
)
# libcudnn8, libcudnn9-cuda-12; not their -dev, -devel, -headers and -static
PACKAGE = re.compile(r"libcudnn[0-9]{1,2}(?:-cuda-([0-9]{1,2}))?(?::\S+)?")
PACKAGE_VERSION = re.compile(r"(?:[0-9]+:)?([0-9]+(?:\.[0-9]+)+)")
# 8.9.7.29-1+cuda12.2 of apt, 8.9.7.29-1.cuda12.2 of rpm
BUILT_FOR = re.compile(r"[+.~]cuda([0-9]{1,2})(?:[.-]|$)")
LIBRARY = re.compile(r"/libcudnn\.so\.([0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,4})$", re.A)
DEFINE = re.compile(r"^\s*#\s*define\s+CUDNN_(MAJOR|MINOR|PATCHLEVEL)\s+([0-9]{1,4})\b", re.M | re.A)
FOLDER = re.compile(r"^/usr/local/cuda-([0-9]{1,2})\.[0-9]{1,2}/")


def of_packages(installed: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    found = []
    for name, package in sorted(installed.items()):
        match, version = PACKAGE.fullmatch(name), PACKAGE_VERSION.match(package["version"])
        if match and version:
            built = BUILT_FOR.search(package["version"])
            cuda = match.group(1) or (built.group(1) if built else None)
            found.append(_cudnn(version.group(1), cuda, package=name))
    return found


def _cudnn(version: str, cuda: str | None, package: str | None = None, path: str | None = None) -> dict[str, t.Any]:
    return {"version": version, "cuda_major": int(cuda) if cuda else None, "package": package, "path": path}


def library_version(path: str) -> str | None:
    match = LIBRARY.search(path)
    return match.group(1) if match else None


def header_version(text: str) -> str | None:
    parts = dict(DEFINE.findall(text))
    return f"{parts['MAJOR']}.{parts['MINOR']}.{parts['PATCHLEVEL']}" if len(parts) == 3 else None


def _library(_host: Host, path: str) -> str | None:
    return library_version(path)


def _header(host: Host, path: str) -> str | None:
    try:
        return header_version(host.read(path, limit=65536))
    except KubeGpuError:
        return None


def _files(host: Host, known: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Files of versions that no package has. A header counts where its library was not found."""
    found: dict[str, dict[str, t.Any]] = {}
    for patterns, version_of in ((LIBRARIES, _library), (HEADERS, _header)):
        seen = [*known, *found.values()]
        for path in _places(host, patterns):
            version = version_of(host, path)
            if version and not any(_same(version, other["version"]) for other in seen):
                folder = FOLDER.match(path)
                found.setdefault(path, _cudnn(version, folder.group(1) if folder else None, path=path))
    return list(found.values())


def _places(host: Host, patterns: t.Iterable[str]) -> list[str]:
    """Real files, each once."""
    places = (host.real_path(path) for pattern in patterns for path in host.glob(pattern))
    return sorted({place for place in places if place})


def _same(version: str, packaged: str) -> bool:
    """A library has three parts of a package's four."""
    return f"{packaged}.".startswith(f"{version}.")


def read(host: Host) -> tuple[list[dict[str, t.Any]], Source]:
    source = OK
    known: list[dict[str, t.Any]] = []
    try:
        known = of_packages(packages.installed(host))
    except KubeGpuError as exc:
        source = Source(False, f"packages: {exc}")
    return [*known, *_files(host, known)], source
