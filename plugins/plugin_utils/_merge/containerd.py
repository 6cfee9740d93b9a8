# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: put a runtime into containerd's config.toml, or take it back. Text in, text out.

The entry goes into config.toml itself and not into an imported drop-in: containerd before 2.1 merges imported files by
the key of the *plugin*, so that a drop-in with one runtime replaces the whole CRI section of config.toml
(containerd#5837), and a drop-in that carries a copy of the section shadows what is later changed in config.toml. In
config.toml it is right for all.
"""

from __future__ import annotations

import copy
import json
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._merge.result import Merged
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._merge.toml_text import (
    BEFORE,
    HEADER_MARK,
    Data,
    Path,
    Step,
    apply,
    dig,
    header,
    newline_of,
    parse,
    put,
)

# Where the CRI runtimes live, by the file's version. Source: containerd docs/PLUGINS.md and docs/cri/config.md;
# version 4 has the shape of 3 (nvidia-container-toolkit v1.20.0 accepts it so).
CRI = {2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.runtime", 4: "io.containerd.cri.v1.runtime"}
CRI_NAMES = frozenset({"cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"})
RUNC_TYPE = "io.containerd.runc.v2"
DEFAULT_MARK = re.compile(
    r'^[ \t]*default_runtime_name[ \t]*=[ \t]*"(?P<now>[^"]*)"[ \t]*#.*?kubegpu\.nodes: before '
    r'(?P<before>unset|"[^"]*")',
    re.MULTILINE,
)


class Wish(t.NamedTuple):
    """systemd_cgroup is what runc does in effect, by containerd's own dump, where the file does not say."""

    state: str = "present"
    name: str = "nvidia"
    binary: str = "/usr/bin/nvidia-container-runtime"
    default: bool = False
    systemd_cgroup: bool | None = None


def merge(text: str, wish: Wish) -> Merged:
    """Strangers' keys, order and comments stay; merging twice is merging once."""
    data = parse(text)
    if wish.state == "absent" and data.get("version") not in CRI:
        return Merged(text, changed=False, effective=False, reasons=[])  # nothing of ours can be in it
    start = text if data else _begin(text)
    data = parse(start)
    steps, notes = _plan(data, start, wish)
    result = start
    for step in steps:
        result = apply(result, step)
    return Merged(
        text=result,
        changed=result != text,
        effective=parse(result) != parse(text),
        reasons=[step.reason for step in steps] + notes,
    )


def _begin(text: str) -> str:
    """A missing file, or one that says nothing, leaves containerd at its defaults; so does one with only a version.

    Version 2 is read by every containerd from 1.3 on; 2.x converts it itself.
    """
    newline = newline_of(text)
    return (text if not text or text.endswith("\n") else text + newline) + f"version = 2{newline}"


def _section(data: Data) -> str:
    """The name of the CRI section; or all that speaks against touching this file, at once."""
    wrong = []
    version = data.get("version")
    if version not in CRI:
        wrong.append(
            f"has {'no version, which means schema 1' if version is None else f'version = {version}'}, and only the"
            f" schemas {', '.join(str(known) for known in CRI)} can be merged: write the file anew with"
            " 'containerd config default', or convert it with 'containerd config migrate', restart containerd, and"
            " run again"
        )
    disabled = sorted(CRI_NAMES.intersection(data.get("disabled_plugins") or []))
    if disabled:
        wrong.append(
            f"switches Kubernetes' interface off (disabled_plugins = {json.dumps(disabled)}), so that no kubelet can"
            " use it: take the name out of disabled_plugins, restart containerd, and run again"
        )
    if wrong:
        raise KubeGpuError("; it also ".join(wrong))
    return CRI[t.cast(int, version)]


def _plan(data: Data, text: str, wish: Wish) -> tuple[list[Step], list[str]]:
    if wish.state == "absent":
        return _plan_absent(data, text, ("plugins", CRI[data["version"]], "containerd"), wish)
    base: Path = ("plugins", _section(data), "containerd")
    runtimes = dig(data, (*base, "runtimes")) or {}
    model = _model(data, text, base, runtimes, wish)
    steps = []
    if model not in runtimes:
        runc = {"runtime_type": RUNC_TYPE, "options": {"SystemdCgroup": bool(wish.systemd_cgroup)}}
        runtimes = {**runtimes, model: runc}
        why = "runc is written out: containerd 1.x forgets its built-in runc as soon as the file names any runtime"
        steps.append(Step((*base, "runtimes", model), runc, why))
    steps += _plan_runtime((*base, "runtimes", wish.name), runtimes, model, wish)
    default, notes = _plan_default(data, text, base, wish)
    return steps + default, notes


def _model(data: Data, text: str, base: Path, runtimes: Data, wish: Wish) -> str:
    """The runtime to clone: what pods get without asking, where NVIDIA's program can stand in for it; else runc."""
    default = dig(data, (*base, "default_runtime_name"))
    if default == wish.name:
        _marked, default = _before_default(text, wish.name)
    fits = default in runtimes and runtimes[default].get("runtime_type") == RUNC_TYPE
    return default if default and fits else "runc"


def _plan_runtime(path: Path, runtimes: Data, model: str, wish: Wish) -> list[Step]:
    pattern = runtimes[model]
    cgroup = dig(pattern, ("options", "SystemdCgroup"))
    if cgroup is None and model == "runc":
        cgroup = wish.systemd_cgroup
    wanted: dict[Path, t.Any] = {("runtime_type",): pattern.get("runtime_type", RUNC_TYPE)}
    if cgroup is not None:
        wanted[("options", "SystemdCgroup")] = cgroup
    wanted[("options", "BinaryName")] = wish.binary

    current = runtimes.get(wish.name)
    if current is None:
        table = copy.deepcopy(pattern)
        for key, value in wanted.items():
            put(table, key, value)
        return [Step(path, table, f"runtime {wish.name} is added with {model}'s options and {wish.binary}")]
    return [
        Step((*path, *key), value, f"runtime {wish.name}: {'.'.join(key)} is set to {json.dumps(value)}")
        for key, value in wanted.items()
        if dig(current, key) != value
    ]


def _plan_default(data: Data, text: str, base: Path, wish: Wish) -> tuple[list[Step], list[str]]:
    path = (*base, "default_runtime_name")
    current = dig(data, path)
    if wish.default and current != wish.name:
        mark = f"{BEFORE} {'unset' if current is None else json.dumps(current)}"
        return [Step(path, wish.name, f"{wish.name} becomes the default runtime", mark)], []
    if wish.default or current != wish.name:
        return [], []
    marked, before = _before_default(text, wish.name)
    if not marked:
        return [], [f"{wish.name} is the default runtime by somebody else's hand and is left so"]
    return [Step(path, before, f"{wish.name} is no longer the default runtime", "")], []


def _plan_absent(data: Data, text: str, base: Path, wish: Wish) -> tuple[list[Step], list[str]]:
    runtimes = dig(data, (*base, "runtimes")) or {}
    entry = runtimes.get(wish.name)
    if entry is None:
        return [], []
    found = dig(entry, ("options", "BinaryName"))
    if found != wish.binary:
        return [], [f"runtime {wish.name} runs {found}, not {wish.binary}: it is somebody else's and stays"]
    steps = []
    if dig(data, (*base, "default_runtime_name")) == wish.name:
        _marked, before = _before_default(text, wish.name)
        steps.append(Step((*base, "default_runtime_name"), before, "the default runtime is what it was before", ""))
    steps.append(
        Step(
            (*base, "runtimes", wish.name),
            None,
            f"runtime {wish.name} is taken out: its program goes with the packages",
        )
    )
    defaults = {"runtime_type": RUNC_TYPE, "options": {"SystemdCgroup": False}}
    if _is_marked(text, (*base, "runtimes", "runc")) and runtimes.get("runc") == defaults and len(runtimes) <= 2:
        steps.append(Step((*base, "runtimes", "runc"), None, "runc needs no mention again"))
    return steps, []


def _before_default(text: str, name: str) -> tuple[bool, str | None]:
    """Whether we made ``name`` the default, and what was it before (None: the key was not there)."""
    found = DEFAULT_MARK.search(text)
    if not found or found["now"] != name:
        return False, None
    return True, None if found["before"] == "unset" else json.loads(found["before"])


def _is_marked(text: str, path: Path) -> bool:
    return f"{header(path)} # {HEADER_MARK}" in text
