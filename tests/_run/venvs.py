# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python environments outside the checkout, made once for each set of requirements and interpreter."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from _rig import needs
from _rig.cache import CHECKOUT, cache, key, locked, saying_so
from _rig.shell import attempt, run, say

REQUIREMENTS = CHECKOUT / "tests" / "requirements"


def ensure(wanted: str, python: str = sys.executable, extra: tuple[str, ...] = ()) -> Path:
    """The bin folder of an environment that holds tests/requirements/<wanted>.txt and the `extra` requirements.

    The sets of one interpreter share an environment where they build on each other (test.txt includes controller.txt),
    so that `make test` after `make demo` adds instead of starting over.
    """
    family = "" if wanted in ("controller", "test") else wanted
    name = key(version(python), family, *extra, *sorted(REQUIREMENTS.iterdir()))
    folder = cache() / f"venv-{name}"
    stamp = folder / f".{wanted}"
    with locked(cache() / f".venv-{name}.lock", "another run sets up the same Python environment"):
        if not stamp.exists():
            say(f"set up Python packages ({wanted}{', ' + ', '.join(extra) if extra else ''}) ...")
            if attempt(python, "-c", "import ensurepip").returncode != 0:
                needs.install({f"ensurepip for {python}": "python3-venv"})
            if not (folder / "bin" / "pip").exists():
                run(python, "-m", "venv", "--clear", folder)
            with saying_so("Python packages"):
                run(folder / "bin" / "pip", "install", "--quiet", "-r", REQUIREMENTS / f"{wanted}.txt", *extra)
            stamp.touch()
    return folder / "bin"


def version(python: str) -> str:
    """Version of an interpreter, '' when it does not run (a pyenv shim without a version behind it)."""
    answer = attempt(python, "-c", "import platform; print(platform.python_version())")
    return answer.stdout.strip() if answer.returncode == 0 else ""


def interpreters() -> Iterator[tuple[str, str]]:
    """(minor version, path) of each CPython that this machine has, on PATH or under pyenv; newest patch first."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for minor in ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14"):
        candidates = [f"python{minor}", *sorted(map(str, pyenv.glob(f"{minor}.*/bin/python{minor}")), reverse=True)]
        for candidate in candidates:
            if version(candidate).startswith(minor + "."):
                yield minor, candidate
                break


def environment(bin_folder: Path) -> dict[str, str]:
    """The environment in which the tools of a venv find each other."""
    return {
        **os.environ,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(bin_folder.parent),
        "ANSIBLE_NOCOLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
    }
