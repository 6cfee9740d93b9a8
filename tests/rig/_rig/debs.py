# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes one stub package: its files by kind of content, its maintainer scripts, and `dpkg-deb` around them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from _rig.architecture import X86_64, Architecture
from _rig.packages import PACKAGES, Package
from _rig.shell import RigError, run

FILES = PACKAGES / "files"
STUB = "{}: a stub of the kubegpu.nodes test rig\n"
EPOCH = 1_767_225_600  # 2026-01-01: every file's time, so that equal inputs make equal packages
MODULES = {"nvidia": "", "nvidia-uvm": "nvidia", "nvidia-modeset": "nvidia"}  # module -> what it depends on
LICENCES = {"modules-open": "Dual MIT/GPL", "modules-proprietary": "NVIDIA"}


class Sources(NamedTuple):
    """What packages are filled from."""

    userland: dict[str, Path]  # driver version -> folder with libnvidia-ml.so.<version> and libcuda.so.<version>
    nvidia_smi: Path
    toolkit: Path  # folder with the container toolkit's programs
    dnf_plugins: Path = Path()  # Debian's package of them, unpacked: only rpms are filled from it


class Tree:
    """The files of one package in the making."""

    def __init__(self, root: Path, architecture: Architecture = X86_64, libraries: str = "") -> None:
        self.root = root
        self.architecture = architecture
        self.libraries = libraries or architecture.libraries
        self.scripts: dict[str, list[str]] = {}

    def text(self, path: str, text: str, mode: int = 0o644) -> None:
        target = self._place(path)
        target.write_text(text)
        target.chmod(mode)

    def copy(self, path: str, source: Path, mode: int = 0o644) -> None:
        target = self._place(path)
        shutil.copyfile(source, target)
        target.chmod(mode)

    def link(self, path: str, target: str) -> None:
        self._place(path).symlink_to(target)

    def script(self, name: str, *lines: str) -> None:
        """Lines of a maintainer script: postinst, prerm or postrm."""
        self.scripts.setdefault(name, []).extend(lines)

    def control(self, package: Package) -> None:
        self.text("DEBIAN/control", control(package))
        for name, lines in self.scripts.items():
            self.text(f"DEBIAN/{name}", "\n".join(["#!/bin/sh", "set -e", *lines, ""]), 0o755)

    def _place(self, path: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target


def write_deb(package: Package, sources: Sources, folder: Path) -> Path:
    """Write the package into the folder and return its path."""
    with tempfile.TemporaryDirectory(prefix="kubegpu-deb-") as root:
        tree = Tree(Path(root), package.architecture)
        Path(root).chmod(0o755)
        for kind in package.content:
            filler(kind)(tree, package, sources)
        return build_deb(tree, package, folder)


def build_deb(tree: Tree, package: Package, folder: Path) -> Path:
    """Write the package that these files are into the folder and return its path."""
    tree.text(f"usr/share/doc/{package.name}/README", STUB.format(package.name))
    tree.control(package)
    for path in sorted(tree.root.rglob("*")):
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)
    deb = folder / package.file_name
    settings = ("--root-owner-group", "-Zgzip", "-z1")
    run("dpkg-deb", *settings, "-b", tree.root, deb, env={"SOURCE_DATE_EPOCH": str(EPOCH)})
    return deb


def control(package: Package) -> str:
    """The control paragraph, for the package and for the repository's index alike."""
    fields = {"Package": package.name, "Version": package.version, "Architecture": package.architecture.deb}
    fields |= {"Section": "utils", "Priority": "optional", "Maintainer": "kubegpu.nodes authors <rig@kubegpu.invalid>"}
    fields |= {name.capitalize(): ", ".join(items) for name, items in package.relations.items()}
    fields |= {"Description": f"stub of {package.name} for the test rig of kubegpu.nodes"}
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


# ---- kinds of content -----------------------------------------------------------------------------------------------


class Named(Protocol):
    """A package of either kind, as far as its files depend on it."""

    @property
    def name(self) -> str: ...

    @property
    def upstream(self) -> str: ...


Filler = Callable[[Tree, Named, Sources], None]


def filler(kind: str) -> Filler:
    name, _, release = kind.partition(" ")
    if release:
        return lambda tree, package, _: OF_CUDA[name](tree, package, release)
    if kind in LICENCES:
        return lambda tree, package, _: _modules(tree, package, LICENCES[kind])
    fillers: dict[str, Filler] = {
        "nvml": _nvml, "cuda": _cuda, "smi": _smi, "kernel-support": _kernel_support,
        "pinning": _pinning, "persistenced": _persistenced, "fabricmanager": _fabricmanager,
        "imex": _imex, "headers": _headers, "dkms": _dkms, "ctk": _ctk, "runtime-hook": _runtime_hook,
    }  # fmt: skip
    return fillers[kind]


