# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the driver: its versions in the kernel, in the libraries, on disk, and its kin."""

from __future__ import annotations

import functools
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import (
    brought,
    driver_origin,
    driver_services,
    holders,
    kernels,
    modules,
)
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source, first_line

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

PROC_VERSION = "/proc/driver/nvidia/version"
# Where distributions and NVIDIA's own installer put the library that must match the kernel module.
LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
    "/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1",
    "/usr/lib64/libnvidia-ml.so.1",
    "/usr/lib/libnvidia-ml.so.1",
)
VERSION = r"([0-9]{3,4}\.[0-9]{1,4}(?:\.[0-9]{1,4})?)"
# "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.107.02  ..." and
# "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  615.71.09  ..."
NVRM = re.compile(rf"^NVRM version:[^\n]*?\b(Open )?Kernel Module\b(?: for \S+)?\s+{VERSION}\b", re.M | re.A)
LIBRARY_VERSION = re.compile(rf"\.so\.{VERSION}$", re.A)
# Debian keeps modules of several drivers side by side under names of their own, and tells modprobe in such a line which
# of them to load as nvidia.
MODPROBE_CONFIGS = "/etc/modprobe.d/*.conf"
LOADED_AS_NVIDIA = re.compile(
    r"^[ \t]*install[ \t]+nvidia[ \t]+\S*modprobe[ \t]+(?:-i|--ignore-install)[ \t]+(nvidia[-_][A-Za-z0-9_-]+)", re.M
)
MODINFO_LINE = re.compile(r"^(version|license|signer):[ \t]*(\S.*?)\s*$", re.M)
# Debian gives the module's file the name of the alternative that it belongs to, one for each flavour.
MODULES = ("nvidia", "nvidia-current", "nvidia-current-open")
# The licence that the module declares to the kernel tells the flavour.
LICENCES = {"NVIDIA": "proprietary", "Dual MIT/GPL": "open"}


class Module(t.NamedTuple):
    version: str | None = None
    flavour: str | None = None
    signer: str | None = None


class NextBoot(t.NamedTuple):
    """The kernel that boots next. ``module`` is None where nobody could say, or where it is the running kernel's."""

    kernel: str | None = None
    module: Module | None = None
    running: bool = False


class Versions(t.NamedTuple):
    """What the host's files tell, without a word of the running driver."""

    loaded: Module = Module()
    on_disk: Module = Module()
    library: str | None = None


class Found(t.NamedTuple):
    """All that must belong together."""

    loaded: Module = Module()
    userland: str | None = None
    on_disk: Module = Module()
    next_boot: NextBoot = NextBoot()
    companions: t.Mapping[str, str | None] = {}


def parse_proc_version(text: str) -> Module | None:
    """The loaded module. None where neither wording is there."""
    match = NVRM.search(text)
    return Module(match.group(2), "open" if match.group(1) else "proprietary") if match else None


def parse_modinfo(text: str) -> Module:
    """The module on disk."""
    fields = dict(MODINFO_LINE.findall(text))
    return Module(fields.get("version"), LICENCES.get(fields.get("license", "")), fields.get("signer"))


def library_version(path: str) -> str | None:
    """``libnvidia-ml.so.580.95.05`` carries its version in its name."""
    match = LIBRARY_VERSION.search(path)
    return match.group(1) if match else None


def mismatch(found: Found) -> str | None:
    """Where parts that must be of one version are not. Unknown parts contradict nobody."""
    sentences = [*_now(found), *_after_reboot(found), *_companions(found)]
    return "; ".join(sentences) or None


def _now(found: Found) -> t.Iterator[str]:
    loaded, userland, on_disk = found.loaded, found.userland, found.on_disk
    if loaded.version and userland and loaded.version != userland:
        yield f"the loaded kernel module is {loaded.version} but the libraries are {userland}"
    if loaded.version and on_disk.version and loaded.version != on_disk.version:
        yield f"the loaded kernel module is {loaded.version} but the one on disk is {on_disk.version}"
    if not loaded.version and userland and on_disk.version and userland != on_disk.version:
        yield f"the libraries are {userland} but the kernel module on disk is {on_disk.version}"
    if loaded.flavour and on_disk.flavour and loaded.flavour != on_disk.flavour:
        yield f"the loaded kernel module is {loaded.flavour} but the one on disk is {on_disk.flavour}"


def _after_reboot(found: Found) -> t.Iterator[str]:
    """The module of the kernel that boots next is measured by what is on disk for the running one."""
    boots, on_disk = found.next_boot, found.on_disk
    if boots.running or boots.module is None or not on_disk.version:
        return
    if not boots.module.version:
        yield f"kernel {boots.kernel}, which boots next, has no NVIDIA module on disk"
    elif boots.module.version != on_disk.version:
        yield f"kernel {boots.kernel}, which boots next, has module {boots.module.version} but not {on_disk.version}"
    if boots.module.flavour and on_disk.flavour and boots.module.flavour != on_disk.flavour:
        yield f"the module of kernel {boots.kernel}, which boots next, is {boots.module.flavour}, not {on_disk.flavour}"


def _companions(found: Found) -> t.Iterator[str]:
    """Programs that refuse to work with a driver of any other version."""
    driver = found.loaded.version or found.userland or found.on_disk.version
    for name, version in found.companions.items():
        if driver and version and version != driver:
            yield f"the {name} is {version} but the driver is {driver}"


