#!/usr/bin/env python3
# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything on a test host that a role could change, as JSON: name -> value. The scenarios compare two of them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

TREES = ("/etc", "/lib/modules", "/lib/firmware", "/usr/local", "/usr/src", "/var/lib/kubelet/config.yaml")
# Written by the host itself or by package managers as they go, whoever works on it.
RESTLESS = (
    "/etc/ld.so.cache",
    "/etc/mtab",
    "/etc/cni/",
    "/etc/kubernetes/kubelet.conf",
    "/etc/machine-id",
    "/etc/resolv.conf",
    "/etc/.pwd.lock",
)


def main() -> None:
    found: dict[str, str] = {}
    for tree in TREES:
        found.update(files(Path(tree)))
    found.update(packages())
    found.update(enabled_units())
    found.update({f"module {path.name}": "loaded" for path in Path("/sys/module").glob("nvidia*")})
    found.update({f"device {path}": "there" for path in Path("/dev").glob("nvidia*")})
    print(json.dumps(found, sort_keys=True))


def files(tree: Path) -> Iterator[tuple[str, str]]:
    places = [tree] if tree.is_file() else (Path(top) / name for top, _, names in os.walk(tree) for name in names)
    for path in places:
        name = str(path)
        if not name.startswith(RESTLESS) and not path.name.startswith("modules."):
            yield name, os.readlink(path) if path.is_symlink() else digest(path)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


DPKG = ("dpkg-query", "--show", "--showformat", "${binary:Package} ${Version} ${Status}\n")
RPM = ("rpm", "--query", "--all", "--queryformat", "%{NAME}.%{ARCH} %{VERSION}-%{RELEASE} installed\n")


def packages() -> Iterator[tuple[str, str]]:
    command = DPKG if shutil.which(DPKG[0]) else RPM
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    for line in listed.stdout.splitlines():
        name, version, status = line.split(" ", 2)
        yield f"package {name}", f"{version} {status}"


def enabled_units() -> Iterator[tuple[str, str]]:
    listed = subprocess.run(
        ["systemctl", "list-unit-files", "--state=enabled", "--no-legend", "--plain"],
        check=True,
        capture_output=True,
        text=True,
    )
    for line in listed.stdout.splitlines():
        yield f"unit {line.split()[0]}", "enabled"


if __name__ == "__main__":
    main()
