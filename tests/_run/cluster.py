# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks that need the rig: integration tests, molecule scenarios, the benchmark."""

from __future__ import annotations

import re
import subprocess
from functools import partial

from _rig.cache import CHECKOUT
from _rig.shell import RigError

from _run import rigs, venvs
from _run.steps import Steps

SCENARIOS = CHECKOUT / "molecule"
THE_RIG = "tests/integration/test_rig.py"
AS_INSTALLED = "tests/integration/test_install.py"
# All but Ansible's own remark on its first visit to a host, where it makes its folder for temporary files.
COMPLAINTS = re.compile(r"\[(?:DEPRECATION )?WARNING\](?!: Module remote_tmp)[^\n]*")


def everything(steps: Steps) -> None:
    """Both kinds of cluster checks over one control plane, which is taken down whatever happens."""
    if not steps.step("build the rig", lambda: rigs.rig("build")):
        return
    try:
        integration(steps)
        if steps.step("start the control plane", lambda: rigs.rig("up")):
            _molecule(steps, [])
    finally:
        steps.step("take the rig down", lambda: rigs.rig("down"))


def integration(steps: Steps) -> None:
    """tests/integration starts and ends the rig itself: that is one of the things it tests."""
    tools = venvs.ensure("test")
    pytest = [tools / "python", "-m", "pytest", "-q", "--durations=10"]
    env = venvs.environment(tools)
    steps.command("the rig itself", [*pytest, THE_RIG], env)  # needs a machine on which nothing of it runs
    others = [f"--ignore={path}" for path in (THE_RIG, AS_INSTALLED)]
    steps.command("integration", [*pytest, "tests/integration", *others], env)


def as_installed(steps: Steps) -> None:
    """Built, installed and documented: asks neither hosts nor a cluster."""
    tools = venvs.ensure("test")
    argv = [tools / "python", "-m", "pytest", "-q", AS_INSTALLED]
    steps.command("the collection as installed", argv, venvs.environment(tools))


def molecule(steps: Steps, names: list[str]) -> None:
    try:
        if steps.step("start the control plane", lambda: rigs.rig("up")):
            _molecule(steps, names)
    finally:
        steps.step("take the rig down", lambda: rigs.rig("down"))


def _molecule(steps: Steps, names: list[str]) -> None:
    known = sorted(path.parent.name for path in SCENARIOS.glob("*/molecule.yml"))
    for name in names or known:
        if name not in known:
            raise RigError(f"there is no scenario called {name} in molecule/; there are {', '.join(known)}")
        steps.step(f"molecule {name}", partial(_scenario, steps, name))


def _scenario(steps: Steps, name: str) -> None:
    tools = venvs.ensure("test")
    argv = [tools / "molecule", "test", "--scenario-name", name]
    text = steps.logged(f"molecule-{name}", argv, rigs.environment(tools))
    complaints = sorted(set(COMPLAINTS.findall(text)))
    if complaints:
        raise RigError("the run passed, but not in silence:\n" + "\n".join("    " + line for line in complaints))


def bench() -> int:
    tools = venvs.ensure("test")
    argv = [str(tools / "python"), "tests/bench/bench.py"]
    try:
        rigs.rig("up")
        return subprocess.run(argv, cwd=CHECKOUT, env=rigs.environment(tools), stdin=subprocess.DEVNULL).returncode
    finally:
        rigs.rig("down")
