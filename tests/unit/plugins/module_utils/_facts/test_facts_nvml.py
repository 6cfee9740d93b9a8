# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVML: what is asked through pynvml, old and new, what the answers mean, and where pynvml comes from."""

from __future__ import annotations

import ctypes
import importlib
import json
import struct
import sys
import types
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import gpu_words as words
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import nvml, nvml_questions
from hypothesis import given
from hypothesis import strategies as st

GIB = 1024**3
NAME = "NVIDIA A100-SXM4-40GB"


class FakeError(Exception):
    def __init__(self, value: int, said: str) -> None:
        super().__init__(said)
        self.value = value


def error(value: int, said: str) -> t.Callable[..., t.NoReturn]:
    def question(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        raise FakeError(value, said)

    return question


class Structure(types.SimpleNamespace):
    """Stands for a ctypes structure."""


class FakePynvml:
    """Two GPUs, given as a table of functions; whatever is not in the table is not supported."""

    NVMLError = FakeError

    def __init__(self, **functions: t.Any) -> None:
        self._functions = {
            "nvmlMemory_v2": 2,
            "nvmlDeviceGetCount": lambda: 2,
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlSystemGetDriverVersion": lambda: b"580.95.05",
            "nvmlSystemGetCudaDriverVersion_v2": lambda: 13000,
            **{f"nvmlDeviceGet{name}": function for name, function in functions.items()},
        }

    def __getattr__(self, name: str) -> t.Any:
        found = self._functions.get(name, error(3, "Not Supported"))
        if found is None:
            raise AttributeError(name)
        return found


def ask(**functions: t.Any) -> nvml.NvmlSays:
    """All the way: asked, sent as JSON, understood."""
    return nvml.understand(json.loads(json.dumps(nvml.everything(FakePynvml(**functions)))))


def test_a_card_that_can_nothing_is_no_problem() -> None:
    said = ask()
    nothing = {**words.blank(), "nvlink": [], "mig": {"current": None, "pending": None, "instances": []}}
    assert said.gpus == [{**nothing, "index": 0}, {**nothing, "index": 1}]
    assert said[1:] == ("580.95.05", "13.0", None, None)


def test_everything_has_its_place() -> None:
    temperatures = {0: 90, 1: 87}
    said = ask(
        UUID=lambda gpu: f"GPU-{gpu}".encode(),
        Serial=lambda gpu: "165",
        Name=lambda gpu: NAME.encode(),
        Architecture=lambda gpu: 7,
        CudaComputeCapability=lambda gpu: (8, 0),
        PciInfo=lambda gpu: Structure(busId=b"00000000:3B:00.0"),
        MinorNumber=lambda gpu: gpu,
        VbiosVersion=lambda gpu: "92.00",
        ComputeMode=lambda gpu: 3,
        PersistenceMode=lambda gpu: 1,
        MemoryInfo=lambda gpu, version=1: Structure(total=40 * GIB, reserved=GIB, used=2 * GIB),
        BAR1MemoryInfo=lambda gpu: Structure(bar1Total=64 * GIB, bar1Used=GIB),
        EccMode=lambda gpu: (1, 0),
        TotalEccErrors=lambda gpu, kind, counter: 10 * kind + counter,
        RetiredPages=lambda gpu, cause: [7] * (cause + 1),
        RetiredPagesPendingStatus=lambda gpu: 1,
        RemappedRows=lambda gpu: (1, 2, 0, 1),
        PowerUsage=lambda gpu: 71234,
        PowerManagementLimit=lambda gpu: 400000,
        PowerManagementDefaultLimit=lambda gpu: 350000,
        PowerManagementLimitConstraints=lambda gpu: (100000, 400000),
        TemperatureV=lambda gpu, sensor: 31,
        TemperatureThreshold=lambda gpu, which: temperatures[which],
        FieldValues=lambda gpu, fields: [Structure(nvmlReturn=0, value=Structure(uiVal=44))],
        ClockInfo=lambda gpu, clock: 100 + clock,
        MaxClockInfo=lambda gpu, clock: 200 + clock,
        CurrentClocksEventReasons=lambda gpu: 0x4 | 0x40 | 0x8000,
        CurrPcieLinkGeneration=lambda gpu: 1,
        MaxPcieLinkGeneration=lambda gpu: 4,
        CurrPcieLinkWidth=lambda gpu: 8,
        MaxPcieLinkWidth=lambda gpu: 16,
        PcieReplayCounter=lambda gpu: 5,
        InforomImageVersion=lambda gpu: "G500",
        InforomVersion=lambda gpu, which: ("2.0", "6.16", "1.0")[which],
    )
    assert said.reason is None
    gpu = said.gpus[1]
    assert {key: value for key, value in gpu.items() if not isinstance(value, dict)} == {
        "index": 1,
        "uuid": "GPU-1",
        "serial": "165",
        "name": NAME,
        "architecture": "ampere",
        "compute_capability": "8.0",
        "pci_address": "0000:3b:00.0",
        "minor": 1,
        "vbios": "92.00",
        "compute_mode": "exclusive_process",
        "persistence_mode": "enabled",
        "throttle_reasons": ["sw_power_cap", "hw_thermal_slowdown", "0x8000"],
        "nvlink": [],
        "processes": None,
    }
    assert [list(gpu[group].values()) for group in ("memory", "bar1", "row_remap", "retired_pages")] == [
        [40960, 1024, 2048],
        [65536, 1024],
        [1, 2, False, True],
        [1, 2, True],
    ]
    assert gpu["ecc"] == {
        "current": "enabled",
        "pending": "disabled",
        "volatile": {"corrected": 0, "uncorrected": 10},
        "aggregate": {"corrected": 1, "uncorrected": 11},
    }
    assert list(gpu["power"].values()) == [71.23, 400.0, 350.0, 100.0, 400.0]
    assert list(gpu["temperature"].values()) == [31, 44, 87, 90]
    assert list(gpu["clocks"].values()) == [100, 101, 102, 200, 201, 202]
    assert list(gpu["pcie"].values()) == [1, 4, 8, 16, 5]
    assert list(gpu["inforom"].values()) == ["G500", "2.0", "6.16", "1.0"]


def test_the_parts_of_a_card() -> None:
    """Instances 0 and 2 are there. A handle of an instance is a pair here."""

    def handle(gpu: int, index: int) -> tuple[int, int]:
        if index == 1:
            raise FakeError(6, "Not Found")
        return gpu, index

    said = ask(
        Count=lambda: 1,
        MigMode=lambda gpu: (1, 0),
        MaxMigDeviceCount=lambda gpu: 3,
        MigDeviceHandleByIndex=handle,
        UUID=lambda of: f"MIG-{of}",
        Name=lambda of: f"{NAME} MIG 1g.5gb",
        MemoryInfo=lambda of, **_version: Structure(total=5 * GIB, reserved=0, used=0),
        GpuInstanceId=lambda of: 9,
        ComputeInstanceId=lambda of: 0,
    )
    part = {"name": "1g.5gb", "memory_mib": 5120, "gpu_instance": 9, "compute_instance": 0}
    assert said.gpus[0]["mig"] == {
        "current": "enabled",
        "pending": "disabled",
        "instances": [{"uuid": "MIG-(0, 0)", **part}, {"uuid": "MIG-(0, 2)", **part}],
    }


def test_links() -> None:
    """Link 0 is active and counts no CRC errors, link 1 is not, and there is no other."""
    asked: list[tuple[int, int]] = []

    def state(gpu: int, link: int) -> int:
        if link > 2:
            raise FakeError(2, "Invalid Argument")
        return int(link != 1)

    def errors(gpu: int, link: int, counter: int) -> int:
        asked.append((link, counter))
        if counter == 2:
            raise FakeError(3, "Not Supported")
        return 10 * link + counter

    said = ask(
        Count=lambda: 1,
        NvLinkState=state,
        NvLinkVersion=lambda gpu, link: 6,
        NvLinkRemotePciInfo=lambda gpu, link: Structure(busId="00000000:07:00.0" if link else "FFFFFFFF:FF:FF.0"),
        NvLinkErrorCounter=errors,
    )
    nothing = {"replay": None, "recovery": None, "crc": None}
    link = {"link": 0, "state": "active", "version": "4.0", "remote_pci": None}
    assert said.gpus[0]["nvlink"] == [
        {**link, "errors": {"replay": 0, "recovery": 1, "crc": None}},
        {**link, "link": 1, "state": "inactive", "version": None, "errors": nothing},
        {**link, "link": 2, "remote_pci": "0000:07:00.0", "errors": {"replay": 20, "recovery": 21, "crc": None}},
    ]
    assert asked == [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1)]


