# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: what NVML says. ``ask`` runs in a child process; ``understand`` reads what it said.

The way in is ``pynvml`` (package ``nvidia-ml-py``): that of the host's own Python, else the one that the role
nvidia_driver has put on the host. Without either the library itself still tells the newest CUDA version that the driver
serves.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import sys
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import gpu_words as words
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.nvml_questions import FIELDS, GONE, HAS_NOT, as_text

LIBRARY = "libnvidia-ml.so.1"
# Where the role nvidia_driver puts pynvml.py.
FOLDER = "/usr/local/lib/kubegpu"
# nvml.h: nvmlReturn_t and the flags of nvmlInitWithFlags (no error without GPUs, do not attach to them).
NVML_SUCCESS = 0
NVML_INIT_FLAGS = 1 | 2
LONGEST_REASON = 1000


class NvmlSays(t.NamedTuple):
    gpus: list[words.Gpu]
    driver_version: str | None
    cuda_version: str | None
    # None where pynvml answered everything that it was asked.
    reason: str | None
    # None where the CUDA version could be read.
    cuda_reason: str | None


class GpuLostError(Exception):
    """A GPU that answers nothing any more."""


class Problems:
    """What could not be asked: each trouble once, with all that it concerns."""

    def __init__(self) -> None:
        self._by_words: dict[str, dict[str, list[str]]] = {}

    def add(self, what: str, whose: str, trouble: str) -> None:
        self._by_words.setdefault(trouble, {}).setdefault(what, []).append(whose)

    def reason(self) -> str | None:
        parts = []
        for trouble, concerned in self._by_words.items():
            by_owners: dict[str, list[str]] = {}
            for what, owners in concerned.items():
                by_owners.setdefault(" and ".join(owners), []).append(what)
            named = [" ".join(part for part in (owner, ", ".join(what)) if part) for owner, what in by_owners.items()]
            parts.append(f"{'; '.join(named)}: {trouble}")
        return "; ".join(parts)[:LONGEST_REASON] or None


def ask() -> dict[str, t.Any]:
    """Everything in plain types. Called in a child process, because NVML may hang or crash."""
    nvml, reason = binding()
    if nvml is None:
        cuda, cuda_reason = cuda_version_of_library()
        return {"reason": reason, "cuda": cuda, "cuda_reason": cuda_reason}
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as exc:
        return {"reason": f"nvmlInit: {exc}", "cuda_reason": f"nvmlInit: {exc}"}
    return everything(nvml)


def binding(folder: str = FOLDER) -> tuple[t.Any, str | None]:
    """The module pynvml, or the reason why there is none. Facts change nothing, so it may not leave bytecode behind.

    The role's bytecode is beside its source, wherever this Python would look for other bytecode.
    """
    sys.dont_write_bytecode = True
    sys.pycache_prefix = None
    reason = "the Python module pynvml is not there"
    for place in (None, folder):
        if place:
            sys.path.append(place)
        try:
            return importlib.import_module("pynvml"), None
        except ModuleNotFoundError as exc:
            reason = reason if exc.name == "pynvml" else f"the Python module pynvml does not load: {exc}"
        except Exception as exc:  # whatever somebody's module does when it is loaded
            reason = f"the Python module pynvml does not load: {type(exc).__name__}: {exc}"
    return None, reason


def everything(nvml: t.Any) -> dict[str, t.Any]:
    problems, cuda_problems = Problems(), Problems()
    count = _try(nvml, _system(nvml, "nvmlDeviceGetCount"), ("number of GPUs", ""), problems) or 0
    gpus = [_gpu(nvml, index, problems) for index in range(count)]
    return {
        "gpus": [gpu for gpu in gpus if gpu],
        "driver": _try(nvml, _system(nvml, "nvmlSystemGetDriverVersion"), ("driver version", ""), problems),
        "cuda": _try(nvml, _system(nvml, "nvmlSystemGetCudaDriverVersion_v2"), ("CUDA version", ""), cuda_problems),
        "reason": problems.reason(),
        "cuda_reason": cuda_problems.reason(),
    }


