# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, and what a person is told although nothing is refused."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._plan import plan
from ansible_collections.kubegpu.nodes.tests.unit.plugins.plugin_utils.plan_hosts import (
    BRIDGE,
    BUSY,
    DATA,
    FOREIGN_KERNEL,
    H100,
    IDLE,
    LOADED,
    NVSWITCH,
    TODAY,
    V100,
    Facts,
    Wishes,
    brought,
    from_distribution,
    host,
    rules,
    wish,
    with_cuda,
    with_driver,
)

ABSENT = wish(state="absent")
SOURCES = "/etc/apt/sources.list.d"
KEYRING = {f"{SOURCES}/cuda-debian12-x86_64.list": "0" * 64}
OURS = {f"{SOURCES}/kubegpu-nvidia-cuda.sources": "0" * 64}
UBUNTU = {"id": "ubuntu", "version": "24.10", "name": "Ubuntu 24.10"}


def room(**mib: int) -> Facts:
    """Free MiB by the name of a file system: root, boot, usr, var, lib. What is not named is on the root."""
    paths = {"boot": "/boot", "usr": "/usr", "var": "/var", "lib": "/var/lib"}
    root = {"mount": "/", "total_mib": 99999, "available_mib": mib["root"]}
    own = {
        path: {"mount": path, "total_mib": 99999, "available_mib": mib[name]}
        for name, path in paths.items()
        if name in mib
    }
    if "var" in own and "lib" not in mib:
        own["/var/lib"] = own["/var"]
    return {"filesystems": {"/": root, **dict.fromkeys(paths.values(), root), **own}}


def held(facts: Facts, *names: str) -> Facts:
    packages = {name: {**line, "held": name in names} for name, line in facts["packages"].items()}
    return {**facts, "packages": packages}


def node(version: str = "1.36.3", config: str | None = "{}\n", **kubelet: t.Any) -> dict[str, t.Any]:
    path = "/var/lib/kubelet/config.yaml"
    return {"kubelet": {"present": True, "version": version, "config_path": path, "config_text": config, **kubelet}}


def runtimes(**versions: str | None) -> dict[str, t.Any]:
    names = ("docker", "containerd", "crio")
    there = {name: {"present": bool(versions.get(name)), "version": versions.get(name)} for name in names}
    return {"container": there}


AS_NODE = {"today": TODAY, "kubernetes": {}}
CGROUP_1 = {"platform": {"cgroup_version": 1}}
SECURE = {"secure_boot": True}
OLD_DOCKER = {"packages": {"nvidia-docker": {"version": "1.0.1-1", "held": False}}}
TOOLKIT = {name: {"version": "1.19.1-1", "held": True} for name in ("nvidia-container-toolkit", "libnvidia-container1")}

