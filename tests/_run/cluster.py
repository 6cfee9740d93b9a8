# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks that need the rig: integration tests, molecule scenarios, the benchmark."""

from __future__ import annotations

import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable
from functools import partial

from _rig.cache import CHECKOUT
from _rig.shell import RigError

from _run import rigs, venvs
from _run.steps import Steps

SCENARIOS = CHECKOUT / "molecule"
HERE = "tests/integration"
THE_RIG = f"{HERE}/test_rig.py"  # needs a machine on which nothing of it runs
AS_INSTALLED = f"{HERE}/test_install.py"  # asks neither hosts nor a cluster
# one after the other on the same hosts
THE_WHOLE_WAY = tuple(f"{HERE}/test_{name}.py" for name in ("site", "nvidia_facts", "remove"))
# get along with what else is in the cluster
BESIDE = tuple(f"{HERE}/test_{name}.py" for name in ("gpu_node_label", "refusals", "nvidia_facts_bare", "preflight"))
# installs one driver after the other, which takes minutes
AT_LENGTH = f"{HERE}/test_driver_failures.py"

# What a scenario's vars.yml says of the scenario itself, beside its variables:
#   cluster_wide: true  it brings things into the cluster which are no host's own. The others run beside it.
#   slow: true          it loads gigabytes, builds for long or shows one more way to the same end: only `make test-slow`
#                       runs it, and who names it.
#   own_fleet: NAME     its hosts are of a kind that only some need, and not those of who runs it.
#   one_host: true      on one of them the role does what it does on the others.
#   minutes: N          about how long it takes, where that is long. The longest begin first, or one waits for them.
SAID = r"^{word}: *(\S+)"

_up = threading.Event()
# All but Ansible's own remark on its first visit to a host, where it makes its folder for temporary files. A playbook
# that is not there is no error to molecule, and what it should have shown would go unseen.
COMPLAINTS = re.compile(r"\[(?:DEPRECATION )?WARNING\](?!: Module remote_tmp)[^\n]*|Missing playbook[^\n]*")


