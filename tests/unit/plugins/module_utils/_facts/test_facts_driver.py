# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver: what its parts say, where they contradict each other, how it came and who holds it."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import (
    driver,
    driver_origin,
    driver_services,
    holders,
    modules,
)
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.driver import Found, Module, NextBoot
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.driver_origin import Origin, Traces
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Source
from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Answer
from ansible_collections.kubegpu.nodes.tests.unit.plugins.module_utils._facts.folder_host import FolderHost
from hypothesis import given
from hypothesis import strategies as st

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"


@pytest.fixture(name="machine")
def _machine(tmp_path: Path) -> FolderHost:
    return FolderHost(tmp_path)


def fixture(path: str) -> str:
    return (FIXTURES / path).read_text(encoding="utf-8")


PROC_VERSIONS = {
    "proc/synthetic-550-proprietary.txt": Module("550.107.02", "proprietary"),
    "proc/synthetic-615-open.txt": Module("615.71.09", "open"),
    "proc/synthetic-580-open-arm.txt": Module("580.95.05", "open"),
}


@pytest.mark.parametrize("path, module", PROC_VERSIONS.items())
def test_proc_version_in_both_wordings(path: str, module: Module) -> None:
    assert driver.parse_proc_version(fixture(path)) == module


def test_proc_version_of_two_parts() -> None:
    text = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  384.81  Sat Sep  2 02:43:11 PDT 2017"
    assert driver.parse_proc_version(text) == Module("384.81", "proprietary")


@pytest.mark.parametrize("text", ["", "NVRM version:", "Kernel Module 550.1", "GCC version:  gcc version 12.2.0"])
def test_proc_version_not_understood(text: str) -> None:
    assert driver.parse_proc_version(text) is None


MODINFOS = {
    "open": ("filename: /lib/x.ko\nversion:    580.95.05\nlicense:    Dual MIT/GPL\n", Module("580.95.05", "open")),
    "proprietary": ("license:        NVIDIA\nversion:        470.256.02\n", Module("470.256.02", "proprietary")),
    "signed": (
        "version: 580.95.05\nlicense: NVIDIA\nsig_id: PKCS#7\nsigner:         DKMS module signing key\n",
        Module("580.95.05", "proprietary", "DKMS module signing key"),
    ),
    "unknown licence": ("version: 1\nlicense: GPL\n", Module("1", None)),
    "srcversion is no version": ("srcversion:     ABC\n", Module()),
}


@pytest.mark.parametrize("text, module", MODINFOS.values(), ids=MODINFOS.keys())
def test_modinfo(text: str, module: Module) -> None:
    assert driver.parse_modinfo(text) == module


LIBRARIES = {
    "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.580.95.05": "580.95.05",
    "/usr/lib/x86_64-linux-gnu/nvidia/current/libnvidia-ml.so.535.261.03": "535.261.03",
    "/usr/lib64/libnvidia-ml.so.384.81": "384.81",
    "/usr/lib64/libnvidia-ml.so.1": None,
}


@pytest.mark.parametrize("path, version", LIBRARIES.items())
def test_library_version(path: str, version: str | None) -> None:
    assert driver.library_version(path) == version