REFUSED: dict[str, tuple[Facts, Wishes, list[str], str]] = {
    # name: (facts, wishes, rules, words of the sentences)
    "no GPU": (host(pci=[]), wish(), ["no-nvidia-hardware"], "has no NVIDIA GPU"),
    "only a bridge": (host(pci=[{"class": "068000"}]), wish(), ["no-nvidia-hardware"], "has no NVIDIA GPU"),
    "only a switch": (host(pci=[NVSWITCH]), wish(), ["no-nvidia-hardware"], "has no NVIDIA GPU"),
    "an unreadable bus": (
        host(pci=[], sources={"pci": {"ok": False, "reason": "no /sys"}}),
        wish(),
        ["no-nvidia-hardware"],
        "no /sys",
    ),
    "all GPUs are with virtual machines": (
        host(pci=[{**H100, "driver": "vfio-pci"}]),
        wish(),
        ["no-nvidia-hardware"],
        "Virtual machines have all GPUs of this host (0000:1b:00.0, by vfio-pci)",
    ),
    "no parameter of the module": (
        host(),
        wish(parameters={"nvidia-drm.modeset": 1, "NVreg_Good": 1, "NVreg_Two": "1 2"}),
        ["bad-parameter"],
        "NVreg_Two=1 2, nvidia-drm.modeset=1",
    ),
    "no GPU, but none is needed": (host(pci=[]), {"cuda": {"versions": ["13.0"]}}, [], ""),
    "another distribution": (
        host(platform={"id": "arch", "version": None, "name": "Arch Linux"}),
        wish(),
        ["unsupported-platform"],
        "roles/nvidia_driver/vars/arch.yml",
    ),
    "another release": (host(platform=UBUNTU), wish(), ["unsupported-platform"], "Ubuntu 24.10"),
    "another machine": (
        host(platform={"architecture": "ppc64le"}),
        wish(),
        ["unsupported-platform"],
        "ppc64le is not supported",
    ),
    "a machine that nobody serves": (
        host(platform={"architecture": "riscv64"}),
        wish(),
        ["unsupported-platform"],
        "on riscv64",
    ),
    "arm64, of which NVIDIA's repository for Debian knows nothing": (
        host(platform={"architecture": "aarch64"}),
        wish(),
        ["repository-architecture"],
        "has no packages for aarch64",
    ),
    "an unknown machine": (host(platform={"architecture": None}), wish(), [], ""),
    "a point release": (host(platform={"version": "12.12"}), wish(), [], ""),
    "not root": (host(platform={"uid": 1000}), wish(), ["not-root"], "become: true"),
    "no TLS": (host(), {"mirror": "http://mirror"}, ["mirror-without-tls"], "kubegpu_mirror"),
    "no TLS, the toolkit's mirror": (
        host(),
        {"mirror": "https://mirror", "toolkit": {"mirror": "http://other"}},
        ["mirror-without-tls"],
        "The mirror http://other is not",
    ),
    "credentials": (host(), {"mirror": "https://me:secret@mirror/x"}, ["mirror-with-credentials"], "auth.conf.d"),
    "a user alone": (host(), {"mirror": "https://secret@mirror"}, ["mirror-with-credentials"], "auth.conf.d"),
    "credentials, the toolkit's mirror": (
        host(),
        {"mirror": "https://mirror", "toolkit": {"mirror": "https://me:secret@other"}},
        ["mirror-with-credentials"],
        "auth.conf.d",
    ),
    "credentials without TLS": (
        host(),
        {"mirror": "http://me:secret@mirror"},
        ["mirror-without-tls", "mirror-with-credentials"],
        "The mirror http://mirror is not",
    ),
    "credentials without a scheme": (
        host(),
        {"mirror": "me:secret@mirror"},
        ["mirror-without-tls", "mirror-with-credentials"],
        "The mirror mirror is not",
    ),
    "an @ in the path": (host(), {"mirror": "https://mirror/a@b"}, [], ""),
    "somebody else's source": (host(files=KEYRING), wish(), ["foreign-source"], "apt purge cuda-keyring"),
    "somebody else's source beside ours": (
        host(files={**OURS, **KEYRING}),
        {"cuda": {"versions": ["13.0"]}},
        ["foreign-source"],
        f"{SOURCES}/cuda-debian12-x86_64.list is not by this collection",
    ),
    "somebody else's source of the toolkit": (
        host(files={f"{SOURCES}/nvidia-container-toolkit.list": "0" * 64}),
        {"toolkit": {"version": ""}},
        ["foreign-source"],
        "nvidia-container-toolkit.list",
    ),
    "somebody else's source and driver, kept": (
        from_distribution("580.95.05") | {"files": KEYRING},
        wish("keep"),
        [],
        "",
    ),
    "somebody else's source and driver, kept, and the container toolkit": (
        from_distribution("580.95.05") | {"files": KEYRING},
        {**wish("keep"), "toolkit": {"version": ""}},
        [],
        "",
    ),
    "somebody else's source of the toolkit, and no toolkit wished": (
        host(files={f"{SOURCES}/nvidia-container-toolkit.list": "0" * 64}),
        wish(),
        [],
        "",
    ),
    "ours only": (host(files=OURS), {**wish(), "toolkit": {}}, [], ""),
    "a source that apt does not read": (host(files={f"{SOURCES}/cuda.list.save": "0" * 64}), wish(), [], ""),
    "somebody else's source, all absent": (
        host(files=KEYRING),
        {**ABSENT, "cuda": {"state": "absent", "versions": ["13.0"]}, "toolkit": {"state": "absent"}},
        [],
        "",
    ),
    "somebody else's source, no toolkit wished": (host(files=KEYRING), {"cuda": {"versions": []}}, [], ""),
    "unknown branch": (host(), wish("999"), ["unknown-branch"], "Driver branch 999 is not known"),
    "no branch": (host(), wish(""), ["unknown-branch"], "nvidia_driver_branch"),
    "version of another branch": (
        host(),
        wish(version="570.211.01"),
        ["version-not-in-branch"],
        "set nvidia_driver_branch to 570 as well",
    ),
    "half a version": (host(), wish(version="580"), ["bad-version"], "such as 580.95.05"),
    "Volta leaves": (host(pci=[V100]), wish("595", state="absent", flavour="open"), [], ""),
    "downgrade of the branch": (with_driver("595.91.07"), wish(), ["downgrade"], "nvidia_driver_allow_downgrade: true"),
    "downgrade of the version": (
        with_driver("580.105.08"),
        wish(version="580.95.05"),
        ["downgrade"],
        "Driver 580.105.08 is installed and newer",
    ),
    "downgrade, allowed": (with_driver("595.91.07"), wish(allow_downgrade=True), [], ""),
    "downgrade, allowed by a text": (with_driver("595.91.07"), wish(allow_downgrade="true"), [], ""),
    "downgrade, not allowed by a text": (
        with_driver("595.91.07"),
        wish(allow_downgrade="false"),
        ["downgrade"],
        "state: absent",
    ),
    "loaded by a container": (
        host(driver={"loaded": "580.95.05", "flavour": "open"}),
        wish(),
        ["loaded-from-elsewhere"],
        "nvidia.com/gpu.deploy.driver=false",
    ),
    "not by a package": (host(driver={"on_disk": "580.95.05"}), wish(), ["foreign-driver"], "nvidia-uninstall"),
    "by the .run file": (
        host(driver={"on_disk": "580.95.05", "installed_by": "runfile", "installed_by_evidence": "nvidia-uninstall"}),
        wish(),
        ["foreign-driver"],
        "nvidia_driver_branch: keep",
    ),
    "by the distribution": (
        from_distribution("535.261.03"),
        wish(),
        ["distribution-driver"],
        "installed from the distribution",
    ),
    "by the distribution, to be removed": (from_distribution("535.261.03"), ABSENT, [], ""),
    "held, and to be changed": (
        held(with_driver("570.211.01"), "nvidia-open-570", "libcuda1"),
        wish(),
        ["held-packages"],
        "apt-mark unhold libcuda1 nvidia-open-570",
    ),
    "held, and as wished": (held(with_driver("580.95.05"), "nvidia-open-580"), wish(), [], ""),
    "held, and to be removed": (
        held(with_driver("580.95.05"), "libcuda1"),
        ABSENT,
        ["held-packages"],
        "Somebody holds packages that would have to change: libcuda1",
    ),
    "held, another package": (held(with_driver("570.211.01"), "containerd"), wish(), [], ""),
    "held toolkit": (
        host(packages=TOOLKIT),
        {"toolkit": {"version": "1.20.0"}},
        ["held-packages"],
        "libnvidia-container1, nvidia-container-toolkit",
    ),
    "a default that nobody asked for": (
        host(),
        {"cuda": {"versions": ["12.8"], "default": "13.0"}},
        ["default-toolkit"],
        "add 13.0 to cuda_versions",
    ),
    "a number that was not quoted": (host(), {"cuda": {"versions": [13]}}, ["bad-cuda-version"], "in quotes"),
    "an image's version that is none": (
        host(),
        wish(cuda_images=["latest", "12.8"]),
        ["bad-cuda-image"],
        "nvidia_driver_cuda_images",
    ),
    "an image newer than the driver": (
        host(),
        wish("470", cuda_images=["12.8"]),
        ["cuda-image-needs-driver"],
        "set nvidia_driver_branch to 595",
    ),
    "an image newer than the version": (
        host(),
        wish("525", version="525.60.04", cuda_images=["12.0"]),
        [],
        "",
    ),
    "an old build that needs its exact driver": (
        from_distribution("367.48"),
        wish("keep", cuda_images=["8.0.44", "8.0.61"]),
        ["cuda-image-needs-driver"],
        "8.0.61, which needs driver 375.26",
    ),
    "a toolkit newer than the driver to be": (
        host(),
        wish("470", cuda={"versions": ["12.8"]}),
        ["cuda-toolkit-needs-driver"],
        "what the CUDA toolkit 12.8 builds",
    ),
    "a toolkit newer than the driver that is kept": (
        with_driver("470.256.02", "proprietary"),
        wish("keep", cuda={"versions": ["13.0"]}),
        ["cuda-toolkit-needs-driver"],
        "Driver 470.256.02, whose newest CUDA is 11.4, cannot run",
    ),
    "a toolkit where nothing runs": (host(), {"cuda": {"versions": ["13.5"]}}, [], ""),
    "an image without Volta": (
        host(pci=[V100]),
        wish(cuda_images=["13.0"]),
        ["cuda-without-card"],
        "CUDA 12.9 or older",
    ),
    "an image without Volta, beside Hopper": (host(pci=[V100, H100]), wish(cuda_images=["13.0"]), [], ""),
    "Secure Boot": (host(platform=SECURE), wish(), ["secure-boot"], "nvidia_driver_modules_signed: true"),
    "Secure Boot with a key of one's own": (host(platform=SECURE), wish(modules_signed=True), [], ""),
    "Secure Boot, and a driver that it let load": (with_driver("570.211.01", platform=SECURE), wish(), [], ""),
    "Secure Boot, nobody knows": (host(platform={"secure_boot": None}), wish(), [], ""),
    "Secure Boot, kept": (
        from_distribution("535.261.03", signer="Debian Secure Boot CA", loaded=None)
        | {"platform": {**host()["platform"], **SECURE}},
        wish("keep"),
        [],
        "",
    ),
    "GDS under Secure Boot": (
        with_driver("580.95.05", platform=SECURE),
        wish(gds=True),
        ["gds-secure-boot"],
        "GPUDirect Storage does not work under Secure Boot",
    ),
    "GDS with proprietary modules": (host(), wish(gds=True, flavour="proprietary"), ["gds-proprietary"], "set nvidia_"),
    "GDS on Volta": (host(pci=[V100]), wish(gds=True), ["gds-proprietary"], "needs the open kernel modules"),
    "GDS with open modules": (host(), wish(gds=True), [], ""),
    "no room for a driver": (
        host(platform=room(root=1000)),
        wish(),
        ["disk-space"],
        "1000 MiB free on /, and what is to be installed needs 4224 MiB",
    ),
    "no room on /boot": (host(platform=room(root=99999, boot=64)), wish(), ["disk-space"], "64 MiB free on /boot"),
    "no room for two toolkits": (
        host(platform=room(root=99999, usr=10000)),
        {"cuda": {"versions": ["12.8", "13.0"]}},
        ["disk-space"],
        "10000 MiB free on /usr, and what is to be installed needs 16384 MiB",
    ),
    "room for the toolkit that is missing": (
        {**with_cuda("12.8"), "platform": {**host()["platform"], **room(root=99999, usr=10000)}},
        {"cuda": {"versions": ["12.8", "13.0"]}},
        [],
        "",
    ),
    "no room, and nothing to install": (with_driver("580.95.05", platform=room(root=1)), wish(), [], ""),
    "room is not known": (
        host(platform={"filesystems": {"/": {"mount": "/", "available_mib": None}, "/usr": None}}),
        wish(),
        [],
        "",
    ),
    "no node": (
        host(),
        {**wish(), "cluster": {"node": "gpu1", "registered": False}},
        ["node-not-registered"],
        "The cluster has no node gpu1",
    ),
    "a gate that the kubelet does not know": (
        host(**node(config="featureGates: {DevicePlugins: true}\n")),
        AS_NODE,
        ["kubelet-gates"],
        "take these gates out of /var/lib/kubelet/config.yaml",
    ),
    "a gate among its arguments": (
        host(**node(feature_gates={"Accelerators": True})),
        AS_NODE,
        ["kubelet-gates"],
        "Accelerators: went with 1.11",
    ),
    "a gate that the next kubelet does not know": (
        host(**node("1.27.1", "featureGates: {DevicePlugins: true}\n")),
        {"kubernetes": {"version": "1.28.0"}},
        ["kubelet-gates"],
        "DevicePlugins: went with 1.28",
    ),
    "a gate that it knows": (host(**node("1.27.1", "featureGates: {DevicePlugins: true}\n")), AS_NODE, [], ""),
    "a gate, and no cluster wished for": (host(**node(config="featureGates: {Accelerators: true}\n")), wish(), [], ""),
    "cgroup v1": (host(**CGROUP_1, **node()), AS_NODE, ["cgroup-v1"], "systemd.unified_cgroup_hierarchy=1"),
    "cgroup v1 with leave": (host(**CGROUP_1, **node(config="failCgroupV1: false\n")), AS_NODE, [], ""),
    "cgroup v1 and an older kubelet": (host(**CGROUP_1, **node("1.34.9")), AS_NODE, [], ""),
    "cgroup v1 and the next kubelet": (
        host(**CGROUP_1, **node("1.34.9")),
        {"kubernetes": {"version": "1.35.0"}},
        ["cgroup-v1"],
        "a kubelet 1.35.0",
    ),
    "cgroup v2": (host(platform={"cgroup_version": 2}, **node()), AS_NODE, [], ""),
    "containerd 1 and a Kubernetes past it": (
        host(**runtimes(containerd="1.7.30"), **node()),
        {"kubernetes": {"version": "1.38.0"}},
        ["containerd-kubernetes"],
        "for which 1.37 is the last Kubernetes",
    ),
    "containerd 1 and a Kubernetes that still works": (
        host(**runtimes(containerd="1.7.30"), **node()),
        AS_NODE,
        [],
        "",
    ),
    "containerd 1 beside CRI-O, which is used": (
        host(
            **runtimes(containerd="1.7.30", crio="1.38.0"),
            **node("1.38.0", runtime_endpoint="unix:///var/run/crio/crio.sock"),
        ),
        AS_NODE,
        [],
        "",
    ),
    "Docker alone": (host(**runtimes(docker="20.10.24"), **node()), AS_NODE, ["dockershim"], "containerd or CRI-O"),
    "Docker alone, and a kubelet that still knows it": (
        host(**runtimes(docker="20.10.24"), **node("1.23.17")),
        AS_NODE,
        [],
        "",
    ),
    "Docker with cri-dockerd": (
        host(**runtimes(docker="29.1.0"), **node(runtime_endpoint="unix:///run/cri-dockerd.sock")),
        AS_NODE,
        [],
        "",
    ),
    "nvidia-docker 1 and /var/lib elsewhere": (
        host(platform=room(root=99999, lib=99999), **OLD_DOCKER),
        {"toolkit": {}},
        ["nvidia-docker-1"],
        "cannot link the driver's files from / into /var/lib",
    ),
    "nvidia-docker 1 in one file system": (host(platform=room(root=99999), **OLD_DOCKER), {"toolkit": {}}, [], ""),
    "all reasons at once": (
        host(pci=[], platform={"uid": 1000, "id": "arch", **SECURE, **room(root=1)}, files=KEYRING),
        {**wish("999"), "mirror": "http://mirror", "cluster": {"node": "gpu1", "registered": False}},
        [
            "no-nvidia-hardware",
            "unsupported-platform",
            "not-root",
            "mirror-without-tls",
            "foreign-source",
            "unknown-branch",
            "node-not-registered",
        ],
        "",
    ),
}


