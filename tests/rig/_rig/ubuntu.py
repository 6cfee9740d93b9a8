# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stub of Ubuntu's own archive, made only for fleets whose hosts have a kernel of Ubuntu's."""

from __future__ import annotations

import gzip
import re
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from _rig import debian, repository
from _rig.architecture import X86_64, Architecture
from _rig.cache import cache, key, made_once
from _rig.debs import FILES, LICENCES, MODULES, Sources, Tree, build_deb, filler, kernel_module
from _rig.nvml import Driver, ensure_nvml
from _rig.packages import PACKAGES, RELATIONS, Package, Repository, made_for

TABLE = PACKAGES / "ubuntu.toml"
FLAVOUR = "generic"  # of the kernels
# A kernel's release at the end of a package's name.
RELEASE = re.compile(r"\d+\.\d+\.\d+-\d+-[a-z]+$")
Components = dict[str, list[Package]]
# What the scripts of a kernel's package have GRUB's own do.
GRUB = (
    "mkdir -p /boot/grub",
    "for kernel in $(cd /boot && ls vmlinuz-* | sort --version-sort --reverse); do",
    """    printf "menuentry '%s' {\\n  linux /boot/%s\\n}\\n" "$kernel" "$kernel" """,
    "done >/boot/grub/grub.cfg",
)


class Suite(NamedTuple):
    name: str
    codename: str
    components: Components


def table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text())


def drivers() -> list[Driver]:
    """Each version once, whichever release has it."""
    return sorted({Driver(**entry) for line in table()["distribution"] for entry in line["drivers"]})


def suites() -> list[Suite]:
    """The first suite of a release has its drivers, each one has a kernel and the drivers' modules for it."""
    return [suite for line in table()["distribution"] for suite in _suites(line)]


def codenames() -> list[str]:
    """The releases that have an archive."""
    return [line["codename"] for line in table()["distribution"]]


def offered(codename: str) -> Iterator[Package]:
    """What a host of this release finds with all suites and components."""
    for suite in suites():
        if suite.codename == codename:
            yield from (package for packages in suite.components.values() for package in packages)


def _suites(line: dict[str, Any]) -> Iterator[Suite]:
    codename = line["codename"]
    for name, kernel in line["kernels"].items():
        words = {"release": f"{kernel}-{FLAVOUR}", "abi": f"{kernel}.{kernel.rpartition('-')[2]}"}
        main = _spelled("kernel", words, words["abi"], words["abi"])
        restricted = list(_modules(line, words))
        if name == codename:
            main += _spelled("tool", words, "0.1-1", "0.1")
            restricted += _drivers(line)
        yield Suite(name, codename, {"main": main, "restricted": restricted})


def _modules(line: dict[str, Any], kernel: dict[str, str]) -> Iterable[Package]:
    found = [package for words in _driver_words(line) for package in _modules_of(words, kernel)]
    return {package.file_name: package for package in found}.values()


def _modules_of(words: dict[str, str], kernel: dict[str, str]) -> list[Package]:
    return _spelled("modules", words | kernel, kernel["abi"], words["version"])


def _drivers(line: dict[str, Any]) -> Iterable[Package]:
    words = _driver_words(line)
    found = [package for each in words for package in _spelled("driver", each, each["deb"], each["version"])]
    return {package.file_name: package for package in found}.values()


def _driver_words(line: dict[str, Any]) -> list[dict[str, str]]:
    """What stands in a row's braces, for each driver with each flavour of its modules."""
    return [
        {"version": version, "branch": version.split(".")[0], "deb": f"{version}-{line['revision']}", "open": flavour}
        for version in (entry["version"] for entry in line["drivers"])
        for flavour in ("", "-open")
    ]


def _spelled(kind: str, words: dict[str, str], version: str, upstream: str) -> list[Package]:
    return [_package(row, words, version, upstream) for row in table()[kind]]


def _package(row: dict[str, Any], words: dict[str, str], version: str, upstream: str) -> Package:
    relations = {name: [item.format(**words) for item in row[name]] for name in RELATIONS if name in row}
    return Package(row["name"].format(**words), version, upstream, relations, tuple(row.get("content", ())))


# ---- files ----------------------------------------------------------------------------------------------------------


