# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the GPUs as the driver tells of them, by NVML or else by ``nvidia-smi``."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import nvml, smi
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source, first_line

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Child, Host

# There while the kernel module is loaded. Asking NVML or nvidia-smi without it could load the module, and facts
# change nothing.
LOADED = "/proc/driver/nvidia/version"
NOT_LOADED = Source(None, "not asked: no driver is loaded")


class DriverSays(t.NamedTuple):
    """What the running driver told, by whichever way it answered."""

    gpus: list[dict[str, t.Any]]
    driver_version: str | None
    cuda_version: str | None


SILENCE = DriverSays([], None, None)


def begin(host: Host) -> Child | None:
    """Start to ask NVML while others read files. None where no driver is loaded."""
    return host.ask_child(nvml.ask) if host.exists(LOADED) else None


def finish(host: Host, child: Child | None) -> Reading:
    """A ``DriverSays`` and its sources."""
    if child is None:
        return Reading(SILENCE, {"nvml": NOT_LOADED, "nvidia_smi": NOT_LOADED, "cuda_limit": NOT_LOADED})
    try:
        said = nvml.understand(child.answer())
    except KubeGpuError as exc:
        return _without_nvml(host, exc)
    cuda = OK if said.cuda_version else Source(False, said.cuda_reason or "the library did not say")
    if said.gpus or said.reason is None:
        smi_source = Source(None, "not asked: NVML answered")
        sources = {"nvml": Source(said.reason is None, said.reason), "nvidia_smi": smi_source, "cuda_limit": cuda}
        return Reading(DriverSays(said.gpus, said.driver_version, said.cuda_version), sources)
    table, smi_source = ask_smi(host)
    sources = {"nvml": Source(False, said.reason), "nvidia_smi": smi_source, "cuda_limit": cuda}
    return Reading(DriverSays(table.rows, table.driver_version, said.cuda_version), sources)


def _without_nvml(host: Host, exc: KubeGpuError) -> Reading:
    """NVML hung or crashed. Where it hung nvidia-smi would hang too: it is the same library."""
    failed = Source(False, str(exc))
    if exc.details.get("timed_out"):
        smi_source = Source(None, "not asked: NVML hangs")
        return Reading(SILENCE, {"nvml": failed, "nvidia_smi": smi_source, "cuda_limit": failed})
    table, smi_source = ask_smi(host)
    sources = {"nvml": failed, "nvidia_smi": smi_source, "cuda_limit": failed}
    return Reading(DriverSays(table.rows, table.driver_version, None), sources)


def ask_smi(host: Host) -> tuple[smi.Table, Source]:
    columns = list(smi.COLUMNS)
    try:
        while True:
            answer = host.run(*smi.argv(columns))
            unknown = smi.unknown_column(answer.out + answer.err)
            if unknown not in columns:
                break
            columns.remove(unknown)
    except KubeGpuError as exc:
        return smi.Table([], None, []), Source(False, str(exc))
    table = smi.parse(answer.out, columns)
    if answer.rc != 0 or table.strangers:
        words = first_line("\n".join(table.strangers), answer.err, answer.out)
        return table, Source(False, f"exit status {answer.rc}: {words}")
    return table, OK