OPEN_1, OPEN_2, PROPRIETARY_2 = Module("1", "open"), Module("2", "open"), Module("2", "proprietary")
NEXT = "6.1.0-41-amd64"
MISMATCHES = {
    "nothing there": (Found(), []),
    "all agree": (Found(OPEN_2, "2", OPEN_2, NextBoot(NEXT, OPEN_2), {"fabric manager": "2"}), []),
    "unknown parts": (Found(OPEN_2, None, Module(), NextBoot(NEXT)), []),
    "installed, not loaded": (Found(Module(), "2", OPEN_2), []),
    "libraries newer": (Found(OPEN_1, "2", OPEN_1), ["the loaded kernel module is 1 but the libraries are 2"]),
    "waits for a reboot": (
        Found(OPEN_1, "2", OPEN_2),
        ["loaded kernel module is 1 but the libraries are 2", "loaded kernel module is 1 but the one on disk is 2"],
    ),
    "half installed": (Found(Module(), "2", OPEN_1), ["the libraries are 2 but the kernel module on disk is 1"]),
    "other flavour": (Found(OPEN_2, "2", PROPRIETARY_2), ["module is open but the one on disk is proprietary"]),
    "gone after a reboot": (
        Found(OPEN_2, "2", OPEN_2, NextBoot(NEXT, Module())),
        [f"kernel {NEXT}, which boots next, has no NVIDIA module on disk"],
    ),
    "other after a reboot": (
        Found(OPEN_2, "2", OPEN_2, NextBoot(NEXT, Module("1", "proprietary"))),
        [f"kernel {NEXT}, which boots next, has module 1 but not 2", "which boots next, is proprietary, not open"],
    ),
    "nothing on disk at all": (Found(OPEN_2, "2", Module(), NextBoot(NEXT, Module())), []),
    "the same kernel boots again": (Found(OPEN_2, "2", OPEN_2, NextBoot(NEXT, None, running=True)), []),
    "fabric manager newer": (
        Found(OPEN_1, "1", OPEN_1, companions={"fabric manager": "2", "IMEX service": None}),
        ["the fabric manager is 2 but the driver is 1"],
    ),
    "IMEX newer, nothing loaded": (
        Found(Module(), "1", OPEN_1, companions={"IMEX service": "2"}),
        ["the IMEX service is 2 but the driver is 1"],
    ),
    "a fabric manager alone": (Found(companions={"fabric manager": "2"}), []),
}


@pytest.mark.parametrize("found, words", MISMATCHES.values(), ids=MISMATCHES.keys())
def test_mismatch(found: Found, words: list[str]) -> None:
    told = driver.mismatch(found)
    sentences = told.split("; ") if told else []
    assert len(sentences) == len(words)
    assert all(word in sentence for word, sentence in zip(words, sentences))


def read_all(machine: FolderHost, packages: t.Any = None, reported: str | None = None) -> dict[str, t.Any]:
    parts = {name: reader(machine).value for name, reader in driver.READERS.items()}
    value = driver.conclude(parts, reported, packages)
    json.dumps(value)
    return value


def boots(machine: FolderHost, *releases: str, default: str) -> None:
    """Kernels with a GRUB menu that starts one of them."""
    for release in releases:
        machine.file(f"/lib/modules/{release}/modules.dep")
        machine.file(f"/boot/vmlinuz-{release}")
    machine.file("/boot/grub/grub.cfg", f"menuentry 'Linux' {{\n linux /boot/vmlinuz-{default} root=/dev/sda1\n}}\n")


def test_the_module_of_the_kernel_that_boots_next(machine: FolderHost) -> None:
    boots(machine, machine.kernel(), NEXT, default=NEXT)
    machine.commands["modinfo nvidia"] = Answer(0, "version: 580.95.05\nlicense: Dual MIT/GPL\nsigner: us\n", "")
    for name in driver.MODULES:
        machine.commands[f"modinfo -k {NEXT} {name}"] = Answer(1, "", f"modinfo: ERROR: Module {name} not found.\n")
    value = read_all(machine)
    assert value["next_boot"] == {"kernel": NEXT, "version": None, "flavour": None}
    assert (value["branch"], value["signer"]) == ("580", "us")
    assert value["mismatch"] == f"kernel {NEXT}, which boots next, has no NVIDIA module on disk"


def test_debian_loads_a_module_of_another_name_as_nvidia(machine: FolderHost) -> None:
    machine.file("/etc/modprobe.d/a.conf", "options nvidia NVreg_x=1\n#install nvidia modprobe -i nvidia-old\n")
    machine.file(
        "/etc/nvidia/current/nvidia-modprobe.conf", "install nvidia modprobe -i nvidia-current $CMDLINE_OPTS\n"
    )
    machine.link("/etc/modprobe.d/nvidia.conf", "../nvidia/current/nvidia-modprobe.conf")
    boots(machine, machine.kernel(), NEXT, default=NEXT)
    for argv in ("modinfo", f"modinfo -k {NEXT}"):
        machine.commands[f"{argv} nvidia"] = Answer(1, "", "modinfo: ERROR: Module nvidia not found.\n")
        machine.commands[f"{argv} nvidia-current"] = Answer(0, "version: 535.261.03\nlicense: NVIDIA\n", "")
    value = read_all(machine)
    assert (value["on_disk"], value["next_boot"]["version"], value["branch"]) == ("535.261.03", "535.261.03", "535")


