# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: what is known of a GPU by its chip, or by its device id where no pci.ids names the chip.

Sources:
- Blocks of device ids: https://pci-ids.ucw.cz, file of 2026-08-22. A block reaches from the first id that is known to
  the last one, and is cut where MIG differs.
- Kernel modules: https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/kernel-modules.html (open ones for
  Turing and newer), and for Grace Hopper and Blackwell, which the proprietary ones do not serve,
  https://developer.nvidia.com/blog/nvidia-transitions-fully-towards-open-source-gpu-kernel-modules/
- MIG: https://docs.nvidia.com/datacenter/tesla/mig-user-guide/610/supported-gpus.html and, for B300,
  https://docs.nvidia.com/datacenter/tesla/mig-user-guide/620/deployment-considerations.html
"""

from __future__ import annotations

import re
import typing as t

# Oldest first.
ARCHITECTURES = (
    *("tesla", "fermi", "kepler", "maxwell", "pascal", "volta"),
    *("turing", "ampere", "ada-lovelace", "hopper", "blackwell", "rubin"),
)
PREFIXES = {
    "GF": "fermi",
    "GK": "kepler",
    "GM": "maxwell",
    "GP": "pascal",
    "GV": "volta",
    "TU": "turing",
    "GA": "ampere",
    "AD": "ada-lovelace",
    "GH": "hopper",
    "GB": "blackwell",
    "GR": "rubin",
}
TESLA = re.compile(r"G(8|9|T2)[0-9]+")
MIG_CHIPS = frozenset({"GA100", "GH100", "GB100", "GB102", "GB110"})
# Some of their cards can and others cannot, or nobody has said.
MIG_UNKNOWN_CHIPS = frozenset({"GB10B", "GB112", "GB120", "GB202", "GB203", "GB20B"})


class Block(t.NamedTuple):
    """Device ids, both ends included."""

    first: int
    last: int
    architecture: str
    mig: bool | None = False


BLOCKS = (
    Block(0x0190, 0x019E, "tesla"),
    Block(0x0400, 0x042F, "tesla"),
    Block(0x05E0, 0x065F, "tesla"),
    Block(0x06C0, 0x06DF, "fermi"),
    Block(0x06E0, 0x06FF, "tesla"),
    Block(0x0A20, 0x0A7C, "tesla"),
    Block(0x0CA0, 0x0CBC, "tesla"),
    Block(0x0DC0, 0x0F06, "fermi"),
    Block(0x0FC0, 0x103F, "kepler"),
    Block(0x1040, 0x109B, "fermi"),
    Block(0x10C0, 0x10D8, "tesla"),
    Block(0x1140, 0x1140, "fermi"),
    Block(0x1180, 0x11FF, "kepler"),
    Block(0x1200, 0x1251, "fermi"),
    Block(0x1280, 0x130B, "kepler"),
    Block(0x1340, 0x1436, "maxwell"),
    Block(0x15C2, 0x15FF, "pascal"),
    Block(0x1613, 0x1676, "maxwell"),
    Block(0x1725, 0x172F, "pascal"),
    Block(0x174D, 0x17FD, "maxwell"),
    Block(0x1B00, 0x1D56, "pascal"),
    Block(0x1D81, 0x1DF6, "volta"),
    Block(0x1E02, 0x1FF9, "turing"),
    Block(0x2080, 0x20FF, "ampere", True),
    Block(0x2182, 0x21D1, "turing"),
    Block(0x2200, 0x223F, "ampere"),
    Block(0x2302, 0x23F0, "hopper", True),
    Block(0x2414, 0x25FB, "ampere"),
    Block(0x2681, 0x28F8, "ada-lovelace"),
    Block(0x2900, 0x29F1, "blackwell", True),
    Block(0x2B00, 0x2C79, "blackwell", None),
    Block(0x2D04, 0x2DF9, "blackwell"),
    Block(0x2E03, 0x2E2A, "blackwell", None),
    Block(0x2F04, 0x2F58, "blackwell"),
    Block(0x3000, 0x30C0, "rubin", None),
    Block(0x3180, 0x31FE, "blackwell", True),
    Block(0x3200, 0x3340, "blackwell", None),
)


class Card(t.NamedTuple):
    """``source`` tells whether the chip's name or the device id told the architecture."""

    architecture: str | None
    source: str | None
    mig_capable: bool | None
    open_modules: str | None


def architecture_of(chip: str) -> str | None:
    return "tesla" if TESLA.fullmatch(chip) else PREFIXES.get(chip[:2])


def newer_than(architecture: str | None, other: str) -> bool | None:
    if architecture is None:
        return None
    return ARCHITECTURES.index(architecture) > ARCHITECTURES.index(other)


def card(chip: str | None, device: str | None, machine: str) -> Card:
    """What is known of a GPU. ``machine``: as uname names it, because Hopper on Arm is Grace Hopper."""
    architecture = architecture_of(chip) if chip else None
    if chip and architecture:
        return Card(architecture, "pci.ids", _mig(chip, architecture), open_modules(architecture, machine))
    block = _block(device)
    if block is None:
        return Card(None, None, None, None)
    return Card(block.architecture, "device id", block.mig, open_modules(block.architecture, machine))


def open_modules(architecture: str, machine: str) -> str:
    """Whether NVIDIA's open kernel modules serve it: ``never``, ``either`` (proprietary ones do too) or ``only``."""
    if not newer_than(architecture, "volta"):
        return "never"
    if newer_than(architecture, "hopper") or (architecture == "hopper" and machine == "aarch64"):
        return "only"
    return "either"


def _mig(chip: str, architecture: str) -> bool | None:
    if newer_than(architecture, "blackwell") or chip in MIG_UNKNOWN_CHIPS:
        return None
    return chip in MIG_CHIPS


def _block(device: str | None) -> Block | None:
    number = int(device, 16) if device else -1
    return next((block for block in BLOCKS if block.first <= number <= block.last), None)
