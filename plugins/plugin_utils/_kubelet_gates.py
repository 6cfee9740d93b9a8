# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: whether a kubelet of some version starts with these feature gates. Data in, words out."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _compat

Minor = tuple[int, int]


class Judgement(t.NamedTuple):
    """Refused gates stop the kubelet; unknown ones are in no data of ours, for a version that it does not cover."""

    refused: list[str]
    unknown: list[str]


def judge(gates: t.Mapping[str, t.Any], version: str | None, data: _compat.Data | None = None) -> Judgement:
    """Nothing can be said of a kubelet whose version is unknown."""
    data = data or _compat.data()
    known = data.gates()
    minor = _minor(version)
    refused, unknown = [], []
    for name, value in gates.items():
        if not isinstance(value, bool):
            refused.append(f"{name}: {value!r} is neither true nor false")
        elif minor is None:
            unknown.append(name)
        elif name in known:
            refused += _against(name, value, known[name], minor)
        elif _compat.minor(version or "") in data.gates_complete():
            refused.append(f"{name}: a kubelet {version} does not know it and would not start")
        else:
            unknown.append(name)
    return Judgement(refused, unknown)


def _against(name: str, value: bool, gate: t.Mapping[str, t.Any], minor: Minor) -> list[str]:
    version = ".".join(map(str, minor))
    since, removed, locked = _minor(gate["since"]), _minor(gate.get("removed")), _minor(gate.get("locked"))
    if since and minor < since:
        return [f"{name}: came with {gate['since']}; a kubelet {version} does not know it and would not start"]
    if removed and minor >= removed:
        return [f"{name}: went with {gate['removed']}; a kubelet {version} does not know it and would not start"]
    if locked and minor >= locked and gate.get("value") in (True, False) and value is not gate["value"]:
        word = str(gate["value"]).lower()
        return [f"{name}: locked to {word} since {gate['locked']}; a kubelet {version} would not start with the other"]
    return []


def _minor(version: str | None) -> Minor | None:
    found = re.match(r"v?(\d+)\.(\d+)", version or "")
    return (int(found[1]), int(found[2])) if found else None
