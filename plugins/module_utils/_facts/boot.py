# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: what boot loaders have been told, from the text of their files alone."""

from __future__ import annotations

import dataclasses
import fnmatch
import re
import shlex
import typing as t

FIRST = "0"
MENU = re.compile(r"^\s*(menuentry|submenu)\s")
KERNEL = re.compile(r"^\s*linux(?:16|efi)?\s+(\S+)")
DEFAULT = re.compile(r'^\s*set\s+default="([^"]*)"')
BLSCFG = re.compile(r"^\s*blscfg\b", re.M)
IF = re.compile(r"^\s*if\b")
FI = re.compile(r"^\s*fi\b|[;\s]fi\s*$")
STEP = re.compile(r"(?<!>)>(?!>)")
# /boot/vmlinuz-6.1.0-40-amd64, and /<machine-id>/6.12.0/linux of kernel-install
IMAGE = re.compile(r"(?:^|/)vmlinu[xz]-([^/\s]+)$|/([^/\s]+)/linux$")
PIECES = re.compile(r"[0-9]+|[A-Za-z]+|~", re.A)


class Choice(t.NamedTuple):
    """The kernel that a boot loader will start, or why that cannot be told."""

    release: str | None
    reason: str | None = None


@dataclasses.dataclass
class Entry:
    """An entry of GRUB's menu. A submenu has entries below it and no kernel."""

    title: str = ""
    id: str = ""
    kernel: str | None = None
    below: list[Entry] = dataclasses.field(default_factory=list)
    # inside an if: whether it takes a place in the menu is known at boot only
    conditional: bool = False


class BlsEntry(t.NamedTuple):
    """A file of the Boot Loader Specification. Its id is the file's name without .conf."""

    id: str
    title: str
    version: str
    linux: str

    @property
    def release(self) -> str | None:
        return self.version or release_of(self.linux)


def order(release: str) -> list[tuple[int, int, str]]:
    """A key that sorts releases as package managers do: numbers as numbers, a word (rc1) before a number."""
    key = []
    for piece in PIECES.findall(release):
        digits = piece.lstrip("0") if piece.isdigit() else ""
        key.append((1, len(digits), digits) if piece.isdigit() else (0, 0, piece))
    return key


def release_of(path: str) -> str | None:
    match = IMAGE.search(path)
    return (match.group(1) or match.group(2)) if match else None


def parse_assignments(text: str) -> dict[str, str]:
    """``name=value`` lines of a GRUB environment block."""
    pairs = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    return {name: value for name, equals, value in pairs if equals}


