# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: what systemd says of a service, and how its program was started."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

PROPERTIES = "ActiveState,MainPID"


class Service(t.NamedTuple):
    # None where systemd cannot be asked.
    active: bool | None = None
    # The command line of the running program; empty where none runs.
    arguments: t.Sequence[str] = ()


def parse_show(text: str) -> tuple[bool | None, int | None]:
    """Whether the unit is active, and the pid of its program."""
    fields = dict(re.findall(r"^(ActiveState|MainPID)=(\S*)$", text, re.M))
    pid = fields.get("MainPID", "")
    active = fields["ActiveState"] == "active" if fields.get("ActiveState") else None
    return active, int(pid) if re.match(r"^[1-9][0-9]{0,9}$", pid, re.A) else None


def read(host: Host, unit: str) -> Service:
    try:
        answer = host.run("systemctl", "show", f"--property={PROPERTIES}", unit)
    except KubeGpuError:
        return Service()
    if answer.rc != 0:
        return Service()
    active, pid = parse_show(answer.out)
    if pid is None:
        return Service(active)
    try:
        return Service(active, [word for word in host.read(f"/proc/{pid}/cmdline", limit=131072).split("\0") if word])
    except KubeGpuError:
        return Service(active)


def option(arguments: t.Sequence[str], *names: str) -> str | None:
    """The value of a command line option, as ``--name value`` or ``--name=value``; the last one counts."""
    value = None
    for word, after in zip(arguments, [*arguments[1:], None]):
        name, equals, inside = word.partition("=")
        if name in names:
            value = inside if equals else after
    return value