def ensure_ubuntu_archive(architecture: Architecture = X86_64) -> Path:
    """A folder with the archive below `ubuntu/`, or, as Ubuntu has it for other machines, `ubuntu-ports/`."""
    signing_key = repository.ensure_signing_key()
    filled = Sources({driver.version: ensure_nvml(driver) for driver in drivers()}, debian.nvidia_smi(), Path())
    code = [Path(__file__).with_name(name) for name in ("ubuntu.py", "repository.py", "debs.py", "architecture.py")]
    names = [folder.name for folder in filled.userland.values()]
    fingerprint = signing_key / "fingerprint"
    folder = cache() / "ubuntu" / key(PACKAGES, *code, *names, filled.nvidia_smi, fingerprint, architecture.machine)

    def make(new: Path) -> None:
        with repository.keyring(signing_key) as home:
            for suite in suites():
                _fill(new / architecture.ubuntu, suite, architecture, filled, home)

    return made_once(folder, make, f"write the archive of Ubuntu for {architecture.deb}")


def _fill(root: Path, suite: Suite, architecture: Architecture, sources: Sources, home: Path) -> None:
    indexes: dict[str, bytes] = {}
    for component, of_any in suite.components.items():
        packages = made_for(architecture, of_any)
        pool = Path("pool", suite.codename, component)
        (root / pool).mkdir(parents=True, exist_ok=True)
        debs = [write(package, sources, root / pool) for package in packages]
        entries = [repository.index_entry(*pair, str(pool)) for pair in zip(packages, debs, strict=True)]
        listed = "\n".join(entries).encode()
        below = f"{component}/binary-{architecture.deb}/Packages"
        indexes |= {below: listed, f"{below}.gz": gzip.compress(listed, mtime=0)}
    folder = root / "dists" / suite.name
    for name, content in indexes.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    of_a_suite = [f"Suite: {suite.name}", f"Codename: {suite.codename}", f"Components: {' '.join(suite.components)}"]
    archive = Repository("Ubuntu", {}, [], "Ubuntu", architecture)
    repository.sign(folder, repository.release(archive, indexes, of_a_suite), home)


def write(package: Package, sources: Sources, folder: Path) -> Path:
    """Write the package into the folder and return its path."""
    with tempfile.TemporaryDirectory(prefix="kubegpu-deb-") as root:
        Path(root).chmod(0o755)
        tree = Tree(Path(root), package.architecture)
        for kind in package.content:
            if kind in OWN:
                OWN[kind](tree, package)
            else:
                filler(kind)(tree, package, sources)
        return build_deb(tree, package, folder)


def _release(package: Package) -> str:
    found = RELEASE.search(package.name)
    assert found, package.name
    return found.group()


def _kernel(tree: Tree, package: Package) -> None:
    """There by name and empty: hosts have the machine's. The newest in /boot is the one that GRUB would start."""
    release = _release(package)
    tree.text(f"boot/vmlinuz-{release}", "")
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        tree.text(f"usr/lib/modules/{release}/{name}", "")
    tree.script("postinst", f"depmod {release}", *GRUB)
    tree.script("postrm", *GRUB)


def _prebuilt(tree: Tree, package: Package) -> None:
    """Ubuntu's are linked on the host, of objects and signatures that come apart; these are there as they are."""
    release, is_open = _release(package), "-server-open-" in package.name
    branch = package.upstream.split(".")[0]
    folder = f"usr/lib/modules/{release}/kernel/nvidia-{branch}srv{'-open' if is_open else ''}"
    licence = LICENCES["modules-open" if is_open else "modules-proprietary"]
    for name, needs in MODULES.items():
        kernel_module(tree.root / folder / f"{name}.ko", name, needs, package.upstream, licence)
    tree.script("postinst", f"depmod {release}")
    tree.script("postrm", f"[ ! -d /usr/lib/modules/{release} ] || depmod {release}")


def _simulation(tree: Tree, package: Package) -> None:
    """What shows a module as loaded; with NVIDIA's packages it comes with the modules, here they need this package."""
    tree.copy("usr/lib/nvidia/simulated-module", FILES / "simulated-module", 0o755)
    tree.copy("lib/modprobe.d/nvidia-simulated.conf", FILES / "simulated-module.conf")
    tree.text("usr/lib/modules-load.d/nvidia.conf", "nvidia\n")


def _persistenced(tree: Tree, package: Package) -> None:
    """Ubuntu's unit belongs to no target: udev starts it when the module comes, and there is no udev here."""
    program = (FILES / "nvidia-persistenced").read_text().replace("@version@", package.upstream)
    tree.text("usr/bin/nvidia-persistenced", program, 0o755)
    unit = (FILES / "nvidia-persistenced.service").read_text().partition("[Install]")[0]
    tree.text("usr/lib/systemd/system/nvidia-persistenced.service", unit)
    tree.script("postinst", "systemctl daemon-reload")
    tree.script("prerm", '[ "$1" != remove ] || systemctl stop nvidia-persistenced.service')
    tree.script("postrm", "systemctl daemon-reload")


OWN = {"kernel": _kernel, "prebuilt": _prebuilt, "simulation": _simulation, "persistenced": _persistenced}
