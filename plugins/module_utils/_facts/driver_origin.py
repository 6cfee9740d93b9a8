# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: how the driver came onto the host: packages of which origin, or NVIDIA's own installer."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

# The installer notes here what it put where, so that it can be removed again. The first line names the version.
RUNFILE_LOG = "/var/lib/nvidia/log"
UNINSTALLERS = ("/usr/bin/nvidia-uninstall", "/usr/bin/nvidia-installer")
# The root of a driver that runs from a container.
CONTAINER_ROOT = "/run/nvidia/driver"
# "580.95.05", or of older installers "1.0-XXXXXX (580.95.05)"
LOGGED = re.compile(r"^(?:[^\n(]*\()?([0-9]{3,4}\.[0-9]{1,4}(?:\.[0-9]{1,4})?)\)?[ \t]*(?:\n|$)", re.ASCII)
# Packages that bring the kernel module or the library that goes with it. Tools of the same version prove nothing:
# NVIDIA's fabric manager runs beside a distribution's driver.
OF_THE_DRIVER = re.compile(
    r"^(libnvidia-ml|libnvidia-compute|libcuda1|nvidia-kernel|nvidia-dkms|nvidia-driver|nvidia-open|kmod-nvidia"
    r"|xorg-x11-drv-nvidia)"
)
# Beginnings of what the package databases say of origins, in small letters.
NVIDIA = ("nvidia",)
DISTRIBUTIONS = (
    "debian",
    "ubuntu",
    "canonical",
    "red hat",
    "fedora",
    "centos",
    "rocky",
    "almalinux",
    "oracle",
    "amazon",
    "suse",
)


class Traces(t.NamedTuple):
    """What is on the disk of a driver that no package brought."""

    # Version in the installer's log; None where there is no log, or none that names one.
    logged: str | None = None
    # What shows that the installer was here.
    installer: str | None = None
    container: bool = False


class Origin(t.NamedTuple):
    installed_by: str | None
    evidence: str | None


def parse_log(text: str) -> str | None:
    match = LOGGED.match(text)
    return match.group(1) if match else None


def read(host: Host) -> Reading:
    program = next((path for path in UNINSTALLERS if host.exists(path)), None)
    container = host.is_dir(CONTAINER_ROOT)
    try:
        logged = parse_log(host.read(RUNFILE_LOG, limit=4096))
    except KubeGpuError as exc:
        source = OK if exc.details.get("missing") else Source(False, str(exc))
        return Reading(Traces(None, program, container), {"runfile": source})
    source = OK if logged else Source(False, f"{RUNFILE_LOG}: no version in its first line")
    return Reading(Traces(logged, RUNFILE_LOG, container), {"runfile": source})


def _brings(package: t.Mapping[str, t.Any], version: str) -> bool:
    return re.search(rf"(^|:){re.escape(version)}($|[-+~])", str(package.get("version"))) is not None


def _kind(origin: t.Any) -> str:
    words = str(origin or "").lower()
    if words.startswith(NVIDIA):
        return "repo"
    return "distro" if words.startswith(DISTRIBUTIONS) else "unknown"


def _by_packages(version: str, packages: t.Mapping[str, t.Any]) -> Origin | None:
    """By the packages that bring this version of the driver. None where there is none."""
    found = {
        name: package
        for name, package in sorted(packages.items())
        if OF_THE_DRIVER.match(name) and _brings(package, version)
    }
    if not found:
        return None
    kinds = {_kind(package.get("origin")) for package in found.values()}
    named = next((name for name, package in found.items() if package.get("origin")), next(iter(found)))
    origin = found[named].get("origin")
    words = f"package {named} {found[named]['version']} " + (f"from {origin}" if origin else "from nobody knows where")
    return Origin(kinds.pop() if len(kinds) == 1 else "unknown", words)


def conclude(version: str | None, traces: Traces | None, packages: t.Mapping[str, t.Any] | None) -> Origin:
    """``version``: of the driver that is installed; ``packages``: as the facts have them, None where unknown."""
    if version is None:
        return Origin(None, None)
    seen = traces or Traces()
    by_packages = _by_packages(version, packages or {})
    by_installer = seen.installer is not None and seen.logged in (version, None)
    if by_packages and seen.logged == version:
        return Origin("unknown", f"{by_packages.evidence}, but {RUNFILE_LOG} says {version} too")
    if by_packages:
        return by_packages
    if by_installer:
        return Origin("runfile", f"{seen.installer} says {version}" if seen.logged else seen.installer)
    if seen.logged:
        return Origin("unknown", f"no package has {version}, and {RUNFILE_LOG} says {seen.logged}")
    if seen.container:
        return Origin("unknown", f"no package has {version}; {CONTAINER_ROOT} is there, as of a driver in a container")
    if packages is None or traces is None:
        return Origin("unknown", None)
    return Origin("unknown", f"no package has {version}, and NVIDIA's installer has left no trace")
