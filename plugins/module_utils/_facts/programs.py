# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: programs that tell their version, and digests of what they are configured with."""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import first_line

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

VERSION = re.compile(r"\bv?([0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,6}(?:-(?:alpha|beta|rc)\.?[0-9]+)?)", re.ASCII)


def parse_version(text: str) -> str | None:
    """The first thing that looks like a version in what ``--version`` printed."""
    match = VERSION.search(text)
    return match.group(1) if match else None


def version(
    host: Host, *argv: str, parse: t.Callable[[str], str | None] = parse_version
) -> tuple[str | None, str | None]:
    """The version that a program tells, and the reason where it tells none."""
    try:
        answer = host.run(*argv)
    except KubeGpuError as exc:
        return None, str(exc)
    found = parse(f"{answer.out}\n{answer.err}") if answer.rc == 0 else None
    return found, None if found else f"{' '.join(argv)}: {first_line(answer.err, answer.out)}"


def config_digest(host: Host, paths: t.Iterable[str]) -> tuple[str | None, list[str]]:
    """SHA-256 over the paths and contents of files, in their order, and what could not be read.

    None where no file is there, and where one cannot be read: half a digest would say that nothing has changed.
    """
    digests, problems = [], []
    for path in dict.fromkeys(paths):
        try:
            digests.append(f"{path}\0{host.digest(path)}\n")
        except KubeGpuError as exc:
            if not exc.details.get("missing"):
                problems.append(str(exc))
    whole = hashlib.sha256("".join(digests).encode("utf-8", "surrogateescape")).hexdigest()
    return whole if digests and not problems else None, problems
