# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the GPUs as the driver tells of them.

By NVML, or else by ``nvidia-smi``: its XML format, and its CSV format for what the XML does not tell, or for all where
the XML fails. What hangs once is not asked in another way: underneath it is the same driver. Where no GPU answers, the
kernel module's own files tell which ones there are.
"""

from __future__ import annotations

import signal
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import gpu_words as words
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import nvml, proc_gpus, processes, smi, smi_xml
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source, first_line

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Child, Host

# There while the kernel module is loaded. Asking NVML or nvidia-smi without it could load the module, and facts
# change nothing.
LOADED = "/proc/driver/nvidia/version"
NOT_LOADED = Source(None, "not asked: no driver is loaded")
# Without persistence mode each GPU is woken for the answer, which takes seconds, one GPU after the other.
PATIENCE = 3
NVML_ANSWERED = Source(None, "not asked: NVML answered")
LIBRARY_ANSWERED = Source(None, "not asked: NVML or nvidia-smi answered")
NVML_HANGS = Source(None, "not asked: NVML hangs")
SMI_HANGS = Source(None, "not asked: nvidia-smi hangs")


class DriverSays(t.NamedTuple):
    """What the running driver told, by whichever way it answered."""

    gpus: list[words.Gpu]
    driver_version: str | None
    cuda_version: str | None


SILENCE = DriverSays([], None, None)


def begin(host: Host) -> Child | None:
    """Start to ask NVML while others read files. None where no driver is loaded."""
    return host.patient(PATIENCE).ask_child(nvml.ask) if host.exists(LOADED) else None


def finish(host: Host, child: Child | None) -> Reading:
    """A ``DriverSays`` and its sources."""
    if child is None:
        sources = _sources(nvml=NOT_LOADED, xml=NOT_LOADED, csv=NOT_LOADED, cuda=NOT_LOADED)
        return Reading(SILENCE, {**sources, "proc_gpus": NOT_LOADED})
    told = _by_the_library(host, child)
    if told.value.gpus:
        return told._replace(sources={**told.sources, "proc_gpus": LIBRARY_ANSWERED})
    files = proc_gpus.read(host)
    return Reading(told.value._replace(gpus=files.value), {**told.sources, **files.sources})


def _by_the_library(host: Host, child: Child) -> Reading:
    said, hangs = _ask_nvml(child)
    source = Source(said.reason is None, said.reason)
    cuda = OK if said.cuda_version else Source(False, said.cuda_reason or "the library did not say")
    if hangs:
        return Reading(SILENCE, _sources(nvml=source, xml=NVML_HANGS, csv=NVML_HANGS, cuda=cuda))
    if said.gpus or said.reason is None:
        says = DriverSays(with_owners(host, said.gpus), said.driver_version, said.cuda_version)
        return Reading(says, _sources(nvml=source, xml=NVML_ANSWERED, csv=NVML_ANSWERED, cuda=cuda))
    smi_says, xml, csv = ask_smi(host.patient(PATIENCE))
    cuda_version = said.cuda_version or smi_says.cuda_version
    says = DriverSays(with_owners(host, smi_says.gpus), smi_says.driver_version, cuda_version)
    return Reading(says, _sources(nvml=source, xml=xml, csv=csv, cuda=OK if cuda_version else cuda))


def _sources(nvml: Source, xml: Source, csv: Source, cuda: Source) -> dict[str, Source]:
    return {"nvml": nvml, "nvidia_smi_xml": xml, "nvidia_smi": csv, "cuda_limit": cuda}


def _ask_nvml(child: Child) -> tuple[nvml.NvmlSays, bool]:
    """What it said, and whether it hangs."""
    try:
        return nvml.understand(child.answer()), False
    except KubeGpuError as exc:
        return nvml.NvmlSays([], None, None, str(exc), str(exc)), bool(exc.details.get("timed_out"))


def ask_smi(host: Host) -> tuple[DriverSays, Source, Source]:
    """What nvidia-smi says, and what became of its XML and its CSV."""
    log, xml, hangs = _ask_xml(host)
    if hangs:
        return SILENCE, xml, SMI_HANGS
    table, csv = _ask_csv(host)
    gpus = joined(log.gpus, table.rows)
    return DriverSays(gpus, log.driver_version or table.driver_version, log.cuda_version), xml, csv


def _ask_xml(host: Host) -> tuple[smi_xml.Log, Source, bool]:
    try:
        answer = host.run(*smi_xml.ARGV)
    except KubeGpuError as exc:
        return smi_xml.parse(""), Source(False, str(exc)), bool(exc.details.get("timed_out"))
    log = smi_xml.parse(answer.out)
    if answer.rc == 0 and not log.reason and not log.strangers.strip():
        return log, OK, False
    broken = log.reason and answer.out.lstrip().startswith("<")
    said = log.reason if broken else first_line(log.strangers, answer.err, log.reason or "")
    return log, Source(False, f"{_ending(answer.rc)}: {said}"), False


def _ask_csv(host: Host) -> tuple[smi.Table, Source]:
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
        said = first_line("\n".join(table.strangers), answer.err, answer.out)
        return table, Source(False, f"{_ending(answer.rc)}: {said}")
    return table, OK


def _ending(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"


def joined(best: list[words.Gpu], rows: list[words.Gpu]) -> list[words.Gpu]:
    """The GPUs of the best source, with what only the other one told of them, and those that only it knows."""
    known = {key: gpu for gpu in best for key in (gpu["uuid"], gpu["pci_address"]) if key}
    strangers = []
    for row in rows:
        gpu = known.get(row["uuid"]) or known.get(row["pci_address"])
        if gpu:
            words.fill(gpu, row)
        else:
            strangers.append(row)
    return sorted([*best, *strangers], key=lambda gpu: (gpu["index"] is None, gpu["index"] or 0))


def with_owners(host: Host, gpus: list[words.Gpu]) -> list[words.Gpu]:
    """Add to each process what the kernel knows of it. The GPUs are new, so they may be changed."""
    for gpu in gpus:
        for process in gpu["processes"] or []:
            pid = process["pid"]
            name = None if pid is None else processes.name(host, pid)
            owner = processes.NOBODY if pid is None else processes.owner(host, pid)
            process.update(name=name, unit=owner.unit, container=owner.container)
    return gpus