def _loaded(host: Host) -> tuple[Module, Source]:
    try:
        module = parse_proc_version(host.read(PROC_VERSION, limit=65536))
    except KubeGpuError as exc:
        return Module(), OK if exc.details.get("missing") else Source(False, str(exc))
    if module is None:
        return Module(), Source(False, f"{PROC_VERSION}: no version that this collection understands")
    return module, OK


def _module_name(host: Host) -> str:
    """What modprobe loads when it is asked for nvidia."""
    for path in host.glob(MODPROBE_CONFIGS):
        try:
            match = LOADED_AS_NVIDIA.search(host.read(path, limit=65536))
        except KubeGpuError:
            continue
        if match:
            return match.group(1)
    return "nvidia"


def _on_disk(host: Host, *kernel: str) -> tuple[Module, Source]:
    """The module that would be loaded: for the running kernel, or for another (``-k``, release)."""
    for name in dict.fromkeys((_module_name(host), *MODULES)):
        try:
            answer = host.run("modinfo", *kernel, name)
        except KubeGpuError as exc:
            return Module(), Source(False, str(exc))
        if answer.rc == 0:
            return parse_modinfo(answer.out), OK
        if "not found" not in answer.err:
            return Module(), Source(False, f"exit status {answer.rc}: {first_line(answer.err, answer.out)}")
    return Module(), OK


def _library(host: Host) -> tuple[str | None, Source]:
    paths = [path for path in map(host.real_path, LIBRARIES) if path]
    if not paths:
        return None, OK
    version = next((version for version in map(library_version, paths) if version), None)
    return version, OK if version else Source(False, f"{paths[0]} carries no version in its name")


def read_versions(host: Host) -> Reading:
    loaded, proc = _loaded(host)
    on_disk, modinfo = _on_disk(host)
    library, libraries = _library(host)
    return Reading(Versions(loaded, on_disk, library), {"proc": proc, "modinfo": modinfo, "libraries": libraries})


def read_next_boot(host: Host) -> Reading:
    """Where the running kernel boots again, its module is known already."""
    try:
        kernel = kernels.next_boot(host, kernels.installed(host)).release
    except KubeGpuError as exc:
        return Reading(NextBoot(), {"modinfo_next_boot": Source(None, f"not asked: {exc}")})
    if kernel is None:
        return Reading(
            NextBoot(), {"modinfo_next_boot": Source(None, "not asked: nobody knows which kernel boots next")}
        )
    if kernel == host.kernel():
        source = Source(None, "not asked: it is the running kernel")
        return Reading(NextBoot(kernel, running=True), {"modinfo_next_boot": source})
    module, source = _on_disk(host, "-k", kernel)
    return Reading(NextBoot(kernel, module if source.ok else None), {"modinfo_next_boot": source})


# The parts of the driver that are read at the same time.
READERS: dict[str, t.Callable[[Host], Reading]] = {
    "versions": read_versions,
    "next_boot": read_next_boot,
    "modules": modules.read,
    "parameters": modules.read_parameters,
    "holders": holders.read,
    "partitioned": modules.read_partitioned,
    "traces": driver_origin.read,
    "brought": brought.read,
    **{name: functools.partial(driver_services.read, name=name) for name in driver_services.SERVICES},
}
# What the parts are called in a sentence; nvidia-persistenced is not among them: it works with drivers of any version.
COMPANIONS = {"fabric_manager": "fabric manager", "imex": "IMEX service"}


def _version_of(service: t.Mapping[str, t.Any] | None) -> str | None:
    return service["version"] if service else None


def conclude(
    parts: t.Mapping[str, t.Any], reported: str | None, packages: t.Mapping[str, t.Any] | None
) -> dict[str, t.Any]:
    """``parts``: what the readers read, None where one failed. ``reported``: the version that NVML or nvidia-smi told;
    they refuse to talk where libraries and kernel differ. ``packages``: as the facts have them, None where unknown."""
    versions: Versions = parts["versions"] or Versions()
    boots: NextBoot = parts["next_boot"] or NextBoot()
    after = (versions.on_disk if boots.running else boots.module) or Module()
    userland = reported or versions.library
    companions = {words: _version_of(parts[name]) for name, words in COMPANIONS.items()}
    installed = versions.on_disk.version or userland or versions.loaded.version
    origin = driver_origin.conclude(installed, parts["traces"], packages)
    return {
        "loaded": versions.loaded.version,
        "flavour": versions.loaded.flavour,
        "userland": userland,
        "on_disk": versions.on_disk.version,
        "on_disk_flavour": versions.on_disk.flavour,
        "signer": versions.on_disk.signer,
        "next_boot": {"kernel": boots.kernel, "version": after.version, "flavour": after.flavour},
        "mismatch": mismatch(Found(versions.loaded, userland, versions.on_disk, boots, companions)),
        "branch": installed.split(".", maxsplit=1)[0] if installed else None,
        "installed_by": origin.installed_by,
        "installed_by_evidence": origin.evidence,
        **{name: parts[name] for name in ("modules", "parameters", "holders", "partitioned", "brought")},
        **{name: parts[name] for name in driver_services.SERVICES},
    }
