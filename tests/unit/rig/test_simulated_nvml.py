# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated NVML, compiled and asked by NVIDIA's own programs on a machine made of plain files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from _rig import debian
from _rig.nvml import SONAME, Driver, absent_functions, card_names, compile_nvml, hardware_ini, most
from _rig.shell import RigError

pytest.importorskip("pynvml")
pytestmark = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("go")), reason="gcc and go compile the simulated NVML"
)
each_card = pytest.mark.parametrize("card", card_names())

DRIVER = Driver("580.95.05", "13.0")
LOADED = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}  Release Build  (simulated)\n"
PATIENCE = 20  # seconds that nothing here takes, unless it hangs

# The binding loads the library once and for all: every case is a process of its own. A question is an expression in
# which `n` is the binding and `gpu` the handle of a GPU by index; the answer to one that NVML refuses is its error.
ASK = """
import ctypes, json, sys
import pynvml as n

gpu = n.nvmlDeviceGetHandleByIndex

def versioned(kind, version):
    made = kind()
    made.version = version
    return made

def fabric():
    info = versioned(n.c_nvmlGpuFabricInfo_v3_t, n.nvmlGpuFabricInfo_v3)
    n.nvmlDeviceGetGpuFabricInfoV(gpu(0), ctypes.byref(info))
    return {"state": info.state, "clique": info.cliqueId, "cluster": bytes(info.clusterUuid).hex()}

def field(index, number, scope=0):
    value = n.nvmlDeviceGetFieldValues(gpu(index), [(number, scope)])[0]
    return f"error {value.nvmlReturn}" if value.nvmlReturn else value.value.ullVal

def plain(answer):
    if isinstance(answer, ctypes.Structure):
        return {name: plain(getattr(answer, name)) for name, *_ in answer._fields_}
    if isinstance(answer, bytes):
        return answer.decode()
    if isinstance(answer, list):
        return [plain(item) for item in answer]
    return vars(answer) if hasattr(answer, "__dict__") else answer

def ask(question):
    try:
        return plain(eval(question))
    except n.NVMLError as error:
        return f"error {error.value}"

answers = {"begun": ask("n.nvmlInit()")}
answers.update((name, ask(question)) for name, question in json.load(sys.stdin).items())
print(json.dumps(answers))
"""

# What nvidia_facts makes of the same machine.
FACTS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.gather import gather
from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

print(json.dumps(gather(Host(root=sys.argv[2]), ["gpus"])))
"""
COLLECTIONS = Path(__file__).resolve().parents[3] / "collections"

NOT_SUPPORTED, LOST = "error 3", "error 15"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the library, compiled to take that folder for `/`."""
    root = tmp_path_factory.mktemp("machine")
    compile_nvml(DRIVER, root / SONAME, str(root))
    return root


@pytest.fixture(scope="module")
def smi() -> Path:
    if os.geteuid() != 0 or not shutil.which("mmdebstrap") or not debian.KEYRING.exists():
        pytest.skip("root and mmdebstrap unpack nvidia-smi")
    try:
        return debian.nvidia_smi()
    except RigError as error:
        pytest.skip(f"Debian's nvidia-smi cannot be had here: {error}")


def furnish(root: Path, hardware: str, nodes: list[str], loaded: str | None, changes: str = "") -> None:
    for folder in ("dev", "proc", "lib", "etc"):
        shutil.rmtree(root / folder, ignore_errors=True)
    description = root / "lib/firmware/nvidia" / DRIVER.version / "gsp_simulated.bin"
    (root / "etc/kubegpu-rig").mkdir(parents=True)
    (root / "etc/kubegpu-rig/gpus.ini").write_text(changes)
    description.parent.mkdir(parents=True)
    description.write_text(hardware)
    (root / "dev").mkdir()
    for node in nodes:
        (root / "dev" / node).touch()
    if loaded:
        (root / "proc/driver/nvidia").mkdir(parents=True)
        (root / "proc/driver/nvidia/version").write_text(LOADED.format(loaded))


