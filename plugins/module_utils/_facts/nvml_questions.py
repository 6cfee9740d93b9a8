# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: what NVML is asked about a GPU, through ``pynvml``, and how each answer is understood.

The questions run in a child process and answer in plain types; they may raise whatever pynvml raises.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import typing as t
import uuid

from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import gpu_words as words

Question = t.Callable[[t.Any, t.Any], t.Any]

# nvmlReturn_t of nvml.h.
INVALID_ARGUMENT = 2
NOT_SUPPORTED = 3
NOT_FOUND = 6
TIMEOUT = 10
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
ARGUMENT_VERSION_MISMATCH = 25
DEPRECATED = 26
# The card, or its driver, has no such thing: that is an answer.
HAS_NOT = frozenset({NOT_SUPPORTED, FUNCTION_NOT_FOUND, ARGUMENT_VERSION_MISMATCH, DEPRECATED})
# No use in asking this GPU for more. Where one answer of it does not come in time, waiting for the rest would cost the
# other GPUs theirs.
GONE = frozenset({TIMEOUT, GPU_IS_LOST, RESET_REQUIRED})

# Other numbers of nvml.h. Older bindings lack some of the names.
GRAPHICS, SM, MEMORY = 0, 1, 2
CORRECTED, UNCORRECTED = 0, 1
VOLATILE, AGGREGATE = 0, 1
SINGLE_BIT, DOUBLE_BIT = 0, 1
SHUTDOWN, SLOWDOWN = 0, 1
INFOROM_OEM, INFOROM_ECC, INFOROM_POWER = 0, 1, 2
FIELD_MEMORY_TEMPERATURE = 82
FABRIC_COMPLETED = 3
FABRIC_VERSION = 2
MIG_ENABLED = 1
MOST_LINKS = 36
LINK_ERRORS = (0, 1, 2)  # replay, recovery, CRC of flits


class Field(t.NamedTuple):
    """Where an answer goes in the shape of a GPU, the question, and what the answer means there."""

    path: str
    question: Question
    meaning: t.Callable[[t.Any], t.Any]


def _plain(function: str, *arguments: t.Any) -> Question:
    """A function of pynvml about a GPU. It is looked up when it is called: an older binding may lack it."""
    return lambda nvml, gpu: getattr(nvml, function)(gpu, *arguments)


def _first(*functions: str, arguments: tuple[t.Any, ...] = ()) -> Question:
    """The same thing by its names through time, the newest first."""

    def question(nvml: t.Any, gpu: t.Any) -> t.Any:
        for function in functions[:-1]:
            with contextlib.suppress(AttributeError), has_not(nvml):
                return getattr(nvml, function)(gpu, *arguments)
        return getattr(nvml, functions[-1])(gpu, *arguments)

    return question


@contextlib.contextmanager
def has_not(nvml: t.Any, *further: int) -> t.Iterator[None]:
    """Go on where NVML says that there is no such thing."""
    try:
        yield
    except nvml.NVMLError as exc:
        if exc.value not in HAS_NOT and exc.value not in further:
            raise


# ---- questions that take more than one call --------------------------------------------------------------------------


def _memory(nvml: t.Any, gpu: t.Any) -> list[int | None]:
    """Total, reserved, used. Before driver 510 what is reserved was counted as used."""
    with contextlib.suppress(AttributeError, TypeError), has_not(nvml):
        memory = nvml.nvmlDeviceGetMemoryInfo(gpu, version=nvml.nvmlMemory_v2)
        return [memory.total, memory.reserved, memory.used]
    memory = nvml.nvmlDeviceGetMemoryInfo(gpu)
    return [memory.total, None, memory.used]


def _bar1(nvml: t.Any, gpu: t.Any) -> list[int]:
    memory = nvml.nvmlDeviceGetBAR1MemoryInfo(gpu)
    return [memory.bar1Total, memory.bar1Used]


