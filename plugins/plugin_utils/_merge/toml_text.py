# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: set or take out one key or table of a TOML text, so that no other byte changes.

tomlkit reads, writes single values and proves each result; lines are cut and added here, because tomlkit moves things
about in files whose tables are not in order, and containerd's often are not.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
import sys
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError

try:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError
except ImportError as error:
    MISSING: str | None = f"the controller lacks the Python package tomlkit ({error}); install it"
else:
    MISSING = None

HEADER_MARK = "added by kubegpu.nodes"
BEFORE = "kubegpu.nodes: before"  # a line's mark: what its value was before ours, as TOML or the word unset

Path = tuple[str, ...]
Data = dict[str, t.Any]


class Step(t.NamedTuple):
    """One change: a value of None takes the key or the table away; a dict is a new table."""

    path: Path
    value: t.Any
    reason: str
    comment: str | None = None


def parse(text: str) -> Data:
    """tomllib is some fifty times faster where Python has it; tomlkit has the better words for what is wrong."""
    if sys.version_info >= (3, 11):
        import tomllib

        with contextlib.suppress(tomllib.TOMLDecodeError):
            return tomllib.loads(text)
    try:
        return tomlkit.parse(text).unwrap()
    except TOMLKitError as exc:
        line = getattr(exc, "line", None)
        where = f"line {line}" if line else "no one line to name"
        raise KubeGpuError(f"is not TOML ({where}: {exc}); correct it, nothing was touched") from exc


def dig(data: Data, path: Path) -> t.Any:
    for key in path:
        if not isinstance(data, dict) or key not in data:
            return None
        data = data[key]
    return data


def apply(text: str, step: Step) -> str:
    """The first way of writing the step that keeps the file TOML and says what was meant, and nothing else."""
    meant = copy.deepcopy(parse(text))
    put(meant, step.path, step.value)
    for write in (_cut, _cut_table, _edit_line, _add_line, _append, _edit_tree):
        try:
            result = write(text, step)
            if result is not None and _without_empty(parse(result)) == _without_empty(meant):
                return result
        except (KubeGpuError, TOMLKitError, KeyError, TypeError, AttributeError, ValueError):
            continue  # this way does not fit how the file is written; the next one may
    raise KubeGpuError(
        f"is written in a way that {'.'.join(step.path)} cannot be set without rewriting what others wrote:"
        " give it as a [table] with a header of its own, and run again"
    )


def _cut(text: str, step: Step) -> str | None:
    """Take what we appended, and nobody changed since, out as it went in."""
    if step.value is not None:
        return None
    block = _added(step._replace(value=dig(parse(text), step.path), comment=f"{BEFORE} unset"), newline_of(text))
    return text.replace(block, "", 1) if block in text else None


def _cut_table(text: str, step: Step) -> str | None:
    """Take a table out by its lines, with the tables below it; comments before the next header are the next one's."""
    if step.value is not None:
        return None
    lines = text.splitlines(keepends=True)
    doomed: set[int] = set()
    pending: list[int] = []
    for index, (table, line) in enumerate(zip(_tables(lines), lines)):
        inside = table[: len(step.path)] == step.path
        pending = [*pending, index] if inside else []
        if inside and line.strip() and not line.lstrip().startswith("#"):
            doomed.update(pending)
            pending = []
    return "".join(line for index, line in enumerate(lines) if index not in doomed)


def _edit_line(text: str, step: Step) -> str | None:
    """Change or take out one ``key = value`` line, and no byte of another."""
    lines = text.splitlines(keepends=True)
    pattern = re.compile(
        rf"(\s*{re.escape(_key(step.path[-1]))}\s*=\s*)(\"[^\"\\]*\"|'[^']*'|[^\s#\"'\[{{]+)([ \t]*)(#[^\r\n]*)?"
    )
    for index, table in enumerate(_tables(lines)):
        found = pattern.match(lines[index]) if table == step.path[:-1] else None
        if found is None:
            continue
        if step.value is None:
            lines[index] = ""
        else:
            comment = _comment(found[3], found[4] or "", step.comment)
            lines[index] = f"{found[1]}{_literal(step.value)}{comment}{lines[index][found.end() :]}"
        return "".join(lines)
    return None


