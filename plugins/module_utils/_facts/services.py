# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: what systemd says of services, and how their programs were started."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Source, first_line

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

# All units that any reader wants to know of: one question to systemd answers all of them.
UNITS = (
    "containerd.service",
    "docker.service",
    "crio.service",
    "kubelet.service",
    "nvidia-persistenced.service",
    "nvidia-fabricmanager.service",
    "nvidia-imex.service",
)
PROPERTIES = "Names,LoadState,ActiveState,UnitFileState,MainPID,FragmentPath,DropInPaths,EnvironmentFiles"
SHOW = ("systemctl", "show", f"--property={PROPERTIES}", *UNITS)
STATES = ("LoadState", "ActiveState", "UnitFileState", "MainPID")
# A static unit has no say in it: others start it, as udev does with the persistence daemon on Ubuntu.
AT_NO_BOOT = ("disabled", "masked", "masked-runtime", "bad")
PROPERTY = re.compile(r"^([A-Za-z]+)=(.*)$")
PID = re.compile(r"^[1-9][0-9]{0,9}$", re.ASCII)
# EnvironmentFiles=/etc/default/kubelet (ignore_errors=yes)
ENVIRONMENT_FILE = re.compile(r"^-?(/.*?)(?: \(ignore_errors=(?:yes|no)\))?$")


class Unit(t.NamedTuple):
    """What ``systemctl show`` tells of a unit."""

    loaded: bool | None = None
    active: bool | None = None
    # Whether it starts at boot.
    enabled: bool | None = None
    pid: int | None = None
    # The unit's own file, its drop-ins and the files that its environment comes from. They need not exist.
    files: tuple[str, ...] = ()


class Service(t.NamedTuple):
    # None where systemd cannot be asked.
    active: bool | None = None
    enabled: bool | None = None
    # The command line of the running program; empty where none runs.
    arguments: t.Sequence[str] = ()
    # Name of the unit, where systemd knows it.
    unit: str | None = None
    files: tuple[str, ...] = ()


def parse_show(text: str) -> dict[str, Unit]:
    """Units by each of their names."""
    found = {}
    for block in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, list[str]] = {}
        for match in filter(None, map(PROPERTY.match, block.splitlines())):
            fields.setdefault(match.group(1), []).append(match.group(2))
        for name in " ".join(fields.get("Names", [])).split():
            found[name] = _unit(fields)
    return found


def _unit(fields: dict[str, list[str]]) -> Unit:
    load, active, starts, pid = (fields.get(name, [""])[0].strip() for name in STATES)
    environment = [match.group(1) for match in map(ENVIRONMENT_FILE.match, fields.get("EnvironmentFiles", [])) if match]
    paths = [*fields.get("FragmentPath", []), *" ".join(fields.get("DropInPaths", [])).split(), *environment]
    return Unit(
        loaded=load == "loaded" if load else None,
        active=active == "active" if active else None,
        enabled=starts not in AT_NO_BOOT if starts else None,
        pid=int(pid) if PID.match(pid) else None,
        files=tuple(path for path in paths if path.startswith("/")),
    )


def ask(host: Host) -> tuple[dict[str, Unit], Source]:
    """All units that systemd tells of, and what became of asking it."""
    try:
        answer = host.run_once(*SHOW)
    except KubeGpuError as exc:
        return {}, Source(False, str(exc))
    if answer.rc != 0:
        return {}, Source(False, f"systemctl show: exit status {answer.rc}: {first_line(answer.err, answer.out)}")
    units = parse_show(answer.out)
    return units, OK if units else Source(False, f"systemctl show: {first_line(answer.out, answer.err)}")


def read(host: Host, name: str) -> tuple[Service, dict[str, Source]]:
    """One of the units, and the source to name for it."""
    units, source = ask(host)
    unit = units.get(name, Unit())
    known = name if unit.loaded else None
    return Service(unit.active, unit.enabled, _command_line(host, unit.pid), known, unit.files), {"systemd": source}


def _command_line(host: Host, pid: int | None) -> list[str]:
    if pid is None:
        return []
    try:
        return [word for word in host.read(f"/proc/{pid}/cmdline", limit=131072).split("\0") if word]
    except KubeGpuError:
        return []


def options(arguments: t.Sequence[str], *names: str) -> list[str]:
    """All values of a command line option, given as ``--name value`` or ``--name=value``."""
    values = []
    for word, after in zip(arguments, [*arguments[1:], None]):
        name, equals, inside = word.partition("=")
        value = inside if equals else after
        if name in names and value is not None:
            values.append(value)
    return values


def option(arguments: t.Sequence[str], *names: str) -> str | None:
    """The value of a command line option; the last one counts."""
    return next(reversed(options(arguments, *names)), None)
