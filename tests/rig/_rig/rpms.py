# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which stub rpms there are: packages/rpms.toml spelled out, and how `rpmbuild` is told to write them."""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from _rig import packages
from _rig.architecture import X86_64, Architecture
from _rig.debs import EPOCH, FILES, LICENCES, MODULES, STUB, Sources, Tree, filler, kernel_module
from _rig.packages import PACKAGES
from _rig.shell import run

RELATIONS = ("requires", "provides", "conflicts")
EPEL = "Fedora Project"
OF_DRIVERS = 3  # the epoch of NVIDIA's packages, where a row says no other
# As an installed Enterprise Linux has it; the costume's loader of libraries searches it too.
LIBRARIES = "usr/lib64"
# In the names of the boot loader's entries, which kernels of one host have in common.
MACHINE_ID = "0123456789abcdef0123456789abcdef"
# Beginnings of folders that are nobody's but the packages'.
OWN_FOLDERS = ("/usr/local/cuda-", "/usr/src/", "/usr/lib/nvidia", "/usr/lib/firmware/nvidia/", "/usr/share/doc/")


class Release(NamedTuple):
    major: str
    folder: str  # in NVIDIA's repository
    key: str  # the file with the public key there
    version: str
    modules: bool  # whether its repositories have module streams
    kernels: Sequence[str]  # versions with revisions, the oldest first


class Rpm(NamedTuple):
    name: str
    epoch: int
    upstream: str  # the version
    revision: str
    relations: dict[str, list[str]]
    content: tuple[str, ...]  # kinds of files, see debs.py and below
    architecture: Architecture = X86_64

    @property
    def nevra(self) -> str:
        """As the metadata of modules names packages."""
        return f"{self.name}-{self.epoch}:{self.upstream}-{self.revision}.{self.architecture.machine}"

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.upstream}-{self.revision}.{self.architecture.machine}.rpm"


def table() -> dict[str, Any]:
    return tomllib.loads((PACKAGES / "rpms.toml").read_text())


def releases() -> list[Release]:
    return [Release(major, **entry) for major, entry in table()["release"].items()]


def nvidia(release: Release) -> list[Rpm]:
    """NVIDIA's repository of drivers and CUDA."""
    return [*drivers(release), *cuda(release)]


def made_for(architecture: Architecture, rpms: Iterable[Rpm]) -> list[Rpm]:
    return [rpm._replace(architecture=architecture) for rpm in rpms]


def drivers(release: Release) -> list[Rpm]:
    found = []
    for driver in packages.drivers(packages.table()):
        branch = int(driver.version.split(".")[0])
        words = {"version": driver.version, "branch": str(branch), "ev": f"{OF_DRIVERS}:{driver.version}"}
        rows = [row for row in table()["driver"] if row.get("from", 0) <= branch < row.get("below", 10**6)]
        found += [_rpm(row, {**words, "revision": f"1.el{release.major}"}) for row in rows]
    return found


def cuda(release: Release) -> list[Rpm]:
    """The same as for apt, by the names that they have here; NVIDIA builds these once for all distributions."""
    return [_from_apt(package) for package in packages.cuda_packages(packages.table())]


def _from_apt(package: packages.Package) -> Rpm:
    revision = package.version.removeprefix(f"{package.upstream}-")
    relations = {"requires": [_relation(words) for words in package.relations.get("depends", [])]}
    return Rpm(_name(package.name), 0, package.upstream, revision, relations, package.content)


def _relation(words: str) -> str:
    name, _, condition = words.partition(" (")
    return f"{_name(name)} {condition.rstrip(')')}".strip()


def _name(name: str) -> str:
    """What is for a library's users is a -dev of Debian's and a -devel here."""
    return re.sub(r"-dev\b", "-devel", "libnccl" if name == "libnccl2" else name)


def of_the_system(release: Release, section: str) -> list[Rpm]:
    """`system`, the distribution's own, or `epel`, beside it."""
    words = {"release": release.version, "major": release.major, "kernel": os.uname().release}
    rows = table()[section]
    found = [
        _rpm({"epoch": 0, **row}, {**words, "version": row["version"], "revision": f"1.el{release.major}"})
        for row in rows
    ]
    return [*found, *_kernels(release)] if section == "system" else found