def _add_line(text: str, step: Step) -> str | None:
    """A new key right below the header of its table."""
    if step.value is None or isinstance(step.value, dict):
        return None
    lines = text.splitlines(keepends=True)
    tables = _tables(lines)
    if step.path[:-1] not in tables:
        return None
    header = lines[tables.index(step.path[:-1])]
    indent = header[: len(header) - len(header.lstrip())]
    line = f"{indent}{_key(step.path[-1])} = {_literal(step.value)}{_comment('', '', step.comment)}"
    lines.insert(tables.index(step.path[:-1]) + 1, line + newline_of(text))
    return "".join(lines)


def _edit_tree(text: str, step: Step) -> str | None:
    """Inline tables and dotted keys: through tomlkit's tree."""
    document = tomlkit.parse(text)
    table: t.Any = document
    for key in step.path[:-1]:
        table = table[key]
    if step.value is None:
        del table[step.path[-1]]
    else:
        table[step.path[-1]] = step.value
    return tomlkit.dumps(document)


def _tables(lines: list[str]) -> list[Path]:
    """The path of the table that each line stands in; a header's line stands in its own table."""
    current: Path = ()
    found = []
    for line in lines:
        if line.lstrip().startswith("["):
            current = _header_path(line) or current
        found.append(current)
    return found


def _header_path(line: str) -> Path:
    """() for what only looks like a header, such as a line of a list."""
    try:
        data: t.Any = parse(line.strip())
    except KubeGpuError:
        return ()
    path: list[str] = []
    while isinstance(data, dict) and data:
        [(key, data)] = data.items()
        path.append(key)
    return (*path, "[]") if isinstance(data, list) else tuple(path)


def _comment(space: str, old: str, mark: str | None) -> str:
    """Our mark stands behind what others say on that line; an empty one leaves theirs, None touches nothing."""
    if mark is None:
        return space + old
    theirs = old.split(BEFORE)[0].rstrip("; #")
    if not mark:
        return space + theirs if theirs else ""
    return f"{space or ' '}{theirs + '; ' if theirs else '# '}{mark}"


def _append(text: str, step: Step) -> str | None:
    """A new header at the end changes no line of others."""
    if step.value is None:
        return None
    newline = newline_of(text)
    head = text if not text or text.endswith("\n") else text + newline
    return head + _added(step, newline)


def _added(step: Step, newline: str) -> str:
    if isinstance(step.value, dict):
        path, body = step.path, _body(step.path, step.value)
    else:
        path, body = step.path[:-1], [f"{_key(step.path[-1])} = {_literal(step.value)}{_comment('', '', step.comment)}"]
    return newline.join(["", f"{header(path)} # {HEADER_MARK}", *body, ""])


def _body(path: Path, table: Data) -> list[str]:
    lines = [f"{_key(key)} = {_literal(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += ["", header((*path, key)), *_body((*path, key), value)]
    return lines


def header(path: Path) -> str:
    return f"[{'.'.join(_key(key) for key in path)}]"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def _literal(value: t.Any) -> str:
    return str(tomlkit.item(value).as_string())


def newline_of(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def put(data: Data, path: Path, value: t.Any) -> None:
    for key in path[:-1]:
        data = data.setdefault(key, {})
    if value is None:
        data.pop(path[-1], None)
    else:
        data[path[-1]] = copy.deepcopy(value)


def _without_empty(data: t.Any) -> t.Any:
    """An empty table says the same as no table; taking the last key out may leave either."""
    if not isinstance(data, dict):
        return data
    kept = {key: _without_empty(value) for key, value in data.items()}
    return {key: value for key, value in kept.items() if value != {}}
