# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: a small reader of TOML, because Python has one of its own only from 3.11 on.

It reads everything that containerd and CRI-O write. Dates stay text and a key given twice is not refused:
it reads other programs' output and does not judge it.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError

MAX_DEPTH = 40
BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
SPACE = re.compile(r"[ \t]*")
LINE_END = re.compile(r"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)")
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
LONG_BASIC = re.compile(r'"""\r?\n?((?:[^\\]|\\.)*?"{0,2})"""(?!")', re.S)
LONG_LITERAL = re.compile(r"'''\r?\n?(.*?'{0,2})'''(?!')", re.S)
BASIC = re.compile(r'"((?:[^"\\\n]|\\[^\n])*)"')
LITERAL = re.compile(r"'([^'\n]*)'")
SCALAR = re.compile(r"[^,\]}#\r\n]+")
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([ \t]*\r?\n\s*)|(.))", re.S)
ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\", "e": "\x1b"}
INTEGER = re.compile(r"^[+-]?[0-9](?:_?[0-9])*$", re.A)
BASED = re.compile(r"^0(?:x[0-9a-fA-F_]+|o[0-7_]+|b[01_]+)$")
FLOAT = re.compile(r"^[+-]?(?:[0-9][0-9_]*(?:\.[0-9_]+)?(?:[eE][+-]?[0-9]+)?|inf|nan)$", re.A)
# More digits than this are no TOML integer (64 bits), and a burden to convert.
MAX_DIGITS = 40


def parse(text: str) -> dict[str, t.Any]:
    """The document as nested dicts. Raises KubeGpuError with the line where it cannot be read."""
    return _Reader(text).document()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def document(self) -> dict[str, t.Any]:
        root: dict[str, t.Any] = {}
        table = root
        while True:
            self._skip(BLANK)
            if self._at >= len(self._text):
                return root
            if self._text[self._at] == "[":
                table = self._header(root)
            else:
                self._assignment(table, 0)
            self._need(LINE_END, "something is left at the end of the line")

    def _header(self, root: dict[str, t.Any]) -> dict[str, t.Any]:
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        keys = self._keys()
        self._literal("]" * brackets)
        if brackets == 1:
            return self._descend(root, keys)
        parent = self._descend(root, keys[:-1])
        tables = parent.setdefault(keys[-1], [])
        if not isinstance(tables, list):
            raise self._error(f"{keys[-1]} is not an array of tables")
        tables.append({})
        return t.cast("dict[str, t.Any]", tables[-1])

    def _assignment(self, table: dict[str, t.Any], depth: int) -> None:
        keys = self._keys()
        self._literal("=")
        self._skip(SPACE)
        self._descend(table, keys[:-1])[keys[-1]] = self._value(depth)

    def _descend(self, table: dict[str, t.Any], keys: list[str]) -> dict[str, t.Any]:
        for key in keys:
            inner = table.setdefault(key, {})
            if isinstance(inner, list) and inner:
                inner = inner[-1]
            if not isinstance(inner, dict):
                raise self._error(f"{key} is not a table")
            table = inner
        return table

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(SPACE)
            keys.append(self._key())
            self._skip(SPACE)
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _key(self) -> str:
        literal = self._take(LITERAL)
        if literal:
            return literal.group(1)
        basic = self._take(BASIC)
        if basic:
            return self._unescape(basic.group(1))
        return self._need(BARE_KEY, "a key is missing").group()

    def _value(self, depth: int) -> t.Any:
        if depth > MAX_DEPTH:
            raise self._error("nested too deep")
        here = self._text[self._at : self._at + 1]
        if here == "[":
            return self._array(depth + 1)
        if here == "{":
            return self._inline_table(depth + 1)
        if here in ('"', "'"):
            return self._string()
        return self._scalar()

    def _string(self) -> str:
        for pattern, escaped in ((LONG_BASIC, True), (LONG_LITERAL, False), (BASIC, True), (LITERAL, False)):
            match = self._take(pattern)
            if match:
                return self._unescape(match.group(1)) if escaped else match.group(1)
        raise self._error("a string does not end")

    def _scalar(self) -> t.Any:
        word = self._need(SCALAR, "a value is missing").group().strip()
        if word in ("true", "false"):
            return word == "true"
        if not word:
            raise self._error("a value is missing")
        if len(word) > MAX_DIGITS:
            return word
        if INTEGER.match(word):
            return int(word.replace("_", ""))
        if BASED.match(word):
            return self._based(word)
        return float(word.replace("_", "")) if FLOAT.match(word) else word

    def _based(self, word: str) -> int:
        try:
            return int(word.replace("_", ""), 0)
        except ValueError as exc:
            raise self._error(f"{word} is not a number") from exc

    def _array(self, depth: int) -> list[t.Any]:
        self._at += 1
        values: list[t.Any] = []
        while True:
            self._skip(BLANK)
            if self._text.startswith("]", self._at):
                self._at += 1
                return values
            values.append(self._value(depth))
            self._skip(BLANK)
            if not self._text.startswith("]", self._at):
                self._literal(",")

    def _inline_table(self, depth: int) -> dict[str, t.Any]:
        self._at += 1
        table: dict[str, t.Any] = {}
        while True:
            self._skip(BLANK)
            if self._text.startswith("}", self._at):
                self._at += 1
                return table
            self._assignment(table, depth)
            self._skip(BLANK)
            if not self._text.startswith("}", self._at):
                self._literal(",")

    def _unescape(self, text: str) -> str:
        def replacement(match: re.Match[str]) -> str:
            short, long, line_end, single = match.groups()
            if line_end is not None:
                return ""
            if single is not None:
                if single not in ESCAPES:
                    raise self._error(f"unknown escape \\{single}")
                return ESCAPES[single]
            point = int(short or long, 16)
            if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
                raise self._error("an escape is no character")
            return chr(point)

        return ESCAPE.sub(replacement, text)

    def _literal(self, text: str) -> None:
        self._skip(SPACE)
        if not self._text.startswith(text, self._at):
            raise self._error(f"{text} is missing")
        self._at += len(text)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._take(pattern)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._text, self._at)
        if match:
            self._at = match.end()
        return match

    def _need(self, pattern: re.Pattern[str], complaint: str) -> re.Match[str]:
        match = self._take(pattern)
        if match is None:
            raise self._error(complaint)
        return match

    def _error(self, complaint: str) -> KubeGpuError:
        line = self._text.count("\n", 0, self._at) + 1
        return KubeGpuError(f"line {line}: {complaint}", line=line)
