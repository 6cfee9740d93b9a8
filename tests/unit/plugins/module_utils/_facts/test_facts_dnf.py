# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dnf was told: repositories, module streams, and which locks are the role's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import dnf, holds
from ansible_collections.kubegpu.nodes.tests.unit.plugins.module_utils._facts.folder_host import FolderHost

REPO = """\
[main]
gpgcheck=1
[cuda-rhel9-x86_64]
name=cuda-rhel9-x86_64
baseurl=https://user:word@developer.download.nvidia.com/compute/cuda/repos/rhel9/x86_64
    https://mirror.example/rhel9
enabled=1
[epel]
metalink=https://mirrors.example/metalink?repo=epel-9&arch=$basearch
[epel-testing]
baseurl=https://mirrors.example/testing
enabled = 0
"""
STREAM = "[nvidia-driver]\nname=nvidia-driver\nstream=580-open\nprofiles=\nstate=enabled\n"
RESET = "[perl]\nname=perl\nstream=\nprofiles=\nstate=\n"
OTHERS = "kernel-headers-0:0.1-1.*\n"
OURS = f"{holds.BEGIN}\nnvidia-driver-580.95.05-*.*\ncuda-drivers-580.95.05-*.*\n{holds.END}\n"


@pytest.fixture
def machine(tmp_path: Path) -> FolderHost:
    return FolderHost(tmp_path)


def test_repositories_streams_and_our_locks(machine: FolderHost) -> None:
    machine.file("/etc/yum.repos.d/some.repo", REPO)
    machine.file("/etc/dnf/modules.d/nvidia-driver.module", STREAM)
    machine.file("/etc/dnf/modules.d/perl.module", RESET)
    machine.file(holds.LISTS[0], f"# by hand\n{OTHERS}{OURS}vim-2*\n")
    value, sources = dnf.read(machine)
    urls = ["https://developer.download.nvidia.com/compute/cuda/repos/rhel9/x86_64", "https://mirror.example/rhel9"]
    epel = ["https://mirrors.example/metalink?repo=epel-9&arch=$basearch"]
    assert value["repositories"] == [
        {"id": "cuda-rhel9-x86_64", "file": "/etc/yum.repos.d/some.repo", "urls": urls},
        {"id": "epel", "file": "/etc/yum.repos.d/some.repo", "urls": epel},
    ]
    assert value["streams"] == {"nvidia-driver": "580-open"}
    assert value["locks"] == ["nvidia-driver-580.95.05-*.*", "cuda-drivers-580.95.05-*.*"]
    assert sources["dnf"].ok is True


def test_what_the_role_locks_is_nobodys_hold() -> None:
    assert holds.parse_list(OTHERS + OURS + "vim-2*\n") == ("kernel-headers-0:0.1-1.*", "vim-2*")
    locks = holds.Locks(holds.parse_list(OURS))
    assert not locks.hold("nvidia-driver", "3:580.95.05-1.el9", "x86_64")


def test_a_list_that_breaks_off_in_our_part_has_no_holds_behind_it() -> None:
    assert holds.parse_list(f"{OTHERS}{holds.BEGIN}\nnvidia-open-580.*-*.*\n") == ("kernel-headers-0:0.1-1.*",)


def test_without_dnf_nothing_is_said(machine: FolderHost) -> None:
    value, sources = dnf.read(machine)
    assert value is None
    assert sources["dnf"].ok is None


@pytest.mark.parametrize("path", ["/etc/yum.repos.d/broken.repo", "/etc/dnf/modules.d/broken.module"])
def test_a_file_that_is_not_understood_is_named(machine: FolderHost, path: str) -> None:
    machine.file("/etc/dnf/dnf.conf", "[main]\n")
    machine.file(path, "no section\n")
    value, sources = dnf.read(machine)
    assert value is None
    assert sources["dnf"].ok is False
    assert path in str(sources["dnf"].reason)
