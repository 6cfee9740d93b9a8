# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages, not installed on the machine: files out of packages, and the base of the node image."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from _rig.cache import cache, key, made_once, scratch
from _rig.parts import table
from _rig.shell import RigError, attempt, run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# What the control plane is, and every host whose fleet says nothing else.
SYSTEM = "debian-12"
# What hosts are that play an Enterprise Linux.
WITH_DNF = "dnf-on-debian-12"


def extract(packages: Sequence[str], components: Iterable[str] = ("main",)) -> Path:
    """A folder with the unpacked files of these packages and of what they depend on; no script of theirs has run."""
    wanted = sorted(packages)
    chosen = sorted(components)
    folder = cache() / "debian" / f"{wanted[0]}-{key(suite(), *wanted, *chosen)}"

    def make(new: Path) -> None:
        include = f"--include={','.join(wanted)}"
        mmdebstrap(new, "--variant=extract", include, suite(), new, *sources(suite(), chosen))

    return made_once(folder, make, f"unpack Debian's {', '.join(wanted)}")


def mmdebstrap(folder: Path, *argv: str | Path) -> None:
    """Run mmdebstrap as root, to fill `folder`. Not quietly, for then it hides why it could not download."""
    scratch(folder).mkdir()
    run("mmdebstrap", "--mode=root", *argv, env={"TMPDIR": str(scratch(folder))})


def sources(release: str, components: Sequence[str]) -> list[str]:
    """Where Debian packages come from, as mmdebstrap's arguments: from where this machine gets its own, if it does."""
    answer = attempt("apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(REPO_URI)", "Created-By: Packages")
    lines = answer.stdout.splitlines() if answer.returncode == 0 else []
    return sources_from(lines, release, components)


def sources_from(targets: Iterable[str], release: str, components: Sequence[str]) -> list[str]:
    """From apt's `<origin> <codename> <uri>` lines those of Debian's release and its updates, as sources.list has them.

    A mirror that has the machine's own release has the others too. Where this machine's apt knows none of Debian's,
    only the components: mmdebstrap then takes Debian's public mirror.
    """
    words = [line.split() for line in targets]
    debian = sorted({(word[1], word[2].rstrip("/")) for word in words if len(word) == 3 and word[0] == "Debian"})
    known = [name for name, _ in debian if "-" not in name]
    own = release if release in known else next(iter(known), None)
    if own is None:
        return [f"--components={','.join(components)}"]
    suites = [(release + name.removeprefix(own), uri) for name, uri in debian if f"{name}-".startswith(f"{own}-")]
    return [f"deb [signed-by={KEYRING}] {uri} {name} {' '.join(components)}" for name, uri in suites]


def suite(system: str = SYSTEM) -> str:
    """How Debian calls this release of its own."""
    known = table()["systems"]
    if system not in known:
        raise RigError(f"no host can be {system}, only wear it (costume = {system!r}); known are {', '.join(known)}")
    return str(known[system])


# Hosts get packages from the rig's repositories; where Debian's are is kept for who needs them.
BASE_OPTIONS = [
    "--variant=minbase",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    '--customize-hook=mkdir -p "$1/usr/share/kubegpu-rig"',
    '--customize-hook=mv "$1/etc/apt/sources.list" "$1/usr/share/kubegpu-rig/debian-sources.list"',
    '--customize-hook=: > "$1/etc/machine-id"',
]


# The key that the base's sshd shows; another one each time that a base is made.
HOST_KEY = "host.pub"

# A host of another family has that family's package manager; Debian's goes when it first boots (rig-prep).
DNF_CONF = (
    "[main]",
    "gpgcheck=1",
    "installonly_limit=3",
    "clean_requirements_on_remove=True",
    "best=True",
    "skip_if_unavailable=False",
)
DNF_OPTIONS = [
    '--customize-hook=mkdir -p "$1/etc/dnf/vars" "$1/etc/yum.repos.d" "$1/etc/pki/rpm-gpg" "$1/var/lib/rpm"',
    f"""--customize-hook=printf '%s\\n' {shlex.join(DNF_CONF)} >"$1/etc/dnf/dnf.conf\"""",
    '--customize-hook=echo /usr/lib64 >"$1/etc/ld.so.conf.d/enterprise-linux.conf"',
]


def base_folder(system: str) -> Path:
    """Where that of this system is, once it is made."""
    packages, hooks = _ingredients(system)
    return cache() / "images" / f"base-{key(suite(system), packages, *BASE_OPTIONS, *hooks)}"


def base_image(system: str = SYSTEM) -> Path:
    """A folder with `base.tar`, the root file system of a host, and its `HOST_KEY`."""
    packages, hooks = _ingredients(system)

    def make(new: Path) -> None:
        copy_out = f"--customize-hook=copy-out /etc/ssh/ssh_host_ed25519_key.pub {new}"
        options = [*BASE_OPTIONS, *hooks, f"--include={packages}", copy_out]
        mmdebstrap(new, *options, suite(system), new / "base.tar", *sources(suite(system), ["main"]))
        (new / "ssh_host_ed25519_key.pub").rename(new / HOST_KEY)

    return made_once(base_folder(system), make, f"bootstrap the root file system of {system}")


def _ingredients(system: str) -> tuple[str, list[str]]:
    """Packages, and what else mmdebstrap does."""
    image = table()["image"]
    packages = [*image["packages"], *(image["dnf_packages"] if system == WITH_DNF else [])]
    return ",".join(packages), DNF_OPTIONS if system == WITH_DNF else []


def nvidia_smi() -> Path:
    """NVIDIA's own program, as Debian packs it."""
    return extract(["nvidia-smi"], ["main", "contrib", "non-free"]) / "usr/lib/nvidia/current/nvidia-smi"


def etcd() -> Path:
    """The folder with Debian's etcd at usr/bin/etcd."""
    return extract(table()["debian"]["files"]["etcd"])
