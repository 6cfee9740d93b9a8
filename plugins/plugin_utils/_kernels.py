# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. The kernels that a host is to have modules for: the one that runs, and the one that boots next."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import Case, Section, flag, part, rows, text


def running(case: Case) -> str | None:
    return text(part(case.platform, "kernel"), "running")


def following(case: Case) -> str | None:
    """The kernel that boots next, where that is known."""
    return text(part(case.platform, "kernel"), "next_boot")


def releases(case: Case) -> list[str]:
    """What modules are to be built for: the kernel that runs, unless that cannot be, and the one that boots next."""
    found = (running(case), following(case))
    return list(dict.fromkeys(release for release in found if release and release != left_out(case)))


def left_out(case: Case) -> str | None:
    """The running kernel, where it is not one of the host's own, so that it has no headers, but the next one is."""
    release = running(case)
    if release is None or following(case) in (None, release) or not rows(case.platform, "kernels"):
        return None
    own = _line(case, release)
    return release if own is None or (flag(own, "bootable") is False and flag(own, "headers") is False) else None


def unserved(case: Case) -> str | None:
    """Why the kernel that runs gets no module, and the next one does; None where it does too."""
    release = left_out(case)
    if release:
        return f"nothing can be built for kernel {release}, which runs"
    now, after = running(case), following(case)
    if case.builds_modules or after in (None, now):
        return None
    return f"the distribution's modules come for kernel {after}, which boots next, and not for {now}, which runs"


def without_headers(case: Case) -> list[str]:
    """Kernels of these that are known to have no headers: one that is not installed has none either."""
    if not isinstance(case.platform.get("kernels"), (list, tuple)):
        return []
    lines = {release: _line(case, release) for release in releases(case)}
    return [release for release, line in lines.items() if line is None or flag(line, "headers") is False]


def matched(case: Case, tools: list[str]) -> list[str]:
    """What keeps tools that are to come from bringing a newer kernel along.

    One for each package of kernels: of the one that boots next, else of the one that runs, else of the newest.
    """
    found = []
    for kernel, name in case.data.matched_packages(case.manager, tools).items():
        lines = [line for line in rows(case.platform, "kernels") if text(line, "package") == kernel]
        own = [str(line.get("release")) for line in lines]
        if own and name not in case.packages:
            release = next((release for release in (following(case), running(case)) if release in own), own[-1])
            found.append(case.spec(name, release.partition("+")[0]))
    return found


def module(case: Case, release: str) -> str | None:
    """The version of NVIDIA's module that is on disk for a kernel."""
    return text(case.driver, "on_disk") if release == running(case) else text(part(case.driver, "next_boot"), "version")


def _line(case: Case, release: str) -> Section | None:
    return next((line for line in rows(case.platform, "kernels") if text(line, "release") == release), None)


def boots(case: Case) -> dict[str, t.Any]:
    """The kernel that the next boot ends in, as far as is known, and the module that is there for it."""
    release = following(case) or running(case)
    return {"release": release, "version": module(case, release) if release else None}