@pytest.mark.parametrize("facts, wishes, refused, words", REFUSED.values(), ids=REFUSED.keys())
def test_refused(facts: Facts, wishes: Wishes, refused: list[str], words: str) -> None:
    assert rules(facts, wishes) == refused
    refusals = plan(facts, wishes)["refusals"]
    assert words in " ".join(refusal["sentence"] for refusal in refusals)
    assert "secret" not in str(refusals), "credentials are not repeated"


KERNELS = [{"release": "6.1.0-40-amd64", "headers": True}, {"release": "6.1.0-41-amd64", "headers": False}]
TWO_KERNELS = {"kernel": {"running": "6.1.0-40-amd64", "next_boot": "6.1.0-41-amd64"}, "kernels": KERNELS}
USERS = [
    {"pid": 4711, "name": "python3", "unit": None, "container": "0123abcd", "devices": ["/dev/nvidia0"]},
    {"pid": 12, "name": "nvidia-persiste", "unit": "nvidia-persistenced.service", "container": None, "devices": []},
    {"pid": 13, "name": None, "unit": None, "container": None, "devices": []},
]
MANAGER = {"fabric_manager": {"present": True, "version": "570.211.01", "active": True}}
NO_MANAGER = {"fabric_manager": {"present": False, "version": None, "active": None}}

