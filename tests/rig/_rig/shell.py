# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running other programs, and telling people what happens. The only error of the rig is `RigError`: a sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

STARTED = time.monotonic()
NO_NETWORK = re.compile(
    r"Temporary failure (in name resolution|resolving)|Could not resolve|Name or service not known|no such host"
    r"|Network is unreachable|dial tcp .*(i/o timeout|refused)|Failed to establish a new connection"
)


class RigError(Exception):
    """A sentence for people: what is wrong, and what to do about it."""


def say(text: str) -> None:
    """One line of progress on stderr; stdout is for results (`rig env`)."""
    print(f"rig {time.monotonic() - STARTED:6.1f}s  {text}", file=sys.stderr, flush=True)


def run(
    *argv: str | Path,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    shielded: bool = False,
) -> str:
    """Run a program to its end and return what it printed; its failure is a RigError with its last words."""
    result = attempt(*argv, stdin=stdin, env=env, cwd=cwd, shielded=shielded)
    if result.returncode != 0:
        raise RigError(explained(argv, result.returncode, result.stderr or result.stdout))
    return result.stdout


def explained(argv: Sequence[str | Path], status: int, said: str) -> str:
    """What to tell about a program that failed: its last words, or one sentence where it had no network."""
    missing = next((line.strip() for line in said.splitlines() if NO_NETWORK.search(line)), None)
    if missing is None:
        return f"`{_shown(argv)}` ended with {status}:\n{last_words(said)}"
    return (
        f"{Path(str(argv[0])).name} cannot reach the packages that it downloads once ({missing[:160]}); connect this "
        "machine to PyPI, Debian's packages and the Go module proxy, or name their mirrors with PIP_INDEX_URL, "
        "GOPROXY and https_proxy"
    )


def attempt(
    *argv: str | Path,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    shielded: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a program whose failure is an answer; a missing program answers 127.

    A shielded program is not reached by what ends the rig (Ctrl-C, a killed process group): it comes to its end.
    """
    command = [str(word) for word in argv]
    try:
        return subprocess.run(
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            cwd=cwd,
            start_new_session=shielded,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
        )
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def last_words(text: str, lines: int = 15) -> str:
    return "\n".join("    " + line for line in text.strip().splitlines()[-lines:])


def _shown(argv: Sequence[str | Path]) -> str:
    words = [str(word) for word in argv]
    return " ".join(words[:6]) + (" ..." if len(words) > 6 else "")
