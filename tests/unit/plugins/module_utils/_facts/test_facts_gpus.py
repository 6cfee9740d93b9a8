# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GPUs of a host: which way in is taken, what it tells, and what became of the others."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils import _host
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import gpu_words as words
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import gpus, nvml
from ansible_collections.kubegpu.nodes.tests.unit.plugins.module_utils._facts.folder import Folder

SMI = Path(__file__).resolve().parents[3] / "fixtures/nvidia-smi"
NO_BINDING = {"reason": "the Python module pynvml is not there", "cuda_reason": "no library"}
OK = {"ok": True, "reason": None}
ID = "0123456789abcdef" * 4


class Box(Folder):
    """A host with a loaded driver, whose nvidia-smi is a script: a fixture for each format."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self._bin, self._monkeypatch = tmp_path / "root", tmp_path / "bin", monkeypatch
        self._bin.mkdir()
        monkeypatch.setenv("PATH", str(self._bin))
        monkeypatch.setattr(_host, "SEARCH_PATH", ())
        self.file("/proc/driver/nvidia/version", "loaded")
        self.nvml(NO_BINDING)

    def nvml(self, said: t.Any) -> None:
        self._monkeypatch.setattr(nvml, "ask", said if callable(said) else lambda: said)

    def smi(self, xml: str, csv: str) -> None:
        """The shell commands that answer ``-q -x`` and ``--query-gpu``."""
        script = f'#!/bin/sh\nPATH=/usr/bin:/bin\ncase "$1" in -q) {xml};; *) {csv};; esac\n'
        program = self._bin / "nvidia-smi"
        program.write_text(script, encoding="utf-8")
        program.chmod(0o755)

    def read(self, time_limit_s: float = 10) -> tuple[gpus.DriverSays, dict[str, dict[str, t.Any]]]:
        host = _host.Host(str(self.root), time_limit_s)
        reading = gpus.finish(host, gpus.begin(host))
        json.dumps(reading.value)
        return reading.value, {name: source.as_dict() for name, source in reading.sources.items()}


@pytest.fixture(name="box")
def _box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    return Box(tmp_path, monkeypatch)


def shows(fixture: str, status: int = 0) -> str:
    return f"cat '{SMI / fixture}'; exit {status}"


def test_nvml_comes_first(box: Box) -> None:
    box.nvml({"gpus": [{"index": 0, "uuid": "GPU-1"}], "driver": "580.95.05", "cuda": 13000})
    says, sources = box.read()
    assert says == ([{**words.blank(), "index": 0, "uuid": "GPU-1"}], "580.95.05", "13.0")
    assert sources["nvml"] == sources["cuda_limit"] == OK
    assert sources["nvidia_smi_xml"] == sources["nvidia_smi"] == {"ok": None, "reason": "not asked: NVML answered"}


def test_nothing_is_asked_without_a_driver(box: Box) -> None:
    (box.root / "proc/driver/nvidia/version").unlink()
    box.smi("exit 1", "exit 1")
    says, sources = box.read()
    assert says == gpus.SILENCE
    assert {source["reason"] for source in sources.values()} == {"not asked: no driver is loaded"}


def test_the_xml_and_what_only_the_csv_tells(box: Box) -> None:
    box.smi(shows("535.261.03-h100x2.xml"), shows("535.261.03-h100x2.csv"))
    says, sources = box.read()
    assert [(gpu["index"], gpu["compute_capability"], gpu["vbios"]) for gpu in says.gpus] == [
        (0, "9.0", "96.00.89.00.01"),
        (1, "9.0", "96.00.89.00.01"),
    ]
    assert (says.driver_version, says.cuda_version) == ("535.261.03", "12.2")
    assert sources["nvml"] == {"ok": False, "reason": NO_BINDING["reason"]}
    assert sources["nvidia_smi_xml"] == sources["nvidia_smi"] == sources["cuda_limit"] == OK


def test_the_csv_where_the_xml_crashes(box: Box) -> None:
    box.smi(f"head -c 3000 '{SMI / '535.261.03-h100x2.xml'}'; kill -SEGV $$", shows("synthetic-580-h100x8.csv"))
    says, sources = box.read()
    assert (len(says.gpus), says.driver_version, says.cuda_version) == (8, "580.95.05", None)
    assert sources["nvidia_smi_xml"] == {"ok": False, "reason": "ended by SIGSEGV: no whole document"}
    assert sources["nvidia_smi"] == OK
    assert sources["cuda_limit"] == {"ok": False, "reason": "no library"}


FAILURES = {
    "no driver": ("535.261.03-no-driver.txt", 9, "exit status 9: NVIDIA-SMI has failed because"),
    "no library": ("535.261.03-no-library.txt", 12, "exit status 12: NVIDIA-SMI couldn't find libnvidia-ml.so"),
}


@pytest.mark.parametrize("fixture, status, reason", FAILURES.values(), ids=FAILURES.keys())
def test_nvidia_smi_fails(box: Box, fixture: str, status: int, reason: str) -> None:
    box.smi(shows(fixture, status), shows(fixture, status))
    says, sources = box.read()
    assert says == gpus.SILENCE
    for name in ("nvidia_smi_xml", "nvidia_smi"):
        assert sources[name]["ok"] is False and sources[name]["reason"].startswith(reason)


def test_there_is_no_nvidia_smi(box: Box) -> None:
    _says, sources = box.read()
    assert sources["nvidia_smi_xml"] == sources["nvidia_smi"] == {"ok": False, "reason": "nvidia-smi not found"}


def test_one_gpu_is_lost(box: Box) -> None:
    box.smi(shows("synthetic-580-one-lost.xml"), shows("synthetic-580-one-lost.csv", 15))
    says, sources = box.read()
    assert [(gpu["index"], gpu["pci_address"], gpu["name"]) for gpu in says.gpus] == [
        (0, "0000:10:00.0", "NVIDIA H100 80GB HBM3"),
        (1, "0000:18:00.0", None),
    ]
    assert sources["nvidia_smi_xml"]["reason"].startswith("exit status 0: WARNING: infoROM is corrupted")
    assert sources["nvidia_smi"]["reason"].startswith("exit status 15: Unable to determine the device handle for GPU1")


def test_an_old_nvidia_smi_is_asked_for_less(box: Box) -> None:
    box.smi(
        shows("synthetic-470-k80.xml"),
        'case "$1" in *compute_cap*) echo \'Field "compute_cap" is not a valid field to query.\'; exit 2;; esac\n'
        "echo '1, GPU-80808080-0000-0000-0000-000000000001, Tesla K80, 00000000:06:00.0, [N/A], 11441, [N/A], 470.2'",
    )
    says, sources = box.read()
    assert [(gpu["name"], gpu["compute_capability"]) for gpu in says.gpus] == [("Tesla K80", None)] * 2
    assert sources["nvidia_smi"] == OK


def test_a_hanging_nvml_is_not_asked_by_another_name(box: Box) -> None:
    box.nvml(lambda: time.sleep(30))
    box.smi("sleep 30", "sleep 30")
    began = time.monotonic()
    says, sources = box.read(time_limit_s=0.3)
    assert time.monotonic() - began < 2
    assert says == gpus.SILENCE
    assert sources["nvml"]["reason"] == sources["cuda_limit"]["reason"] == "did not answer within 0.9 s"
    assert sources["nvidia_smi_xml"] == sources["nvidia_smi"] == {"ok": None, "reason": "not asked: NVML hangs"}


def test_a_hanging_nvidia_smi_costs_one_time_limit(box: Box) -> None:
    box.smi("exec sleep 30", "exec sleep 30")
    began = time.monotonic()
    _says, sources = box.read(time_limit_s=0.3)
    assert time.monotonic() - began < 2
    assert sources["nvidia_smi_xml"]["reason"] == "nvidia-smi did not answer within 0.9 s"
    assert sources["nvidia_smi"] == {"ok": None, "reason": "not asked: nvidia-smi hangs"}


def test_a_crashing_nvml_leaves_nvidia_smi(box: Box) -> None:
    box.nvml(lambda: 1 / 0)
    box.smi(shows("535.261.03-t4x1.xml"), shows("535.261.03-t4x1.csv"))
    says, sources = box.read()
    assert (says.gpus[0]["name"], says.cuda_version) == ("Tesla T4", "12.2")
    assert sources["nvml"] == {"ok": False, "reason": "gave no answer (exit status 1)"}


def test_processes_have_names_and_owners(box: Box) -> None:
    box.file("/proc/812/comm", "python3\n")
    box.file("/proc/812/cgroup", f"0::/system.slice/docker-{ID}.scope\n")
    box.file("/proc/813/comm", "trainer\n")
    box.file("/proc/813/cgroup", "0::/system.slice/trainer.service\n")
    running = [[812, "compute", 1 << 30], [813, "graphics", None], [814, "compute", None]]
    box.nvml({"gpus": [{"index": 0, "processes": running}]})
    says, _sources = box.read()
    assert [tuple(process.values()) for process in says.gpus[0]["processes"]] == [
        (812, "compute", 1024, "python3", None, ID),
        (813, "graphics", None, "trainer", "trainer.service", None),
        (814, "compute", None, None, None, None),
    ]
    assert list(says.gpus[0]["processes"][0]) == ["pid", "type", "used_memory_mib", "name", "unit", "container"]


def known(index: int | None, **values: t.Any) -> words.Gpu:
    return {**words.blank(), "index": index, **values}


def test_joined_by_uuid_or_address() -> None:
    best = [known(None, uuid="GPU-b", name="B"), known(None, pci_address="0000:01:00.0", name="A")]
    rows = [
        known(0, uuid="GPU-a", pci_address="0000:01:00.0", compute_capability="9.0"),
        known(1, uuid="GPU-b", name="other"),
        known(2, uuid="GPU-c", name="C"),
    ]
    found = gpus.joined(best, rows)
    assert [(gpu["index"], gpu["uuid"], gpu["name"]) for gpu in found] == [
        (0, "GPU-a", "A"),
        (1, "GPU-b", "B"),
        (2, "GPU-c", "C"),
    ]
    assert found[0]["compute_capability"] == "9.0"


INFORMATION = """Model: \t\t NVIDIA H100 80GB HBM3
IRQ:   \t\t 410
GPU UUID: \t GPU-3b1f7f9e-6d0c-4c55-9c54-0f1c5f0f7a11
Video BIOS: \t 96.00.89.00.01
Bus Type: \t PCIe
DMA Size: \t 52 bits
DMA Mask: \t 0xfffffffffffff
Bus Location: \t 0000:1b:00.0
Device Minor: \t 3
GPU Firmware: \t 580.95.05
GPU Excluded:\t No
"""
LOST = INFORMATION.replace(
    "GPU-3b1f7f9e-6d0c-4c55-9c54-0f1c5f0f7a11", "GPU-????????-????-????-????-????????????"
).replace("96.00.89.00.01", "??.??.??.??.??")


def in_kernel(box: Box, **files: str) -> None:
    for name, text in files.items():
        box.file(f"/proc/driver/nvidia/gpus/0000:{name}:00.0/information", text)
    (box.root.parent / "bin" / "cat").symlink_to("/bin/cat")


def test_where_no_library_answers_the_kernel_still_names_the_gpus(box: Box) -> None:
    in_kernel(box, b1=INFORMATION, b2=LOST.replace("1b:00", "2b:00"))
    box.smi("exit 9", "exit 9")
    says, sources = box.read()
    first, second = says.gpus
    assert (first["name"], first["uuid"], first["minor"]) == (
        "NVIDIA H100 80GB HBM3",
        "GPU-3b1f7f9e-6d0c-4c55-9c54-0f1c5f0f7a11",
        3,
    )
    assert (first["vbios"], first["pci_address"], first["index"]) == ("96.00.89.00.01", "0000:1b:00.0", None)
    assert (second["uuid"], second["vbios"], second["pci_address"]) == (None, None, "0000:2b:00.0")
    assert sources["proc_gpus"] == OK and sources["nvidia_smi"]["ok"] is False


def test_the_kernels_files_are_not_read_where_a_library_answers(box: Box) -> None:
    in_kernel(box, b1=INFORMATION)
    box.nvml({"gpus": [{"index": 0, "uuid": "GPU-1"}], "driver": "580.95.05", "cuda": 13000})
    says, sources = box.read()
    assert [gpu["uuid"] for gpu in says.gpus] == ["GPU-1"]
    assert sources["proc_gpus"] == {"ok": None, "reason": "not asked: NVML or nvidia-smi answered"}


def test_a_file_of_the_kernels_that_hangs_is_given_up(box: Box) -> None:
    in_kernel(box, b1=INFORMATION)
    (box.root.parent / "bin" / "cat").unlink()
    cat = box.root.parent / "bin" / "cat"
    cat.write_text("#!/bin/sh\nPATH=/usr/bin:/bin exec sleep 30\n", encoding="utf-8")
    cat.chmod(0o755)
    box.smi("exit 9", "exit 9")
    says, sources = box.read(time_limit_s=0.3)
    assert says.gpus == []
    assert sources["proc_gpus"]["ok"] is False and "did not answer" in sources["proc_gpus"]["reason"]