def _nvml(tree: Tree, package: Named, sources: Sources) -> None:
    _library(tree, sources, "libnvidia-ml.so", package.upstream)


def _cuda(tree: Tree, package: Named, sources: Sources) -> None:
    _library(tree, sources, "libcuda.so", package.upstream)
    tree.link(f"{tree.libraries}/libcuda.so", "libcuda.so.1")


def _library(tree: Tree, sources: Sources, name: str, version: str) -> None:
    tree.copy(f"{tree.libraries}/{name}.{version}", sources.userland[version] / f"{name}.{version}")
    tree.link(f"{tree.libraries}/{name}.1", f"{name}.{version}")
    tree.text("DEBIAN/triggers", "activate-noawait ldconfig\n")


def _smi(tree: Tree, package: Named, sources: Sources) -> None:
    tree.copy("usr/bin/nvidia-smi", sources.nvidia_smi, 0o755)


def _kernel_support(tree: Tree, package: Named, sources: Sources) -> None:
    for chip in ("ga10x", "tu10x"):
        tree.text(f"usr/lib/firmware/nvidia/{package.upstream}/gsp_{chip}.bin", STUB.format(chip))
    # Written when the module is loaded: the simulated NVML reads it, and the container toolkit mounts it.
    description = f"/usr/lib/firmware/nvidia/{package.upstream}/gsp_simulated.bin"
    tree.script("prerm", f"rm -f {description}")
    # Loading the module writes it; a driver that comes back below the module that is still loaded is not loaded again.
    loaded = f'[ "$(cat /sys/module/nvidia/version 2>/dev/null)" = {package.upstream} ]'
    tree.script("postinst", f"if {loaded}; then cp /etc/kubegpu-rig/hardware.ini {description}; fi")


def _modules(tree: Tree, package: Named, licence: str) -> None:
    """As with DKMS the package brings a source, and installing it puts modules under the running kernel's folder."""
    source = f"usr/src/nvidia-{package.upstream}"
    for name, needs in MODULES.items():
        kernel_module(tree.root / source / f"{name}.ko", name, needs, package.upstream, licence)
    tree.copy("usr/lib/nvidia/simulated-module", FILES / "simulated-module", 0o755)
    tree.copy("lib/modprobe.d/nvidia-simulated.conf", FILES / "simulated-module.conf")
    tree.text("usr/lib/modules-load.d/nvidia.conf", "nvidia\n")
    folder = '"/usr/lib/modules/$(uname -r)/updates/dkms"'
    tree.script("postinst", '[ "$1" = configure ] || exit 0')  # as with DKMS, a given-up upgrade builds nothing
    tree.script(
        "postinst", *_failing_build(package.upstream), f"install -D -m 644 -t {folder} /{source}/*.ko", "depmod"
    )
    tree.script("prerm", *(f"rm -f /usr/lib/modules/*/updates/dkms/{name}.ko" for name in MODULES))
    # There is no such folder where the build has failed.
    tree.script("prerm", f"[ ! -d {folder} ] || rmdir -p --ignore-fail-on-non-empty {folder}", "depmod")


def _failing_build(version: str) -> list[str]:
    """A test that wants DKMS to fail leaves a file; the log stays where DKMS leaves that of a build that failed."""
    log = f"/var/lib/dkms/nvidia/{version}/build/make.log"
    told = f"mkdir -p {Path(log).parent}; echo 'rig: this build was told to fail' >{log}; exit 10"
    asked = " || ".join(f"[ -e {path} ]" for path in ("/run/rig-dkms-fails", f"/run/rig-dkms-fails-{version}"))
    return [f"if {asked}; then {told}; fi", f"rm -rf {Path(log).parents[2]}"]