class ToGo:
    """Scenarios, the longest first; no two at a time on the same hosts."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.taken: set[str] = set()
        self.change = threading.Condition()

    def add(self, names: Iterable[str]) -> None:
        with self.change:
            self.names = sorted([*self.names, *names], key=_minutes, reverse=True)
            self.change.notify_all()

    def each(self) -> Generator[str, None, None]:
        """One after the other, as long as nobody else has taken it."""
        while (name := self._take()) is not None:
            try:
                yield name
            finally:
                with self.change:
                    self.taken.discard(_hosts(name))
                    self.change.notify_all()

    def _take(self) -> str | None:
        with self.change:
            while self.names:
                for name in self.names:
                    if _hosts(name) not in self.taken:
                        self.names.remove(name)
                        self.taken.add(_hosts(name))
                        return name
                self.change.wait()
        return None


_to_go = ToGo()


def everything(steps: Steps) -> None:
    """The checks that need the rig to themselves, over one control plane; then a share of the scenarios beside them."""
    try:
        names = [name for name in _scenarios() if not _is(name, "slow")]
        _to_go.add(name for name in names if not _is(name, "cluster_wide"))
        if steps.step("build the rig", lambda: rigs.rig("build")):
            _pytest(steps, "the rig itself", THE_RIG)
            steps.step("start the control plane", lambda: rigs.rig("up"))
    finally:
        _up.set()  # also when that failed: who waits for it finds out by itself
    _pytest(steps, "the whole way", *THE_WHOLE_WAY)
    for name in names:
        if _is(name, "cluster_wide"):
            _molecule(steps, name)
    _those_to_go(steps)


def scenarios_beside(fleet: str) -> Callable[[Steps], None]:
    """The scenarios that leave the cluster alone, on hosts of their own, beside `everything` or `slow`."""

    def part(steps: Steps) -> None:
        _up.wait()
        _those_to_go(steps, KUBEGPU_MOLECULE_FLEET=fleet)

    return part


def _those_to_go(steps: Steps, **env: str) -> None:
    for name in _to_go.each():
        _molecule(steps, name, **env)


def beside(steps: Steps) -> None:
    """The integration tests that may run beside `everything`: as soon as its control plane is up."""
    _pytest(steps, "the collection as installed", AS_INSTALLED)
    _up.wait()
    _pytest(steps, "modules and refusals", *BESIDE)


def take_down(steps: Steps) -> None:
    steps.step("take the rig down", lambda: rigs.rig("down"))


def integration(steps: Steps) -> None:
    """All of tests/integration, which starts and ends the rig itself: that is one of the things it tests."""
    _pytest(steps, "the rig itself", THE_RIG)
    _pytest(steps, "integration", AS_INSTALLED, *BESIDE, AT_LENGTH, *THE_WHOLE_WAY)


def _pytest(steps: Steps, name: str, *files: str) -> None:
    tools = venvs.ensure("test")
    argv = [tools / "python", "-m", "pytest", "-q", "--durations=10", *files]
    steps.command(name, argv, venvs.environment(tools))


def molecule(steps: Steps, names: list[str]) -> None:
    known = _scenarios()
    for name in names:
        if name not in known:
            raise RigError(f"there is no scenario called {name} in molecule/; there are {', '.join(known)}")
    try:
        if steps.step("start the control plane", lambda: rigs.rig("up")):
            for name in names or known:
                _molecule(steps, name)
    finally:
        take_down(steps)


def slow(steps: Steps) -> None:
    """What `make test` leaves out."""
    try:
        if not steps.step("start the control plane", lambda: rigs.rig("up")):
            return
        _to_go.add(name for name in _scenarios() if _is(name, "slow"))
    finally:
        _up.set()
    _pytest(steps, "integration, at length", AT_LENGTH)
    _those_to_go(steps)


def _scenarios() -> list[str]:
    return sorted(path.parent.name for path in SCENARIOS.glob("*/molecule.yml"))


def _said(name: str, word: str) -> str | None:
    found = re.search(SAID.format(word=word), (SCENARIOS / name / "vars.yml").read_text(), re.M)
    return found[1] if found else None


def _is(name: str, word: str) -> bool:
    return _said(name, word) == "true"


def _minutes(name: str) -> int:
    return int(_said(name, "minutes") or 1)


def _hosts(name: str) -> str:
    return _said(name, "own_fleet") or f"those of who runs {name}"


def _on_which_hosts(name: str) -> dict[str, str]:
    """What .config/molecule/config.yml asks for, where it is not what the scenario's runner has."""
    fleet = _said(name, "own_fleet")
    told = {"KUBEGPU_MOLECULE_FLEET": fleet} if fleet else {}
    return {**told, "KUBEGPU_MOLECULE_LIMIT": "gpu_nodes[0]:localhost"} if _is(name, "one_host") else told


def _molecule(steps: Steps, name: str, **env: str) -> None:
    steps.step(f"molecule {name}", partial(_scenario, steps, name, env))


def _scenario(steps: Steps, name: str, env: dict[str, str]) -> None:
    tools = venvs.ensure("test")
    argv = [tools / "molecule", "test", "--scenario-name", name]
    # A folder of its own for each run: in the usual one a run that was killed leaves the word that its hosts are there.
    with tempfile.TemporaryDirectory(prefix="kubegpu-molecule-") as state:
        env = {**rigs.environment(tools), **env, **_on_which_hosts(name), "MOLECULE_EPHEMERAL_DIRECTORY": state}
        text = steps.logged(f"molecule-{name}", argv, env)
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


def bench_facts() -> int:
    """What nvidia_facts costs on a host that site.yml has made a GPU node."""
    tools = venvs.ensure("test")
    try:
        rigs.rig("up", "--fresh", "demo")
        env = rigs.environment(tools)
        site = [str(tools / "ansible-playbook"), "site.yml", "-i", "inventories/demo"]
        bench = [str(tools / "python"), "tests/bench/facts.py"]
        for argv in (site, bench):
            status = subprocess.run(argv, cwd=CHECKOUT, env=env, stdin=subprocess.DEVNULL).returncode
            if status != 0:
                return status
        return 0
    finally:
        rigs.rig("down")


def bench_driver(more: list[str]) -> int:
    """What the roles nvidia_driver and cuda cost a converged host, and a first install beside apt-get."""
    tools = venvs.ensure("test")
    argv = [str(tools / "python"), "tests/bench/driver.py", *more]
    try:
        rigs.rig("up")
        return subprocess.run(argv, cwd=CHECKOUT, env=rigs.environment(tools), stdin=subprocess.DEVNULL).returncode
    finally:
        rigs.rig("down")