UUID_BYTES = bytes(range(16))
# state, status, cluster: state, status, clique, cluster in words
FABRICS = {
    "none": ((0, 0, b""), (None, None, None, None)),
    "at work": ((2, 0, UUID_BYTES), ("in_progress", None, None, None)),
    "done": ((3, 0, UUID_BYTES), ("completed", "success", 7, "00010203-0405-0607-0809-0a0b0c0d0e0f")),
    "of one machine": ((3, 0, bytes(16)), ("completed", "success", 7, None)),
    "failed": ((3, 999, bytes(16)), ("completed", "unknown_error", 7, None)),
}


@pytest.mark.parametrize("says, fabric", FABRICS.values(), ids=FABRICS.keys())
@pytest.mark.parametrize("versioned", [True, False])
def test_fabric(says: tuple[int, int, bytes], fabric: tuple[t.Any, ...], versioned: bool) -> None:
    state, status, cluster = says

    def info(_gpu: int, pointer: t.Any) -> None:
        """As nvml.h lays it out; the library writes nothing behind its end."""
        ctypes.memmove(pointer, struct.pack("=16sIIB3x", cluster, status, 7, state), 28)

    def info_v(_gpu: int, pointer: t.Any) -> None:
        asked = ctypes.string_at(pointer, 4)
        assert asked == struct.pack("=I", 0x02000024)
        ctypes.memmove(pointer, asked + struct.pack("=16sIIB3xI", cluster, status, 7, state, 0), 36)

    fake = FakePynvml()
    fake._functions["nvmlDeviceGetGpuFabricInfoV"] = info_v if versioned else None
    fake._functions["nvmlDeviceGetGpuFabricInfo"] = info
    fake._functions["nvmlErrorString"] = lambda value: b"Unknown Error"
    said = nvml.understand(nvml.everything(fake))
    assert said.reason is None
    assert tuple(said.gpus[0]["fabric"].values()) == fabric