def test_the_running_kernel_boots_again(machine: FolderHost) -> None:
    boots(machine, machine.kernel(), default=machine.kernel())
    machine.commands["modinfo nvidia"] = Answer(0, "version: 580.95.05\nlicense: NVIDIA\n", "")
    value = read_all(machine)
    assert value["next_boot"] == {"kernel": machine.kernel(), "version": "580.95.05", "flavour": "proprietary"}
    assert [argv for argv in machine.asked if argv[0] == "modinfo"] == [("modinfo", "nvidia")]


@pytest.mark.parametrize("name, licence", [("nvidia-current", "NVIDIA"), ("nvidia-current-open", "Dual MIT/GPL")])
def test_debians_names_of_the_module(machine: FolderHost, name: str, licence: str) -> None:
    for other in driver.MODULES:
        machine.commands[f"modinfo {other}"] = Answer(1, "", f"modinfo: ERROR: Module {other} not found.\n")
    machine.commands[f"modinfo {name}"] = Answer(0, f"version: 535.309.01\nlicense: {licence}\n", "")
    value = read_all(machine)
    assert (value["on_disk"], value["on_disk_flavour"]) == ("535.309.01", driver.LICENCES[licence])


def test_a_modinfo_that_fails_for_the_next_kernel_says_nothing_of_it(machine: FolderHost) -> None:
    boots(machine, machine.kernel(), NEXT, default=NEXT)
    machine.commands["modinfo nvidia"] = Answer(0, "version: 580.95.05\nlicense: NVIDIA\n", "")
    machine.commands[f"modinfo -k {NEXT} nvidia"] = Answer(1, "", "modinfo: ERROR: of another kind\n")
    assert driver.read_next_boot(machine).sources["modinfo_next_boot"] == Source(
        False, "exit status 1: modinfo: ERROR: of another kind"
    )
    value = read_all(machine)
    assert (value["next_boot"]["version"], value["mismatch"]) == (None, None)


def test_modules_and_who_uses_them(machine: FolderHost) -> None:
    machine.file("/sys/module/nvidia/refcnt", "12\n")
    machine.file("/sys/module/nvidia/holders/nvidia_uvm/x")
    machine.file("/sys/module/nvidia/holders/nvidia_modeset/x")
    machine.file("/sys/module/nouveau/parameters/modeset", "0")
    machine.file("/sys/module/gdrdrv/refcnt", "garbled")
    machine.file("/sys/module/novatel/refcnt", "1")
    assert modules.read(machine) == (
        {
            "gdrdrv": {"refcount": None, "used_by": []},
            "nouveau": {"refcount": None, "used_by": []},
            "nvidia": {"refcount": 12, "used_by": ["nvidia_modeset", "nvidia_uvm"]},
        },
        {"modules": OK},
    )


def test_parameters(machine: FolderHost) -> None:
    machine.file("/proc/driver/nvidia/params", fixture("proc/synthetic-580-params.txt"))
    value = modules.read_parameters(machine).value
    assert (value["EnableMSI"], value["RegistryDwords"], value["TemporaryFilePath"]) == ("1", "", "/var/tmp")


PARAMS = "/proc/driver/nvidia/params"
PARAMETERS: dict[str, tuple[str | None, bool, dict[str, str] | None, Source]] = {
    "no module": (None, False, {}, OK),
    "a module that says none": (None, True, None, Source(False, f"{PARAMS}: No such file or directory")),
    "garbled": ("\0\0", True, None, Source(False, f"{PARAMS}: nothing that this collection understands")),
}


