# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the names that the system's own pci.ids has for devices."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

# Debian's pci.ids and Enterprise Linux's hwdata.
PATHS = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")
# A vendor begins at the margin; its devices are one tab in, their subsystems two. Classes begin with C.
MARGIN = re.compile(r"^[0-9a-fA-FC]", re.M)
# "GB202GL [RTX PRO 6000 Blackwell Server Edition]": a chip, which may have a letter or two for its kind of board.
CHIP = re.compile(r"((?:A[A-Z]|G[A-Z]|TU)[0-9]{2}[0-9A-Z]|[CG][0-9]{2}|NV[0-9][0-9A-F]|MCP[0-9][0-9A-Z])[A-Za-z]*\b")
BRACKETS = re.compile(r"\[(.+)\]")


class Name(t.NamedTuple):
    name: str | None = None
    chip: str | None = None


class Names:
    """The text of a pci.ids, cut to what is asked for."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._blocks: dict[str, str] = {}

    def entry(self, vendor: str | None, device: str | None) -> str | None:
        """The line of a device, without its id."""
        if not vendor or not device:
            return None
        if vendor not in self._blocks:
            self._blocks[vendor] = self._block(vendor)
        return _line(self._blocks[vendor], f"\n\t{device}  ")

    def _block(self, vendor: str) -> str:
        mark = f"\n{vendor}  "
        begin = self._text.find(mark)
        if begin < 0:
            return ""
        end = MARGIN.search(self._text, begin + len(mark))
        return self._text[begin : end.start()] if end else self._text[begin:]


def _line(text: str, mark: str) -> str | None:
    begin = text.find(mark)
    return text[begin + len(mark) :].split("\n", 1)[0].strip() or None if begin >= 0 else None


def understand(entry: str | None) -> Name:
    """What is in brackets is the name by which it is sold, what comes before is the chip."""
    if entry is None:
        return Name()
    brackets = BRACKETS.search(entry)
    chip = CHIP.match(entry)
    return Name(brackets.group(1) if brackets else entry, chip.group(1) if chip else None)


def read(host: Host) -> tuple[Names, Source]:
    for path in PATHS:
        try:
            return Names(host.read(path)), OK
        except KubeGpuError:
            continue
    return Names(""), Source(False, f"none of {', '.join(PATHS)} can be read")
