# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each parser makes of text as the tools print it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import (
    containerd,
    cuda,
    driver,
    kubelet,
    nvml,
    packages,
    pci,
    platform,
    programs,
    smi,
    toml,
)

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"
COLUMNS = list(smi.COLUMNS)


def fixture(path: str) -> str:
    return (FIXTURES / path).read_text(encoding="utf-8")


OS_RELEASES = {
    "debian": ('ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n', "debian", "12", "debian"),
    "ubuntu": ('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n', "ubuntu", "24.04", "debian"),
    "rocky": ('ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.6"\n', "rocky", "9.6", "redhat"),
    "a derived one": ("ID=mint\nID_LIKE='ubuntu debian'\n", "mint", None, "debian"),
    "a stranger": ("ID=plan9\n# comment\n\n=x\nnonsense\nVERSION_ID='unclosed\n", "plan9", None, None),
    "empty": ("", None, None, None),
}


@pytest.mark.parametrize("text, name, version, family", OS_RELEASES.values(), ids=OS_RELEASES.keys())
def test_os_release(text: str, name: str | None, version: str | None, family: str | None) -> None:
    release = platform.parse_os_release(text)
    assert (release.get("ID"), release.get("VERSION_ID"), platform.family(release)) == (name, version, family)


PROC_VERSIONS = {
    "proc/synthetic-550-proprietary.txt": ("550.107.02", "proprietary"),
    "proc/synthetic-615-open.txt": ("615.71.09", "open"),
    "proc/synthetic-580-open-arm.txt": ("580.95.05", "open"),
}


@pytest.mark.parametrize("path, module", PROC_VERSIONS.items())
def test_proc_version_in_both_wordings(path: str, module: tuple[str, str]) -> None:
    assert driver.parse_proc_version(fixture(path)) == module


def test_proc_version_of_two_parts() -> None:
    text = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  384.81  Sat Sep  2 02:43:11 PDT 2017"
    assert driver.parse_proc_version(text) == ("384.81", "proprietary")


@pytest.mark.parametrize("text", ["", "NVRM version:", "Kernel Module 550.1", "GCC version:  gcc version 12.2.0"])
def test_proc_version_not_understood(text: str) -> None:
    assert driver.parse_proc_version(text) is None


MODINFOS = {
    "open": ("filename: /lib/x.ko\nversion:        580.95.05\nlicense:        Dual MIT/GPL\n", ("580.95.05", "open")),
    "proprietary": ("license:        NVIDIA\nversion:        470.256.02\n", ("470.256.02", "proprietary")),
    "unknown licence": ("version: 1\nlicense: GPL\n", ("1", None)),
    "srcversion is no version": ("srcversion:     ABC\n", (None, None)),
}


@pytest.mark.parametrize("text, module", MODINFOS.values(), ids=MODINFOS.keys())
def test_modinfo(text: str, module: tuple[str | None, str | None]) -> None:
    assert driver.parse_modinfo(text) == module


LIBRARIES = {
    "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.580.95.05": "580.95.05",
    "/usr/lib/x86_64-linux-gnu/nvidia/current/libnvidia-ml.so.535.261.03": "535.261.03",
    "/usr/lib64/libnvidia-ml.so.384.81": "384.81",
    "/usr/lib64/libnvidia-ml.so.1": None,
}


@pytest.mark.parametrize("path, version", LIBRARIES.items())
def test_library_version(path: str, version: str | None) -> None:
    assert driver.library_version(path) == version


def module(version: str | None = None, flavour: str | None = None) -> driver.Module:
    return driver.Module(version, flavour)


MISMATCHES = {
    "nothing there": (module(), None, module(), []),
    "all agree": (module("2", "open"), "2", module("2", "open"), []),
    "unknown parts": (module("2", "open"), None, module(None, None), []),
    "installed, not loaded": (module(), "2", module("2", "open"), []),
    "libraries newer": (module("1", "open"), "2", module("1", "open"), ["libraries are 2"]),
    "waits for a reboot": (module("1", "open"), "2", module("2", "open"), ["libraries are 2", "on disk is 2"]),
    "half installed": (module(), "2", module("1", "open"), ["the libraries are 2 but the kernel module on disk is 1"]),
    "other flavour": (module("2", "open"), "2", module("2", "proprietary"), ["is open but the one on disk is propri"]),
}


