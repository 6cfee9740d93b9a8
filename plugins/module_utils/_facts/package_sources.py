# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: where apt gets its packages from, as its own files say, in either of their formats.

One row for each address and suite. What must not be told, or could not be written again, is left out of the row, which
says so as its obstacle.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import origins
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

LIST = "/etc/apt/sources.list"
LISTS = "/etc/apt/sources.list.d/*.list"
STANZAS = "/etc/apt/sources.list.d/*.sources"
LINE = re.compile(r"deb\s+(?:\[([^\]]*)\]\s+)?([^\s\[]+)\s+(\S+)((?:\s+[^\s#]+)*)\s*(?:#.*)?$")
OPTION = re.compile(r"([a-z][a-z-]*)([+-]?)=(\S+)", re.ASCII)
FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)$", re.ASCII)
CREDENTIALS = re.compile(r"(?<=://)[^/]*@")
# Names that options of one line have in stanzas; of the others the first letters of the words are large there.
LONG_NAMES = {"arch": "Architectures", "lang": "Languages", "target": "Targets", "pdiffs": "PDiffs"}
SUFFIXES = {"": "", "+": "-Add", "-": "-Remove"}
# What a row says by itself, or what apt does not read.
OWN_FIELDS = ("Types", "Uris", "Suites", "Components", "Enabled", "Description")
OFF = ("no", "false", "without", "off", "disable", "0")


class Entry(t.NamedTuple):
    """A line or a stanza for binary packages."""

    uris: list[str]
    suites: list[str]
    components: list[str]
    options: dict[str, str]


def parse_list(text: str) -> t.Iterator[Entry]:
    """The format of one line an entry."""
    for line in text.splitlines():
        match = LINE.match(line.strip())
        if match:
            options = {_long(name, sign): value for name, sign, value in OPTION.findall(match.group(1) or "")}
            yield Entry([match.group(2)], [match.group(3)], match.group(4).split(), options)


def _long(name: str, sign: str) -> str:
    return LONG_NAMES.get(name, "-".join(word.capitalize() for word in name.split("-"))) + SUFFIXES[sign]


def parse_stanzas(text: str) -> t.Iterator[Entry]:
    """The format of stanzas of fields. A field may go on in lines that begin with a blank."""
    for stanza in re.split(r"\n[ \t]*\n", "\n".join(line for line in text.splitlines() if not line.startswith("#"))):
        fields = _fields(stanza)
        if "deb" in fields.get("Types", "").split() and fields.get("Enabled", "yes").lower() not in OFF:
            options = {name: value for name, value in fields.items() if not name.startswith((*OWN_FIELDS, "X-"))}
            uris, suites, components = (fields.get(name, "").split() for name in ("Uris", "Suites", "Components"))
            yield Entry(uris, suites, components, options)


def _fields(stanza: str) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        match = FIELD.match(line)
        if match:
            name = "-".join(word[:1].upper() + word[1:].lower() for word in match.group(1).split("-"))
            name = "PDiffs" if name == "Pdiffs" else name
            found[name] = match.group(2).strip()
        elif name and line[:1] in (" ", "\t"):
            found[name] += f"\n{line.strip()}"
    return found


def rows(path: str, entry: Entry, origin: t.Callable[[str, str], str | None]) -> t.Iterator[dict[str, t.Any]]:
    """``origin``: who the repository at an address says that it is."""
    options = {name: " ".join(value.split()) for name, value in entry.options.items() if "BEGIN PGP" not in value}
    for uri in entry.uris:
        plain = CREDENTIALS.sub("", uri)
        secret = "its address has credentials in it" if plain != uri else None
        obstacle = secret or ("its key stands inside it" if len(options) < len(entry.options) else None)
        for suite in entry.suites:
            yield {
                "file": path,
                "uri": plain,
                "suite": suite,
                "components": entry.components,
                "options": options,
                "origin": origin(plain, suite),
                "obstacle": obstacle,
            }


def read(host: Host) -> Reading:
    """Null where there is no apt."""
    if not host.exists("/etc/apt"):
        return Reading(None, {"package_sources": Source(None, "not asked: there is no /etc/apt")})

    def origin(uri: str, suite: str) -> str | None:
        return origins.said(host, origins.Repository(uri, suite))

    found: list[dict[str, t.Any]] = []
    for path in [LIST, *host.glob(LISTS), *host.glob(STANZAS)]:
        parse = parse_stanzas if path.endswith(".sources") else parse_list
        try:
            entries = list(parse(host.read(path, limit=256 * 1024)))
        except KubeGpuError as exc:
            if path == LIST and exc.details.get("missing"):
                continue
            return Reading(None, {"package_sources": Source(False, str(exc))})
        found += [row for entry in entries for row in rows(path, entry, origin)]
    return Reading(found, {"package_sources": OK})