def _memory_temperature(nvml: t.Any, gpu: t.Any) -> int | None:
    value = nvml.nvmlDeviceGetFieldValues(gpu, [FIELD_MEMORY_TEMPERATURE])[0]
    return int(value.value.uiVal) if value.nvmlReturn == 0 else None


def _retired(cause: int) -> Question:
    return lambda nvml, gpu: len(nvml.nvmlDeviceGetRetiredPages(gpu, cause))


def _mig_instances(nvml: t.Any, gpu: t.Any) -> list[list[t.Any]]:
    found: list[list[t.Any]] = []
    with has_not(nvml):
        if nvml.nvmlDeviceGetMigMode(gpu)[0] == MIG_ENABLED:
            for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(gpu)):
                with has_not(nvml, NOT_FOUND):
                    found.append(_mig_instance(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, index)))
    return found


def _mig_instance(nvml: t.Any, instance: t.Any) -> list[t.Any]:
    return [
        nvml.nvmlDeviceGetUUID(instance),
        nvml.nvmlDeviceGetName(instance),
        nvml.nvmlDeviceGetMemoryInfo(instance).total,
        nvml.nvmlDeviceGetGpuInstanceId(instance),
        nvml.nvmlDeviceGetComputeInstanceId(instance),
    ]


def _links(nvml: t.Any, gpu: t.Any) -> list[list[t.Any]]:
    """Each link with its state, version, far end and errors. What the first active link has not, no link has."""
    found: list[list[t.Any]] = []
    lacking: set[t.Any] = set()
    for link in range(MOST_LINKS):
        state = None
        with has_not(nvml, INVALID_ARGUMENT):
            state = nvml.nvmlDeviceGetNvLinkState(gpu, link)
        if state is None:
            break
        found.append([link, state, *_link(nvml, gpu, link, lacking if state else None)])
    return found


def _link(nvml: t.Any, gpu: t.Any, link: int, lacking: set[t.Any] | None) -> list[t.Any]:
    questions: dict[t.Any, t.Callable[[], t.Any]] = {
        "version": lambda: nvml.nvmlDeviceGetNvLinkVersion(gpu, link),
        "remote": lambda: nvml.nvmlDeviceGetNvLinkRemotePciInfo(gpu, link).busId,
    }
    for error in LINK_ERRORS:
        questions[error] = functools.partial(nvml.nvmlDeviceGetNvLinkErrorCounter, gpu, link, error)
    answers = dict.fromkeys(questions)
    if lacking is not None:
        for name, question in questions.items():
            if name not in lacking:
                with has_not(nvml, INVALID_ARGUMENT):
                    answers[name] = as_text(question())
                if answers[name] is None:
                    lacking.add(name)
    return list(answers.values())


class FabricInfo(ctypes.Structure):
    """``nvmlGpuFabricInfo_v2_t`` of nvml.h; the older ``nvmlGpuFabricInfo_t`` is the same behind the version.

    Bindings before 12.570 have the cluster's UUID too long in theirs, and so all that follows in the wrong place.
    """

    _fields_ = (
        ("version", ctypes.c_uint),
        ("cluster", ctypes.c_ubyte * 16),
        ("status", ctypes.c_uint),
        ("clique", ctypes.c_uint),
        ("state", ctypes.c_ubyte),
        ("health", ctypes.c_uint),
    )


def _fabric(nvml: t.Any, gpu: t.Any) -> list[t.Any]:
    """State, and if its work is completed: how that ended, clique, cluster."""
    info = _fabric_info(nvml, gpu)
    if info.state != FABRIC_COMPLETED:
        return [info.state, None, None, None]
    status = as_text(nvml.nvmlErrorString(info.status)) if info.status else "Success"
    return [info.state, status, info.clique, str(uuid.UUID(bytes=bytes(info.cluster)))]