def parse_fields(text: str) -> dict[str, str]:
    """``name value`` lines of loader.conf and of boot entries; of a name given twice the first counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        words = line.strip().split(None, 1)
        if len(words) == 2 and not words[0].startswith("#"):
            found.setdefault(words[0], words[1].strip())
    return found


def parse_bls(name: str, text: str) -> BlsEntry:
    fields = parse_fields(text)
    stem = name[: -len(".conf")] if name.endswith(".conf") else name
    return BlsEntry(stem, fields.get("title", ""), fields.get("version", ""), fields.get("linux", ""))


def parse_menu(text: str) -> list[Entry]:
    """The menu of a grub.cfg as grub-mkconfig writes it."""
    open_blocks = [Entry()]
    conditions = 0
    for line in text.splitlines():
        match = KERNEL.match(line)
        if line.lstrip().startswith("#"):
            continue
        if MENU.match(line):
            open_blocks.append(_opened(line, open_blocks[-1], conditions > 0))
        elif line.rstrip().endswith("{"):
            open_blocks.append(Entry())
        elif line.strip() == "}":
            open_blocks = open_blocks[:-1] or [Entry()]
        elif match and open_blocks[-1].kernel is None:
            open_blocks[-1].kernel = match.group(1)
        conditions = max(conditions + bool(IF.match(line)) - bool(FI.search(line)), 0)
    return open_blocks[0].below


def _opened(line: str, parent: Entry, conditional: bool) -> Entry:
    try:
        words = shlex.split(line.strip().rstrip("{"))
    except ValueError:
        words = []
    named = [after for word, after in zip(words, words[1:]) if word in ("$menuentry_id_option", "--id")]
    named += [word[len("--id=") :] for word in words if word.startswith("--id=")]
    entry = Entry("".join(words[1:2]), "".join(named[:1]), conditional=conditional)
    parent.below.append(entry)
    return entry


def grub_default(text: str, environment: dict[str, str]) -> Choice:
    """What GRUB will look for in its menu: a number, a title, an id, or a path of them. (``release`` holds it.)"""
    if environment.get("initrdfail") == "1" or "boot_counter" in environment:
        return Choice(None, "GRUB counts failed boots and may take another entry")
    settings = _settings(text)
    once = environment.get("next_entry", "")
    if once and "${next_entry}" in settings:
        return Choice(once)
    lasting = [setting for setting in settings if setting != "${next_entry}"]
    wanted = lasting[-1] if lasting else FIRST
    if wanted == "${saved_entry}":
        return Choice(environment.get("saved_entry") or FIRST)
    return Choice(None, f"grub.cfg sets the default to {wanted}") if "$" in wanted else Choice(wanted or FIRST)


def _settings(text: str) -> list[str]:
    found = []
    for line in text.splitlines():
        if MENU.match(line):
            break
        match = DEFAULT.match(line)
        if match:
            found.append(match.group(1))
    return found


def grub_choice(text: str, environment: dict[str, str]) -> Choice:
    """The kernel of the entry that GRUB takes from grub.cfg."""
    default = grub_default(text, environment)
    if default.release is None:
        return default
    steps = [step.replace(">>", ">") for step in STEP.split(default.release)]
    below = parse_menu(text)
    entry: Entry | None = None
    while below:
        entry = _picked(below, steps.pop(0) if steps else FIRST)
        if entry is None:
            return Choice(None, "an entry of grub.cfg that may or may not be there comes before the default")
        below = entry.below
    release = release_of(entry.kernel) if entry and entry.kernel else None
    return Choice(release, None if release else "the default entry of grub.cfg names no kernel by its release")


def _picked(entries: list[Entry], wanted: str) -> Entry | None:
    """GRUB takes the first entry where it finds none of that name."""
    named = next((entry for entry in entries if wanted in (entry.id, entry.title)), None)
    if named:
        return named
    digits = wanted if wanted.isascii() and wanted.isdigit() and len(wanted) < 5 else FIRST
    index = int(digits) if int(digits) < len(entries) else 0
    return None if any(entry.conditional for entry in entries[: index + 1]) else entries[index]


def bls_choice(text: str, environment: dict[str, str], entries: list[BlsEntry]) -> Choice:
    """The kernel that GRUB takes where ``blscfg`` in grub.cfg makes the menu from files of the specification."""
    default = grub_default(text, environment)
    if default.release is None:
        return default
    named = next((entry for entry in entries if default.release in (entry.id, entry.title)), None)
    if named:
        return Choice(named.release, None if named.release else f"{named.id}.conf names no kernel by its release")
    if default.release != FIRST:
        return Choice(None, f"no boot loader entry is named {default.release}")
    return _first_of(entries)


def _first_of(entries: list[BlsEntry]) -> Choice:
    """GRUB sorts by file name, newest first. That is the order of the releases where the names differ in them only."""
    usual = [entry for entry in entries if not entry.version.startswith("0-rescue")]
    heads = {entry.id[: -len(entry.version)] for entry in usual if entry.version and entry.id.endswith(entry.version)}
    if len(heads) != 1 or not all(entry.id == f"{min(heads)}{entry.version}" for entry in usual):
        return Choice(None, "the names of the boot loader entries do not tell their order")
    return Choice(max((entry.version for entry in usual), key=order))


def systemd_boot_choice(loader_conf: str, entries: list[BlsEntry]) -> Choice:
    """What ``default`` in loader.conf picks, where it picks one entry."""
    wanted = parse_fields(loader_conf).get("default", "")
    if not wanted or wanted.startswith("@"):
        return Choice(None, "loader.conf names no default entry")
    found = [entry for entry in entries if fnmatch.fnmatchcase(f"{entry.id}.conf", wanted) or entry.id == wanted]
    if len(found) != 1:
        return Choice(None, f"{len(found)} entries match the default of loader.conf")
    release = found[0].release
    return Choice(release, None if release else f"{found[0].id}.conf names no kernel by its release")
