# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Truncated and garbled input: a parser says less, or gives its one reason; it never raises anything else."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import (
    containerd,
    cuda,
    driver,
    kubelet,
    packages,
    pci,
    platform,
    programs,
    services,
    toml,
)
from hypothesis import given
from hypothesis import strategies as st

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"

PARSERS: dict[str, t.Callable[[str], t.Any]] = {
    "os-release": lambda text: platform.family(platform.parse_os_release(text)),
    "proc version": driver.parse_proc_version,
    "modinfo": driver.parse_modinfo,
    "library": driver.library_version,
    "pci address": pci.normal_address,
    "pci id": pci.hexadecimal,
    "numa": pci.numa_node,
    "dpkg": lambda text: packages.parse_dpkg(text, "x86_64"),
    "rpm": lambda text: packages.parse_rpm(text, None),
    "version.json": cuda.parse_version_json,
    "version.txt": cuda.parse_version_txt,
    "version": programs.parse_version,
    "schema": containerd.schema,
    "effective": lambda text: containerd.effective(toml.parse(text)),
    "kubelet": kubelet.parse_version,
    "systemctl": services.parse_show,
    "arguments": lambda text: services.option(text.split("\0"), "--config"),
}
WORDS = st.sampled_from(
    [
        *("0", ", ", "\t", "\n", "\r", "\x0c", "=", '"', "'", "N/A", "[N/A]", "GPU-1", "580.95.05", "99999999999999"),
        *(
            "NVRM version: NVIDIA UNIX ",
            "Open ",
            "Kernel Module",
            " for x86_64",
            "version: ",
            "license: ",
            "ii ",
            "hi ",
        ),
        *(
            "nvidia-open",
            "ID=",
            "MainPID=",
            "ActiveState=",
            "CUDA Version ",
            '{"cuda": ',
            '{"version": ',
            "}",
            "²",
            "٣",
        ),
        *('Field "', '" is not a valid field to query', "version", "[plugins.cri]\n", "containerd = ", "[", "]"),
    ]
)
GARBLED = st.text(max_size=60) | st.lists(WORDS, max_size=25).map("".join)
RECORDED = sorted(path for path in FIXTURES.glob("*/*") if path.suffix in (".txt", ".csv", ".toml"))


@pytest.mark.parametrize("parse", PARSERS.values(), ids=PARSERS.keys())
@given(text=GARBLED)
def test_nonsense(parse: t.Callable[[str], t.Any], text: str) -> None:
    try:
        parse(text)
    except KubeGpuError as exc:
        assert str(exc)


@pytest.mark.parametrize("parse", PARSERS.values(), ids=PARSERS.keys())
@given(path=st.sampled_from(RECORDED), end=st.integers(0, 4000))
def test_truncated(parse: t.Callable[[str], t.Any], path: Path, end: int) -> None:
    try:
        parse(path.read_text(encoding="utf-8")[:end])
    except KubeGpuError as exc:
        assert str(exc)


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)


@given(
    dump=st.recursive(
        SCALARS,
        lambda inner: st.dictionaries(
            st.sampled_from(
                ["plugins", "cri", "containerd", "runtimes", "nvidia", "options", "BinaryName", "disabled_plugins"]
            ),
            inner,
        ),
    )
)
def test_whatever_containerd_dumps(dump: t.Any) -> None:
    if isinstance(dump, dict):
        assert isinstance(containerd.effective(dump)["runtimes"], dict)