def _fabric_info(nvml: t.Any, gpu: t.Any) -> FabricInfo:
    info = FabricInfo(version=ctypes.sizeof(FabricInfo) | FABRIC_VERSION << 24)
    with contextlib.suppress(AttributeError), has_not(nvml):
        nvml.nvmlDeviceGetGpuFabricInfoV(gpu, ctypes.byref(info))
        return info
    nvml.nvmlDeviceGetGpuFabricInfo(gpu, ctypes.byref(info, FabricInfo.cluster.offset))
    return info


def _processes(nvml: t.Any, gpu: t.Any) -> list[list[t.Any]] | None:
    """Clients of MPS compute too. They have a question of their own, and are not told twice."""
    found: list[list[t.Any]] | None = None
    for kind, type_ in (("Compute", "compute"), ("MPSCompute", "compute"), ("Graphics", "graphics")):
        name = f"nvmlDeviceGet{kind}RunningProcesses"
        with contextlib.suppress(AttributeError), has_not(nvml):
            running = _first(f"{name}_v3", f"{name}_v2", name)(nvml, gpu)
            told = {(pid, told_type) for pid, told_type, _memory in found or []}
            new = [process for process in running if (process.pid, type_) not in told]
            found = (found or []) + [[process.pid, type_, process.usedGpuMemory] for process in new]
    return found


def as_text(answer: t.Any) -> t.Any:
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer


# ---- what the answers mean -------------------------------------------------------------------------------------------


def _each(**meanings: t.Callable[[t.Any], t.Any]) -> t.Callable[[t.Any], dict[str, t.Any]]:
    """Of an answer of several values."""

    def meaning(answer: t.Any) -> dict[str, t.Any]:
        values = answer if isinstance(answer, list) and len(answer) == len(meanings) else [None] * len(meanings)
        return {name: understood(value) for (name, understood), value in zip(meanings.items(), values)}

    return meaning


def _list_of(meaning: t.Callable[[t.Any], dict[str, t.Any]]) -> t.Callable[[t.Any], list[dict[str, t.Any]] | None]:
    return lambda answer: [meaning(item) for item in answer] if isinstance(answer, list) else None


def _link_words(answer: t.Any) -> dict[str, t.Any]:
    raw = _each(
        link=words.whole,
        state=words.one_of({0: "inactive", 1: "active"}),
        version=words.one_of(words.NVLINK_VERSIONS),
        remote_pci=words.address,
        replay=words.whole,
        recovery=words.whole,
        crc=words.whole,
    )(answer)
    errors = {name: raw.pop(name) for name in ("replay", "recovery", "crc")}
    return {**raw, "errors": errors}


PROCESS = _each(
    pid=words.whole,
    type=lambda kind: kind if kind in ("compute", "graphics") else None,
    used_memory_mib=words.mib,
)
INSTANCE = _each(
    uuid=words.text,
    name=words.profile,
    memory_mib=words.mib,
    gpu_instance=words.whole,
    compute_instance=words.whole,
)
FABRIC = _each(
    state=words.one_of(words.FABRIC_STATES),
    status=words.status,
    clique_id=words.whole,
    cluster_uuid=words.cluster,
)

