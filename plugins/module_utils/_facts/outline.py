# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: a reader of the outline of YAML files, because Python brings none of its own.

It reads block style as programs write it: the keys of a mapping, plain and quoted values on one line, and lists of
mappings. What is deeper than the question is passed over. What it does not understand it refuses with the line's
number: half an understanding would be a guess.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError

KEY = re.compile(r"(?P<key>[A-Za-z0-9_][A-Za-z0-9_./-]*|\"[^\"\\]*\"|'[^']*')[ ]*:(?:[ ]+(?P<rest>.*))?$", re.ASCII)
DASH = re.compile(r"-(?: +|$)")
DOUBLE_QUOTED = re.compile(r'("(?:[^"\\]|\\.)*")(?: +#.*)?$')
SINGLE_QUOTED = re.compile(r"'((?:[^']|'')*)'(?: +#.*)?$")
COMMENT = re.compile(r"(?:^| +)#.*$")
BOOLEANS = {word: value for value in (True, False) for word in (str(value), str(value).lower(), str(value).upper())}
NULLS = ("", "~", "null", "Null", "NULL")
# Words that some readers of YAML take for a boolean and some for text.
DISPUTED = frozenset({"y", "n", "yes", "no", "on", "off"})
NUMBER = re.compile(r"[-+]?(\.?[0-9][0-9_.]*(e[-+]?[0-9]+)?|0x[0-9a-f_]+|0o[0-7_]+|\.inf|\.nan)$", re.ASCII | re.I)
# What begins an anchor, an alias, a tag, a collection in flow style, a block of text and things reserved.
INDICATORS = tuple("&*![]{}|>%@`,?\"'")
# Quotes and brackets that end on a later line would hide what is a key and what is not.
OPENED = {"[": "]", "{": "}", '"': '"', "'": "'"}
ODD_BREAKS = re.compile("[\r\x0b\x0c\x85\u2028\u2029]")
MARKS = ("---", "...", "%")


class Line(t.NamedTuple):
    number: int
    column: int
    text: str


class Entry(t.NamedTuple):
    """A key's value: what stands on the key's own line, and the lines below that belong to it."""

    number: int
    rest: str
    below: list[Line]


def error(number: int, complaint: str) -> KubeGpuError:
    return KubeGpuError(f"line {number}: {complaint}", line=number)


def document(text: str) -> dict[str, Entry]:
    """The keys of the mapping that the one document of a file is."""
    lines = _lines(text)
    if lines and lines[0].column == 0 and COMMENT.sub("", lines[0].text) == "---":
        del lines[0]
    for line in lines:
        if line.column == 0 and line.text.startswith(MARKS):
            raise error(line.number, "not a plain document")
    return mapping(lines)


def _lines(text: str) -> list[Line]:
    found = []
    for number, raw in enumerate(text.lstrip("\ufeff").split("\n"), 1):
        line = raw.rstrip(" \r")
        content = line.lstrip(" ")
        if content.startswith("\t") or ODD_BREAKS.search(content):
            raise error(number, "a tab in the indentation, or a line break of another kind")
        if content and not content.startswith("#"):
            found.append(Line(number, len(line) - len(content), content))
    return found


def mapping(lines: t.Sequence[Line]) -> dict[str, Entry]:
    """A mapping in block style, which stands in the column of its first line."""
    entries: dict[str, Entry] = {}
    below: list[Line] | None = None
    for line in lines:
        column = lines[0].column
        if below is not None and (line.column > column or (line.column == column and DASH.match(line.text))):
            below.append(line)
            continue
        key, rest = _key(line)
        if line.column != column or key in entries:
            raise error(line.number, "a key that does not belong here")
        if _left_open(rest):
            raise error(line.number, "a value of more than one line")
        below = []
        entries[key] = Entry(line.number, rest, below)
    return entries


def _key(line: Line) -> tuple[str, str]:
    match = KEY.match(line.text)
    if match is None:
        raise error(line.number, "neither a key nor an entry of a list")
    return match.group("key").strip("\"'"), match.group("rest") or ""


def _left_open(rest: str) -> bool:
    closer = OPENED.get(rest[:1])
    if closer is None:
        return False
    if closer in "\"'":
        return not (DOUBLE_QUOTED.match(rest) or SINGLE_QUOTED.match(rest))
    return rest.count(rest[0]) != rest.count(closer)


def scalar(entry: Entry) -> str | bool | None:
    """Text, a boolean or nothing, on one line. Nobody here asks for numbers, so they are refused."""
    if entry.below:
        raise error(entry.number, "a value of more than one line")
    return _scalar(entry.number, entry.rest.strip())


def _scalar(number: int, raw: str) -> str | bool | None:
    double, single = DOUBLE_QUOTED.match(raw), SINGLE_QUOTED.match(raw)
    if double:
        return _unquoted(number, double.group(1))
    if single:
        return single.group(1).replace("''", "'")
    word = COMMENT.sub("", raw).strip()
    if word in NULLS:
        return None
    if word in BOOLEANS:
        return BOOLEANS[word]
    odd = word.startswith((*INDICATORS, "- ")) or word.endswith(":") or ": " in word or "\t" in word
    if odd or word.lower() in DISPUTED or NUMBER.match(word):
        raise error(number, "a value of a kind that is not read here")
    return word


def _unquoted(number: int, quoted: str) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError as exc:
        raise error(number, "an escape that is not read here") from exc


def children(entry: Entry) -> dict[str, Entry]:
    """The mapping below a key; an empty one may be written as ``{}``."""
    word = COMMENT.sub("", entry.rest).strip()
    if not entry.below and word in ("{}", *NULLS):
        return {}
    if word or DASH.match(entry.below[0].text):
        raise error(entry.number, "not a mapping in block style")
    return mapping(entry.below)


def items(entry: Entry) -> list[dict[str, Entry]]:
    """The list of mappings below a key; an empty one may be written as ``[]``."""
    word = COMMENT.sub("", entry.rest).strip()
    if not entry.below and word in ("[]", *NULLS):
        return []
    if word:
        raise error(entry.number, "not a list in block style")
    found: list[list[Line]] = []
    for line in entry.below:
        dash = DASH.match(line.text) if line.column == entry.below[0].column else None
        if dash:
            content = line.text[dash.end() :]
            found.append([Line(line.number, line.column + dash.end(), content)] if content else [])
        elif found and line.column > entry.below[0].column:
            found[-1].append(line)
        else:
            raise error(line.number, "not an entry of this list")
    if not all(found):
        raise error(entry.number, "a list with an empty entry")
    return [mapping(lines) for lines in found]
