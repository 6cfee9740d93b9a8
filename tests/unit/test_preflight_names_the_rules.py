# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README of gpu_preflight names the rules by which the plan refuses, all of them and no other."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
README = CHECKOUT / "roles" / "gpu_preflight" / "README.md"
RULES = CHECKOUT / "plugins" / "plugin_utils" / "_rules"
NAME = r"[a-z]+(?:-[a-z0-9]+)*"


def texts() -> t.Iterator[str]:
    """Whatever in the rules may be the name of one: some rules are told theirs by others."""
    for path in sorted(RULES.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(NAME, node.value):
                yield node.value


def refused() -> t.Iterator[str]:
    """The names with which refusals are made on the spot."""
    for path in sorted(RULES.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "refuse":
                yield from (name.value for name in node.args[:1] if isinstance(name, ast.Constant))


def test_the_readme_names_the_rules() -> None:
    table = README.read_text(encoding="utf-8").partition("## What is refused")[2]
    named = re.findall(rf"`({NAME})`", table)
    assert len(named) == len(set(named)) > 20
    assert sorted(set(refused()) - set(named)) == [], "the README lacks them"
    assert sorted(set(named) - set(texts()) - {"vfio-pci"}) == [], "there are no such rules"