def furnish_with(root: Path, card: str, count: int = 1, changes: str = "") -> None:
    """A host with GPUs of that card and a loaded driver."""
    furnish(root, hardware_ini(card, count, "node-1"), nodes(*range(count)), DRIVER.version, changes)


def ask(root: Path, **questions: str) -> dict[str, Any]:
    env = {**os.environ, "LD_LIBRARY_PATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env=env,
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    return dict(json.loads(done.stdout))


def facts(root: Path) -> dict[str, Any]:
    argv = [sys.executable, "-c", FACTS, str(COLLECTIONS), str(root)]
    env = {**os.environ, "LD_LIBRARY_PATH": str(root)}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True, timeout=PATIENCE)
    return dict(json.loads(done.stdout))


def unknown(value: Any, path: str = "") -> set[str]:
    """Where the facts have no value; places in a list count as one."""
    if isinstance(value, dict):
        return {name for key, inner in value.items() for name in unknown(inner, f"{path}.{key}".lstrip("."))}
    if isinstance(value, list):
        return {name for inner in value for name in unknown(inner, path)}
    return {path} if value is None else set()


def say(root: Path, *argv: str | Path) -> str:
    """What nvidia-smi prints. It may end with the number of an NVML error that it has reported."""
    env = {**os.environ, "LD_LIBRARY_PATH": str(root)}
    return subprocess.run(argv, env=env, stdout=subprocess.PIPE, text=True, timeout=PATIENCE).stdout


def nodes(*minors: int) -> list[str]:
    return ["nvidiactl", *(f"nvidia{minor}" for minor in minors)]


# ---- the library ----------------------------------------------------------------------------------------------------


def test_a_loaded_driver_reports_the_hosts_gpus(machine: Path) -> None:
    furnish_with(machine, "h100", 8)
    answer = ask(
        machine,
        driver="n.nvmlSystemGetDriverVersion()",
        cuda="n.nvmlSystemGetCudaDriverVersion_v2()",
        nvml="n.nvmlSystemGetNVMLVersion()",
        uuids="[n.nvmlDeviceGetUUID(gpu(index)) for index in range(n.nvmlDeviceGetCount())]",
        name="n.nvmlDeviceGetName(gpu(0))",
        capability="n.nvmlDeviceGetCudaComputeCapability(gpu(0))",
        pci="n.nvmlDeviceGetPciInfo(gpu(0))",
        by_uuid="n.nvmlDeviceGetIndex(n.nvmlDeviceGetHandleByUUID(n.nvmlDeviceGetUUID(gpu(7))))",
        by_address="n.nvmlDeviceGetIndex(n.nvmlDeviceGetHandleByPciBusId('0000:43:00.0'))",
        event="n.nvmlEventSetWait_v2(n.nvmlEventSetCreate(), 1)",
    )
    assert (answer["driver"], answer["cuda"], answer["nvml"]) == ("580.95.05", 13000, "13.580.95.05")
    assert len(answer["uuids"]) == 8
    assert all(f"uuid = {uuid}" in hardware_ini("h100", 8, "node-1") for uuid in answer["uuids"])
    assert (answer["name"], answer["capability"]) == ("NVIDIA H100 80GB HBM3", [9, 0])
    assert answer["pci"]["busId"] == "00000000:1B:00.0"
    assert (answer["by_uuid"], answer["by_address"]) == (7, 1)
    assert answer["event"] == "error 10"  # NVML_ERROR_TIMEOUT


def test_a_container_sees_the_gpus_whose_device_nodes_it_has(machine: Path) -> None:
    furnish(machine, hardware_ini("h100", 8, "node-1"), nodes(2, 5), None)
    minors = "[n.nvmlDeviceGetMinorNumber(gpu(index)) for index in range(n.nvmlDeviceGetCount())]"
    assert ask(machine, minors=minors)["minors"] == [2, 5]


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
    answer = ask(machine, nvml="n.nvmlSystemGetNVMLVersion()")
    assert answer["begun"] == error
    assert answer["nvml"] == "13.580.95.05"


