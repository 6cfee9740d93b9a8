# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Named steps, one after the other: progress while they run, the end of the log when one fails, a table at the end."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from _rig.cache import CHECKOUT, cache
from _rig.shell import STARTED, RigError, last_words, say

BREATH = 30  # seconds between two lines that say a step is still at work


class Done(NamedTuple):
    name: str
    failed: str  # '' when it passed
    seconds: float


class Steps:
    """Runs steps, remembers how each ended. A failed step does not stop the others: one run names all that is wrong."""

    def __init__(self) -> None:
        self.done: list[Done] = []
        self.logs = cache() / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)

    def step(self, name: str, work: Callable[[], object]) -> bool:
        say(f"== {name}")
        begun = time.monotonic()
        failed = ""
        try:
            work()
        except RigError as error:
            failed = str(error)
            say(f"== {name}: FAILED\n{failed}")
        self.done.append(Done(name, failed, time.monotonic() - begun))
        return not failed

    def command(self, name: str, argv: Sequence[object], env: Mapping[str, str], cwd: Path = CHECKOUT) -> bool:
        """A step that is one program; its output goes to a log whose end is shown when it fails."""
        return self.step(name, lambda: self.logged(name, argv, env, cwd))

    def logged(self, name: str, argv: Sequence[object], env: Mapping[str, str], cwd: Path = CHECKOUT) -> str:
        log = self.logs / f"{name.replace(' ', '-').replace('/', '-')}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                list(map(str, argv)),
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
            _wait_aloud(process, name)
        text = log.read_text(errors="replace")
        if process.returncode != 0:
            raise RigError(f"{last_words(text, 60)}\n    (exit status {process.returncode}; whole log: {log})")
        return text

    def close(self) -> int:
        """Print the table and the closing line; 0 when all passed."""
        width = max((len(done.name) for done in self.done), default=0)
        print("\nwhere the time went", flush=True)
        for done in self.done:
            print(f"  {done.name:<{width}}  {done.seconds:7.1f} s  {'FAILED' if done.failed else 'passed'}")
        print(f"  {'in all':<{width}}  {time.monotonic() - STARTED:7.1f} s (some side by side)\n")
        bad = sum(1 for done in self.done if done.failed)
        print(f"{len(self.done) - bad} passed, {bad} failed", flush=True)
        return 1 if bad else 0


def _wait_aloud(process: subprocess.Popen[bytes], name: str) -> None:
    begun = time.monotonic()
    while True:
        try:
            process.wait(timeout=BREATH)
        except subprocess.TimeoutExpired:
            say(f"   {name}: at work for {time.monotonic() - begun:.0f} s")
        except BaseException:
            process.terminate()
            process.wait()
            raise
        else:
            return


def in_ci() -> bool:
    return os.environ.get("CI") == "true"
