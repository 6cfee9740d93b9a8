# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages, whose they are and which are held; and cuDNN, of packages and of files."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils import _host
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import (
    brought,
    cuda,
    cudnn,
    holds,
    origins,
    packages,
)
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import Reading
from hypothesis import given
from hypothesis import strategies as st

POLICY = Path(__file__).resolve().parents[3] / "fixtures/apt/apt-cache-2.6.1-policy.txt"
DPKG = (
    "nvidia-open-580\t580.95.05-1\tamd64\tii \n"
    "nvidia-container-toolkit\t1.20.0-1\tamd64\thi \n"
    "libcudnn9-cuda-12\t9.4.0.58-1\tamd64\tii \n"
    "containerd\t1.6.20~ds1-1+deb12u3\tamd64\tii \n"
)
RPM = "nvidia-open\t3:580.95.05-1.el9\tnoarch\tNVIDIA\nkubelet\t1.36.3-1\tx86_64\t(none)\n"
NVIDIA_LIST = "/var/lib/apt/lists/127.0.0.1:8765_compute_cuda_repos_debian12_x86%5f64_Release"
DEBIAN_LIST = "/var/lib/apt/lists/deb.debian.org_debian_dists_bookworm_InRelease"
SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nLabel: Debian\nSuite: oldstable\n"