def test_processes_by_the_function_that_the_driver_has() -> None:
    said = ask(
        Count=lambda: 1,
        ComputeRunningProcesses_v3=error(13, "Function Not Found"),
        ComputeRunningProcesses_v2=lambda gpu: [Structure(pid=7, usedGpuMemory=GIB)],
        MPSComputeRunningProcesses_v3=lambda gpu: [Structure(pid=pid, usedGpuMemory=GIB) for pid in (7, 9)],
        GraphicsRunningProcesses_v3=lambda gpu: [Structure(pid=8, usedGpuMemory=None)],
    )
    assert said.gpus[0]["processes"] == [
        {"pid": 7, "type": "compute", "used_memory_mib": 1024},
        {"pid": 9, "type": "compute", "used_memory_mib": 1024},
        {"pid": 8, "type": "graphics", "used_memory_mib": None},
    ]


def test_what_an_older_driver_answers_by_its_older_functions() -> None:
    def memory(gpu: int, version: int | None = None) -> Structure:
        if version:
            raise FakeError(13, "Function Not Found")
        return Structure(total=GIB, used=GIB)

    said = ask(
        MemoryInfo=memory,
        TemperatureV=error(13, "Function Not Found"),
        Temperature=lambda gpu, sensor: 40,
        CurrentClocksEventReasons=None,
        CurrentClocksThrottleReasons=lambda gpu: 1,
    )
    assert said.reason is None
    assert said.gpus[0]["memory"] == {"total_mib": 1024, "reserved_mib": None, "used_mib": 1024}
    assert (said.gpus[0]["temperature"]["gpu_c"], said.gpus[0]["throttle_reasons"]) == (40, ["gpu_idle"])


def test_each_trouble_is_named_once() -> None:
    said = ask(
        Serial=error(4, "Insufficient Permissions"),
        VbiosVersion=error(4, "Insufficient Permissions"),
        Architecture=None,
        MinorNumber=lambda gpu: 1 // gpu,
    )
    assert said.reason == (
        "GPU 0 and GPU 1 serial, vbios: Insufficient Permissions; "
        "GPU 0 and GPU 1 architecture: this pynvml is too old; "
        "GPU 0 minor: ZeroDivisionError: integer division or modulo by zero"
    )
    assert [gpu["minor"] for gpu in said.gpus] == [None, 1]


def test_a_lost_gpu_is_left_out_and_the_other_stays() -> None:
    def handle(index: int) -> int:
        return index if index else error(15, "GPU is lost")()

    said = ask(HandleByIndex=handle, UUID=lambda gpu: f"GPU-{gpu}")
    assert [gpu["uuid"] for gpu in said.gpus] == ["GPU-1"]
    assert said.reason == "GPU 0: GPU is lost"