def kernel_module(path: Path, name: str, needs: str, version: str, licence: str) -> None:
    """An object file with nothing but the section that `modinfo` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"name": name.replace("-", "_"), "version": version, "license": licence, "depends": needs}
    text = "".join(f"{key}={value}\\0" for key, value in facts.items())
    source = f'__attribute__((section(".modinfo"), used)) static const char modinfo[] = "{text}";\n'
    command = ["gcc", "-x", "c", "-c", "-", "-fno-ident", "-o", str(path)]
    result = subprocess.run(command, input=source, capture_output=True, text=True)
    if result.returncode != 0:
        raise RigError(f"gcc cannot compile a stub kernel module:\n{result.stderr}")
    path.chmod(0o644)


def _pinning(tree: Tree, package: Named, sources: Sources) -> None:
    branch = package.upstream.split(".")[0]
    pin = f"Package: *nvidia* libcuda1 cuda-drivers*\nPin: version {branch}.*\nPin-Priority: 1000\n"
    tree.text(f"usr/share/nvidia-driver-pinning/{branch}", pin)
    target = "/etc/apt/preferences.d/nvidia-driver-pinning"
    tree.script("postinst", f"ln -sf /usr/share/nvidia-driver-pinning/{branch} {target}")
    tree.script("prerm", f"rm -f {target}")


def _persistenced(tree: Tree, package: Named, sources: Sources) -> None:
    _service(tree, package, "nvidia-persistenced", "nvidia-persistenced.service")


def _fabricmanager(tree: Tree, package: Named, sources: Sources) -> None:
    _service(tree, package, "nv-fabricmanager", "nvidia-fabricmanager.service")


def _imex(tree: Tree, package: Named, sources: Sources) -> None:
    _service(tree, package, "nvidia-imex", "nvidia-imex.service")


def _service(tree: Tree, package: Named, program: str, unit: str) -> None:
    """As NVIDIA packs its fabric manager: installing it starts nothing, removing it stops what runs."""
    tree.text(f"usr/bin/{program}", (FILES / program).read_text().replace("@version@", package.upstream), 0o755)
    tree.copy(f"usr/lib/systemd/system/{unit}", FILES / unit)
    tree.script("postinst", "systemctl daemon-reload")
    tree.script("prerm", f'[ "$1" != remove ] || systemctl disable --now {unit}')
    tree.script("postrm", "systemctl daemon-reload")


def _headers(tree: Tree, package: Named, sources: Sources) -> None:
    """Where modules of a kernel are built, as far as anybody looks without building one."""
    kernel = package.name.removeprefix("linux-headers-")
    tree.text(f"usr/src/linux-headers-{kernel}/Makefile", f"# {STUB.format(package.name)}")
    tree.link(f"usr/lib/modules/{kernel}/build", f"/usr/src/linux-headers-{kernel}")


def _dkms(tree: Tree, package: Named, sources: Sources) -> None:
    tree.copy("usr/sbin/dkms", FILES / "dkms", 0o755)


def _cuda_home(release: str) -> str:
    return f"usr/local/cuda-{release}"


def _cuda_version(tree: Tree, package: Named, release: str) -> None:
    components = {"cuda": {"name": "CUDA SDK", "version": package.upstream}}
    tree.text(f"{_cuda_home(release)}/version.json", json.dumps(components, indent=3) + "\n")


def _nvcc(tree: Tree, package: Named, release: str) -> None:
    text = (FILES / "nvcc").read_text().replace("@RELEASE@", release).replace("@VERSION@", package.upstream)
    tree.text(f"{_cuda_home(release)}/bin/nvcc", text, 0o755)


def _cudart(tree: Tree, package: Named, release: str) -> None:
    libraries = f"targets/{tree.architecture.cuda}/lib"
    tree.text(f"{_cuda_home(release)}/{libraries}/README", STUB.format(package.name))
    tree.link(f"{_cuda_home(release)}/lib64", libraries)


def _cuda_alternative(tree: Tree, package: Named, release: str) -> None:
    home, priority = _cuda_home(release), release.replace(".", "")
    tree.script("postinst", f"update-alternatives --install /usr/local/cuda cuda /{home} {priority}")
    tree.script("prerm", f"update-alternatives --remove cuda /{home}")


def _cuda_loader(tree: Tree, package: Named, release: str) -> None:
    tree.text("etc/ld.so.conf.d/000_cuda.conf", f"/usr/local/cuda/targets/{tree.architecture.cuda}/lib\n")


OF_CUDA: dict[str, Callable[[Tree, Named, str], None]] = {
    "cuda-version": _cuda_version, "nvcc": _nvcc, "cudart": _cudart,
    "cuda-alternative": _cuda_alternative, "cuda-loader": _cuda_loader,
}  # fmt: skip


def _ctk(tree: Tree, package: Named, sources: Sources) -> None:
    for program in ("nvidia-ctk", "nvidia-cdi-hook", "nvidia-container-runtime"):
        tree.copy(f"usr/bin/{program}", sources.toolkit / program, 0o755)


def _runtime_hook(tree: Tree, package: Named, sources: Sources) -> None:
    tree.copy("usr/bin/nvidia-container-runtime-hook", sources.toolkit / "nvidia-container-runtime-hook", 0o755)
    tree.link("usr/bin/nvidia-container-toolkit", "nvidia-container-runtime-hook")
    config = "/etc/nvidia-container-runtime/config.toml"
    tree.script("postinst", f"[ -e {config} ] || nvidia-ctk --quiet config --config-file={config} --in-place")
    tree.script("postrm", f'[ "$1" != purge ] || rm -rf {Path(config).parent}')
