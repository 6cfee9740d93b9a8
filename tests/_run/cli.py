# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Table of contents of tests/run."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from _rig import needs
from _rig.cache import cache
from _rig.shell import RigError, say

from _run import checks, cluster, demo, rigs, venvs
from _run.steps import Steps

USAGE = """usage: tests/run COMMAND
  demo, demo-down               the main job on simulated hosts
  test, test-slow               every check; what takes too long for it
  lint, units, sanity           the checks without a cluster
  integration, molecule [NAME]  the checks with one
  bench, bench-facts            what a run costs; what reading the facts costs a host
  bench-driver                  what driver and CUDA cost, a first install beside apt-get
  clean                         take everything down, empty the cache"""


def main(words: list[str]) -> int:
    command, more = (words or ["help"])[0], words[1:]
    if command not in COMMANDS:
        print(USAGE)
        return 0 if command in ("help", "--help", "-h") else 2
    try:
        if command in OVER_THE_RIG:
            needs.check()  # before anything is downloaded: a machine that lacks something stays as it is
        return COMMANDS[command](more)
    except RigError as error:
        print(f"\n{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


Part = Callable[[Steps], None]


def _steps(*tracks: Sequence[Part], last: Part | None = None) -> Callable[[list[str]], int]:
    """Each track in its order, the tracks side by side: one mostly computes while the other mostly waits."""

    def walk(track: Sequence[Part], steps: Steps) -> None:
        for part in track:
            part(steps)

    def work(_more: list[str]) -> int:
        steps = Steps()
        try:
            if steps.step("Python packages", lambda: venvs.ensure("test")):
                with ThreadPoolExecutor(len(tracks)) as pool:
                    for walking in [pool.submit(walk, track, steps) for track in tracks]:
                        walking.result()
        finally:
            if last:
                last(steps)
        return steps.close()

    return work


def _molecule(more: list[str]) -> int:
    return _steps([lambda steps: cluster.molecule(steps, more)])([])


def _down(_more: list[str]) -> int:
    rigs.rig("down")
    return 0


def _clean(_more: list[str]) -> int:
    rigs.rig("down")
    say(f"empty {cache()}")
    shutil.rmtree(cache(), ignore_errors=True)
    return 0


OVER_THE_RIG = ("demo", "test", "test-slow", "integration", "molecule", "bench", "bench-facts", "bench-driver")
COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "demo": lambda _more: demo.demo(),
    "demo-down": _down,
    "test": _steps(
        [checks.lint, checks.sanity],
        [checks.units, cluster.beside, cluster.scenarios_beside("molecule-3")],
        [cluster.everything],
        [cluster.scenarios_beside("molecule-2")],
        last=cluster.take_down,
    ),
    "test-slow": _steps([cluster.slow], [cluster.scenarios_beside("molecule-2")], last=cluster.take_down),
    "lint": _steps([checks.lint]),
    "units": _steps([checks.units]),
    "sanity": _steps([checks.sanity]),
    "integration": _steps([cluster.integration]),
    "molecule": _molecule,
    "bench": lambda _more: cluster.bench(),
    "bench-facts": lambda _more: cluster.bench_facts(),
    "bench-driver": cluster.bench_driver,
    "clean": _clean,
}
