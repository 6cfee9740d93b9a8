# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: merge wishes into a KubeletConfiguration, and take them back. Text in, text out.

What was set is remembered in the file itself, in a comment line above the key: what it was before, and what we made
of it. So a wish that is dropped is undone exactly, a value that somebody changed since is theirs, and a file that is
written anew (``kubeadm upgrade node`` does so) takes memory and values away together. Only the top-level keys that are
concerned are rendered again; every other line stays as it is, byte for byte.
"""

from __future__ import annotations

import copy
import io
import json
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._merge.result import Merged

try:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import YAMLError
except ImportError as error:
    MISSING: str | None = f"the controller lacks the Python package ruamel.yaml ({error}); install it"
else:
    MISSING = None

Path = tuple[str, ...]
Data = dict[str, t.Any]

UNSET: t.Any = object()
MARK = re.compile(r"^# kubegpu\.nodes set (?P<rest>\[.*)$")


class Mark(t.NamedTuple):
    """What we did to one key."""

    path: Path
    now: t.Any
    before: t.Any  # UNSET: the key was not there


def merge(text: str, wish: Data) -> Merged:
    """An empty wish takes back all that earlier ones set."""
    before = read(text)
    lines, marks = _take_marks(text)
    wanted = dict(_leaves(wish))
    data, kept, reasons = _plan(before, marks, wanted)
    touched = {mark.path[0] for mark in [*marks.values(), *kept.values()]}
    changed = {key for key in touched if before.get(key, UNSET) != data.get(key, UNSET)}
    if changed:
        _refuse_flow(text)
    result = _put_marks(_render("".join(lines), before, data, changed), kept)
    if read(result) != data:
        raise KubeGpuError(
            f"is written in a way that {', '.join(sorted(touched))} cannot be set without rewriting what others wrote;"
            " give each of them lines of its own, and run again"
        )
    return Merged(text=result, changed=result != text, effective=data != before, reasons=reasons)


def _plan(before: Data, marks: dict[Path, Mark], wanted: dict[Path, t.Any]) -> tuple[Data, dict[Path, Mark], list[str]]:
    """The configuration as it should be, what has to be remembered of it, and why."""
    data = copy.deepcopy(before)
    kept: dict[Path, Mark] = {}
    reasons = []
    for path, mark in marks.items():
        if path in wanted:
            continue
        if _get(data, path) == mark.now:
            _put(data, path, mark.before)
            reasons.append(f"{'.'.join(path)} is what it was before: {_word(mark.before)}")
        else:
            reasons.append(f"{'.'.join(path)} was changed by somebody else since and is left so")
    for path, value in wanted.items():
        found = _get(data, path)
        old = marks.get(path)
        first = old.before if old and found == old.now else found
        if found != value:
            _refuse_scalar_parent(data, path)
            _put(data, path, value)
            reasons.append(f"{'.'.join(path)} is set to {_word(value)} (before: {_word(found)})")
        if found != value or old:
            kept[path] = Mark(path, value, first)
    return data, {path: mark for path, mark in kept.items() if mark.before != mark.now}, reasons


# Reading


def read(text: str) -> Data:
    """The one KubeletConfiguration of the text."""
    try:
        documents = list(YAML(typ="safe", pure=True).load_all(text))
    except YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "no one line to name"
        problem = " ".join(str(getattr(exc, "problem", None) or exc).split())
        raise KubeGpuError(f"is not YAML ({where}: {problem}); correct it, nothing was touched") from exc
    documents = [document for document in documents if document is not None]
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise KubeGpuError(f"holds {len(documents)} YAML documents, and not the one mapping that a kubelet reads")
    if documents[0].get("kind") != "KubeletConfiguration":
        raise KubeGpuError(f"is of kind {_word(documents[0].get('kind', UNSET))}, not KubeletConfiguration")
    return t.cast(Data, documents[0])


def _refuse_flow(text: str) -> None:
    root = YAML(typ="rt", pure=True).load(text)
    if root.fa.flow_style():
        raise KubeGpuError("is JSON, or YAML in braces, which is not merged yet; write it as block YAML, and run again")


def _leaves(wish: Data, path: Path = ()) -> t.Iterator[tuple[Path, t.Any]]:
    """A mapping is wished key by key; null means no wish."""
    for key, value in wish.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, str(key)))
        elif value is not None:
            yield (*path, str(key)), value


def _take_marks(text: str) -> tuple[list[str], dict[Path, Mark]]:
    """The lines without our marks, and the marks."""
    lines = []
    marks = {}
    for line in text.splitlines(keepends=True):
        mark = _read_mark(line.rstrip("\r\n"))
        if mark is None:
            lines.append(line)
        else:
            marks[mark.path] = mark
    return lines, marks


def _read_mark(line: str) -> Mark | None:
    """None for a line that is not a mark, or that somebody has made unreadable: it is a comment of theirs then."""
    found = MARK.match(line)
    if not found:
        return None
    decoder = json.JSONDecoder()
    try:
        path, end = decoder.raw_decode(found["rest"])
        rest = found["rest"][end:].removeprefix(" to ")
        now, end = decoder.raw_decode(rest)
        word = rest[end:].removeprefix(" (before: ").removesuffix(")")
        return Mark(tuple(path), now, UNSET if word == "unset" else json.loads(word))
    except ValueError:
        return None


# Writing


def _render(text: str, before: Data, after: Data, keys: set[str]) -> str:
    """Render these top-level keys again, each within its own lines."""
    for key in [key for key in before if key in keys]:
        text = _render_key(text, key, after.get(key, UNSET))
    new = {key: after[key] for key in after if key not in before}
    if new:
        text = _append(text, new)
    return text


def _render_key(text: str, key: str, value: t.Any) -> str:
    lines = text.splitlines(keepends=True)
    start, end = _extent(text, lines, key)
    if value is UNSET:
        return "".join([*lines[:start], *lines[end:]])
    block = "".join(lines[start:end]).replace("\r\n", "\n")
    yaml = _round_trip(block)
    try:
        tree = yaml.load(block)
    except YAMLError as exc:
        raise KubeGpuError(
            f"line {start + 1}: {key} uses an anchor from elsewhere; write its value out, and run again"
        ) from exc
    comment = _comment_of(tree, key, lines[start])
    if end == start + 1 and comment and not isinstance(value, (dict, list)):
        rendered = _dump(yaml, CommentedMap({key: value}), text).rstrip("\r\n") + comment
    else:
        tree[key] = _graft(tree.get(key), value)
        rendered = _dump(yaml, tree, text)
    return "".join([*lines[:start], rendered, *lines[end:]])


def _comment_of(tree: CommentedMap, key: str, line: str) -> str:
    """The comment behind a value on one line, with the blanks before it and the line's end; empty: there is none."""
    token = next((token for token in tree.ca.items.get(key, []) if hasattr(token, "value")), None)
    place = line.rfind(token.value.rstrip("\r\n")) if token else -1
    return line[len(line[:place].rstrip()) :] if place > 0 else ""


