# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: ``nvidia-smi`` in its CSV format. Its banner is for people and is never read."""

from __future__ import annotations

import csv
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.pci import normal_address

COMMAND = "nvidia-smi"
# Our name of a column, and nvidia-smi's. A driver that is too old for a column says so, and is asked again without.
COLUMNS = {
    "index": "index",
    "uuid": "uuid",
    "name": "name",
    "pci_address": "pci.bus_id",
    "serial": "serial",
    "memory_total_mib": "memory.total",
    "compute_capability": "compute_cap",
    "mig_mode": "mig.mode.current",
    "driver_version": "driver_version",
}
UNKNOWN_COLUMN = re.compile(r'Field "([^"]+)" is not a valid field to query')
NOTHING = re.compile(r"^(|\[?(N/A|Not Supported|Unknown Error|Insufficient Permissions|GPU is lost|No data)\]?)$", re.I)
INTEGER = re.compile(r"^[0-9]{1,12}$", re.ASCII)
NUMBER_PAIR = re.compile(r"^[0-9]{1,3}\.[0-9]{1,3}$", re.ASCII)


class Table(t.NamedTuple):
    rows: list[dict[str, t.Any]]
    driver_version: str | None
    # Lines that are no row: nvidia-smi complains in the middle of its table.
    strangers: list[str]


def argv(columns: t.Sequence[str]) -> list[str]:
    """The command for our columns of these names."""
    query = ",".join(COLUMNS[column] for column in columns)
    return [COMMAND, f"--query-gpu={query}", "--format=csv,noheader,nounits"]


def unknown_column(text: str) -> str | None:
    """Our name of the column that this nvidia-smi does not know."""
    match = UNKNOWN_COLUMN.search(text)
    theirs = match.group(1) if match else None
    return next((ours for ours, name in COLUMNS.items() if name == theirs), None)


def parse(text: str, columns: t.Sequence[str]) -> Table:
    """One row a GPU; a line that does not look like one is a stranger."""
    rows, strangers, versions = [], [], []
    for line in text.splitlines():
        cells = _cells(line)
        raw = dict(zip(columns, cells))
        if len(cells) != len(columns) or not INTEGER.match(raw.get("index") or ""):
            strangers.extend([line.strip()] if line.strip() else [])
            continue
        versions.append(raw.get("driver_version"))
        rows.append(_our_words(raw))
    return Table(rows, next((version for version in versions if version), None), strangers)


def _cells(line: str) -> list[str | None]:
    try:
        cells = next(csv.reader([line], skipinitialspace=True), [])
    except csv.Error:
        return []
    return [None if NOTHING.match(cell.strip()) else cell.strip() for cell in cells]


def _our_words(raw: dict[str, str | None]) -> dict[str, t.Any]:
    memory, capability = raw.get("memory_total_mib") or "", raw.get("compute_capability") or ""
    mig = (raw.get("mig_mode") or "").lower()
    return {
        "index": int(raw["index"] or 0),
        "uuid": raw.get("uuid"),
        "name": raw.get("name"),
        "pci_address": normal_address(raw.get("pci_address") or ""),
        "serial": raw.get("serial"),
        "memory_total_mib": int(memory) if INTEGER.match(memory) else None,
        "compute_capability": capability if NUMBER_PAIR.match(capability) else None,
        "mig_mode": mig if mig in ("enabled", "disabled") else None,
    }
