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
    kubelet,
    packages,
    pci,
    platform,
    programs,
    toml,
)

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"


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


CUDA_JSON = {
    '{"cuda": {"name": "CUDA SDK", "version": "13.0.2"}, "cuda_cudart": {"version": "13.0.96"}}': "13.0.2",
    '{"cuda": {"name": "CUDA SDK", "version": "11.8.20220929"}}': "11.8.20220929",
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


def test_cuda_patches() -> None:
    text = "CUDA Version 9.0.176\nCUDA Patch Version 9.0.176.1\nCUDA Patch Version 9.0.176.2\n"
    assert cuda.parse_version_txt(text) == "9.0.176"
    assert cuda.parse_patches(text) == ["9.0.176.1", "9.0.176.2"]


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
    '  secret_access_key = "x"\n': True,
    'endpoint = ["https://user:word@mirror.example"]\n': True,
    'endpoint = ["https://mirror.example/a@b"]\n': False,
    'config_path = "/etc/containerd/certs.d"\n': False,
    "enable_unprivileged_ports = true\n": False,
}


@pytest.mark.parametrize("text, secret", SECRETS.items())
def test_registry_credentials_are_seen(text: str, secret: bool) -> None:
    assert bool(containerd.SECRET.search(text)) == secret


def test_no_recorded_default_looks_like_a_secret() -> None:
    for path in FIXTURES.glob("containerd/*.config.toml"):
        assert not containerd.SECRET.search(path.read_text(encoding="utf-8")), path.name
