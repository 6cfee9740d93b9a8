# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. How a driver on disk becomes the one in the kernel: who keeps the loaded one there, and its parameters."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import Case, Section, part, rows, text, texts

# The driver's own services by their name in the facts. They are stopped before its modules are unloaded.
UNITS = {
    "persistenced": "nvidia-persistenced.service",
    "fabric_manager": "nvidia-fabricmanager.service",
    "imex": "nvidia-imex.service",
}
# Modules that a reload takes out of the kernel, in this order. What else sits on top of them has to go first.
MODULES = ("nvidia_fs", "nvidia_peermem", "nvidia_uvm", "nvidia_drm", "nvidia_modeset", "nvidia")
# A module whose users no list of processes shows: the console draws through it.
WITHOUT_HOLDERS = "nvidia_drm"

PREFIX = "NVreg_"
PARAMETER = re.compile(r"NVreg_[A-Za-z][A-Za-z0-9_]*", re.ASCII)
# As modprobe reads a line of options: words without quotes, comments and line ends.
VALUE = re.compile(r"[^\s\"'\\#]+", re.ASCII)


def users(case: Case) -> list[str] | None:
    """Who keeps the modules in the kernel, but for the driver's own services. None where nobody can tell."""
    if not isinstance(case.driver.get("holders"), (list, tuple)) or not part(case.driver, "modules"):
        return None
    holders = rows(case.driver, "holders")
    others = [holder_words(line) for line in holders if text(line, "unit") not in UNITS.values()]
    return others or list(_in_the_kernel(part(case.driver, "modules"), bool(holders)))


def _in_the_kernel(modules: Section, held: bool) -> t.Iterator[str]:
    """What keeps a module there that is no process. Services that are stopped first count in some modules."""
    for name in (name for name in modules if name in MODULES):
        module = part(modules, name)
        above = texts(module, "used_by")
        yield from (f"the kernel module {other}" for other in above if other not in MODULES)
        count = module.get("refcount")
        hidden = isinstance(count, int) and count > len(above)
        if hidden and (name == WITHOUT_HOLDERS or not held):
            yield f"somebody in the kernel (module {name})"


def holder_words(line: Section) -> str:
    where = text(line, "container") or text(line, "unit")
    kind = "container " if text(line, "container") else ""
    return f"{text(line, 'name') or 'a process'} (pid {line.get('pid')}{f', {kind}{where}' if where else ''})"


def way(case: Case, what: str) -> tuple[str, str]:
    """`reload` or `reboot`, and why. `what` says what is loaded and is not to stay."""
    found = users(case)
    if found is None:
        return "reboot", f"{what}, and stays so until the host boots again"
    if found:
        return "reboot", f"{what}, and in use by {some(found)}"
    divided = _divided(case)
    if divided:
        return "reboot", f"{what}; nobody uses a GPU, but unloading it would undo what MIG has made of {some(divided)}"
    settings = list(_settings(case))
    lost = f"; with it go {some(settings)}" if settings else ""
    return "reload", f"{what}, and nobody uses a GPU{lost}"


def _divided(case: Case) -> list[str]:
    """GPUs with MIG enabled. Where NVML is silent, as beside libraries of another version, the kernel tells of some."""
    gpus = [line.get("index") for line in rows(case.facts, "gpus") if part(line, "mig").get("current") == "enabled"]
    return [f"GPU {index}" for index in gpus] or [f"GPU {minor}" for minor in texts(case.driver, "partitioned")]


def _settings(case: Case) -> t.Iterator[str]:
    """What somebody has set, and the driver forgets when it is unloaded."""
    for gpu in rows(case.facts, "gpus"):
        name, mode, power = f"GPU {gpu.get('index')}", text(gpu, "compute_mode"), part(gpu, "power")
        if mode not in (None, "default"):
            yield f"the compute mode {mode} of {name}"
        limit, usual = power.get("limit_w"), power.get("default_limit_w")
        if limit is not None and usual is not None and limit != usual:
            yield f"the power limit of {limit} W of {name}"


def some(words: t.Sequence[str], most: int = 8) -> str:
    rest = f" and {len(words) - most} more" if len(words) > most else ""
    return f"{', '.join(words[:most])}{rest}"


def parameters(case: Case) -> dict[str, str]:
    """Wished parameters of the module, as they stand in a file of modprobe."""
    return {str(name): _value(value) for name, value in sorted(part(case.wish, "parameters").items())}


def _value(value: t.Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def bad_parameters(case: Case) -> list[str]:
    return [
        f"{name}={value}"
        for name, value in parameters(case).items()
        if not PARAMETER.fullmatch(name) or not VALUE.fullmatch(value)
    ]


def differing(case: Case) -> list[str]:
    """Parameters that the loaded module has otherwise, in words. Of one that it does not show nothing is known."""
    there = part(case.driver, "parameters")
    pairs = ((name, value, text(there, name[len(PREFIX) :])) for name, value in parameters(case).items())
    return [
        f"{name} is {found}, not {value}"
        for name, value, found in pairs
        if found is not None and not _same(value, found)
    ]


def _same(wished: str, found: str) -> bool:
    """The driver shows numbers without sign, whichever way they were given."""
    try:
        return int(wished, 0) % 2**32 == int(found, 0) % 2**32
    except ValueError:
        return wished == found