WARNED: dict[str, tuple[Facts, Wishes, list[str]]] = {
    # name: (facts, wishes, words of each warning)
    "nothing": (with_driver("580.178.04"), wish(), []),
    "nothing, not even a driver": (host(), {}, []),
    "the bus is not known": (host(pci=None), wish(), ["not known whether this host has an NVIDIA GPU"]),
    "nouveau": (
        host(pci=[{**H100, "driver": "nouveau"}]),
        wish(),
        ["holds the card (0000:1b:00.0 by nouveau): NVIDIA's takes over after a reboot"],
    ),
    "nova": (host(pci=[{**H100, "driver": "nova_core"}]), wish(), ["by nova_core"]),
    "a card of a virtual machine beside ours": (
        host(pci=[H100, {**V100, "driver": "vfio-pci"}]),
        wish(),
        ["0000:3b:00.0 (vfio-pci)"],
    ),
    "a branch that has ended": (host(), wish("535"), ["Driver branch 535 ended on 2026-06-30"]),
    "a branch on its last day": (host(), wish("535", today="2026-06-30"), []),
    "a branch that has ended, and nobody said when": (host(), wish("575"), ["ended already", "595 fits this host"]),
    "a branch that has ended, and the day is not known": (host(), {**wish("535"), "today": None}, []),
    "an end without a way on": (host(pci=[{**V100, "architecture": "kepler"}]), wish("470"), ["ended on 2024-07-20"]),
    "a version with a known defect": (host(), wish("595", version="595.45.04"), ["known for this: CUDA may not start"]),
    "a container toolkit with a known defect": (
        host(),
        {"toolkit": {"version": "1.18.0"}},
        ["Container toolkit 1.18.0 is known for this: nvidia-ctk writes"],
    ),
    "a container toolkit with a known defect, which is there": (
        host(packages={"nvidia-container-toolkit": {"version": "1.18.0-1", "held": False}}),
        {"toolkit": {"version": ""}},
        ["Container toolkit 1.18.0"],
    ),
    "a container toolkit that goes": (
        host(packages={"nvidia-container-toolkit": {"version": "1.18.0-1", "held": False}}),
        {"toolkit": {"state": "absent"}},
        [],
    ),
    "a reboot that is due": (
        host(platform={"reboot": {"pending": True, "reasons": ["linux-image-6.1.0-41-amd64"]}}),
        wish(),
        ["waits for a reboot already (linux-image-6.1.0-41-amd64)"],
    ),
    "a reboot, and nobody knows why": (host(platform={"reboot": {"pending": True}}), wish(), ["reboot already."]),
    "headers that are to come": (host(platform=TWO_KERNELS), wish(), []),
    "a kernel that can have no headers": (
        host(platform=FOREIGN_KERNEL),
        wish(),
        ["Kernel 6.18.44-vm, which runs, is none of this host's own", "for 6.1.0-41-amd64 only"],
    ),
    "a kernel that boots next without a module": (
        with_driver(
            "580.178.04",
            platform={**TWO_KERNELS, "kernels": []},
            driver={"next_boot": {"kernel": "6.1.0-41-amd64", "version": None}},
        ),
        wish(),
        ["Kernel 6.1.0-41-amd64 boots next, and there is no NVIDIA module for it"],
    ),
    "a kernel that boots next with another driver": (
        with_driver(
            "580.178.04",
            platform={**TWO_KERNELS, "kernels": []},
            driver={"next_boot": {"kernel": "6.1.0-41-amd64", "version": "580.95.05"}},
        ),
        wish(),
        ["boots next, with driver 580.95.05 for it; the running one has 580.178.04"],
    ),
    "who uses the GPU when a reboot comes": (
        with_driver("570.211.01", driver={"holders": USERS}),
        wish(),
        ["stopped by the reboot: python3 (pid 4711, container 0123abcd), nvidia-persiste (pid 12, nvidia-pers"],
    ),
    "who uses the GPU when the driver goes with a reboot": (
        with_driver("580.95.05", driver={"holders": USERS * 5, "modules": LOADED}),
        wish(state="absent", reboot="true"),
        ["stopped by the reboot: python3", "and 7 more"],
    ),
    "who uses the GPU, and nothing happens": (with_driver("580.178.04", driver={"holders": USERS}), wish(), []),
    "a fabric manager of another version": (
        with_driver("580.178.04", pci=[H100, NVSWITCH], driver=MANAGER),
        wish("keep"),
        ["The fabric manager is version 570.211.01 and works only with a driver of that version, not with 580.178.04"],
    ),
    "a fabric manager that would be left behind, where no switch is": (
        with_driver("570.211.01", driver=MANAGER),
        wish(),
        ["not with 580.178.04"],
    ),
    "a fabric manager that comes with the driver": (
        with_driver("570.211.01", pci=[H100, NVSWITCH], driver=MANAGER),
        wish(),
        [],
    ),
    "IMEX of another version": (
        with_driver("580.178.04", driver={"imex": {"present": True, "version": "580.95.05", "active": False}}),
        wish(),
        ["The IMEX daemon is version 580.95.05"],
    ),
    "no fabric manager": (
        with_driver("580.178.04", pci=[H100, NVSWITCH], driver=NO_MANAGER),
        wish("keep"),
        ["CUDA does not start here without a fabric manager", "580.178.04-*"],
    ),
    "a fabric manager that is to come": (
        with_driver("580.178.04", pci=[H100, NVSWITCH], driver=NO_MANAGER),
        wish(),
        [],
    ),
    "no fabric manager, and no switch": (with_driver("580.178.04", driver=NO_MANAGER), wish(), []),
    "an image with fewer features": (
        with_driver("580.178.04"),
        wish(cuda_images=["13.2"]),
        ["will run, though not with everything: driver 580.178.04 runs it by minor-version compatibility"],
    ),
    "an image that nobody knows": (host(), wish(cuda_images=["14.2"]), ["not known whether an image with CUDA 14.2"]),
    "an image without one of two cards": (
        host(pci=[V100, H100]),
        wish(cuda_images=["13.0"]),
        ["An image with CUDA 13.0 cannot use 0000:3b:00.0 (Tesla V100 32GB, volta): CUDA 12.9 is the last one"],
    ),
    "an image older than the card": (host(), wish(cuda_images=["10.2"]), ["is older than 0000:1b:00.0", "slowly"]),
    "a toolkit without the card": (
        with_driver("580.178.04", "proprietary", pci=[V100]),
        {"cuda": {"versions": ["13.0"]}},
        ["CUDA toolkit 13.0 builds nothing for 0000:3b:00.0"],
    ),
    "Secure Boot, and an unsigned driver that is kept": (
        from_distribution("580.178.04", loaded=None) | {"platform": {**host()["platform"], **SECURE}},
        wish("keep"),
        ["seems to be unsigned"],
    ),
    "a branch that nobody knows is kept": (from_distribution("545.29.06"), wish("keep"), ["driver branch 545"]),
    "libraries that do not answer are kept": (from_distribution("580.178.04", userland=None), wish("keep"), ["answer"]),
    "cgroup v1, and the kubelet's settings are not known": (
        host(**CGROUP_1, **node(config=None)),
        AS_NODE,
        ["its configuration is not known"],
    ),
    "settings of the kubelet that are no YAML": (host(**CGROUP_1, **node(config="a: [")), AS_NODE, ["cgroup v1"]),
    "containerd that has ended": (
        host(**runtimes(containerd="2.1.4"), **node()),
        AS_NODE,
        ["containerd 2.1 ended on 2026-07-03"],
    ),
    "nvidia-docker 1 in one file system": (
        host(platform=room(root=99999), **OLD_DOCKER),
        {"toolkit": {}},
        ["nvidia-docker 1.0.1 is installed, which the NVIDIA container toolkit has long replaced"],
    ),
}