def test_every_declared_function_gets_a_stand_in() -> None:
    header = "nvmlReturn_t DECLDIR nvmlOne(void);\nDEPRECATED(13.0) nvmlReturn_t DECLDIR nvmlTwo (int x);\nnvmlOne(3)"
    text = absent_functions(header)
    assert text.count("int nvmlOne(void)") == text.count("int nvmlTwo(void)") == 1


# ---- what a card is and has -----------------------------------------------------------------------------------------

HEALTH = {
    "architecture": "n.nvmlDeviceGetArchitecture(gpu(0))",
    "memory": "n.nvmlDeviceGetMemoryInfo(gpu(0), version=n.nvmlMemory_v2)",
    "bar1": "n.nvmlDeviceGetBAR1MemoryInfo(gpu(0))",
    "mig": "n.nvmlDeviceGetMigMode(gpu(0))",
    "ecc": "n.nvmlDeviceGetEccMode(gpu(0))",
    "corrected": "n.nvmlDeviceGetTotalEccErrors(gpu(0), 0, 0)",
    "uncorrected": "n.nvmlDeviceGetTotalEccErrors(gpu(0), 1, 0)",
    "uncorrected_ever": "n.nvmlDeviceGetTotalEccErrors(gpu(0), 1, 1)",
    "retired": "n.nvmlDeviceGetRetiredPages(gpu(0), n.NVML_PAGE_RETIREMENT_CAUSE_DOUBLE_BIT_ECC_ERROR)",
    "retirement": "n.nvmlDeviceGetRetiredPagesPendingStatus(gpu(0))",
    "remapped": "n.nvmlDeviceGetRemappedRows(gpu(0))",
    "persistence": "n.nvmlDeviceGetPersistenceMode(gpu(0))",
    "compute": "n.nvmlDeviceGetComputeMode(gpu(0))",
    "power": "n.nvmlDeviceGetPowerUsage(gpu(0))",
    "limit": "n.nvmlDeviceGetPowerManagementLimit(gpu(0))",
    "default_limit": "n.nvmlDeviceGetPowerManagementDefaultLimit(gpu(0))",
    "limits": "n.nvmlDeviceGetPowerManagementLimitConstraints(gpu(0))",
    "temperature": "n.nvmlDeviceGetTemperatureV(gpu(0), n.NVML_TEMPERATURE_GPU)",
    "shutdown": "n.nvmlDeviceGetTemperatureThreshold(gpu(0), n.NVML_TEMPERATURE_THRESHOLD_SHUTDOWN)",
    "slowdown": "n.nvmlDeviceGetTemperatureThreshold(gpu(0), n.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN)",
    "memory_temperature": "field(0, n.NVML_FI_DEV_MEMORY_TEMP)",
    "clock": "n.nvmlDeviceGetClockInfo(gpu(0), n.NVML_CLOCK_SM)",
    "most_clock": "n.nvmlDeviceGetMaxClockInfo(gpu(0), n.NVML_CLOCK_SM)",
    "reasons": "n.nvmlDeviceGetCurrentClocksEventReasons(gpu(0))",
    "generation": "n.nvmlDeviceGetCurrPcieLinkGeneration(gpu(0))",
    "most_generation": "n.nvmlDeviceGetMaxPcieLinkGeneration(gpu(0))",
    "width": "n.nvmlDeviceGetCurrPcieLinkWidth(gpu(0))",
    "most_width": "n.nvmlDeviceGetMaxPcieLinkWidth(gpu(0))",
    "replays": "n.nvmlDeviceGetPcieReplayCounter(gpu(0))",
    "link": "n.nvmlDeviceGetNvLinkState(gpu(0), 0)",
    "link_version": "n.nvmlDeviceGetNvLinkVersion(gpu(0), 0)",
    "link_end": "n.nvmlDeviceGetNvLinkRemotePciInfo(gpu(0), 1).busId",
    "link_errors": "n.nvmlDeviceGetNvLinkErrorCounter(gpu(0), 0, n.NVML_NVLINK_ERROR_DL_CRC_FLIT)",
    "links": "field(0, n.NVML_FI_DEV_NVLINK_LINK_COUNT)",
    "fabric": "fabric()",
    "processes": "n.nvmlDeviceGetComputeRunningProcesses(gpu(0)) + n.nvmlDeviceGetGraphicsRunningProcesses(gpu(0))",
    "vbios": "n.nvmlDeviceGetVbiosVersion(gpu(0))",
    "inforom": "n.nvmlDeviceGetInforomImageVersion(gpu(0))",
    "inforom_oem": "n.nvmlDeviceGetInforomVersion(gpu(0), n.NVML_INFOROM_OEM)",
    "inforom_ecc": "n.nvmlDeviceGetInforomVersion(gpu(0), n.NVML_INFOROM_ECC)",
    "serial": "n.nvmlDeviceGetSerial(gpu(0))",
}
# What some cards do not have, and by what one knows them.
LACKS = {
    "t4": {"mig", "remapped", "memory_temperature", "link", "link_version", "link_end", "link_errors"},
    "l40s": {"mig", "memory_temperature", "link", "link_version", "link_end", "link_errors"},
    "b200": {"link_end", "link_errors"},
    "gb200": {"link_end", "link_errors"},
    "gb300": {"link_end", "link_errors"},
}


