# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking hosts for their facts, and holding those against what the module's documentation promises."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

from conftest import CHECKOUT, Rig

MODULE = "kubegpu.nodes.nvidia_facts"
Facts = dict[str, Any]
# What moves although nobody does anything.
MOVES = {"available_mib"}


def ask(rig: Rig, inventory: str, host: str, *words: str, subset: str = "all") -> Facts:
    """What `ansible -m nvidia_facts` tells of a host."""
    argv = ["ansible", host, "-i", inventory, "-m", MODULE, "-a", f"gather_subset={subset}", *words]
    env = {**rig.env, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    answer = subprocess.run(argv, cwd=CHECKOUT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "WARNING" not in answer.stderr, answer.stderr
    head, _, said = answer.stdout.partition(" => ")
    assert head == f"{host} | SUCCESS", answer.stdout
    result = json.loads(said)
    assert result["changed"] is False
    return dict(result["ansible_facts"]["nvidia"])


def at_rest(value: Any) -> Any:
    """The facts without what moves."""
    if isinstance(value, dict):
        return {key: at_rest(inner) for key, inner in value.items() if key not in MOVES}
    return [at_rest(item) for item in value] if isinstance(value, list) else value


def unasked_or_ok(facts: Facts) -> dict[str, Any]:
    """The sources of which neither is true."""
    return {
        name: source
        for name, source in facts["sources"].items()
        if not (source["ok"] or (source["ok"] is None and source["reason"]))
    }


def nulls(value: Any, path: str = "") -> Iterator[str]:
    """Where something is unknown; places in a list count as one."""
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from nulls(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from nulls(inner, path)


@cache
def documentation() -> Facts:
    """The RETURN of the module, below ansible_facts.nvidia."""
    answer = subprocess.run(
        ["ansible-doc", "--json", "--type", "module", MODULE], cwd=CHECKOUT, check=True, capture_output=True, text=True
    )
    returned = json.loads(answer.stdout)[MODULE]["return"]
    return dict(returned["ansible_facts"]["contains"]["nvidia"]["contains"])


TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "dict": (dict,),
    "list": (list,),
}


def contradictions(value: Any, said: Facts, path: str) -> Iterator[str]:
    """Where a value and its documentation disagree: a key that only one of them has, or another type."""
    if value is None:
        return
    kind = said["type"]
    fits = isinstance(value, TYPES[kind]) and not (kind in ("int", "float") and isinstance(value, bool))
    if not fits:
        yield f"{path}: documented as {kind}, is {value!r}"
    elif "contains" in said:
        for item in value if isinstance(value, list) else [value]:
            yield from compare(item, said["contains"], path)


def compare(value: Facts, said: Facts, path: str) -> Iterator[str]:
    yield from (f"{path}.{key}: returned, not documented" for key in value.keys() - said.keys())
    yield from (f"{path}.{key}: documented, not returned" for key in said.keys() - value.keys())
    for key in value.keys() & said.keys():
        yield from contradictions(value[key], said[key], f"{path}.{key}")