@pytest.mark.parametrize("loaded, userland, on_disk, words", MISMATCHES.values(), ids=MISMATCHES.keys())
def test_mismatch(loaded: driver.Module, userland: str | None, on_disk: driver.Module, words: list[str]) -> None:
    sentence = driver.mismatch(loaded, userland, on_disk)
    assert (sentence is None) == (not words)
    assert all(word in (sentence or "") for word in words)


def test_smi_table() -> None:
    table = smi.parse(fixture("nvidia-smi/synthetic-580-h100x8.csv"), COLUMNS)
    assert (len(table.rows), table.driver_version, table.strangers) == (8, "580.95.05", [])
    assert table.rows[1] == {
        "index": 1,
        "uuid": "GPU-00000001-1111-2222-3333-444444444444",
        "name": "NVIDIA H100 80GB HBM3",
        "pci_address": "0000:18:00.0",
        "serial": "1650823000001",
        "memory_total_mib": 81559,
        "compute_capability": "9.0",
        "mig_mode": "disabled",
    }


def test_smi_says_null_for_what_a_card_cannot() -> None:
    rows = smi.parse(fixture("nvidia-smi/synthetic-535-a100-mig-t4.csv"), COLUMNS).rows
    assert [row["mig_mode"] for row in rows] == ["enabled", None]
    assert [row["serial"] for row in rows] == ["1564720000001", None]
    assert rows[1]["pci_address"] == "10000:3b:00.0"


def test_smi_with_a_lost_gpu_still_tells_of_the_other() -> None:
    table = smi.parse(fixture("nvidia-smi/synthetic-580-one-lost.csv"), COLUMNS)
    assert [row["index"] for row in table.rows] == [0]
    assert table.strangers[0].startswith("Unable to determine the device handle for GPU1")


@pytest.mark.parametrize("name", ["535.261.03-no-driver.txt", "535.261.03-no-library.txt"])
def test_smi_without_a_driver_is_no_table(name: str) -> None:
    table = smi.parse(fixture(f"nvidia-smi/{name}"), COLUMNS)
    assert table.rows == [] and table.strangers[0].startswith("NVIDIA-SMI ")


def test_smi_too_old_for_a_column() -> None:
    assert smi.unknown_column('Field "compute_cap" is not a valid field to query.\n') == "compute_capability"
    assert smi.unknown_column('Field "of dreams" is not a valid field to query.') is None
    assert "compute_cap" not in smi.argv([name for name in COLUMNS if name != "compute_capability"])[1]


NVML_SAID = {
    "index": 0,
    "uuid": "GPU-1",
    "name": "Tesla T4",
    "pci_address": "00000000:3B:00.0",
    "serial": None,
    "memory_total": 15360 * 1024 * 1024,
    "compute_capability": [7, 5],
    "mig_mode": None,
}


def test_nvml_in_our_words() -> None:
    said = nvml.understand({"gpus": [NVML_SAID], "driver": "580.95.05", "cuda": 13000, "reason": None})
    assert (said.driver_version, said.cuda_version, said.reason) == ("580.95.05", "13.0", None)
    assert said.gpus == [
        {
            "index": 0,
            "uuid": "GPU-1",
            "name": "Tesla T4",
            "pci_address": "0000:3b:00.0",
            "serial": None,
            "memory_total_mib": 15360,
            "compute_capability": "7.5",
            "mig_mode": None,
        }
    ]


@pytest.mark.parametrize(
    "number, words", [(13000, "13.0"), (12080, "12.8"), (9020, "9.2"), (0, None), (None, None), (True, None)]
)
def test_cuda_version_of_nvml(number: object, words: str | None) -> None:
    assert nvml.cuda_words(number) == words


ADDRESSES = {
    "0000:1b:00.0": "0000:1b:00.0",
    "00000000:1B:00.0": "0000:1b:00.0",
    "00010000:07:00.1": "10000:07:00.1",
    "1b:00.0": None,
    "": None,
}