def _kernels(release: Release) -> list[Rpm]:
    """What each kernel of the release's own consists of."""
    found = []
    for kernel in release.kernels:
        version, _, revision = kernel.partition("-")
        words = {"version": version, "revision": revision, "kernel": kernel}
        found += [_rpm({"epoch": 0, **row}, words) for row in table()["kernel"]]
    return found


def _rpm(row: dict[str, Any], words: dict[str, str]) -> Rpm:
    relations = {name: [item.format(**words) for item in row[name]] for name in RELATIONS if name in row}
    version = words["version"].format(**words)
    content = tuple(row.get("content", ()))
    return Rpm(
        row["name"].format(**words), row.get("epoch", OF_DRIVERS), version, words["revision"], relations, content
    )


# ---- module streams -------------------------------------------------------------------------------------------------


def streams(rpms: Sequence[Rpm]) -> str:
    """The modules of NVIDIA's repository: of each branch one for each flavour, and two that go with the newest."""
    branches = sorted({int(rpm.upstream.split(".")[0]) for rpm in rpms})
    found = {}
    for flavour, other in (("open", "kmod-nvidia-latest-dkms"), ("dkms", "kmod-nvidia-open-dkms")):
        for branch in branches:
            found[f"{branch}-{flavour}"] = [
                rpm for rpm in rpms if rpm.upstream.startswith(f"{branch}.") and rpm.name != other
            ]
    found["open-dkms"], found["latest-dkms"] = found[f"{branches[-1]}-open"], found[f"{branches[-1]}-dkms"]
    defaults = "".join(f'    "{name}": [default]\n' for name in found)
    return "".join([*(_stream(name, members) for name, members in found.items()), DEFAULTS.format(profiles=defaults)])


STREAM = """\
---
document: modulemd
version: 2
data:
  name: nvidia-driver
  stream: {stream}
  version: 20260101000000
  context: rig
  arch: {machine}
  summary: Nvidia driver for {stream} branch
  description: A stub of the kubegpu.nodes test rig
  license:
    module: [MIT]
  profiles:
    default:
      rpms: [nvidia-driver-cuda]
  artifacts:
    rpms:
{rpms}...
"""
DEFAULTS = """\
---
document: modulemd-defaults
version: 1
data:
  module: nvidia-driver
  stream: open-dkms
  profiles:
{profiles}...
"""


def _stream(name: str, rpms: Sequence[Rpm]) -> str:
    listed = "".join(f"    - {rpm.nevra}\n" for rpm in rpms)
    return STREAM.format(stream=f'"{name}"', machine=rpms[0].architecture.machine, rpms=listed)


# ---- rpmbuild -------------------------------------------------------------------------------------------------------

PREAMBLE = """\
%global debug_package %{nil}
%global __os_install_post %{nil}
%global _build_id_links none
%global _binary_payload w1.gzdio
Name: rig-stubs
Version: 0
Release: 0
Summary: stubs for the test rig of kubegpu.nodes
License: GPL-3.0-or-later
AutoReqProv: no
%description
%install
"""
# Maintainer scripts of a deb, when rpm runs them, and what dpkg tells them at removal, and not in an upgrade.
SCRIPTS = {"postinst": ("post", "configure"), "prerm": ("preun", "remove"), "postrm": ("postun", "purge")}


