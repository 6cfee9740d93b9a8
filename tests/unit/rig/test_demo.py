# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo` runs in the machine's own Python, which has no ansible."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
NODE = {
    "node": "n1",
    "gpus": {"Tesla T4": 4},
    "driver": "580.95.05",
    "cuda_limit": "13.0",
    "toolkit": "1.20.0",
    "runtime": "containerd 1.6.20 + nvidia",
    "allocatable": 4,
    "labels": {},
    "validation": "passed",
    "reason": None,
    "seconds": 51,
}
PROGRAM = """
import json, sys
sys.path[:0] = sys.argv[1:3]
from _run import demo
print(demo.table(json.loads(sys.argv[3])))
"""


def test_the_table_needs_nothing_but_python() -> None:
    without_packages = [sys.executable, "-I", "-S", "-c", PROGRAM, str(TESTS), str(TESTS / "rig"), json.dumps([NODE])]
    shown = subprocess.run(without_packages, capture_output=True, text=True, check=False)
    assert shown.stderr == ""
    assert "n1    4 x Tesla T4  580.95.05" in shown.stdout
