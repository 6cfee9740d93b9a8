# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: what NVML says. ``ask`` runs in a child process; ``understand`` reads what it said.

The way in is ``pynvml`` (package ``nvidia-ml-py``). Without it the library itself still tells one thing that no
machine format of ``nvidia-smi`` tells: the newest CUDA version that the driver serves.
"""

from __future__ import annotations

import ctypes
import functools
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.pci import normal_address

LIBRARY = "libnvidia-ml.so.1"
# nvml.h: nvmlReturn_t and the flags of nvmlInitWithFlags (no error without GPUs, do not attach to them).
NVML_SUCCESS = 0
NVML_INIT_FLAGS = 1 | 2
MIB = 1024 * 1024
MIG_MODES = {0: "disabled", 1: "enabled"}


class NvmlSays(t.NamedTuple):
    gpus: list[dict[str, t.Any]]
    driver_version: str | None
    cuda_version: str | None
    # None where pynvml answered everything that it was asked.
    reason: str | None
    # None where the CUDA version could be read.
    cuda_reason: str | None


def ask() -> dict[str, t.Any]:
    """Everything in plain types. Called in a child process, because NVML may hang or crash."""
    try:
        import pynvml
    except ImportError:
        cuda, cuda_reason = cuda_version_of_library()
        return {"reason": "the Python module pynvml is not there", "cuda": cuda, "cuda_reason": cuda_reason}
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as exc:
        return {"reason": f"nvmlInit: {exc}", "cuda_reason": f"nvmlInit: {exc}"}
    return _everything(pynvml)


def _everything(nvml: t.Any) -> dict[str, t.Any]:
    problems: list[str] = []
    gpus = []
    count = _try(nvml, "nvmlDeviceGetCount", _named(nvml, "nvmlDeviceGetCount"), problems) or 0
    for index in range(count):
        handle = _try(nvml, f"GPU {index}", functools.partial(nvml.nvmlDeviceGetHandleByIndex, index), problems)
        if handle is not None:
            gpus.append(_gpu(nvml, index, handle, problems))
    cuda_problems: list[str] = []
    return {
        "gpus": gpus,
        "driver": _try(nvml, "driver version", _named(nvml, "nvmlSystemGetDriverVersion"), problems),
        "cuda": _try(nvml, "CUDA version", _named(nvml, "nvmlSystemGetCudaDriverVersion_v2"), cuda_problems),
        "reason": "; ".join(problems) or None,
        "cuda_reason": "; ".join(cuda_problems) or None,
    }


def _named(nvml: t.Any, function: str) -> t.Callable[[], t.Any]:
    """Looked up when it is called, for an older binding may lack the function."""

    def call() -> t.Any:
        return getattr(nvml, function)()

    return call


def _gpu(nvml: t.Any, index: int, handle: t.Any, problems: list[str]) -> dict[str, t.Any]:
    questions: dict[str, t.Callable[[], t.Any]] = {
        "uuid": lambda: nvml.nvmlDeviceGetUUID(handle),
        "name": lambda: nvml.nvmlDeviceGetName(handle),
        "pci_address": lambda: nvml.nvmlDeviceGetPciInfo(handle).busId,
        "serial": lambda: nvml.nvmlDeviceGetSerial(handle),
        "memory_total": lambda: nvml.nvmlDeviceGetMemoryInfo(handle).total,
        "compute_capability": lambda: list(nvml.nvmlDeviceGetCudaComputeCapability(handle)),
        "mig_mode": lambda: list(nvml.nvmlDeviceGetMigMode(handle)),
    }
    return {"index": index, **{key: _try(nvml, f"GPU {index} {key}", ask, problems) for key, ask in questions.items()}}


def _try(nvml: t.Any, what: str, question: t.Callable[[], t.Any], problems: list[str]) -> t.Any:
    """The answer; None and a line in ``problems`` where there is none. What a card cannot do is not a problem."""
    try:
        answer = question()
    except nvml.NVMLError as exc:
        if exc.value != nvml.NVML_ERROR_NOT_SUPPORTED:
            problems.append(f"{what}: {exc}")
        return None
    except AttributeError:
        problems.append(f"{what}: this pynvml is too old")
        return None
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer


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
        driver_version=_text(said.get("driver")),
        cuda_version=cuda_words(said.get("cuda")),
        reason=_text(said.get("reason")),
        cuda_reason=_text(said.get("cuda_reason")),
    )


def cuda_words(number: t.Any) -> str | None:
    """13000 is CUDA 13.0, 12080 is 12.8. 0 is what a library without libcuda says."""
    if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
        return None
    return f"{number // 1000}.{number % 1000 // 10}"


def _our_words(gpu: dict[str, t.Any]) -> dict[str, t.Any]:
    capability = _integers(gpu.get("compute_capability"), 2)
    mig = _integers(gpu.get("mig_mode"), 2)
    memory = gpu.get("memory_total")
    index = gpu.get("index")
    return {
        "index": index if isinstance(index, int) else None,
        "uuid": _text(gpu.get("uuid")),
        "name": _text(gpu.get("name")),
        "pci_address": normal_address(_text(gpu.get("pci_address")) or ""),
        "serial": _text(gpu.get("serial")),
        "memory_total_mib": memory // MIB if isinstance(memory, int) else None,
        "compute_capability": f"{capability[0]}.{capability[1]}" if capability else None,
        "mig_mode": MIG_MODES.get(mig[0]) if mig else None,
    }


def _text(value: t.Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _integers(value: t.Any, count: int) -> list[int] | None:
    whole = isinstance(value, list) and len(value) == count and all(isinstance(item, int) for item in value)
    return value if whole else None
