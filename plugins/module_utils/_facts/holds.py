# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: which packages dnf and yum were told to keep, by the lists of versionlock."""

from __future__ import annotations

import fnmatch
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import toml
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

# dnf4 and yum: https://dnf-plugins-core.readthedocs.io/en/latest/versionlock.html
LISTS = ("/etc/dnf/plugins/versionlock.list", "/etc/yum/pluginconf.d/versionlock.list")
# dnf5: https://dnf5.readthedocs.io/en/latest/commands/versionlock.8.html
TABLE = "/etc/dnf/versionlock.toml"
# Between these lines of the first list the role nvidia_driver writes its own, which are as little a hold as a pin.
BEGIN, END = "# BEGIN kubegpu.nodes.nvidia_driver", "# END kubegpu.nodes.nvidia_driver"


class Locks(t.NamedTuple):
    """Patterns of whole packages, and of their names alone."""

    packages: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def hold(self, name: str, version: str, architecture: str) -> bool:
        spellings = _spellings(name, version, architecture)
        return any(fnmatch.fnmatchcase(spelling, lock) for spelling in spellings for lock in self.packages) or any(
            fnmatch.fnmatchcase(name, lock) for lock in self.names
        )


def _spellings(name: str, version: str, architecture: str) -> list[str]:
    """A package as its name, and with version, epoch and release in the ways of dnf and of yum."""
    epoch, colon, rest = version.rpartition(":")
    epoch = epoch if colon else "0"
    without_release = rest.rpartition("-")[0]
    heads = [name, f"{name}-{without_release}", f"{name}-{rest}", f"{name}-{epoch}:{rest}", f"{epoch}:{name}-{rest}"]
    return [*heads, *(f"{head}.{architecture}" for head in heads)]


def parse_list(text: str) -> tuple[str, ...]:
    """Without our own. A line with ``!`` forbids a version; it keeps none."""
    return tuple(line for line, own in _lines(text) if not own)


def parse_own(text: str) -> list[str]:
    """What the role has written."""
    return [line for line, own in _lines(text) if own]


def _lines(text: str) -> t.Iterator[tuple[str, bool]]:
    own = False
    for line in map(str.strip, text.splitlines()):
        own = line == BEGIN or (own and line != END)
        if line and not line.startswith(("#", "!")):
            yield line, own


def parse_table(text: str) -> tuple[str, ...]:
    """Names with a condition that says more than which version is not wanted. Raises where it is not TOML."""
    entries = toml.parse(text).get("packages")
    found = []
    for entry in entries if isinstance(entries, list) else []:
        name, conditions = (entry.get("name"), entry.get("conditions")) if isinstance(entry, dict) else (None, None)
        if isinstance(name, str) and isinstance(conditions, list) and any(map(_keeps, conditions)):
            found.append(name)
    return tuple(found)


def _keeps(condition: t.Any) -> bool:
    return isinstance(condition, dict) and condition.get("comparator", "!=") != "!="


def read(host: Host) -> tuple[Locks | None, Source]:
    packages: list[str] = []
    names: list[str] = []
    for path in (*LISTS, TABLE):
        try:
            text = host.read(path)
            if path == TABLE:
                names += parse_table(text)
            else:
                packages += parse_list(text)
        except KubeGpuError as exc:
            if not exc.details.get("missing"):
                return None, Source(False, str(exc) if "path" in exc.details else f"{path}: {exc}")
    return Locks(tuple(packages), tuple(names)), OK
