# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. CUDA toolkits from NVIDIA's runfiles: which have to run on a host, with what, and what is wrong with a wish.

What is installed is what the toolkit says itself: version.json has its release, and version.txt, before CUDA 11.1, that
and its patches. Nothing else is remembered but that an installer has begun.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _cuda_proof, _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import Case, Section, part, rows, text, texts

# The installer of 10.1 took other options than those before it, and since then there are new releases, but no patches.
NEW_INSTALLER = (10, 1)
# Options of NVIDIA's installer: the toolkit and nothing else. --override leaves it to the plan to judge the driver.
TOOLKIT = ("--silent", "--toolkit", "--override")
NO_MANUALS = ("--no-man-page",)
PATCH = ("--accept-eula", "--silent")


def wished(case: Case) -> list[Section]:
    return rows(case.cuda_wish, "runfiles")


def versions(case: Case) -> list[str]:
    return [version for version in (text(runfile, "version") for runfile in wished(case)) if version]


def folder(version: str) -> str:
    return f"/usr/local/cuda-{version}"


def installed(case: Case, version: str) -> Section | None:
    """The toolkit of this version, whoever has installed it, in whatever folder. Half of one is none."""
    if _cuda_proof.begun(case, version):
        return None
    toolkits = rows(part(case.facts, "cuda"), "toolkits")
    found = [toolkit for toolkit in toolkits if toolkit.get("version") == version]
    return min(found, key=lambda toolkit: toolkit.get("path") != folder(version), default=None)


def steps(case: Case) -> list[dict[str, t.Any]]:
    """Files to run, in this order. `makes`: the folder that is not there before, and that a failure must not leave.

    `record` tells of the installer while it is at work, with `begun` in it; `half`: an earlier one was cut off.
    """
    return [step for runfile in wished(case) if runfile.get("version") for step in _steps(case, runfile)]


def _steps(case: Case, runfile: Section) -> t.Iterator[dict[str, t.Any]]:
    version = str(runfile["version"])
    there = installed(case, version)
    if there is None:
        words = f"CUDA toolkit {version}"
        step = {"words": words, "arguments": _arguments(version), "makes": folder(version), **_file(runfile)}
        half = _cuda_proof.begun(case, version)
        yield {**step, "record": _cuda_proof.record(version), "begun": _cuda_proof.BEGUN, "half": half}
    known = texts(there or {}, "patches")
    for patch in rows(runfile, "patches"):
        if text(patch, "version") not in known:
            arguments = [*PATCH, f"--installdir={folder(version)}"]
            words = f"patch {patch.get('version')} of CUDA toolkit {version}"
            yield {"words": words, "arguments": arguments, "makes": None, "half": False, **_file(patch)}


def _file(line: Section) -> dict[str, t.Any]:
    return {key: text(line, key) for key in ("url", "path", "sha256")}


def _arguments(version: str) -> list[str]:
    new = (_versions.minor(version) or NEW_INSTALLER) >= NEW_INSTALLER
    return [*TOOLKIT, f"--toolkitpath={folder(version)}", *(NO_MANUALS if new else ())]


def has_patches(version: str) -> bool:
    """Whether a toolkit of this version says which patches it has."""
    return (_versions.minor(version) or NEW_INSTALLER) < NEW_INSTALLER


def fault(line: Section) -> str | None:
    """What is wrong first with where a file is to come from, if anything is."""
    url, path, digest = text(line, "url"), text(line, "path"), text(line, "sha256")
    if (url is None) == (path is None):
        return "it needs either url or path"
    if url and not url.startswith("https://"):
        return f"{url} is not https"
    if url and "@" in url.partition("://")[2].partition("/")[0]:
        return "its url holds a name or a password"
    if path and not path.startswith("/"):
        return f"{path} does not begin with /"
    if not digest or not re.fullmatch(r"[0-9a-f]{64}", digest):
        return "sha256 is not 64 hexadecimal digits in small letters"
    return None