@each_card
def test_a_healthy_gpu_answers_all_that_its_card_can(machine: Path, card: str) -> None:
    furnish_with(machine, card)
    answer = ask(machine, **HEALTH)
    lacks = LACKS.get(card, set()) | (set() if card == "t4" else {"retired", "retirement"})
    assert {name for name, said in answer.items() if said == NOT_SUPPORTED} == lacks
    assert not {name: said for name, said in answer.items() if str(said).startswith("error") and name not in lacks}
    assert answer["memory"]["total"] > answer["memory"]["reserved"] > 0 == answer["memory"]["used"]
    assert 0 < answer["power"] < answer["limit"]
    assert answer["limit"] == answer["default_limit"] == answer["limits"][1]
    assert answer["temperature"] < answer["slowdown"] < answer["shutdown"]
    assert (answer["generation"], answer["width"]) == (answer["most_generation"], answer["most_width"])
    assert answer["clock"] < answer["most_clock"]


def test_an_nvlink_fabric_is_as_its_cards_have_it(machine: Path) -> None:
    found = {}
    for card in ("l40s", "a100", "h100", "gb200"):
        furnish_with(machine, card)
        found[card] = ask(machine, fabric="fabric()")["fabric"]
    none, alone = {"state": 0, "clique": 0}, {"state": 3, "clique": 0}
    assert {card: {key: fabric[key] for key in none} for card, fabric in found.items()} == {
        "l40s": none,
        "a100": none,
        "h100": alone,
        "gb200": {"state": 3, "clique": 32766},
    }
    assert found["h100"]["cluster"].strip("0") == "" != found["gb200"]["cluster"].strip("0")