@pytest.mark.parametrize("text, loaded, value, source", PARAMETERS.values(), ids=PARAMETERS.keys())
def test_no_parameters(machine: FolderHost, text: str | None, loaded: bool, value: t.Any, source: Source) -> None:
    if text is not None:
        machine.file(PARAMS, text)
    if loaded:
        machine.file("/sys/module/nvidia/refcnt", "0")
    assert modules.read_parameters(machine) == (value, {"parameters": source})


CONTAINER = "a1" * 32


def process(machine: FolderHost, pid: int, name: str, cgroup: str, *targets: str) -> None:
    machine.file(f"/proc/{pid}/comm", f"{name}\n")
    machine.file(f"/proc/{pid}/cgroup", f"0::{cgroup}\n")
    (machine.root / f"proc/{pid}/fd").mkdir()
    for number, target in enumerate(targets):
        machine.link(f"/proc/{pid}/fd/{number}", target)


def test_partitioned(machine: FolderHost) -> None:
    assert modules.read_partitioned(machine) == ([], {})
    capabilities = "/proc/driver/nvidia/capabilities"
    for path in ("mig/config", "gpu0/mig/gi1/access", "gpu10/mig/gi2/ci0/access", "gpu2/mig/gi1/access", "gpu3/x"):
        machine.file(f"{capabilities}/{path}")
    assert modules.read_partitioned(machine).value == [0, 2, 10]


def test_holders(machine: FolderHost) -> None:
    machine.file("/dev/nvidiactl")
    process(machine, 9, "bash", "/user.slice/session-1.scope", "/dev/pts/0", "/dev/null", "socket:[1]")
    process(machine, 70, "nvidia-persiste", "/system.slice/nvidia-persistenced.service", "/dev/nvidia0", "/dev/nvidia0")
    pod = f"/kubepods.slice/x.slice/cri-containerd-{CONTAINER}.scope"
    process(machine, 800, "python3", pod, "/dev/nvidiactl (deleted)")
    machine.file("/proc/801/comm", "a process whose files nobody can list: it has gone meanwhile")
    machine.file("/proc/meminfo")
    daemon = {"unit": "nvidia-persistenced.service", "container": None, "devices": ["/dev/nvidia0"]}
    assert holders.read(machine) == (
        [
            {"pid": 70, "name": "nvidia-persiste", **daemon},
            {"pid": 800, "name": "python3", "unit": None, "container": CONTAINER, "devices": ["/dev/nvidiactl"]},
        ],
        {"holders": OK},
    )


def test_holders_are_not_looked_for_where_there_is_nothing_to_hold(machine: FolderHost) -> None:
    process(machine, 9, "bash", "/", "/dev/nvidia0")
    assert holders.read(machine) == ([], {"holders": OK})


def test_holders_are_roots_to_know(tmp_path: Path) -> None:
    machine = FolderHost(tmp_path, uid=1000)
    machine.file("/sys/module/nvidia/refcnt", "0")
    value, sources = holders.read(machine)
    assert value is None and sources["holders"].ok is None


def test_half_a_list_of_holders_is_none(machine: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: str, dir_fd: int) -> t.NoReturn:
        raise PermissionError(13, "Permission denied", path)

    machine.file("/dev/nvidiactl")
    process(machine, 9, "bash", "/", "/dev/nvidia0")
    monkeypatch.setattr(os, "readlink", closed)
    assert holders.read(machine) == (None, {"holders": Source(False, "/proc/9/fd: Permission denied")})


@pytest.mark.parametrize(
    "name, said, version",
    [
        ("fabric_manager", "Fabric Manager version is : 580.95.05\n", "580.95.05"),
        ("imex", "IMEX version is: 580.105.08\n", "580.105.08"),
        ("persistenced", "nvidia-persistenced:  version 470.256.02\n  The NVIDIA Persistence Daemon.\n", "470.256.02"),
        ("persistenced", "nvidia-persistenced: 1.2.3.4", None),
    ],
)
def test_services(machine: FolderHost, name: str, said: str, version: str | None) -> None:
    program, unit = driver_services.SERVICES[name]
    machine.commands = {
        f"{program} --version": Answer(0, "", said),
    }
    machine.systemd_says(f"Names={unit}\nLoadState=loaded\nActiveState=failed\nUnitFileState=disabled\nMainPID=0\n")
    value, sources = driver_services.read(machine, name)
    assert value == {"present": True, "version": version, "active": False, "enabled": False}
    assert sources["systemd"] == OK and sources[name].ok is (version is not None)


