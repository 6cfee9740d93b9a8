# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts and wishes that the tests of the plan are made of. All are synthetic."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _compat
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import PIN_FILE
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._plan import plan

Facts = dict[str, t.Any]
Wishes = dict[str, t.Any]

TODAY = "2026-11-22"
DATA = _compat.data()


def card(device: str, architecture: str | None, address: str = "0000:3b:00.0", **other: t.Any) -> Facts:
    line = {"address": address, "class": "030200", "kind": "gpu", "device": device, "driver": None}
    return {**line, "architecture": architecture, **other}


K80 = card("102d", "kepler", "0000:05:00.0", name="Tesla K80")
P100 = card("15f8", "pascal", "0000:06:00.0", name="Tesla P100")
V100 = card("1db6", "volta", name="Tesla V100 32GB")
T4 = card("1eb8", "turing", "0000:3c:00.0", name="Tesla T4")
H100 = card("2330", "hopper", "0000:1b:00.0", name="H100 SXM5 80GB")
B200 = card("2901", "blackwell", "0000:1c:00.0", name="B200")
GH200 = card("2342", "hopper", "0000:09:00.0", name="GH200 120GB / 480GB")
RUBIN = card("3200", "rubin", "0000:0a:00.0", name="Rubin")
NVSWITCH = {
    "address": "0000:c0:00.0",
    "class": "068000",
    "kind": "nvswitch",
    "device": "22a3",
    "driver": "nvidia-nvswitch",
}
BRIDGE = {
    "address": "0000:d0:00.0",
    "class": "020700",
    "kind": "nvlink-bridge",
    "device": "1021",
    "driver": "mlx5_core",
}

# The loaded modules, and who has a GPU open: nobody but a service of the driver's, and a program.
DAEMON = {"pid": 12, "name": "nvidia-persiste", "unit": "nvidia-persistenced.service", "container": None}
PROGRAM = {"pid": 4711, "name": "python3", "unit": "train.service", "container": None}
LOADED: Facts = {
    "nvidia": {"refcount": 4, "used_by": ["nvidia_modeset", "nvidia_uvm"]},
    "nvidia_modeset": {"refcount": 1, "used_by": ["nvidia_drm"]},
    "nvidia_drm": {"refcount": 0, "used_by": []},
    "nvidia_uvm": {"refcount": 0, "used_by": []},
}
IDLE: Facts = {"modules": LOADED, "holders": [DAEMON]}
BUSY: Facts = {"modules": LOADED, "holders": [DAEMON, PROGRAM]}
# A kernel that came with the machine and not with a package, as of a hypervisor that starts it itself.
FOREIGN_KERNEL: Facts = {
    "kernel": {"running": "6.18.44-vm", "next_boot": "6.1.0-41-amd64"},
    "kernels": [
        {"release": "6.1.0-41-amd64", "headers": True, "bootable": True},
        {"release": "6.18.44-vm", "headers": False, "bootable": False},
    ],
}


def host(**other: t.Any) -> Facts:
    """A bare Debian 12 with one H100."""
    facts: Facts = {
        "platform": {
            "id": "debian",
            "version": "12",
            "name": "Debian GNU/Linux 12 (bookworm)",
            "architecture": "x86_64",
            "package_manager": "apt",
            "uid": 0,
        },
        "pci": [H100],
        "gpus": [],
        "driver": dict.fromkeys(("loaded", "flavour", "userland", "on_disk", "on_disk_flavour", "mismatch")),
        "cuda": {"toolkits": [], "default": None},
        "packages": {"containerd": {"version": "1.6.20~ds1-1", "held": False}},
        "container": {},
        "kubelet": {},
        "files": {},
        "sources": {"pci": {"ok": True, "reason": None}},
    }
    for key, value in other.items():
        facts[key] = {**facts[key], **value} if isinstance(value, dict) else value
    return facts


def with_driver(version: str, modules: str = "open", **other: t.Any) -> Facts:
    """The same host after the role has installed a driver there. `driver` overrides parts of it."""
    branch = int(version.split(".")[0])
    names = [package.name for package in DATA.driver_packages("apt", branch, modules)]
    names += [f"nvidia-kernel-{'open-' if modules == 'open' else ''}dkms", "libnvidia-ml1", "libcuda1"]
    packages = {name: {"version": f"{version}-1", "held": False} for name in names}
    parts = {"loaded": version, "flavour": modules, "userland": version, "on_disk": version, "on_disk_flavour": modules}
    files = other.pop("files", {PIN_FILE: "0" * 64})
    driver = {**parts, "installed_by": "repo", "brought": brought(*names, version=version) if files else {}}
    driver.update(other.pop("driver", {}))
    return host(**{"packages": packages, "driver": driver, "files": files, **other})


def brought(*names: str, version: str = "580.95.05", whole: bool = True) -> Facts:
    """What the role's record names of these packages."""
    return {name: {"version": f"{version}-1", "whole": whole} for name in names}


def from_distribution(version: str, **other: t.Any) -> Facts:
    """The same host with Debian's own packages of a driver."""
    parts = {"loaded": version, "flavour": "proprietary", "userland": version}
    driver = {**parts, "on_disk": version, "on_disk_flavour": "proprietary", "installed_by": "distro", **other}
    return host(driver=driver, packages={"nvidia-kernel-dkms": {"version": f"{version}-1~deb12u1", "held": False}})


def wish(branch: str = "580", **other: t.Any) -> Wishes:
    """`gds`, `kubernetes` and `today` are wishes beside the driver's."""
    beside: Wishes = {key: other.pop(key) for key in ("gds", "kubernetes", "today", "cuda") if key in other}
    driver = {"state": "present", "branch": branch, "version": "", "flavour": "auto", **other}
    return {"today": TODAY, "driver": driver, **beside}


def rules(facts: Facts, wishes: Wishes) -> list[str]:
    return [refusal["rule"] for refusal in plan(facts, wishes)["refusals"]]


def toolkit(version: str) -> dict[str, str]:
    return {"version": version, "path": f"/usr/local/cuda-{version}"}


def with_cuda(*versions: str, default: str | None = None) -> Facts:
    packages = {f"cuda-toolkit-{version.replace('.', '-')}": {"version": f"{version}.2-1"} for version in versions}
    path = f"/usr/local/cuda-{default}" if default else None
    return host(packages=packages, cuda={"toolkits": [toolkit(version) for version in versions], "default": path})