FIELDS: tuple[Field, ...] = (
    Field("uuid", _plain("nvmlDeviceGetUUID"), words.text),
    Field("serial", _plain("nvmlDeviceGetSerial"), words.text),
    Field("name", _plain("nvmlDeviceGetName"), words.text),
    Field("architecture", _plain("nvmlDeviceGetArchitecture"), words.architecture),
    Field("compute_capability", _plain("nvmlDeviceGetCudaComputeCapability"), words.dotted),
    Field("pci_address", lambda nvml, gpu: nvml.nvmlDeviceGetPciInfo(gpu).busId, words.address),
    Field("minor", _plain("nvmlDeviceGetMinorNumber"), words.whole),
    Field("vbios", _plain("nvmlDeviceGetVbiosVersion"), words.text),
    Field("compute_mode", _plain("nvmlDeviceGetComputeMode"), words.one_of(words.COMPUTE_MODES)),
    Field("persistence_mode", _plain("nvmlDeviceGetPersistenceMode"), words.switch),
    Field("memory", _memory, _each(total_mib=words.mib, reserved_mib=words.mib, used_mib=words.mib)),
    Field("bar1", _bar1, _each(total_mib=words.mib, used_mib=words.mib)),
    Field("mig", _plain("nvmlDeviceGetMigMode"), _each(current=words.switch, pending=words.switch)),
    Field("mig.instances", _mig_instances, _list_of(INSTANCE)),
    Field("ecc", _plain("nvmlDeviceGetEccMode"), _each(current=words.switch, pending=words.switch)),
    *(
        Field(f"ecc.{of}.{kind}", _plain("nvmlDeviceGetTotalEccErrors", error, counter), words.whole)
        for of, counter in (("volatile", VOLATILE), ("aggregate", AGGREGATE))
        for kind, error in (("corrected", CORRECTED), ("uncorrected", UNCORRECTED))
    ),
    Field("retired_pages.single_bit", _retired(SINGLE_BIT), words.whole),
    Field("retired_pages.double_bit", _retired(DOUBLE_BIT), words.whole),
    Field("retired_pages.pending", _plain("nvmlDeviceGetRetiredPagesPendingStatus"), words.yes),
    Field(
        "row_remap",
        _plain("nvmlDeviceGetRemappedRows"),
        _each(corrected=words.whole, uncorrected=words.whole, pending=words.yes, failed=words.yes),
    ),
    Field("power.draw_w", _plain("nvmlDeviceGetPowerUsage"), words.watts),
    Field("power.limit_w", _plain("nvmlDeviceGetPowerManagementLimit"), words.watts),
    Field("power.default_limit_w", _plain("nvmlDeviceGetPowerManagementDefaultLimit"), words.watts),
    Field(
        "power",
        _plain("nvmlDeviceGetPowerManagementLimitConstraints"),
        _each(min_limit_w=words.watts, max_limit_w=words.watts),
    ),
    Field(
        "temperature.gpu_c",
        _first("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature", arguments=(0,)),
        words.whole,
    ),
    Field("temperature.memory_c", _memory_temperature, words.whole),
    Field("temperature.slowdown_c", _plain("nvmlDeviceGetTemperatureThreshold", SLOWDOWN), words.whole),
    Field("temperature.shutdown_c", _plain("nvmlDeviceGetTemperatureThreshold", SHUTDOWN), words.whole),
    *(
        Field(f"clocks.{prefix}{name}_mhz", _plain(function, clock), words.whole)
        for prefix, function in (("", "nvmlDeviceGetClockInfo"), ("max_", "nvmlDeviceGetMaxClockInfo"))
        for name, clock in (("graphics", GRAPHICS), ("sm", SM), ("memory", MEMORY))
    ),
    Field(
        "throttle_reasons",
        _first("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"),
        words.throttle_reasons,
    ),
    Field("pcie.generation", _plain("nvmlDeviceGetCurrPcieLinkGeneration"), words.whole),
    Field("pcie.generation_max", _plain("nvmlDeviceGetMaxPcieLinkGeneration"), words.whole),
    Field("pcie.width", _plain("nvmlDeviceGetCurrPcieLinkWidth"), words.whole),
    Field("pcie.width_max", _plain("nvmlDeviceGetMaxPcieLinkWidth"), words.whole),
    Field("pcie.replay_count", _plain("nvmlDeviceGetPcieReplayCounter"), words.whole),
    Field("nvlink", _links, _list_of(_link_words)),
    Field("fabric", _fabric, FABRIC),
    Field("processes", _processes, _list_of(PROCESS)),
    Field("inforom.image", _plain("nvmlDeviceGetInforomImageVersion"), words.text),
    Field("inforom.oem", _plain("nvmlDeviceGetInforomVersion", INFOROM_OEM), words.text),
    Field("inforom.ecc", _plain("nvmlDeviceGetInforomVersion", INFOROM_ECC), words.text),
    Field("inforom.power", _plain("nvmlDeviceGetInforomVersion", INFOROM_POWER), words.text),
)