class Machine:
    """A root folder and a folder of programs."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.bin = tmp_path / "root", tmp_path / "bin"
        self.root.mkdir()
        self.bin.mkdir()
        monkeypatch.setenv("PATH", str(self.bin))
        monkeypatch.setattr(_host, "SEARCH_PATH", ())
        monkeypatch.setattr(_host.Host, "machine", lambda self: "x86_64")

    def file(self, path: str, text: str = "") -> None:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def program(self, name: str, script: str) -> None:
        program = self.bin / name
        program.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n", encoding="utf-8")
        program.chmod(0o755)

    def prints(self, name: str, text: str) -> None:
        (self.bin / f"{name}.txt").write_text(text, encoding="utf-8")
        self.program(name, f"cat '{self.bin}/{name}.txt'")

    def read(self, reader: t.Callable[[_host.Host], Reading] = packages.read) -> tuple[t.Any, dict[str, t.Any]]:
        reading = reader(_host.Host(str(self.root)))
        return reading.value, {name: source.as_dict() for name, source in reading.sources.items()}


@pytest.fixture(name="machine")
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


OK = {"ok": True, "reason": None}


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
        "nvidia-open-580": {"version": "580.95.05-1", "held": False, "origin": None},
        "libnvidia-compute-580:i386": {"version": "580.95.05-1", "held": False, "origin": None},
        "nvidia-container-toolkit": {"version": "1.20.0-1", "held": True, "origin": None},
    }


RECORD = "dkms\ngone\nlibcuda1\nlibfoo:i386\nnvidia-kernel-open-dkms\nnvidia-open-580\nonly-configuration\n"
DPKG_OF_THE_RECORD = (
    "dkms\t3.0.10-8\tall\tii \n"
    "libcuda1\t580.95.05-1\tamd64\tiU \n"
    "libfoo\t1\ti386\tii \n"
    "nvidia-kernel-open-dkms\t580.95.05-1\tamd64\tiF \n"
    "only-configuration\t1\tamd64\trc \n"
    "zfs-dkms\t2.1\tall\tii \n"
)


def test_what_the_role_has_brought(machine: Machine) -> None:
    assert machine.read(brought.read) == ({}, {"record": OK})
    machine.file(brought.RECORD, RECORD)
    value, sources = machine.read(brought.read)
    assert value is None and sources["record"]["reason"].startswith("packages: neither")
    machine.prints("dpkg-query", DPKG_OF_THE_RECORD)
    assert machine.read(brought.read) == (
        {
            "dkms": {"version": "3.0.10-8", "whole": True},
            "libcuda1": {"version": "580.95.05-1", "whole": False},
            "libfoo:i386": {"version": "1", "whole": True},
            "nvidia-kernel-open-dkms": {"version": "580.95.05-1", "whole": False},
        },
        {"record": OK},
    )


def test_what_the_role_has_brought_by_rpm(machine: Machine) -> None:
    machine.file(brought.RECORD, "nvidia-open\n")
    machine.prints("rpm", RPM)
    assert machine.read(brought.read)[0] == {"nvidia-open": {"version": "3:580.95.05-1.el9", "whole": True}}


def test_a_record_that_is_a_folder_is_no_record(machine: Machine) -> None:
    machine.file(f"{brought.RECORD}/x")
    value, sources = machine.read(brought.read)
    assert value is None and sources["record"]["ok"] is False


def test_origins_by_apt(machine: Machine) -> None:
    machine.prints("dpkg-query", DPKG)
    machine.prints("apt-cache", POLICY.read_text(encoding="utf-8"))
    machine.file(origins.CACHE)
    machine.file(NVIDIA_LIST, "Origin: NVIDIA\nLabel: NVIDIA CUDA\n")
    machine.file(DEBIAN_LIST, SIGNED)
    value, sources = machine.read()
    assert {name: package["origin"] for name, package in value.items()} == {
        "nvidia-open-580": "NVIDIA",
        "nvidia-container-toolkit": "127.0.0.1",  # its repository says no word of itself
        "libcudnn9-cuda-12": None,  # the repository has a newer one only
        "containerd": "Debian",  # offered with other checksums, under the same version
    }
    assert value["nvidia-container-toolkit"]["held"] is True
    assert sources == {"packages": OK, "origins": OK}


TROUBLES: dict[str, tuple[str | None, bool, bool | None, str]] = {
    "no cache": ("exit 9", False, None, "not asked: apt has no cache"),
    "fails": ("echo broken >&2; exit 100", True, False, "exit status 100: broken"),
    "is not there": (None, True, False, "apt-cache not found"),
}


@pytest.mark.parametrize("script, cache, ok, reason", TROUBLES.values(), ids=TROUBLES.keys())
def test_without_origins_the_packages_are_still_told(
    machine: Machine, script: str | None, cache: bool, ok: bool | None, reason: str
) -> None:
    machine.prints("dpkg-query", DPKG)
    if script:
        machine.program("apt-cache", script)
    if cache:
        machine.file(origins.CACHE)
    value, sources = machine.read()
    assert len(value) == 4 and {package["origin"] for package in value.values()} == {None}
    assert sources["packages"] == OK
    assert sources["origins"]["ok"] is ok and sources["origins"]["reason"].startswith(reason)


def test_nothing_installed_asks_no_apt(machine: Machine) -> None:
    machine.prints("dpkg-query", "bash\t5.2\tamd64\tii \n")
    value, sources = machine.read()
    assert value == {} and sources["origins"]["reason"] == "not asked: no such package is installed"


def test_no_package_database(machine: Machine) -> None:
    value, sources = machine.read()
    assert value == {}
    assert sources["packages"]["reason"] == "neither dpkg-query nor rpm gave an answer: rpm not found"
    assert sources["origins"] == {"ok": None, "reason": "not asked: the packages are not known"}


FILES = {
    ("https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64", None): [
        "developer.download.nvidia.com_compute_cuda_repos_debian12_x86%5f64_InRelease",
        "developer.download.nvidia.com_compute_cuda_repos_debian12_x86%5f64_Release",
        "developer.download.nvidia.com_compute_cuda_repos_debian12_x86%5f64_._InRelease",
        "developer.download.nvidia.com_compute_cuda_repos_debian12_x86%5f64_._Release",
    ],
    ("http://deb.debian.org/debian", "stable/updates"): [
        "deb.debian.org_debian_dists_stable_updates_InRelease",
        "deb.debian.org_debian_dists_stable_updates_Release",
    ],
    ("file:/srv/mirror/", None): [
        f"_srv_mirror_{name}" for name in ("InRelease", "Release", "._InRelease", "._Release")
    ],
}


@pytest.mark.parametrize("repository, names", FILES.items())
def test_names_of_lists(repository: tuple[str, str | None], names: list[str]) -> None:
    assert origins.release_files(origins.Repository(*repository)) == [f"{origins.LISTS}/{name}" for name in names]


def test_rpm(machine: Machine) -> None:
    machine.prints("rpm", RPM)
    value, sources = machine.read()
    assert value == {
        "nvidia-open": {"version": "3:580.95.05-1.el9", "held": False, "origin": "NVIDIA"},
        "kubelet": {"version": "1.36.3-1", "held": False, "origin": None},
    }
    assert sources == {"packages": OK, "origins": OK, "holds": OK}


LOCKS: dict[str, tuple[str, str, bool]] = {
    "dnf4": (holds.LISTS[0], "# Added lock\nnvidia-open-3:580.95.05-1.el9.*\n", True),
    "dnf4, any of a branch": (holds.LISTS[0], "nvidia-open-3:580*\n", True),
    "dnf4, the name": (holds.LISTS[0], "nvidia-*\n", True),
    "dnf4, another version": (holds.LISTS[0], "nvidia-open-3:570.1-1.el9.*\n", False),
    "dnf4, an exclusion": (holds.LISTS[0], "!nvidia-open-3:580.95.05-1.el9.*\n", False),
    "yum": (holds.LISTS[1], "3:nvidia-open-580.95.05-1.el9.*\n", True),
    "dnf5": (
        holds.TABLE,
        'version = "1.0"\n[[packages]]\nname = "*nvidia*"\n[[packages.conditions]]\nkey = "evr"\n'
        'comparator = ">="\nvalue = "3:580"\n',
        True,
    ),
    "dnf5, an exclusion": (
        holds.TABLE,
        '[[packages]]\nname = "nvidia-open"\nconditions = [{key = "evr", comparator = "!=", value = "3:595"}]\n',
        False,
    ),
    "dnf5, of another shape": (holds.TABLE, 'packages = "all"\n', False),
}


@pytest.mark.parametrize("path, text, held", LOCKS.values(), ids=LOCKS.keys())
def test_versionlock(machine: Machine, path: str, text: str, held: bool) -> None:
    machine.prints("rpm", RPM)
    machine.file(path, text)
    value, sources = machine.read()
    assert (value["nvidia-open"]["held"], value["kubelet"]["held"]) == (held, False)
    assert sources["holds"] == OK


def test_a_lock_without_an_epoch() -> None:
    assert holds.Locks(("kubelet-0:1.36.3-1.*",)).hold("kubelet", "1.36.3-1", "x86_64")


def test_locks_that_cannot_be_understood(machine: Machine) -> None:
    machine.prints("rpm", RPM)
    machine.file(holds.TABLE, "packages = [")
    value, sources = machine.read()
    assert {package["held"] for package in value.values()} == {None}
    assert sources["holds"]["reason"].startswith("/etc/dnf/versionlock.toml: line 1: ")


CUDNN_PACKAGES = {
    ("libcudnn9-cuda-12", "9.5.1.17-1"): ("9.5.1.17", 12),
    ("libcudnn8", "8.9.7.29-1+cuda12.2"): ("8.9.7.29", 12),
    ("libcudnn8", "8.9.7.29-1.cuda11.8"): ("8.9.7.29", 11),
    ("libcudnn8", "8.0.5.39-1"): ("8.0.5.39", None),
    ("libcudnn9-dev-cuda-12", "9.5.1.17-1"): None,
    ("libcudnn9-headers-cuda-12", "9.5.1.17-1"): None,
    ("libcudnn9-cuda-12", "garbled"): None,
}


@pytest.mark.parametrize("package, found", CUDNN_PACKAGES.items())
def test_cudnn_of_packages(package: tuple[str, str], found: tuple[str, int | None] | None) -> None:
    name, version = package
    told = cudnn.of_packages({name: {"version": version}})
    assert [(library["version"], library["cuda_major"]) for library in told] == ([found] if found else [])
    assert all(library["package"] == name and library["path"] is None for library in told)


HEADER = "#define CUDNN_MAJOR 9\n#define CUDNN_MINOR 13\n#define CUDNN_PATCHLEVEL 0\n"


def test_cudnn_of_files_is_told_where_no_package_has_it(machine: Machine) -> None:
    machine.prints("dpkg-query", "libcudnn9-cuda-12\t9.5.1.17-1\tamd64\tii \n")
    machine.file("/usr/lib/x86_64-linux-gnu/libcudnn.so.9.5.1")
    (machine.root / "usr/lib/x86_64-linux-gnu/libcudnn.so.9").symlink_to("libcudnn.so.9.5.1")
    machine.file("/usr/include/cudnn_version.h", HEADER.replace("13", "5").replace("LEVEL 0", "LEVEL 1"))
    machine.file("/usr/local/cuda-11.8/lib64/libcudnn.so.8.6.0")
    machine.file("/usr/local/cuda-13.0/include/cudnn_version.h", HEADER)
    value, sources = machine.read(cuda.read)
    assert value["cudnn"] == [
        {"version": "9.5.1.17", "cuda_major": 12, "package": "libcudnn9-cuda-12", "path": None},
        {"version": "8.6.0", "cuda_major": 11, "package": None, "path": "/usr/local/cuda-11.8/lib64/libcudnn.so.8.6.0"},
        {
            "version": "9.13.0",
            "cuda_major": 13,
            "package": None,
            "path": "/usr/local/cuda-13.0/include/cudnn_version.h",
        },
    ]
    assert sources == {"cuda": OK, "cudnn": OK}


def test_cudnn_without_a_package_database(machine: Machine) -> None:
    machine.file("/usr/local/cuda/lib64/libcudnn.so.8.6.0")
    value, sources = machine.read(cuda.read)
    assert [library["version"] for library in value["cudnn"]] == ["8.6.0"]
    assert sources["cudnn"]["reason"].startswith("packages: neither dpkg-query nor rpm")


PIECES = st.sampled_from(
    [
        *(
            "nvidia-open:",
            "\n",
            "  Installed: ",
            " *** ",
            "     1 500\n",
            "        500 ",
            "http://a/b",
            " Packages",
            "://[",
        ),
        *("Origin: ", "Label: ", "[[packages]]\n", 'name = "*"\n', "!", "#", "*", "[", "\t", "ii ", "nvidia", "%", "²"),
        *("#define CUDNN_MAJOR 9\n", "libcudnn9", ".so.9.1.0", "9" * 40, "+cuda12.2"),
    ]
)
GARBLED = st.text(max_size=50) | st.lists(PIECES, max_size=30).map("".join)


@given(text=GARBLED)
def test_nonsense(text: str) -> None:
    for repository in origins.parse_policy(text).values():
        assert repository is None or origins.release_files(repository)
    assert origins.release_files(origins.Repository(text, text))
    assert isinstance(origins.site(text), (str, type(None)))
    assert isinstance(origins.parse_release(text), (str, type(None)))
    assert holds.Locks(holds.parse_list(text), (text,)).hold("a", text, "noarch") in (True, False)
    cudnn.of_packages({text: {"version": text}})
    cudnn.header_version(text)
    cudnn.library_version(text)
    packages.parse_rpm(text, holds.Locks((text,)))
    try:
        assert isinstance(holds.parse_table(text), tuple)
    except KubeGpuError as exc:
        assert str(exc)


@given(end=st.integers(0, 2000))
def test_truncated_policy(end: int) -> None:
    text = POLICY.read_text(encoding="utf-8")
    whole = origins.parse_policy(text)
    for name, repository in origins.parse_policy(text[:end]).items():
        assert repository is None or whole.get(name, repository) is not None
