# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated GPUs: what a host's hardware is (`hardware_ini`), and the library that reports it (`ensure_nvml`)."""

from __future__ import annotations

import hashlib
import re
import tomllib
import uuid
from pathlib import Path
from typing import Any, NamedTuple

from _rig.cache import RIG, cache, key, made_once
from _rig.parts import need_go
from _rig.shell import RigError, run

SOURCE = RIG / "nvml"
CARDS = SOURCE / "cards"
TOOLKIT = RIG / "go" / "nvidia-container-toolkit"  # its module graph brings NVIDIA's nvml.h
CODE = ("nvml.c", "health.c", "links.c", "load.c", "hardware.c")
SOURCES = (*CODE, "internal.h", "hardware.h")
FLAGS = ("-std=gnu11", "-O2", "-fPIC", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden")
SONAME = "libnvidia-ml.so.1"
UUIDS = uuid.UUID("6b756265-6770-5500-8000-6e6f64657300")  # "kubegpu nodes" in hexadecimal, as a name space
NOT_SUPPORTED = 3  # NVML_ERROR_NOT_SUPPORTED
DECLARED = re.compile(r"\bDECLDIR\s+(nvml[A-Z]\w*)\s*\(")


class Driver(NamedTuple):
    version: str  # "580.95.05"
    cuda: str  # the newest CUDA that it supports: "13.0"


# ---- hardware -------------------------------------------------------------------------------------------------------


def card_names() -> list[str]:
    return sorted(path.stem for path in CARDS.glob("*.toml"))


def most(card: str) -> int:
    """How many GPUs a machine with this card has at most."""
    return len(_profile(card)["slots"])


def hardware_ini(card: str, count: int, host: str) -> str:
    """The text of /etc/kubegpu-rig/hardware.ini: `count` GPUs of this card, with names that no reboot changes.

    rig-hardware (PCI devices) and the simulated NVML read it: `[card]` holds what all GPUs share, `[gpu N]` the rest.
    """
    if count == 0:
        return "# no NVIDIA hardware\n"
    profile = _profile(card)
    slots = profile["slots"]
    if not 0 < count <= len(slots):
        raise RigError(f"a host has 0 to {len(slots)} {card} GPUs, not {count}")
    sections = [_section("card", profile["card"])]
    for index, slot in enumerate(slots[:count]):
        numa_node = index * profile["numa_nodes"] // len(slots)
        place = {"address": _address(slot), "numa_node": numa_node}
        sections.append(_section(f"gpu {index}", _identity(card, host, index) | place))
    migs = [mig for mig in profile.get("mig", []) if mig["gpu"] < count]
    sections += [_mig_section(profile["card"]["name"], mig, number, host) for number, mig in enumerate(migs)]
    switch = profile.get("switch", {"slots": []})
    for index, slot in enumerate(switch["slots"]):
        place = {"address": _address(slot), "pci_device": switch["pci_device"]}
        sections.append(_section(f"switch {index}", place))
    return "\n".join(sections)


def _address(slot: str) -> str:
    """In PCI domain 0, where a profile names no other."""
    return slot if slot.count(":") == 2 else f"0000:{slot}"


def _profile(card: str) -> dict[str, Any]:
    path = CARDS / f"{card}.toml"
    if not path.is_file():
        raise RigError(f"there is no card called {card}; known are {', '.join(card_names())}")
    profile = tomllib.loads(path.read_text())
    return _profile(profile["base"]) | profile if "base" in profile else profile


def _identity(card: str, host: str, index: int) -> dict[str, str | int]:
    name = f"{host}/{card}/{index}"
    serial = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10**10
    return {"minor": index, "uuid": f"GPU-{uuid.uuid5(UUIDS, name)}", "serial": f"165{serial:010d}"}


def _mig_section(card_name: str, mig: dict[str, Any], number: int, host: str) -> str:
    own = {key: value for key, value in mig.items() if key != "gpu"}
    identity = {
        "name": f"{card_name} MIG {mig['mig_profile']}",
        "uuid": f"MIG-{uuid.uuid5(UUIDS, f'{host}/mig/{number}')}",
    }
    return _section(f"mig {mig['gpu']}.{number}", identity | own)


def _section(title: str, values: dict[str, str | int]) -> str:
    return "\n".join([f"[{title}]", *(f"{name} = {_shown(name, value)}" for name, value in values.items()), ""])


def _shown(name: str, value: str | int) -> str:
    return f"{value:#x}" if name.startswith("pci_") and isinstance(value, int) else str(value)


# ---- library --------------------------------------------------------------------------------------------------------


def ensure_nvml(driver: Driver) -> Path:
    """The folder with this driver's userland: libnvidia-ml.so.<version>, libcuda.so.<version>."""
    inputs: list[str | Path] = [*driver, TOOLKIT / "go.sum", *(SOURCE / name for name in SOURCES), Path(__file__)]
    folder = cache() / "nvml" / f"{driver.version}-{key(*inputs)}"
    return made_once(folder, lambda new: _compile(driver, new), f"compile the simulated NVML {driver.version}")


def _compile(driver: Driver, folder: Path) -> None:
    compile_nvml(driver, folder / f"libnvidia-ml.so.{driver.version}")
    empty = folder / "empty.c"
    empty.write_text("")
    run("gcc", empty, *_shared("libcuda.so.1"), "-o", folder / f"libcuda.so.{driver.version}")
    empty.unlink()


def compile_nvml(driver: Driver, library: Path, root: str = "") -> None:
    """Compile the simulated NVML; `root` is a folder that stands in for `/`."""
    headers = _header_folder()
    absent = library.with_name("absent.c")
    absent.write_text(absent_functions((headers / "nvml.h").read_text()))
    major, minor = driver.cuda.split(".")
    defines = [
        f'-DDRIVER_VERSION="{driver.version}"',
        f"-DCUDA_VERSION={int(major) * 1000 + int(minor) * 10}",
        f'-DROOT="{root}"',
    ]
    sources = [*(SOURCE / name for name in CODE), absent]
    run("gcc", *FLAGS, *defines, "-isystem", headers, *sources, *_shared(SONAME), "-o", library)
    absent.unlink()


def _shared(soname: str) -> tuple[str, ...]:
    return ("-shared", "-s", "-Wl,--build-id=none", f"-Wl,-soname,{soname}")


def absent_functions(header: str) -> str:
    """C that defines every function of nvml.h as "not supported", weakly: what nvml.c defines takes its place.

    A caller that looks a function up by name and does not find it may crash or refuse the whole library.
    """
    names = sorted(set(DECLARED.findall(header)))
    weak = '__attribute__((weak, alias("not_supported"), visibility("default")))'
    answer = ["static int not_supported(void)", "{", f"    return {NOT_SUPPORTED};", "}"]
    return "\n".join([*answer, *(f"int {name}(void) {weak};" for name in names), ""])


def _header_folder() -> Path:
    """NVIDIA's nvml.h, out of the Go module that the container toolkit requires: checked against its go.sum."""
    need_go()
    env = {"GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
    run("go", "mod", "download", "github.com/NVIDIA/go-nvml", cwd=TOOLKIT, env=env)
    folder = run(
        "go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "github.com/NVIDIA/go-nvml", cwd=TOOLKIT, env=env
    )
    return Path(folder.strip()) / "pkg" / "nvml"