LOGS = {
    "580.95.05\nNVIDIA Accelerated Graphics Driver for Linux-x86_64\n": "580.95.05",
    "1.0-XXXXXX (470.256.02)\nNVIDIA Accelerated Graphics Driver\n": "470.256.02",
    "390.48": "390.48",
    "": None,
    "\n580.95.05\n": None,
    "580.95.05.1.2\n": None,
}


@pytest.mark.parametrize("text, version", LOGS.items())
def test_log_of_the_installer(text: str, version: str | None) -> None:
    assert driver_origin.parse_log(text) == version


def package(version: str = "580.95.05-1", origin: str | None = "NVIDIA") -> dict[str, t.Any]:
    return {"version": version, "held": False, "origin": origin}


LOG = driver_origin.RUNFILE_LOG
UNINSTALL = "/usr/bin/nvidia-uninstall"
UBUNTU = "580.95.05-0ubuntu0.24.04.1"
ORIGINS: dict[str, tuple[Traces | None, t.Any, str, str | None]] = {
    "NVIDIA's repository": (
        Traces(),
        {"libnvidia-ml1": package(), "nvidia-kernel-open-dkms": package()},
        "repo",
        "package libnvidia-ml1 580.95.05-1 from NVIDIA",
    ),
    "Ubuntu": (
        Traces(),
        {"libnvidia-compute-580": package(UBUNTU, "Ubuntu")},
        "distro",
        f"package libnvidia-compute-580 {UBUNTU} from Ubuntu",
    ),
    "an rpm with an epoch": (
        Traces(),
        {"kmod-nvidia-open-dkms": package("3:580.95.05-1.el9", "NVIDIA Corporation")},
        "repo",
        "package kmod-nvidia-open-dkms 3:580.95.05-1.el9 from NVIDIA Corporation",
    ),
    "a mirror of its own name": (
        Traces(),
        {"libnvidia-ml1": package(origin="Example Mirror")},
        "unknown",
        "package libnvidia-ml1 580.95.05-1 from Example Mirror",
    ),
    "from two": (
        Traces(),
        {"libnvidia-ml1": package(), "nvidia-kernel-dkms": package(origin="Debian")},
        "unknown",
        "package libnvidia-ml1 580.95.05-1 from NVIDIA",
    ),
    "of no known origin": (
        Traces(),
        {"libnvidia-ml1": package(origin=None)},
        "unknown",
        "package libnvidia-ml1 580.95.05-1 from nobody knows where",
    ),
    "tools alone are no driver": (
        Traces(),
        {"nvidia-fabricmanager": package(), "cuda-compat-13-0": package()},
        "unknown",
        "no package has 580.95.05, and NVIDIA's installer has left no trace",
    ),
    "a package of another version": (
        Traces("580.95.05", LOG),
        {"libnvidia-ml1": package("580.95.051-1")},
        "runfile",
        f"{LOG} says 580.95.05",
    ),
    "the installer, and its log is closed": (Traces(None, UNINSTALL), {}, "runfile", UNINSTALL),
    "the installer was here before": (
        Traces("470.256.02", LOG),
        {"libnvidia-ml1": package()},
        "repo",
        "package libnvidia-ml1 580.95.05-1 from NVIDIA",
    ),
    "both": (
        Traces("580.95.05", LOG),
        {"libnvidia-ml1": package()},
        "unknown",
        f"package libnvidia-ml1 580.95.05-1 from NVIDIA, but {LOG} says 580.95.05 too",
    ),
    "the installer, of something else": (
        Traces("470.256.02", LOG),
        {},
        "unknown",
        f"no package has 580.95.05, and {LOG} says 470.256.02",
    ),
    "a container": (
        Traces(container=True),
        {},
        "unknown",
        "no package has 580.95.05; /run/nvidia/driver is there, as of a driver in a container",
    ),
    "packages unknown": (Traces(), None, "unknown", None),
    "traces unknown": (None, {}, "unknown", None),
}