@pytest.mark.parametrize("facts, wishes, words", WARNED.values(), ids=WARNED.keys())
def test_warned(facts: Facts, wishes: Wishes, words: list[str]) -> None:
    value = plan(facts, wishes)
    assert value["refusals"] == []
    said = "\n".join(value["warnings"])
    assert bool(said) is bool(words), said
    assert [word for word in words if word not in said] == [], said
    assert all(warning.endswith(".") for warning in value["warnings"])


FABRIC: dict[str, tuple[Facts, Wishes, str | None, str, str]] = {
    # name: (facts, wishes, kind, what the data calls it, version of the packages)
    "no switch": (host(), wish(), None, "", ""),
    "a switch": (host(pci=[H100, NVSWITCH]), wish(), "nvswitch", "nvswitch", "580.*"),
    "a switch, from 590 on": (host(pci=[H100, NVSWITCH]), wish("595"), "nvswitch", "nvswitch", "595.*"),
    "a switch, an exact version": (
        host(pci=[H100, NVSWITCH]),
        wish(version="580.95.05"),
        "nvswitch",
        "nvswitch",
        "580.95.05-*",
    ),
    "a switch, the version that is there": (
        with_driver("580.95.05", pci=[H100, NVSWITCH]),
        wish(),
        "nvswitch",
        "nvswitch",
        "580.95.05-*",
    ),
    "a switch, another branch is there": (
        with_driver("570.211.01", pci=[H100, NVSWITCH]),
        wish(),
        "nvswitch",
        "nvswitch",
        "580.*",
    ),
    "a bridge": (host(pci=[H100, BRIDGE]), wish(version="580.95.05"), "nvlink-bridge", "nvlink5", "580.95.05-*"),
}


