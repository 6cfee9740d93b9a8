# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. The shape of the compatibility data: which lists a file has, what a line of it is, and what identifies one.

A field's type is one of `TYPES`, or the words that it may be (`open|proprietary`). With `?` it may be left out or null.
"""

from __future__ import annotations

import re
import typing as t
from datetime import datetime

Line = t.Mapping[str, t.Any]


class Type(t.NamedTuple):
    wanted: str
    fits: t.Callable[[t.Any], bool]


def _text(pattern: str) -> t.Callable[[t.Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _number(value: t.Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _texts(value: t.Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(map(_text(r".*\S.*"), value))


def _is_end(value: str) -> bool:
    """Also whether the calendar has such a day."""
    if not re.fullmatch(r"\d{4}-\d{2}(-\d{2})?", value):
        return value == "ended"
    try:
        datetime.strptime(f"{value}-01"[:10], "%Y-%m-%d")
    except ValueError:
        return False
    return True


TYPES = {
    "text": Type("a text", _text(r".*\S.*")),
    "number": Type("a whole number", _number),
    "flag": Type("true or false", lambda value: isinstance(value, bool)),
    "texts": Type("a list of texts", _texts),
    "version": Type('a version in quotes, such as "12.8" or "580.95.05"', _text(r"\d+(\.\d+){0,2}")),
    "end": Type(
        'a day or a month in quotes, such as "2027-03-31" or "2027-03", or the word ended',
        lambda value: isinstance(value, str) and _is_end(value),
    ),
    "id": Type('the four digits of a PCI device id in quotes, such as "2342"', _text(r"[0-9a-f]{4}")),
}


class Table(t.NamedTuple):
    """A list of lines. All but `source`, which every line has, is in `fields`."""

    identity: tuple[str, ...]
    fields: dict[str, str]

    def identify(self, line: Line) -> tuple[t.Any, ...]:
        return tuple(str(line.get(key)) for key in self.identity)


class Fault(t.NamedTuple):
    what: str
    wanted: str


PACKAGE = {"package_manager": "apt|dnf", "name": "text"}
BRANCHES = {"from": "number?", "below": "number?"}
RUNTIME = {"version": "version", "eol": "end?"}

FILES: dict[str, dict[str, Table]] = {
    "platforms": {
        "platforms": Table(
            ("id", "version"),
            {
                "id": "text",
                "name": "text",
                "version": "version",
                "architectures": "texts",
                "package_manager": "apt|dnf",
            },
        ),
        "repositories": Table(
            ("id", "version"),
            {"id": "text", "version": "version", "architectures": "texts?", "first_branch": "number?"},
        ),
        "drivers": Table(
            ("id", "version", "branch", "flavour"),
            {
                "id": "text",
                "version": "version",
                "branch": "number",
                "flavour": "open|proprietary",
                "newest": "version?",
            },
        ),
        "toolkits": Table(("id", "version"), {"id": "text", "version": "version", "cuda": "version"}),
        "components": Table(("id", "name"), {"id": "text", "name": "text"}),
        "kernels": Table(("id", "version"), {"id": "text", "version": "version", "kernel": "version"}),
    },
    "packages": {
        "driver": Table(
            ("origin", "package_manager", "flavour", "name"),
            {
                **PACKAGE,
                "origin": "repo|distro?",
                "platforms": "texts?",
                **BRANCHES,
                "flavour": "open|proprietary",
                "pinned": "flag",
                "kind": "package|module?",
                "releases": "texts?",
            },
        ),
        "modules": Table(("flavour",), {**BRANCHES, "flavour": "open|proprietary"}),
        "defaults": Table(("flavour",), {**BRANCHES, "flavour": "open|proprietary"}),
        "fabric": Table(("package_manager", "name"), {**PACKAGE, **BRANCHES, "for": "texts", "pinned": "flag"}),
        "headers": Table(("package_manager", "name"), PACKAGE),
        "build": Table(("package_manager", "name"), {**PACKAGE, "for": "texts?"}),
        "matched": Table(("package_manager", "build", "kernel"), {**PACKAGE, "build": "text", "kernel": "text"}),
        "cuda": Table(
            ("package_manager", "name"), {**PACKAGE, "for": "texts", "origin": "repo|distro?", "platforms": "texts?"}
        ),
        "cuda_libraries": Table(
            ("package_manager", "name"), {**PACKAGE, "library": "cudnn-9|nccl", "for": "texts", "match": "text?"}
        ),
        "toolkit": Table(("package_manager", "name"), PACKAGE),
    },
    "branches": {
        "branches": Table(
            ("branch",), {"branch": "number", "type": "LTSB|PB|NFB?", "newest": "version?", "eol": "end?"}
        ),
    },
    "architectures": {
        "architectures": Table(
            ("name",),
            {
                "name": "text",
                "first_branch": "number?",
                "last_branch": "number?",
                "modules": "never|either|only",
                "modules_source": "source",
            },
        ),
        "cards": Table(
            ("device",), {"device": "id", "name": "text", "first_driver": "version?", "modules": "never|either|only?"}
        ),
        "device_ids": Table(("below",), {"below": "number", "architecture": "text"}),
        "capabilities": Table(
            ("capability",),
            {"capability": "version", "architecture": "text", "cuda_first": "version", "cuda_last": "version?"},
        ),
    },
    "cuda": {
        "releases": Table(("version",), {"version": "version", "driver": "version"}),
        "families": Table(("major",), {"major": "number", "since": "version", "driver": "version"}),
        "forward": Table(("package",), {"package": "text", "words": "text"}),
    },
    "kubernetes": {
        "kubernetes": Table(("version",), RUNTIME),
        "containerd": Table(
            ("version",), {**RUNTIME, "last_kubernetes": "version?", "last_kubernetes_source": "source?"}
        ),
        "changes": Table(("name",), {"name": "text", "since": "version", "words": "text"}),
    },
    "kubelet_gates": {
        "complete": Table(("version",), {"version": "version"}),
        "gates": Table(
            ("name",),
            {"name": "text", "since": "version", "removed": "version?", "locked": "version?", "value": "flag?"},
        ),
    },
    "known_bad": {
        "known_bad": Table(
            ("name",),
            {
                "name": "text",
                "product": "driver|containerd|container-toolkit",
                "from": "version?",
                "below": "version?",
                "words": "text",
            },
        ),
    },
}

# What one line calls another by: file, list and field of either.
REFERENCES = (
    ("architectures", "architectures", "last_branch", ("branches", "branches", "branch")),
    ("architectures", "architectures", "first_branch", ("branches", "branches", "branch")),
    ("architectures", "device_ids", "architecture", ("architectures", "architectures", "name")),
    ("platforms", "drivers", "branch", ("branches", "branches", "branch")),
    ("platforms", "repositories", "first_branch", ("branches", "branches", "branch")),
    ("architectures", "capabilities", "architecture", ("architectures", "architectures", "name")),
)


def fault(table: Table, line: Line, sources: t.Collection[str]) -> Fault | None:
    """What is wrong with a line first, if anything is."""
    fields = {**table.fields, "source": "source"}
    unknown = [name for name in line if name not in fields]
    if unknown:
        return Fault(f"the field {unknown[0]} is not known", f"one of {', '.join(fields)}")
    for name, wanted in fields.items():
        kind = wanted.rstrip("?")
        value = line.get(name)
        if value is None and wanted.endswith("?"):
            continue
        type_ = _type(kind, sources)
        if value is None:
            return Fault(f"{name} is missing", type_.wanted)
        if not type_.fits(value):
            return Fault(f"{name} is {value!r}", type_.wanted)
    return None


def _type(kind: str, sources: t.Collection[str]) -> Type:
    if kind == "source":
        return Type(
            f"a key of the file's sources ({', '.join(sources)}), where yours can be added",
            lambda value: isinstance(value, str) and value in sources,
        )
    if "|" in kind:
        words = kind.split("|")
        return Type(f"one of {', '.join(words)}", words.__contains__)
    return TYPES[kind]