@pytest.mark.parametrize("text, address", ADDRESSES.items())
def test_pci_address(text: str, address: str | None) -> None:
    assert pci.normal_address(text) == address


def test_dpkg() -> None:
    text = (
        "nvidia-open-580\t580.95.05-1\tamd64\tii \n"
        "libnvidia-compute-580\t580.95.05-1\ti386\tii \n"
        "nvidia-container-toolkit\t1.20.0-1\tamd64\thi \n"
        "cuda-drivers\t570.211.01-1\tamd64\trc \n"
        "nvidia-kernel-open-dkms\t580.95.05-1\tamd64\tiF \n"
        "libcuda1\t580.95.05-1\tamd64\tiiR\n"
        "bash\t5.2\tamd64\tii \n"
        "truncated\t1"
    )
    assert packages.parse_dpkg(text, "x86_64") == {
        "nvidia-open-580": {"version": "580.95.05-1", "held": False},
        "libnvidia-compute-580:i386": {"version": "580.95.05-1", "held": False},
        "nvidia-container-toolkit": {"version": "1.20.0-1", "held": True},
    }


OF_A_TOOLKIT = {
    "cuda-toolkit-13-0": True,
    "cuda-nsight-compute-13-0": True,
    "libcublas-13-0": True,
    "libcublas-dev-13-0": True,
    "libcufile-12-9": True,
    "libcusparse-13-0": True,
    "libnpp-13-0": True,
    "libnvjitlink-13-0": True,
    "libnvjpeg-dev-12-10": True,
    "nsight-compute-13-0": True,
    "gds-tools-13-0": True,
    "libcublas": False,
    "libcublas-13": False,
    "libcublas-13-0-extra": False,
    "libcurl3-gnutls": False,
    "libc6": False,
    "libglib2.0-0": False,
    "libgtk-3-0": False,
    "libpcre2-8-0": False,
    "libusb-1.0-0": False,
    "gcc-13-base": False,
    "python-13-0": False,
}


@pytest.mark.parametrize("name, wanted", OF_A_TOOLKIT.items())
def test_packages_of_a_toolkit_and_no_strangers(name: str, wanted: bool) -> None:
    assert packages.wanted(name) is wanted


def test_rpm() -> None:
    text = "kmod-nvidia-open-dkms\t3:580.95.05-1.el9\tnoarch\t\nkubelet\t1.36.3-1\tx86_64\t\nbash\t5\tx86_64\t\n"
    assert packages.parse_rpm(text) == {
        "kmod-nvidia-open-dkms": {"version": "3:580.95.05-1.el9", "held": None},
        "kubelet": {"version": "1.36.3-1", "held": None},
    }


CUDA_JSON = {
    '{"cuda": {"name": "CUDA SDK", "version": "13.0.2"}, "cuda_cudart": {"version": "13.0.96"}}': "13.0.2",
    '{"cuda": {"version": 13}}': None,
    '{"cuda": []}': None,
    "{": None,
}


@pytest.mark.parametrize("text, version", CUDA_JSON.items())
def test_cuda_version_json(text: str, version: str | None) -> None:
    assert cuda.parse_version_json(text) == version


def test_cuda_version_txt() -> None:
    assert cuda.parse_version_txt("CUDA Version 10.2.89\n") == "10.2.89"
    assert cuda.parse_version_txt("CUDA Version ...\n") is None


VERSIONS = {
    "containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3": "1.6.20",
    "containerd github.com/containerd/containerd 1.7.24~ds1 1.7.24~ds1-6+deb13u1": "1.7.24",
    "containerd github.com/containerd/containerd/v2 2.1.9+unknown ": "2.1.9",
    "containerd github.com/containerd/containerd/v2 v2.2.0-rc.1 abcdef": "2.2.0-rc.1",
    "Docker version 28.2.2, build e6534b4": "28.2.2",
    "NVIDIA Container Toolkit CLI version 1.20.0\ncommit: 0123": "1.20.0",
    "crio version 1.33.1\nVersion:        1.33.1": "1.33.1",
    "no version": None,
}


@pytest.mark.parametrize("text, version", VERSIONS.items())
def test_version_of_a_program(text: str, version: str | None) -> None:
    assert programs.parse_version(text) == version


