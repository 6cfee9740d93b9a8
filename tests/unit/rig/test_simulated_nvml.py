# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated NVML, compiled and driven through NVIDIA's own Python binding on a machine made of plain files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from _rig.nvml import SONAME, Driver, absent_functions, compile_nvml, hardware_ini

pytest.importorskip("pynvml")
pytestmark = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("go")), reason="gcc and go compile the simulated NVML"
)

DRIVER = Driver("580.95.05", "13.0")
LOADED = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}  Release Build  (simulated)\n"

# The binding loads the library once and for all: every case is a process of its own.
ASK = """
import json, sys
import pynvml as n

def ask(function, *arguments):
    try:
        return getattr(n, function)(*arguments)
    except n.NVMLError as error:
        return f"error {error.value}"

begun = ask("nvmlInit")
answer = {"init": begun, "nvml": ask("nvmlSystemGetNVMLVersion")}
if begun is None:
    gpus = [n.nvmlDeviceGetHandleByIndex(index) for index in range(n.nvmlDeviceGetCount())]
    answer["driver"] = ask("nvmlSystemGetDriverVersion")
    answer["cuda"] = ask("nvmlSystemGetCudaDriverVersion_v2")
    answer["uuids"] = [ask("nvmlDeviceGetUUID", gpu) for gpu in gpus]
    answer["minors"] = [ask("nvmlDeviceGetMinorNumber", gpu) for gpu in gpus]
    if gpus:
        first = gpus[0]
        answer["name"] = ask("nvmlDeviceGetName", first)
        answer["memory"] = n.nvmlDeviceGetMemoryInfo(first, version=n.nvmlMemory_v2).total // 2**20
        answer["address"] = n.nvmlDeviceGetPciInfo(first).busId
        answer["capability"] = ask("nvmlDeviceGetCudaComputeCapability", first)
        answer["mig"] = ask("nvmlDeviceGetMigMode", first)
        answer["ecc"] = ask("nvmlDeviceGetTotalEccErrors", first, 1, 0)
        answer["processes"] = ask("nvmlDeviceGetComputeRunningProcesses", first)
        answer["absent"] = ask("nvmlDeviceGetFanSpeed", first)
        answer["by uuid"] = ask("nvmlDeviceGetIndex", n.nvmlDeviceGetHandleByUUID(answer["uuids"][-1]))
        answer["by address"] = ask("nvmlDeviceGetIndex", n.nvmlDeviceGetHandleByPciBusId(answer["address"]))
        answer["event"] = ask("nvmlEventSetWait_v2", n.nvmlEventSetCreate(), 1)
print(json.dumps(answer))
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the library, compiled to take that folder for `/`."""
    root = tmp_path_factory.mktemp("machine")
    compile_nvml(DRIVER, root / SONAME, str(root))
    return root


def furnish(root: Path, hardware: str, nodes: list[str], loaded: str | None) -> None:
    for folder in ("dev", "proc", "lib"):
        shutil.rmtree(root / folder, ignore_errors=True)
    description = root / "lib/firmware/nvidia" / DRIVER.version / "gsp_simulated.bin"
    description.parent.mkdir(parents=True)
    description.write_text(hardware)
    (root / "dev").mkdir()
    for node in nodes:
        (root / "dev" / node).touch()
    if loaded:
        (root / "proc/driver/nvidia").mkdir(parents=True)
        (root / "proc/driver/nvidia/version").write_text(LOADED.format(loaded))


def ask(root: Path) -> dict[str, Any]:
    env = {**os.environ, "LD_LIBRARY_PATH": str(root)}
    done = subprocess.run([sys.executable, "-c", ASK], env=env, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def nodes(*minors: int) -> list[str]:
    return ["nvidiactl", *(f"nvidia{minor}" for minor in minors)]


def test_a_loaded_driver_reports_the_hosts_gpus(machine: Path) -> None:
    furnish(machine, hardware_ini("h100", 8, "node-1"), nodes(*range(8)), DRIVER.version)
    answer = ask(machine)
    assert (answer["driver"], answer["cuda"], answer["nvml"]) == ("580.95.05", 13000, "13.580.95.05")
    assert all(f"uuid = {uuid}" in hardware_ini("h100", 8, "node-1") for uuid in answer["uuids"])
    assert (answer["name"], answer["memory"], answer["capability"]) == ("NVIDIA H100 80GB HBM3", 81559, [9, 0])
    assert answer["address"] == "00000000:1B:00.0"
    assert answer["mig"] == [0, 0]
    assert (answer["by uuid"], answer["by address"]) == (7, 0)
    assert answer["processes"] == []
    assert answer["event"] == "error 10"  # NVML_ERROR_TIMEOUT


def test_a_container_sees_the_gpus_whose_device_nodes_it_has(machine: Path) -> None:
    furnish(machine, hardware_ini("h100", 8, "node-1"), nodes(2, 5), None)
    assert ask(machine)["minors"] == [2, 5]


def test_what_a_card_does_not_have_is_not_supported(machine: Path) -> None:
    furnish(machine, hardware_ini("t4", 1, "node-1"), nodes(0), DRIVER.version)
    answer = ask(machine)
    assert answer["mig"] == "error 3"  # NVML_ERROR_NOT_SUPPORTED
    assert answer["absent"] == "error 3"  # declared in nvml.h, not simulated


def test_one_gpu_may_differ_from_its_card(machine: Path) -> None:
    hardware = hardware_ini("h100", 1, "node-1").replace("minor = 0\n", "minor = 0\necc_uncorrected = 3\n")
    furnish(machine, hardware, nodes(0), DRIVER.version)
    assert ask(machine)["ecc"] == 3


@pytest.mark.parametrize(
    ("device_nodes", "loaded", "error"),
    [
        ([], None, "error 9"),  # NVML_ERROR_DRIVER_NOT_LOADED
        (nodes(0), "570.211.01", "error 18"),  # NVML_ERROR_LIB_RM_VERSION_MISMATCH
        (nodes(0), "580.95.0", "error 18"),
    ],
    ids=["no driver", "another driver", "a version that is a part of ours"],
)
def test_without_its_module_it_does_not_begin(
    machine: Path, device_nodes: list[str], loaded: str | None, error: str
) -> None:
    furnish(machine, hardware_ini("h100", 1, "node-1"), device_nodes, loaded)
    answer = ask(machine)
    assert answer["init"] == error
    assert answer["nvml"] == "13.580.95.05"


def test_every_declared_function_gets_a_stand_in() -> None:
    header = "nvmlReturn_t DECLDIR nvmlOne(void);\nDEPRECATED(13.0) nvmlReturn_t DECLDIR nvmlTwo (int x);\nnvmlOne(3)"
    text = absent_functions(header)
    assert text.count("int nvmlOne(void)") == text.count("int nvmlTwo(void)") == 1