@pytest.mark.parametrize("facts, wishes, kind, purpose, version", FABRIC.values(), ids=FABRIC.keys())
def test_fabric(facts: Facts, wishes: Wishes, kind: str | None, purpose: str, version: str) -> None:
    value = plan(facts, wishes)
    fabric = value["fabric"]
    assert (fabric["needed"], fabric["kind"]) == (kind is not None, kind)
    known = DATA.fabric_packages("apt", int(value["driver"]["branch"]), purpose)
    assert bool(known) is bool(kind)
    wanted = [f"{package.name}={version}" if package.pinned else package.name for package in known]
    assert [package["spec"] for package in fabric["packages"]] == wanted


def test_a_switch_and_no_wish_for_a_driver() -> None:
    fabric = plan(host(pci=[H100, NVSWITCH]), {})["fabric"]
    assert fabric["needed"] and fabric["packages"] == []


OLD, NEW = "linux-headers-6.1.0-40-amd64", "linux-headers-6.1.0-41-amd64"
DKMS = {"dkms": {"version": "3.0.10-8+deb12u1", "held": False}}


def built(next_boot: str | None, **other: t.Any) -> Facts:
    """A host with the driver, and with two kernels, of which the second boots next."""
    boots = {"kernel": "6.1.0-41-amd64", "version": next_boot, "flavour": "open" if next_boot else None}
    facts = with_driver("580.178.04", driver={"next_boot": boots}, **{"platform": TWO_KERNELS, **other})
    return {**facts, "packages": {**facts["packages"], **DKMS}}


RUNNING, NEXT = "6.1.0-40-amd64", "6.1.0-41-amd64"
FAILED_BUILD: Facts = {
    **with_driver(
        "580.178.04",
        platform=TWO_KERNELS,
        driver={"loaded": None, "on_disk": None, "next_boot": {"kernel": NEXT, "version": None}},
        packages={**with_driver("580.178.04")["packages"], **DKMS},
    ),
    "sources": {"modinfo": {"ok": True, "reason": None}},
}