def write_rpms(rpms: Sequence[Rpm], sources: Sources, folder: Path, work: Path) -> None:
    """Write all into the folder: one run of rpmbuild for packages that differ in their names."""
    for number, batch in enumerate(batches(rpms)):
        place = work / str(number)
        payload = place / "payload"
        trees = [_tree(rpm, sources, place / "trees" / rpm.name) for rpm in batch]
        for tree in trees:
            shutil.copytree(tree.root, payload, symlinks=True, dirs_exist_ok=True)
        parts = [_section(rpm, tree) for rpm, tree in zip(batch, trees, strict=True)]
        text = PREAMBLE + f"cp -a {payload}/. %{{buildroot}}/\n" + "".join(parts)
        (place / "stubs.spec").write_text(text)
        machine = batch[0].architecture.machine
        defines = {"_topdir": place / "build", "_rpmdir": folder, "_target_cpu": machine}
        arguments = [word for name, value in defines.items() for word in ("--define", f"{name} {value}")]
        run("rpmbuild", "-bb", "--quiet", *arguments, place / "stubs.spec", env={"SOURCE_DATE_EPOCH": str(EPOCH)})


def batches(rpms: Iterable[Rpm]) -> list[list[Rpm]]:
    found: list[list[Rpm]] = []
    for rpm in rpms:
        fitting = next((batch for batch in found if rpm.name not in {other.name for other in batch}), None)
        if fitting is None:
            found.append([rpm])
        else:
            fitting.append(rpm)
    return found


def _tree(rpm: Rpm, sources: Sources, root: Path) -> Tree:
    root.mkdir(parents=True)
    tree = Tree(root, rpm.architecture, LIBRARIES)
    for kind in rpm.content:
        (FILLERS[kind] if kind in FILLERS else filler(kind))(tree, rpm, sources)
    tree.text(f"usr/share/doc/{rpm.name}/README", STUB.format(rpm.name))
    if (root / "DEBIAN" / "triggers").exists():
        tree.script("postinst", "ldconfig")
        tree.script("postrm", "ldconfig")
    shutil.rmtree(root / "DEBIAN", ignore_errors=True)
    return tree


def _section(rpm: Rpm, tree: Tree) -> str:
    own = f"-n {rpm.name}"
    tags = {"Version": rpm.upstream, "Release": rpm.revision, "Epoch": rpm.epoch, "Summary": f"stub of {rpm.name}"}
    lines = [f"%package {own}", *(f"{name}: {value}" for name, value in tags.items() if name != "Epoch" or value)]
    lines += ["AutoReqProv: no", *([f"Vendor: {EPEL}"] if rpm.content[:1] in (("epel",), ("dkms",)) else [])]
    lines += [f"{name.capitalize()}: {item}" for name, items in rpm.relations.items() for item in items]
    lines += [f"%description {own}", f"stub of {rpm.name} for the test rig of kubegpu.nodes"]
    for name, (scriptlet, told) in SCRIPTS.items():
        if name in tree.scripts:
            words = f'if [ "$1" -eq 0 ]; then set -- {told}; else set -- upgrade; fi'
            lines += [f"%{scriptlet} {own}", words, *(line.replace("%", "%%") for line in tree.scripts[name])]
    lines += [f"%files {own}", *_files(tree)]
    return "\n".join([*lines, ""])


def _files(tree: Tree) -> list[str]:
    """With the folders that go with them: dpkg removes any that it leaves empty, rpm only a package's own."""
    named = {
        f"/{path.relative_to(tree.root)}": path.is_dir() and not path.is_symlink() for path in tree.root.rglob("*")
    }
    files = [name for name, is_folder in sorted(named.items()) if not is_folder]
    folders = [
        f"%dir {name}" for name, is_folder in sorted(named.items()) if is_folder and name.startswith(OWN_FOLDERS)
    ]
    return [
        *folders,
        *(f"%config(noreplace) {name}" if name.startswith("/etc/dnf/plugins/") else name for name in files),
    ]


# ---- kinds of content that only rpms have ---------------------------------------------------------------------------

Filler = Callable[[Tree, Rpm, Sources], None]


