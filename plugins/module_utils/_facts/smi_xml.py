# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: ``nvidia-smi -q -x``, its XML format.

It tells all that nvidia-smi knows of a GPU, but neither its index nor its compute capability nor its NVLinks. Names of
elements changed with the drivers; each field below knows all of its own.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import gpu_words as words

if t.TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ARGV = ("nvidia-smi", "-q", "-x")
# With the clocks that a card supports, one GPU is some 120 kB long.
LONGEST = 16 * 1024 * 1024
BEGINNING = re.compile(r"(<\?xml[^>]{0,200}\?>\s*)?(<!DOCTYPE[^>\[]{0,200}>\s*)?<nvidia_smi_log>")
END = "</nvidia_smi_log>"
THROTTLE = re.compile(r"^clocks_(?:event|throttle)_reason_(.+)$")
MEMORY = "fb_memory_usage"


class Log(t.NamedTuple):
    gpus: list[words.Gpu]
    driver_version: str | None
    cuda_version: str | None
    # What stands around the document: nvidia-smi warns there.
    strangers: str
    # None where the document was understood.
    reason: str | None


def parse(text: str) -> Log:
    """The GPUs of a log. Without any it has a reason."""
    end = text.rfind(END) + len(END)
    found = BEGINNING.search(text, 0, end) if len(END) <= end <= LONGEST else None
    if found is None:
        return Log([], None, None, text, "no whole document")
    strangers = text[: found.start()] + text[end:]
    root, reason = _root(text[found.start() : end])
    if root is None:
        return Log([], None, None, strangers, reason)
    elements = root.findall("gpu")
    complete = root.findtext("attached_gpus", "").strip() == str(len(elements))
    gpus = [_gpu(element, index if complete else None) for index, element in enumerate(elements)]
    return Log(gpus, _version(root, "driver_version", "kmd_version"), _cuda(root), strangers, None)


def _root(document: str) -> tuple[Element | None, str | None]:
    """An entity could stand for a gigabyte, so none may be declared; nvidia-smi declares none."""
    from xml.etree import ElementTree  # here, for most hosts have no need of it

    if "<!ENTITY" in document:
        return None, "it declares entities"
    try:
        return ElementTree.fromstring(document), None
    except (ElementTree.ParseError, ValueError, RecursionError) as exc:
        return None, f"not XML: {exc}"


def _version(root: Element, *names: str) -> str | None:
    return next((found for name in names if (found := words.text(root.findtext(name)))), None)


def _cuda(root: Element) -> str | None:
    """Branches from 610 on say CUDA UMD version in their banner; whether their XML does too is not known here."""
    return words.dotted(_version(root, "cuda_version", "cuda_umd_version"))