KERNEL: dict[str, tuple[Facts, Wishes, list[str], list[str], list[str], bool]] = {
    # name: (facts, wishes, headers, what is missing, kernels to build for, whether the next boot has the driver)
    "kernels that are not known": (host(), wish(), [], ["dkms"], [], False),
    "nothing to be built": (host(platform=TWO_KERNELS), {}, [], [], [], False),
    "two kernels": (host(platform=TWO_KERNELS), wish(), [OLD, NEW], [NEW, "dkms"], [], False),
    "two kernels, DKMS is there": (host(platform=TWO_KERNELS, packages=DKMS), wish(), [OLD, NEW], [NEW], [], False),
    "one kernel": (
        host(platform={"kernel": {"running": "6.1.0-40-amd64", "next_boot": "6.1.0-40-amd64"}, "kernels": KERNELS}),
        wish(),
        [OLD],
        ["dkms"],
        [],
        False,
    ),
    "a kernel that runs and is not installed, and no other": (
        host(platform={"kernel": {"running": "6.1.0-40-amd64", "next_boot": None}, "kernels": []}),
        wish(),
        [OLD],
        [OLD, "dkms"],
        [],
        False,
    ),
    "a kernel that runs and can have no headers": (host(platform=FOREIGN_KERNEL), wish(), [NEW], ["dkms"], [], False),
    "such a kernel, of which not all is known": (
        host(platform={**FOREIGN_KERNEL, "kernels": [{"release": "6.18.44-vm", "headers": False}]}),
        wish(),
        ["linux-headers-6.18.44-vm", NEW],
        ["linux-headers-6.18.44-vm", NEW, "dkms"],
        [],
        False,
    ),
    "converged": (built("580.178.04"), wish(), [OLD, NEW], [], [], True),
    "a new kernel, of which DKMS knows nothing": (built(None), wish(), [OLD, NEW], [NEW], ["6.1.0-41-amd64"], False),
    "a kernel that runs, for which a build has failed": (
        FAILED_BUILD,
        wish(),
        [OLD, NEW],
        [NEW],
        [RUNNING, NEXT],
        False,
    ),
    "such a kernel, of which nobody knows": (FAILED_BUILD | {"sources": {}}, wish(), [OLD, NEW], [NEW], [], False),
    "such a kernel, without what builds": (
        {**FAILED_BUILD, "packages": with_driver("580.178.04")["packages"]},
        wish(),
        [OLD, NEW],
        [NEW, "dkms"],
        [],
        False,
    ),
    "a new kernel with the old driver": (built("580.95.05"), wish(version="580.178.04"), [OLD, NEW], [], [], False),
    "a driver that stays": (built(None), wish("keep"), [], [], [], False),
}


@pytest.mark.parametrize("facts, wishes, headers, missing, build, ready", KERNEL.values(), ids=KERNEL.keys())
def test_kernel(
    facts: Facts, wishes: Wishes, headers: list[str], missing: list[str], build: list[str], ready: bool
) -> None:
    kernel = plan(facts, wishes)["kernel"]
    assert (kernel["headers"], kernel["missing"], kernel["build"]) == (headers, missing, build)
    assert kernel["boots"]["ready"] is ready
    assert (kernel["action"] == "install") is bool(missing or build)


def service(active: bool | None = True, enabled: bool | None = True) -> Facts:
    return {"present": True, "version": "580.178.04", "active": active, "enabled": enabled}


PERSISTENCED, MANAGER_UNIT = "nvidia-persistenced.service", "nvidia-fabricmanager.service"
SERVICES: dict[str, tuple[Facts, Wishes, list[str]]] = {
    # name: (facts, wishes, what is to be started)
    "what comes with the driver": (host(), wish(), [PERSISTENCED]),
    "what comes with the driver, and switches": (
        host(pci=[H100, NVSWITCH]),
        wish(),
        [PERSISTENCED, MANAGER_UNIT],
    ),
    "nothing that is not there": (with_driver("580.178.04"), wish(), []),
    "as they should be": (with_driver("580.178.04", driver={"persistenced": service()}), wish(), []),
    "not known": (with_driver("580.178.04", driver={"persistenced": service(None, None)}), wish(), []),
    "stopped": (with_driver("580.178.04", driver={"persistenced": service(active=False)}), wish(), [PERSISTENCED]),
    "not at boot": (with_driver("580.178.04", driver={"persistenced": service(enabled=False)}), wish(), [PERSISTENCED]),
    "a fabric manager without a switch": (
        with_driver("580.178.04", driver={"fabric_manager": service(active=False)}),
        wish(),
        [],
    ),
    "a fabric manager that is stopped": (
        with_driver("580.178.04", pci=[H100, NVSWITCH], driver={"fabric_manager": service(active=False)}),
        wish(),
        [MANAGER_UNIT],
    ),
    "of a driver that stays as it is": (
        with_driver("580.178.04", driver={"persistenced": service(active=False)}),
        wish("keep"),
        [],
    ),
    "no wish": (with_driver("580.178.04", driver={"persistenced": service(active=False)}), {}, []),
    "a wish for its absence": (with_driver("580.178.04", driver={"persistenced": service(active=False)}), ABSENT, []),
}


@pytest.mark.parametrize("facts, wishes, start", SERVICES.values(), ids=SERVICES.keys())
def test_services(facts: Facts, wishes: Wishes, start: list[str]) -> None:
    assert plan(facts, wishes)["services"]["start"] == start


@pytest.mark.parametrize(
    "packages, missing",
    [
        ({}, ["nvidia-fabricmanager", "libnvidia-nscq"]),
        ({"nvidia-fabricmanager": "580.178.04-1", "libnvidia-nscq": "580.178.04-1"}, []),
        ({"nvidia-fabricmanager": "580.178.04-1", "libnvidia-nscq": "580.95.05-1"}, ["libnvidia-nscq"]),
    ],
)
def test_what_the_switches_need_has_the_drivers_own_version(packages: dict[str, str], missing: list[str]) -> None:
    facts = with_driver("580.178.04", pci=[H100, NVSWITCH])
    facts["packages"].update({name: {"version": version} for name, version in packages.items()})
    fabric = plan(facts, wish())["fabric"]
    assert (fabric["missing"], fabric["action"] == "install") == (missing, bool(missing))


def test_what_is_named_after_another_branch_goes() -> None:
    facts = with_driver("570.211.01", pci=[H100, NVSWITCH])
    names = ("nvidia-fabricmanager-570", "libnvidia-nscq-570", "nvidia-imex-570")
    facts["packages"].update({name: {"version": "570.211.01-1"} for name in names})
    assert plan(facts, wish())["fabric"]["obsolete"] == [], "somebody else's"
    facts["driver"]["brought"] = brought(*names, version="570.211.01")
    assert plan(facts, wish())["fabric"]["obsolete"] == sorted(names)
    assert plan(facts, wish("570"))["fabric"]["obsolete"] == []
    assert plan(facts, wish("keep"))["fabric"]["obsolete"] == []


