# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. The files of compatibility data, and the user's own lines over them once they are judged."""

from __future__ import annotations

import typing as t
from functools import cache
from pathlib import Path

import yaml
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat_schema import FILES, REFERENCES, Table, fault

Line = dict[str, t.Any]
File = dict[str, t.Any]

DATA = Path(__file__).parent / "data"
# Each task that asks for the plan is a process that reads the files anew, and libyaml takes a seventh of the time.
YAML = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class CompatError(ValueError):
    """What is wrong with a user's own compatibility data, in one sentence."""


@cache
def load(name: str) -> File:
    with (DATA / f"{name}.yml").open(encoding="utf-8") as stream:
        return dict(YAML(stream).get_single_data())


def builtin() -> dict[str, File]:
    return {name: load(name) for name in FILES}


def merged(overlay: t.Mapping[str, t.Any]) -> dict[str, File]:
    """The built-in files with the user's lines: one that names a line of ours takes its place, any other is added."""
    files = builtin()
    for name, theirs in _mapping(overlay, "it").items():
        if name not in FILES:
            raise unusable(f"there is no {name}", f"one of {', '.join(FILES)}")
        files[name] = _merged_file(name, _mapping(theirs, name))
    for problem in dangling(files):
        raise unusable(*problem)
    return files


def _merged_file(name: str, theirs: t.Mapping[str, t.Any]) -> File:
    tables = FILES[name]
    ours = load(name)
    sources = {**ours["sources"], **_sources(name, theirs.get("sources"))}
    value: File = {**ours, "sources": sources}
    for key, lines in theirs.items():
        if key == "sources":
            continue
        if key not in tables:
            raise unusable(f"{name} has no {key}", f"one of {', '.join((*tables, 'sources'))}")
        where = f"{name}.{key}"
        checked = list(_checked(where, tables[key], _list(lines, where), sources))
        value[key] = over(tables[key], ours[key], checked)
    return value


def over(table: Table, ours: t.Iterable[Line], theirs: t.Iterable[Line]) -> list[Line]:
    new = {table.identify(line): line for line in theirs}
    kept = [new.pop(table.identify(line), line) for line in ours]
    return [*new.values(), *kept]


def _checked(where: str, table: Table, lines: t.Iterable[t.Any], sources: t.Collection[str]) -> t.Iterator[Line]:
    seen: set[t.Any] = set()
    for number, item in enumerate(lines, start=1):
        line = dict(_mapping(item, f"line {number} of {where}"))
        found = fault(table, line, sources)
        name = " ".join(str(line[key]) for key in table.identity if line.get(key) is not None)
        here = f"line {number} of {where}" + (f" ({name})" if name else "")
        if found:
            raise unusable(f"{here}: {found.what}", found.wanted)
        if table.identify(line) in seen:
            raise unusable(f"{here} is there twice", f"one line for each {' and '.join(table.identity)}")
        seen.add(table.identify(line))
        yield line


def _sources(name: str, found: t.Any) -> dict[str, str]:
    sources = dict(_mapping({} if found is None else found, f"{name}.sources"))
    for key, value in sources.items():
        if not isinstance(key, str):
            raise unusable(f"{name}.sources has {key!r} as a key", "a text, such as a word in quotes")
        if not isinstance(value, str) or not value.strip():
            raise unusable(f"{name}.sources has {value!r} for {key}", "where the data is from, such as https://...")
    return sources


def dangling(files: t.Mapping[str, File]) -> t.Iterator[tuple[str, str]]:
    """Lines that name what no other line has: what is there, and what is wanted."""
    for file, key, field, (other_file, other_key, other_field) in REFERENCES:
        known = [line[other_field] for line in files[other_file][other_key]]
        for line in files[file][key]:
            name = line.get(field)
            if name is not None and name not in known:
                yield (
                    f"{file}.{key} names the {field} {name}, which {other_file}.{other_key} does not have",
                    f"a line for {name} there, or one of {', '.join(map(str, known))}",
                )


def _mapping(value: t.Any, where: str) -> t.Mapping[str, t.Any]:
    if not isinstance(value, t.Mapping):
        raise unusable(f"{where} is {_words(value)}", "a mapping (keys with values)")
    return value


def _list(value: t.Any, where: str) -> list[t.Any]:
    if not isinstance(value, (list, tuple)):
        raise unusable(f"{where} is {_words(value)}", "a list of lines")
    return list(value)


def _words(value: t.Any) -> str:
    return "empty" if value is None else f"{value!r}"


def unusable(found: str, wanted: str) -> CompatError:
    return CompatError(
        f"Your own compatibility data (kubegpu_compatibility) cannot be used: {found}; wanted: {wanted};"
        " what there is to say is in ansible-doc -t filter kubegpu.nodes.gpu_plan."
    )


class Lines:
    """The lines of all files, and what their sources are."""

    def __init__(self, files: t.Mapping[str, File]) -> None:
        self.files = files

    def _lines(self, file: str, name: str | None = None) -> list[Line]:
        return list(self.files[file][name or file])

    def _source(self, file: str, line: Line, field: str = "source") -> str:
        return str(self.files[file]["sources"][line.get(field) or line["source"]])