def test_a_partitioned_gpu_has_mig_devices(machine: Path) -> None:
    furnish_with(machine, "a100-mig", 2)
    mig = "n.nvmlDeviceGetMigDeviceHandleByIndex(gpu(0), {})"
    answer = ask(
        machine,
        modes="[n.nvmlDeviceGetMigMode(gpu(index)) for index in (0, 1)]",
        names=f"[n.nvmlDeviceGetName({mig}) for index in range(3)]".replace("{}", "index"),
        memory=f"n.nvmlDeviceGetMemoryInfo({mig}).total".replace("{}", "0"),
        instance=f"n.nvmlDeviceGetGpuInstanceId({mig})".replace("{}", "1"),
        parent=f"n.nvmlDeviceGetIndex(n.nvmlDeviceGetDeviceHandleFromMigDeviceHandle({mig}))".replace("{}", "2"),
        fourth=mig.replace("{}", "3"),
        other="n.nvmlDeviceGetMigDeviceHandleByIndex(gpu(1), 0)",
    )
    assert answer["modes"] == [[1, 1], [0, 0]]
    assert [name.rpartition(" ")[2] for name in answer["names"]] == ["3g.40gb", "2g.20gb", "1g.10gb"]
    assert (answer["memory"], answer["instance"], answer["parent"]) == (40192 * 2**20, 5, 0)
    assert answer["fourth"] == answer["other"] == "error 6"  # NVML_ERROR_NOT_FOUND


# ---- what may become of a GPU ---------------------------------------------------------------------------------------


def test_a_gpu_may_have_troubles_of_its_own(machine: Path) -> None:
    changes = """
[gpu 0]
ecc_uncorrected = 3
ecc_uncorrected_before = 4
remapped_rows = 2
remap_failed = 1
pcie_width_now = 8
nvlinks_down = 0x1
nvlink_crc_errors = 9
event_reasons = 0x40
"""
    furnish_with(machine, "h100", 2, changes)
    answer = ask(machine, **HEALTH, other="n.nvmlDeviceGetTotalEccErrors(gpu(1), 1, 1)")
    assert (answer["uncorrected"], answer["uncorrected_ever"], answer["other"]) == (3, 7, 0)
    assert answer["remapped"] == [0, 2, 0, 1]
    assert (answer["width"], answer["most_width"]) == (8, 16)
    assert (answer["link"], answer["link_errors"], answer["reasons"]) == (0, 9, 0x40)


def test_pages_are_retired_on_older_cards(machine: Path) -> None:
    furnish_with(machine, "t4", 1, "[gpu 0]\nretired_double_bit = 2\nretired_pending = 1\n")
    answer = ask(machine, **HEALTH)
    assert (len(answer["retired"]), answer["retirement"]) == (2, 1)


def test_processes_hold_memory(machine: Path) -> None:
    furnish_with(machine, "h100", 2, "[gpu 1]\nprocess = 41 compute 1000\nprocess = 42 graphics 24\n")
    answer = ask(
        machine,
        idle="n.nvmlDeviceGetComputeRunningProcesses(gpu(0))",
        compute="n.nvmlDeviceGetComputeRunningProcesses(gpu(1))",
        graphics="n.nvmlDeviceGetGraphicsRunningProcesses(gpu(1))",
        used="n.nvmlDeviceGetMemoryInfo(gpu(1), version=n.nvmlMemory_v2).used",
    )
    assert answer["idle"] == []
    assert [(seen["pid"], seen["usedGpuMemory"]) for seen in answer["compute"]] == [(41, 1000 * 2**20)]
    assert [seen["pid"] for seen in answer["graphics"]] == [42]
    assert answer["used"] == 1024 * 2**20


def test_a_lost_gpu_is_lost_alone(machine: Path) -> None:
    furnish_with(machine, "h100", 3, "[gpu 1]\nstate = lost\n")
    answer = ask(machine, serials="[ask(f'n.nvmlDeviceGetSerial(gpu({index}))') for index in range(3)]")
    assert [serial == LOST for serial in answer["serials"]] == [False, True, False]


def test_a_gpu_may_hang_and_take_along_who_asks(machine: Path) -> None:
    furnish_with(machine, "h100", 2, "[gpu 1]\nstate = hang\n")
    assert ask(machine, first="n.nvmlDeviceGetMinorNumber(gpu(0))")["first"] == 0
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, "-c", ASK],
            env={**os.environ, "LD_LIBRARY_PATH": str(machine)},
            input=json.dumps({"second": "n.nvmlDeviceGetMinorNumber(gpu(1))"}),
            capture_output=True,
            text=True,
            timeout=1,
        )