def test_kubelet_version() -> None:
    assert kubelet.parse_version("Kubernetes v1.36.3\n") == "1.36.3"
    assert kubelet.parse_version("Kubernetes v1.37.0-alpha.2\n") == "1.37.0-alpha.2"
    assert kubelet.parse_version("unknown flag") is None


NODE_NAMES = {
    "host name": ([], "GPU-1 ", "gpu-1"),
    "override": (["/usr/bin/kubelet", "--hostname-override=Node-7"], "gpu-1", "node-7"),
    "override in two words": (["/usr/bin/kubelet", "--hostname-override", "n8", "--v=2"], "gpu-1", "n8"),
    "the last one counts": (["kubelet", "--hostname-override=a", "--hostname-override=b"], "gpu-1", "b"),
    "cut off": (["kubelet", "--hostname-override"], "gpu-1", "gpu-1"),
}


@pytest.mark.parametrize("arguments, host_name, name", NODE_NAMES.values(), ids=NODE_NAMES.keys())
def test_node_name(arguments: list[str], host_name: str, name: str) -> None:
    assert kubelet.node_name(arguments, host_name) == name


RUNC = {"type": "io.containerd.runc.v2", "binary": None, "systemd_cgroup": False}
RUNC_SYSTEMD = {**RUNC, "systemd_cgroup": True}
NVIDIA = {"type": "io.containerd.runc.v2", "binary": "/usr/bin/nvidia-container-runtime", "systemd_cgroup": True}
# containerd puts a file of schema 1 in place of its defaults, runc among them
NVIDIA_BARE = {**NVIDIA, "systemd_cgroup": None}
# recorded case: schema of the file, runtimes, default, CDI, disabled plugins
CONTAINERD = {
    "1.6.20-nvidia": (2, {"runc": RUNC_SYSTEMD, "nvidia": NVIDIA}, "nvidia", None, []),
    "1.6.20-schema1": (1, {"nvidia": NVIDIA_BARE}, "nvidia", None, []),
    "1.6.20-cri-disabled": (1, {}, None, None, ["cri"]),
    "1.7.24-nvidia-cdi": (2, {"runc": RUNC_SYSTEMD, "nvidia": NVIDIA}, "nvidia", True, []),
    "2.1.9-debian": (2, {"runc": RUNC}, "runc", True, []),
    "2.1.9-nvidia": (3, {"runc": RUNC_SYSTEMD, "nvidia": NVIDIA}, "runc", True, []),
    "2.1.9-schema2-file": (2, {"runc": RUNC_SYSTEMD, "nvidia": NVIDIA}, "nvidia", True, []),
}


@pytest.mark.parametrize("case", CONTAINERD)
def test_containerd_recorded(case: str) -> None:
    schema, runtimes, default, cdi, disabled = CONTAINERD[case]
    assert containerd.schema(fixture(f"containerd/{case}.config.toml")) == schema
    assert containerd.effective(toml.parse(fixture(f"containerd/{case}.dump.toml"))) == {
        "runtimes": runtimes,
        "default_runtime": default,
        "cdi_enabled": cdi,
        "disabled_plugins": disabled,
    }


def test_every_recorded_case_is_in_the_table() -> None:
    assert {path.name[: -len(".dump.toml")] for path in FIXTURES.glob("containerd/*.dump.toml")} == set(CONTAINERD)


SECRETS = {
    '[plugins."io.containerd.grpc.v1.cri".registry.configs."r.example".auth]\n  username = "u"\n': True,
    '  password = "x"\n': True,
    "[plugins.'io.containerd.grpc.v1.cri'.registry.headers]\n": True,
    '"identitytoken" = "x"': True,
    'config_path = "/etc/containerd/certs.d"\n': False,
    "enable_unprivileged_ports = true\n": False,
}


@pytest.mark.parametrize("text, secret", SECRETS.items())
def test_registry_credentials_are_seen(text: str, secret: bool) -> None:
    assert bool(containerd.SECRET.search(text)) == secret


def test_no_recorded_default_looks_like_a_secret() -> None:
    for path in FIXTURES.glob("containerd/*.config.toml"):
        assert not containerd.SECRET.search(path.read_text(encoding="utf-8")), path.name
