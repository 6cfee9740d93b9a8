# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: ``nvidia-smi`` in its CSV format. Its banner is for people and is never read."""

from __future__ import annotations

import csv
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import gpu_words as words

COMMAND = "nvidia-smi"
# Where a column goes in the shape of a GPU, and nvidia-smi's name of it. A driver that is too old for a column says so,
# and is asked again without.
COLUMNS = {
    "index": "index",
    "uuid": "uuid",
    "name": "name",
    "pci_address": "pci.bus_id",
    "serial": "serial",
    "memory.total_mib": "memory.total",
    "compute_capability": "compute_cap",
    "mig.current": "mig.mode.current",
    "driver_version": "driver_version",
}
UNKNOWN_COLUMN = re.compile(r'Field "([^"]+)" is not a valid field to query')
INTEGER = re.compile(r"^[0-9]{1,12}$", re.ASCII)


class Table(t.NamedTuple):
    rows: list[words.Gpu]
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
    return [words.text(cell) for cell in cells]


MEANINGS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "index": words.count,
    "pci_address": words.address,
    "memory.total_mib": words.count,
    "compute_capability": words.dotted,
    "mig.current": words.switch,
}


def _our_words(raw: dict[str, str | None]) -> words.Gpu:
    gpu = words.blank()
    for path, value in raw.items():
        meaning: t.Callable[[t.Any], t.Any] = MEANINGS.get(path, words.text)
        if path != "driver_version":
            words.put(gpu, path, meaning(value))
    return gpu