def _system(nvml: t.Any, function: str) -> t.Callable[[], t.Any]:
    """A question about no GPU in particular, looked up when it is asked: an older binding may lack it."""

    def ask_it() -> t.Any:
        return getattr(nvml, function)()

    return ask_it


def _gpu(nvml: t.Any, index: int, problems: Problems) -> dict[str, t.Any] | None:
    """What a GPU answers, by path; all that it had answered where it is lost meanwhile."""
    whose = f"GPU {index}"
    said: dict[str, t.Any] = {"index": index}
    try:
        handle = _try(nvml, lambda: nvml.nvmlDeviceGetHandleByIndex(index), ("", whose), problems, GONE)
        if handle is None:
            return None
        for path, question, _meaning in FIELDS:
            said[path] = _try(nvml, functools.partial(question, nvml, handle), (path, whose), problems, GONE)
    except GpuLostError as exc:
        problems.add("", whose, str(exc))
    return said if len(said) > 1 else None


def _try(
    nvml: t.Any,
    question: t.Callable[[], t.Any],
    concerned: tuple[str, str],
    problems: Problems,
    final: t.Collection[int] = (),
) -> t.Any:
    """The answer; None and a problem where there is none. What a card or its driver has not is no problem."""
    try:
        return as_text(question())
    except nvml.NVMLError as exc:
        if exc.value in final:
            raise GpuLostError(str(exc)) from exc
        if exc.value not in HAS_NOT:
            problems.add(*concerned, str(exc))
    except AttributeError:
        problems.add(*concerned, "this pynvml is too old")
    except Exception as exc:  # the last net: one answer does not take the others with it
        problems.add(*concerned, f"{type(exc).__name__}: {exc}")
    return None


def cuda_version_of_library() -> tuple[int | None, str | None]:
    """``nvmlSystemGetCudaDriverVersion_v2`` without pynvml: the number, or the reason why there is none."""
    try:
        library = ctypes.CDLL(LIBRARY)
        status = _init(library)
        if status != NVML_SUCCESS:
            return None, f"nvmlInit: error {status}"
        version = ctypes.c_int()
        status = library.nvmlSystemGetCudaDriverVersion_v2(ctypes.byref(version))
    except (OSError, AttributeError) as exc:
        return None, str(exc)
    return (version.value, None) if status == NVML_SUCCESS else (None, f"CUDA version: error {status}")


def _init(library: ctypes.CDLL) -> int:
    try:
        return int(library.nvmlInitWithFlags(ctypes.c_uint(NVML_INIT_FLAGS)))
    except AttributeError:
        return int(library.nvmlInit_v2())


def understand(said: t.Any) -> NvmlSays:
    """Our words and units for what the child said. Nothing that it can say raises."""
    if not isinstance(said, dict):
        return NvmlSays([], None, None, "spoke nonsense", "spoke nonsense")
    gpus = said.get("gpus")
    return NvmlSays(
        gpus=[_our_words(gpu) for gpu in gpus if isinstance(gpu, dict)] if isinstance(gpus, list) else [],
        driver_version=words.text(said.get("driver")),
        cuda_version=cuda_words(said.get("cuda")),
        reason=words.text(said.get("reason")),
        cuda_reason=words.text(said.get("cuda_reason")),
    )


def cuda_words(number: t.Any) -> str | None:
    """13000 is CUDA 13.0, 12080 is 12.8. 0 is what a library without libcuda says."""
    if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
        return None
    return f"{number // 1000}.{number % 1000 // 10}"


def _our_words(said: dict[str, t.Any]) -> words.Gpu:
    gpu = words.blank()
    gpu["index"] = words.whole(said.get("index"))
    for path, _question, meaning in FIELDS:
        words.put(gpu, path, meaning(said.get(path)))
    return gpu