IMEX: dict[str, tuple[Facts, Wishes, list[str], list[str]]] = {
    # name: (facts, wishes, packages, those that are missing)
    "not wished for": (host(), wish(), [], []),
    "wished for": (host(), wish(imex="true"), ["nvidia-imex=580.*"], ["nvidia-imex"]),
    "of an older branch": (host(), wish("570", imex=True), ["nvidia-imex-570=570.*"], ["nvidia-imex-570"]),
    "beside switches": (
        host(pci=[H100, NVSWITCH]),
        wish(imex=True),
        ["nvidia-fabricmanager=580.*", "libnvidia-nscq=580.*", "nvidia-imex=580.*"],
        ["nvidia-fabricmanager", "libnvidia-nscq", "nvidia-imex"],
    ),
    "of a driver that stays as it is": (
        with_driver("580.178.04"),
        wish("keep", imex=True),
        ["nvidia-imex=580.178.04-*"],
        [],
    ),
    "with a driver that is there": (
        with_driver("580.178.04"),
        wish(imex=True),
        ["nvidia-imex=580.178.04-*"],
        ["nvidia-imex"],
    ),
    "no driver": (host(), wish(imex=True, state="absent"), [], []),
}


@pytest.mark.parametrize("facts, wishes, packages, missing", IMEX.values(), ids=IMEX.keys())
def test_imex(facts: Facts, wishes: Wishes, packages: list[str], missing: list[str]) -> None:
    value = plan(facts, wishes)
    assert value["refusals"] == []
    assert [package["spec"] for package in value["fabric"]["packages"]] == packages
    assert value["fabric"]["missing"] == missing and "nvidia-imex.service" not in value["services"]["start"]


def test_imex_that_there_is_not() -> None:
    assert rules(host(), wish("535", imex=True)) == ["imex-without-packages"]


REACHED: dict[str, tuple[Facts, Wishes, list[str], list[str]]] = {
    # name: (facts, wishes, modules at each boot, those that are not loaded)
    "switches on the bus": (host(pci=[H100, NVSWITCH]), wish(), [], []),
    "a bridge": (host(pci=[H100, BRIDGE]), wish(), ["mlx5_core", "ib_umad"], ["mlx5_core", "ib_umad"]),
    "a bridge that is in use": (
        host(pci=[H100, BRIDGE], driver={"modules": {"mlx5_core": {"refcount": 1, "used_by": ["mlx5_ib"]}}}),
        wish(),
        ["mlx5_core", "ib_umad"],
        ["ib_umad"],
    ),
    "a driver that stays as it is": (with_driver("580.178.04", pci=[H100, BRIDGE]), wish("keep"), [], []),
    "no wish": (with_driver("580.178.04", pci=[H100, BRIDGE]), {}, [], []),
}


@pytest.mark.parametrize("facts, wishes, modules, load", REACHED.values(), ids=REACHED.keys())
def test_what_the_switches_are_reached_through(
    facts: Facts, wishes: Wishes, modules: list[str], load: list[str]
) -> None:
    value = plan(facts, wishes)
    assert (value["fabric"]["modules"], value["fabric"]["load"]) == (modules, load)
    assert any(sentence.startswith("Load now") for sentence in value["summary"]) is bool(load)


USED: dict[str, tuple[Facts, str]] = {
    # name: (facts of the driver, words of the reason)
    "nobody": (IDLE, "nobody uses a GPU"),
    "nobody at all": ({**IDLE, "holders": []}, "in use by somebody in the kernel (module nvidia)"),
    "a program": (BUSY, "in use by python3 (pid 4711, train.service)"),
    "a container": ({**BUSY, "holders": USERS[:1]}, "python3 (pid 4711, container 0123abcd)"),
    "the console": (
        {**IDLE, "modules": {**LOADED, "nvidia_drm": {"refcount": 1, "used_by": []}}},
        "in use by somebody in the kernel (module nvidia_drm)",
    ),
    "another module": (
        {**IDLE, "modules": {**LOADED, "nvidia": {"refcount": 4, "used_by": ["gdrdrv", "nvidia_uvm"]}}},
        "in use by the kernel module gdrdrv",
    ),
    "another module above what is none of the driver's": (
        {**IDLE, "modules": {**LOADED, "mlx5_core": {"refcount": 2, "used_by": ["mlx5_ib"]}}},
        "nobody uses a GPU",
    ),
    "nobody can tell": ({"modules": LOADED, "holders": None}, "stays so until the host boots again"),
    "modules that are not known": ({"modules": None, "holders": []}, "stays so until the host boots again"),
}


@pytest.mark.parametrize("driver, words", USED.values(), ids=USED.keys())
def test_who_keeps_the_old_driver_loaded_is_named(driver: Facts, words: str) -> None:
    planned = plan(with_driver("570.211.01", driver=driver), wish())["driver"]
    assert words in planned["disruption_reason"]
    assert planned["disruption"] == ("reload" if "nobody uses" in words else "reboot")


def test_a_package_that_pins_another_branch_goes_first() -> None:
    planned = plan(with_driver("595.91.07"), wish("580", allow_downgrade=True))["driver"]
    assert planned["obsolete"] == ["nvidia-driver-pinning-595"]
    assert plan(with_driver("595.91.07"), wish("595"))["driver"]["obsolete"] == []