@pytest.mark.parametrize("number, said_of_it", [(15, "GPU is lost"), (16, "GPU requires reset"), (10, "Timeout")])
def test_a_gpu_that_falls_off_the_bus_meanwhile_is_asked_no_more(number: int, said_of_it: str) -> None:
    asked = []

    def architecture(gpu: int) -> int:
        asked.append(gpu)
        return 9 if gpu else error(number, said_of_it)()

    said = ask(UUID=lambda gpu: f"GPU-{gpu}", Architecture=architecture, VbiosVersion=lambda gpu: "96.00")
    assert [(gpu["uuid"], gpu["architecture"], gpu["vbios"]) for gpu in said.gpus] == [
        ("GPU-0", None, None),
        ("GPU-1", "hopper", "96.00"),
    ]
    assert (said.reason, asked) == (f"GPU 0: {said_of_it}", [0, 1])


def test_the_library_says_nothing_of_itself() -> None:
    fake = FakePynvml()
    fake._functions["nvmlSystemGetCudaDriverVersion_v2"] = None
    fake._functions["nvmlDeviceGetCount"] = error(999, "Unknown Error")
    said = nvml.understand(nvml.everything(fake))
    assert (said.gpus, said.cuda_version) == ([], None)
    assert said.reason == "number of GPUs: Unknown Error"
    assert said.cuda_reason == "CUDA version: this pynvml is too old"


@pytest.mark.parametrize(
    "number, version", [(13000, "13.0"), (12080, "12.8"), (9020, "9.2"), (0, None), (None, None), (True, None)]
)
def test_cuda_version(number: object, version: str | None) -> None:
    assert nvml.cuda_words(number) == version


# ---- whatever the child says -----------------------------------------------------------------------------------------

PATHS = ["gpus", "cuda", "driver", "reason", "index", *(field.path for field in nvml_questions.FIELDS)]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.sampled_from(PATHS), inner, max_size=6),
    max_leaves=20,
)
GPUS = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(PATHS, JSON)), max_size=2)


def shape(value: t.Any) -> t.Any:
    return {key: shape(inner) for key, inner in value.items()} if isinstance(value, dict) else None


@given(said=JSON | st.fixed_dictionaries({"gpus": GPUS}))
def test_whatever_the_child_says(said: t.Any) -> None:
    understood = nvml.understand(said)
    json.dumps(understood)
    assert all(shape(gpu) == shape(words.blank()) for gpu in understood.gpus)


# ---- where pynvml comes from -----------------------------------------------------------------------------------------


@pytest.fixture(name="no_pynvml")
def _no_pynvml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A Python without pynvml, and a folder that could hold one. What is imported is forgotten again."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if not (Path(path) / "pynvml.py").exists()])
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    importlib.invalidate_caches()
    return tmp_path


def bindings(folder: Path) -> tuple[str | None, str | None]:
    found, reason = nvml.binding(str(folder))
    return getattr(found, "WHOSE", None), reason


def test_no_pynvml(no_pynvml: Path) -> None:
    assert bindings(no_pynvml) == (None, "the Python module pynvml is not there")


def test_the_pynvml_that_the_role_has_put_there(no_pynvml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (no_pynvml / "pynvml.py").write_text("WHOSE = 'ours'\n", encoding="utf-8")
    assert bindings(no_pynvml) == ("ours", None)
    monkeypatch.delitem(sys.modules, "pynvml")
    assert not (no_pynvml / "__pycache__").exists(), "facts write nothing"


def test_the_hosts_own_pynvml_comes_first(no_pynvml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for whose in ("ours", "theirs"):
        (no_pynvml / whose).mkdir()
        (no_pynvml / whose / "pynvml.py").write_text(f"WHOSE = {whose!r}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(no_pynvml / "theirs")
    assert bindings(no_pynvml / "ours") == ("theirs", None)
    monkeypatch.delitem(sys.modules, "pynvml")


@pytest.mark.parametrize("text, trouble", [("print 'two'", "SyntaxError"), ("import of_dreams", "of_dreams")])
def test_a_broken_pynvml_has_a_reason(no_pynvml: Path, text: str, trouble: str) -> None:
    (no_pynvml / "pynvml.py").write_text(text, encoding="utf-8")
    whose, reason = bindings(no_pynvml)
    assert whose is None
    assert (reason or "").startswith("the Python module pynvml does not load: ") and trouble in (reason or "")