# path in our shape: what a text means, and the elements that may hold it, the best first
FIELDS: dict[str, tuple[t.Callable[[t.Any], t.Any], tuple[str, ...]]] = {
    "uuid": (words.text, ("uuid",)),
    "serial": (words.text, ("serial",)),
    "name": (words.text, ("product_name",)),
    "architecture": (words.architecture, ("product_architecture",)),
    "pci_address": (words.address, ("pci/pci_bus_id",)),
    "minor": (words.count, ("minor_number",)),
    "vbios": (words.text, ("vbios_version",)),
    "compute_mode": (words.small, ("compute_mode",)),
    "persistence_mode": (words.switch, ("persistence_mode",)),
    **{f"memory.{name}_mib": (words.count, (f"{MEMORY}/{name}",)) for name in ("total", "reserved", "used")},
    **{f"bar1.{name}_mib": (words.count, (f"bar1_memory_usage/{name}",)) for name in ("total", "used")},
    "mig.current": (words.switch, ("mig_mode/current_mig",)),
    "mig.pending": (words.switch, ("mig_mode/pending_mig",)),
    "ecc.current": (words.switch, ("ecc_mode/current_ecc",)),
    "ecc.pending": (words.switch, ("ecc_mode/pending_ecc",)),
    "retired_pages.single_bit": (words.count, ("retired_pages/multiple_single_bit_retirement/retired_count",)),
    "retired_pages.double_bit": (words.count, ("retired_pages/double_bit_retirement/retired_count",)),
    "retired_pages.pending": (words.yes, ("retired_pages/pending_retirement", "retired_pages/pending_blacklist")),
    "row_remap.corrected": (words.count, ("remapped_rows/remapped_row_corr",)),
    "row_remap.uncorrected": (words.count, ("remapped_rows/remapped_row_unc",)),
    "row_remap.pending": (words.yes, ("remapped_rows/remapped_row_pending",)),
    "row_remap.failed": (words.yes, ("remapped_rows/remapped_row_failure",)),
    "power.draw_w": (
        words.quantity,
        (
            "gpu_power_readings/power_draw",
            "gpu_power_readings/average_power_draw",
            "gpu_power_readings/instant_power_draw",
            "power_readings/power_draw",
        ),
    ),
    "power.limit_w": (
        words.quantity,
        (
            "gpu_power_readings/requested_power_limit",
            "gpu_power_readings/current_power_limit",
            "power_readings/power_limit",
        ),
    ),
    **{
        f"power.{name}_limit_w": (
            words.quantity,
            (f"gpu_power_readings/{name}_power_limit", f"power_readings/{name}_power_limit"),
        )
        for name in ("default", "min", "max")
    },
    "temperature.gpu_c": (words.count, ("temperature/gpu_temp",)),
    "temperature.memory_c": (words.count, ("temperature/memory_temp",)),
    "temperature.slowdown_c": (words.count, ("temperature/gpu_temp_slow_threshold",)),
    "temperature.shutdown_c": (words.count, ("temperature/gpu_temp_max_threshold",)),
    **{
        f"clocks.{prefix}{ours}_mhz": (words.count, (f"{prefix}clocks/{theirs}_clock",))
        for prefix in ("", "max_")
        for ours, theirs in (("graphics", "graphics"), ("sm", "sm"), ("memory", "mem"))
    },
    "pcie.generation": (words.count, ("pci/pci_gpu_link_info/pcie_gen/current_link_gen",)),
    "pcie.generation_max": (words.count, ("pci/pci_gpu_link_info/pcie_gen/max_link_gen",)),
    "pcie.width": (words.count, ("pci/pci_gpu_link_info/link_widths/current_link_width",)),
    "pcie.width_max": (words.count, ("pci/pci_gpu_link_info/link_widths/max_link_width",)),
    "pcie.replay_count": (words.count, ("pci/replay_counter",)),
    "fabric.state": (words.small, ("fabric/state",)),
    "fabric.status": (words.status, ("fabric/status",)),
    "fabric.clique_id": (words.count, ("fabric/cliqueId",)),
    "fabric.cluster_uuid": (words.cluster, ("fabric/clusterUuid",)),
    "inforom.image": (words.text, ("inforom_version/img_version",)),
    "inforom.oem": (words.text, ("inforom_version/oem_object",)),
    "inforom.ecc": (words.text, ("inforom_version/ecc_object",)),
    "inforom.power": (words.text, ("inforom_version/pwr_object",)),
}
# corrected and uncorrected errors: all parts of the newer form, or the total of the older
ECC = {
    "corrected": (("sram_correctable", "dram_correctable"), "single_bit/total"),
    "uncorrected": (
        (
            "sram_uncorrectable",
            "sram_uncorrectable_parity",
            "sram_uncorrectable_secded",
            "dram_uncorrectable",
        ),
        "double_bit/total",
    ),
}
TYPES = {"C": ("compute",), "G": ("graphics",), "C+G": ("compute", "graphics"), "M+C": ("compute",)}


def _gpu(element: Element, index: int | None) -> words.Gpu:
    gpu = words.blank()
    gpu["index"] = index
    for path, (meaning, places) in FIELDS.items():
        values = (meaning(element.findtext(place)) for place in places)
        words.put(gpu, path, next((value for value in values if value is not None), None))
    for of in ("volatile", "aggregate"):
        for kind, (parts, total) in ECC.items():
            gpu["ecc"][of][kind] = _errors(element.find(f"ecc_errors/{of}"), parts, total)
    gpu["mig"]["instances"] = _instances(element.find("mig_devices"))
    gpu["throttle_reasons"] = _throttle_reasons(element)
    gpu["processes"] = _processes(element.find("processes"))
    return gpu


def _errors(counters: Element | None, parts: tuple[str, ...], total: str) -> int | None:
    if counters is None:
        return None
    numbers = [words.count(counters.findtext(part)) for part in parts]
    known = [number for number in numbers if number is not None]
    return sum(known) if known else words.count(counters.findtext(total))


def _instances(devices: Element | None) -> list[dict[str, t.Any]] | None:
    """The log names no instance; the ids tell them apart."""
    if devices is None:
        return None
    return [
        {
            "uuid": words.text(device.findtext("uuid")),
            "name": None,
            "memory_mib": words.count(device.findtext(f"{MEMORY}/total")),
            "gpu_instance": words.count(device.findtext("gpu_instance_id")),
            "compute_instance": words.count(device.findtext("compute_instance_id")),
        }
        for device in devices.findall("mig_device")
    ]


def _throttle_reasons(element: Element) -> list[str] | None:
    for name in ("clocks_event_reasons", "clocks_throttle_reasons"):
        reasons = element.find(name)
        found = [(THROTTLE.match(reason.tag), reason.text) for reason in (() if reasons is None else reasons.iter())]
        known = {match[1]: words.text(text) for match, text in found if match}
        if any(known.values()):
            return [reason for reason, text in known.items() if text == "Active"]
    return None


def _processes(processes: Element | None) -> list[dict[str, t.Any]] | None:
    if processes is None or (processes.text or "").strip():  # N/A, in place of a list
        return None
    return [
        {
            "pid": words.count(process.findtext("pid")),
            "type": type_,
            "used_memory_mib": words.count(process.findtext("used_memory")),
        }
        for process in processes.findall("process_info")
        for type_ in TYPES.get((process.findtext("type") or "").strip(), (None,))
    ]