# ---- nvidia-smi -----------------------------------------------------------------------------------------------------


@each_card
def test_nvidia_smi_tells_all_in_xml(machine: Path, smi: Path, card: str) -> None:
    count = most(card)
    furnish_with(machine, card, count)
    log = ElementTree.fromstring(say(machine, smi, "-q", "-x"))
    assert log.findtext("driver_version") == DRIVER.version
    gpus = log.findall("gpu")
    assert len({gpu.findtext("uuid") for gpu in gpus}) == len(gpus) == count
    for gpu in gpus:
        assert str(gpu.findtext("fb_memory_usage/total")).endswith(" MiB")
        assert str(gpu.findtext("gpu_power_readings/max_power_limit")).endswith(" W")
        assert gpu.findtext("ecc_mode/current_ecc") == "Enabled"


def test_nvidia_smi_tells_people_of_mig_devices(machine: Path, smi: Path) -> None:
    furnish_with(machine, "a100-mig", 2)
    assert say(machine, smi, "-L").count("(UUID: MIG-") == 3
    (first, second) = ElementTree.fromstring(say(machine, smi, "-q", "-x")).findall("gpu")
    assert [mig.findtext("index") for mig in first.findall("mig_devices/mig_device")] == ["0", "1", "2"]
    assert second.findall("mig_devices/mig_device") == []
    assert "Product Name" in say(machine, smi, "-q")


def test_nvidia_smi_answers_by_column(machine: Path, smi: Path) -> None:
    furnish_with(machine, "h100", 3, "[gpu 1]\nstate = lost\n")
    rows = say(machine, smi, "--query-gpu=index,name,memory.total,power.limit", "--format=csv,noheader,nounits")
    assert rows.splitlines()[0] == "0, NVIDIA H100 80GB HBM3, 81559, 700.00"
    assert rows.splitlines()[1].startswith("[GPU is lost]") and rows.splitlines()[2].startswith("2,")


# ---- nvidia_facts ---------------------------------------------------------------------------------------------------

FABRIC = {"fabric.state", "fabric.status", "fabric.clique_id", "fabric.cluster_uuid"}
PAGES = {"retired_pages.single_bit", "retired_pages.double_bit", "retired_pages.pending"}
ROWS = {"row_remap.corrected", "row_remap.uncorrected", "row_remap.pending", "row_remap.failed"}
MIG = {"mig.current", "mig.pending"}
LINK_5 = {"nvlink.remote_pci", "nvlink.errors.replay", "nvlink.errors.recovery", "nvlink.errors.crc"}
UNKNOWN = {
    "t4": FABRIC | ROWS | MIG | {"temperature.memory_c"},
    "l40s": FABRIC | PAGES | MIG | {"temperature.memory_c"},
    "a100": FABRIC | PAGES,
    "a100-mig": FABRIC | PAGES,
    "h100": PAGES | {"fabric.cluster_uuid"},
    "b200": PAGES | LINK_5 | {"fabric.cluster_uuid"},
    "gb200": PAGES | LINK_5,
    "gb300": PAGES | LINK_5,
}


@each_card
def test_the_facts_know_all_that_a_card_tells(machine: Path, card: str) -> None:
    furnish_with(machine, card, 4)
    told = facts(machine)
    assert told["sources"]["nvml"] == {"ok": True, "reason": None}
    assert len(told["gpus"]) == 4
    assert unknown(told["gpus"]) == UNKNOWN[card] | {"inforom.power"}


def test_the_facts_do_without_a_lost_gpu(machine: Path) -> None:
    furnish_with(machine, "gb200", 4, "[gpu 2]\nstate = lost\n")
    told = facts(machine)
    assert [gpu["index"] for gpu in told["gpus"] if gpu["uuid"]] == [0, 1, 3]
    assert told["sources"]["nvml"]["ok"] is False and "GPU 2" in told["sources"]["nvml"]["reason"]
