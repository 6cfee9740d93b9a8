# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: site.yml on bare simulated hosts, and the table of what became of them."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from _rig.cache import CHECKOUT
from _rig.shell import RigError, say

from _run import rigs, venvs
from _run.steps import Steps

INVENTORY = "inventories/demo"


def demo() -> int:
    keep = os.environ.get("KEEP", "") not in ("", "0")
    steps = Steps()
    rows: list[dict[str, object]] = []
    if not steps.step("set up", _set_up):
        return steps.close()
    try:
        if steps.step("start the cluster and two bare hosts", _start):
            steps.step("site.yml", lambda: rows.extend(_site()))
    finally:
        if not keep:
            steps.step("take down", lambda: rigs.rig("down"))
    if rows:
        print("\n" + table(rows), flush=True)
    if keep:
        _tell_how_to_look_around()
    return steps.close()


def _set_up() -> None:
    """Python packages come over the network while the rig's parts are built: side by side they cost only the longer."""
    failures: list[RigError] = []

    def packages() -> None:
        try:
            venvs.ensure("controller")
        except RigError as error:
            failures.append(error)

    other = threading.Thread(target=packages)
    other.start()
    try:
        rigs.rig("build")
    finally:
        other.join()
    for error in failures:
        raise error


def _start() -> None:
    rigs.rig("up", "--fresh", "demo")


def _site() -> list[dict[str, object]]:
    tools = venvs.ensure("controller")
    with tempfile.TemporaryDirectory(prefix="kubegpu-demo-") as folder:
        report = Path(folder) / "report.json"
        argv = [tools / "ansible-playbook", "site.yml", "-i", INVENTORY, "-e", f"gpu_validate_report={report}"]
        env = rigs.environment(tools)
        status = subprocess.run(list(map(str, argv)), cwd=CHECKOUT, env=env, stdin=subprocess.DEVNULL).returncode
        if status != 0:
            raise RigError(f"ansible-playbook site.yml -i {INVENTORY} ended with {status}; its messages stand above")
        return list(json.loads(report.read_text())["nodes"])


def table(rows: list[dict[str, object]]) -> str:
    """The collection's own table; it is pure Python, so no ansible is needed to show it."""
    sys.path.insert(0, str(CHECKOUT / "collections"))
    report = importlib.import_module("ansible_collections.kubegpu.nodes.plugins.plugin_utils._report")
    return str(report.table(rows))


def _tell_how_to_look_around() -> None:
    say("the rig stays up (KEEP=1). To look around, and to end it:")
    print(f'  eval "$({rigs.RIG} env)"    # KUBECONFIG, and kubectl on PATH')
    print("  kubectl get nodes -L nvidia.com/gpu.product")
    print("  make demo-down\n", flush=True)
