# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. What shows that a toolkit works: a program that its compiler has built, and that GPUs have run if any could.

The role leaves a record on the host when that has been seen. A toolkit without it is proven in each run until it works.
"""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import Case, Section, flag, part, rows, text, texts

# In the place of a proof while NVIDIA's installer is at work: who finds it later finds half a toolkit.
BEGUN = "Written by the role kubegpu.nodes.cuda: NVIDIA's installer has begun, and nobody has seen it end.\n"
PROVEN = """\
Written by the role kubegpu.nodes.cuda, which proves this toolkit again if this file is gone.
CUDA {words}: a program was {done}.
"""
# The oldest compute capability that nvcc makes programs for if it is not told, since which CUDA; as its manual says.
BUILT_FOR = (((13, 0), (7, 5)), ((11, 0), (5, 2)), ((9, 0), (3, 0)), ((0, 0), (2, 0)))


def record(version: str) -> str:
    return f"/var/lib/kubegpu-cuda-{version}"


def recorded(case: Case, versions: t.Iterable[str]) -> list[str]:
    """Paths of the records that there are of these versions."""
    return [path for path in map(record, sorted(versions)) if path in case.files]


def begun(case: Case, version: str) -> bool:
    """Whether an installer of this version was cut off."""
    return case.files.get(record(version)) == _digest(BEGUN)


def known(case: Case, version: str, toolkit: Section) -> bool:
    """Whether this very toolkit has shown all that it can show here now."""
    seen = case.files.get(record(version))
    enough = [True] if able(case, version) else [True, False]
    return seen in [_digest(_words(version, toolkit, ran)) for ran in enough]


def proof(case: Case, version: str, toolkit: Section) -> dict[str, t.Any]:
    """`gpus`: those that run the program. `text` is the `record`'s, once they have."""
    gpus = able(case, version)
    found = {"version": version, "path": toolkit.get("path"), "gpus": gpus}
    return {**found, "record": record(version), "text": _words(version, toolkit, bool(gpus))}


def _words(version: str, toolkit: Section, ran: bool) -> str:
    names = [version, text(toolkit, "release"), *texts(toolkit, "patches")]
    words = ", ".join(name for name in names if name)
    return PROVEN.format(words=words, done="compiled and run" if ran else "compiled")


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def able(case: Case, version: str) -> list[str]:
    """UUIDs of the GPUs that can run a program of this toolkit now, and that nobody uses.

    The driver translates the program for them, which it can only if it is as new as the toolkit.
    """
    loaded = text(case.driver, "loaded")
    verdict = case.data.cuda_runs_on(loaded, version) if loaded else None
    if not verdict or not verdict.full or flag(case.cuda_wish, "build_only"):
        return []
    asked = _versions.minor(version) or (0, 0)
    least = next(capability for since, capability in BUILT_FOR if asked >= since)
    found = [gpu for gpu in rows(case.facts, "gpus") if _free(gpu)]
    return [str(gpu["uuid"]) for gpu in found if (_capability(gpu) or (0, 0)) >= least and gpu.get("uuid")]


def _capability(gpu: Section) -> _versions.Minor | None:
    return _versions.minor(text(gpu, "compute_capability"))


def _free(gpu: Section) -> bool:
    """A GPU under MIG has only its instances, which are somebody's."""
    idle = gpu.get("processes") == [] and text(gpu, "compute_mode") != "prohibited"
    return idle and text(part(gpu, "mig"), "current") != "enabled"