def _dkms(tree: Tree, rpm: Rpm, flavour: str) -> None:
    """The sources of modules, and what NVIDIA's scripts have DKMS do with them: dnf hears of no build that fails."""
    name = "nvidia-open" if flavour == "open" else "nvidia"
    source = f"usr/src/{name}-{rpm.upstream}"
    for built, needs in MODULES.items():
        kernel_module(tree.root / source / f"{built}.ko", built, needs, rpm.upstream, LICENCES[f"modules-{flavour}"])
    tree.text(f"{source}/dkms.conf", f'PACKAGE_NAME="{name}"\nPACKAGE_VERSION="{rpm.upstream}"\n')
    tree.copy("usr/lib/nvidia/simulated-module", FILES / "simulated-module", 0o755)
    tree.copy("usr/lib/modprobe.d/nvidia-simulated.conf", FILES / "simulated-module.conf")
    tree.text("usr/lib/modules-load.d/nvidia.conf", "nvidia\n")
    tree.script("postinst", f"dkms build -m {name} -v {rpm.upstream} || :")
    tree.script("prerm", f"dkms remove -m {name} -v {rpm.upstream} || :")


def _kernel_of(rpm: Rpm) -> str:
    return f"{rpm.upstream}-{rpm.revision}.{rpm.architecture.machine}"


def _kernel_core(tree: Tree, rpm: Rpm, sources: Sources) -> None:
    """With its entry for the boot loader, which takes the newest."""
    kernel = _kernel_of(rpm)
    for path in (f"boot/vmlinuz-{kernel}", f"usr/lib/modules/{kernel}/vmlinuz"):
        tree.text(path, STUB.format(rpm.name))
    tree.text(
        f"boot/loader/entries/{MACHINE_ID}-{kernel}.conf",
        f"title Rocky Linux ({kernel})\nversion {kernel}\nlinux /vmlinuz-{kernel}\n",
    )


def _kernel_devel(tree: Tree, rpm: Rpm, kernel: str) -> None:
    tree.text(f"usr/src/kernels/{kernel}/Makefile", f"# {STUB.format(rpm.name)}")
    tree.link(f"usr/lib/modules/{kernel}/build", f"/usr/src/kernels/{kernel}")


def _release(tree: Tree, rpm: Rpm, sources: Sources) -> None:
    tree.text("etc/redhat-release", f"Rocky Linux release {rpm.upstream}\n")
    tree.copy("usr/bin/dracut", FILES / "dracut", 0o755)
    tree.text("boot/grub2/grub.cfg", "blscfg\n")


def _versionlock(tree: Tree, rpm: Rpm, sources: Sources) -> None:
    """The real one, as Debian packs it."""
    for path in ("dnf-plugins/versionlock.py", "dnfpluginscore/__init__.py"):
        tree.copy(f"usr/lib/python3/dist-packages/{path}", sources.dnf_plugins / "usr/lib/python3/dist-packages" / path)
    for name in ("versionlock.conf", "versionlock.list"):
        tree.copy(f"etc/dnf/plugins/{name}", sources.dnf_plugins / "etc/dnf/plugins" / name)


def _epel(tree: Tree, rpm: Rpm, sources: Sources) -> None:
    """`$rig` is a variable of dnf's that hosts of the rig have."""
    lines = [
        "[epel]",
        "name=EPEL's stand-in",
        f"baseurl=https://$rig/{rpm.architecture.enterprise}/$releasever/epel",
        "enabled=1",
        "gpgcheck=0",
        "",
    ]
    tree.text("etc/yum.repos.d/epel.repo", "\n".join(lines))


def _dkms_itself(tree: Tree, rpm: Rpm, sources: Sources) -> None:
    tree.copy("usr/sbin/dkms", FILES / "dkms-of-rpm", 0o755)


FILLERS: dict[str, Filler] = {
    "dkms-open": lambda tree, rpm, _: _dkms(tree, rpm, "open"),
    "dkms-proprietary": lambda tree, rpm, _: _dkms(tree, rpm, "proprietary"),
    "kernel-core": _kernel_core,
    "kernel-devel": lambda tree, rpm, _: _kernel_devel(tree, rpm, _kernel_of(rpm)),
    "machine-kernel-devel": lambda tree, rpm, _: _kernel_devel(tree, rpm, os.uname().release),
    "release": _release,
    "versionlock": _versionlock,
    "epel": _epel,
    "dkms": _dkms_itself,
}