def _extent(text: str, lines: list[str], key: str) -> tuple[int, int]:
    """First and past-the-last line of a top-level key; blank and comment lines before the next key belong to that."""
    root = YAML(typ="rt", pure=True).load(text)
    start = root.lc.key(key)[0]
    later = [line for line in (root.lc.key(name)[0] for name in root) if line > start]
    end = min(later) if later else _end_of_document(lines, start)
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return start, end


def _end_of_document(lines: list[str], start: int) -> int:
    for index in range(start + 1, len(lines)):
        if re.match(r"(\.\.\.|---)(\s|$)", lines[index]):
            return index
    return len(lines)


def _append(text: str, new: Data) -> str:
    lines = text.splitlines(keepends=True)
    content = [index for index, line in enumerate(lines) if line.strip() and not re.match(r"#|\.\.\.", line)]
    place = content[-1] + 1
    newline = _newline(text)
    if not lines[place - 1].endswith(("\n", "\r")):
        lines[place - 1] += newline
    tree = CommentedMap()
    for key, value in new.items():
        tree[key] = _graft(None, value)
    return "".join([*lines[:place], _dump(_round_trip(""), tree, text), *lines[place:]])


def _put_marks(text: str, marks: dict[Path, Mark]) -> str:
    """Each mark stands right above its top-level key, in the order of the wishes."""
    lines = text.splitlines(keepends=True)
    newline = _newline(text)
    root = YAML(typ="rt", pure=True).load(text)
    for key in sorted({path[0] for path in marks}, key=lambda key: -root.lc.key(key)[0]):
        words = [f"{_mark_line(mark)}{newline}" for path, mark in marks.items() if path[0] == key]
        place = root.lc.key(key)[0]
        lines[place:place] = words
    return "".join(lines)


def _mark_line(mark: Mark) -> str:
    path = json.dumps(list(mark.path))
    return f"# kubegpu.nodes set {path} to {_word(mark.now)} (before: {_word(mark.before)})"


def _graft(old: t.Any, new: t.Any) -> t.Any:
    """The new value, inside the old one's mapping where both are mappings, so that comments in there stay."""
    if not isinstance(new, dict):
        return new
    if not isinstance(old, CommentedMap):
        old = CommentedMap()
    for gone in [key for key in old if key not in new]:
        del old[gone]
    for key, value in new.items():
        if key not in old or _plain(old[key]) != value:
            old[key] = _graft(old.get(key), value)
    return old


def _plain(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _round_trip(block: str) -> YAML:
    """A writer with the block's own indentation, that breaks no line and keeps quotes."""
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = 1_000_000
    found = re.search(r"^( +)[^ #\-]", block, re.MULTILINE)
    mapping = len(found[1]) if found else 2
    offset = re.search(r"^( *)\S[^\n]*:\s*\n( *)- ", block, re.MULTILINE)
    dash = max(len(offset[2]) - len(offset[1]), 0) if offset else 0
    yaml.indent(mapping=mapping, sequence=dash + 2, offset=dash)
    yaml.representer.add_representer(
        type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return yaml


def _dump(yaml: YAML, tree: CommentedMap, like: str) -> str:
    out = io.StringIO()
    yaml.dump(tree, out)
    return out.getvalue().replace("\n", _newline(like))


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


# Paths


def _get(data: t.Any, path: Path) -> t.Any:
    for key in path:
        if not isinstance(data, dict) or key not in data:
            return UNSET
        data = data[key]
    return data


def _put(data: Data, path: Path, value: t.Any) -> None:
    """UNSET takes the key out, and the mappings that it leaves empty: to a kubelet they say the same."""
    head, *tail = path
    if not tail:
        if value is UNSET:
            data.pop(head, None)
        else:
            data[head] = copy.deepcopy(value)
        return
    inner = data.get(head)
    data[head] = inner if isinstance(inner, dict) else {}
    _put(data[head], tuple(tail), value)
    if not data[head] and value is UNSET:
        del data[head]


def _refuse_scalar_parent(data: Data, path: Path) -> None:
    for length in range(1, len(path)):
        found = _get(data, path[:length])
        if found is not UNSET and found is not None and not isinstance(found, dict):
            raise KubeGpuError(f"has {'.'.join(path[:length])}: {_word(found)} where {'.'.join(path)} is wished for")


def _word(value: t.Any) -> str:
    return "unset" if value is UNSET else json.dumps(value, default=str)