@pytest.mark.parametrize("traces, packages, by, evidence", ORIGINS.values(), ids=ORIGINS.keys())
def test_installed_by(traces: Traces | None, packages: t.Any, by: str, evidence: str | None) -> None:
    assert driver_origin.conclude("580.95.05", traces, packages) == Origin(by, evidence)


def test_no_driver_was_installed_by_nobody() -> None:
    assert driver_origin.conclude(None, Traces("470.256.02", LOG), {}) == Origin(None, None)


def test_traces(machine: FolderHost) -> None:
    assert driver_origin.read(machine) == (Traces(), {"runfile": OK})
    machine.file(UNINSTALL)
    machine.file("/run/nvidia/driver/x")
    assert driver_origin.read(machine).value == Traces(None, UNINSTALL, True)
    machine.file(LOG, "580.95.05\nwords\n")
    assert driver_origin.read(machine).value == Traces("580.95.05", LOG, True)
    machine.file(LOG, "words\n")
    value, sources = driver_origin.read(machine)
    assert value.logged is None and sources["runfile"].reason == f"{LOG}: no version in its first line"


TEXTS = st.text(max_size=80) | st.lists(
    st.sampled_from(
        ["580.95.05", "\n", "1.0-XXXXXX (", ")", ": ", '"', "EnableMSI", " ", "version", "/dev/nvidia0", " (deleted)"]
    ),
    max_size=20,
).map("".join)


@given(text=TEXTS)
def test_nonsense(text: str) -> None:
    assert all(isinstance(value, str) for value in modules.parse_parameters(text).values())
    for answer in (driver_origin.parse_log(text), driver_services.parse_version(text)):
        assert answer is None or answer in text
    assert all(path.startswith("/dev/nvidia") for path in holders.devices(text.split("\n")))
    assert modules.parse_count(text) is None or text.strip().lstrip("-").isdigit()
    json.dumps(driver.parse_modinfo(text))


VERSIONS = st.none() | st.sampled_from(["570.211.01", "580.95.05"])
MODULES = st.builds(Module, VERSIONS, st.sampled_from([None, "open", "proprietary"]), st.none())
PACKAGES = st.none() | st.dictionaries(
    st.sampled_from(["libnvidia-ml1", "cuda-compat-13-0"]),
    st.fixed_dictionaries({"version": st.just("580.95.05-1"), "origin": st.sampled_from([None, "NVIDIA", "Debian"])}),
)
SERVICE = st.none() | st.fixed_dictionaries({"present": st.booleans(), "version": VERSIONS, "active": st.none()})


@given(
    parts=st.fixed_dictionaries(
        {
            "versions": st.none() | st.builds(driver.Versions, MODULES, MODULES, VERSIONS),
            "next_boot": st.none() | st.builds(NextBoot, st.just(NEXT), st.none() | MODULES, st.booleans()),
            "traces": st.none() | st.builds(Traces, VERSIONS, st.sampled_from([None, LOG]), st.booleans()),
            **dict.fromkeys(("modules", "parameters", "holders", "partitioned", "brought"), st.none()),
            **dict.fromkeys(driver_services.SERVICES, SERVICE),
        }
    ),
    reported=VERSIONS,
    packages=PACKAGES,
)
def test_any_parts_make_a_whole(parts: dict[str, t.Any], reported: str | None, packages: t.Any) -> None:
    value = driver.conclude(parts, reported, packages)
    json.dumps(value)
    versions = {value["on_disk"], value["userland"], value["loaded"]} - {None}
    assert (value["branch"] is None) == (value["installed_by"] is None) == (not versions)
    companions = {value[name]["version"] for name in driver.COMPANIONS if value[name]}
    if len(versions | companions | {value["next_boot"]["version"]} - {None}) <= 1 and value["mismatch"]:
        assert "no NVIDIA module" in value["mismatch"] or "proprietary" in value["mismatch"]
