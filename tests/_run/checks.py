# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks that need no cluster: style, types, documentation, unit tests on several ansible-cores, sanity."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

from _rig.cache import CHECKOUT, cache
from _rig.shell import RigError, run, say

from _run import venvs
from _run.steps import Steps

PYTHON = ("plugins", "tests")
CORES = (
    # ansible-core, the interpreters it runs on (newest first)
    ("2.16.19", ("3.12", "3.11", "3.10")),
    ("2.21.5", ("3.13", "3.14", "3.12")),
)
# ansible-test fetches a bootstrap script for pip from a server of its own unless it finds one in its cache, as its own
# error message advises. Python's ensurepip does the same from what every machine has.
GET_PIP = """import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip"])
wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
raise SystemExit(subprocess.call([sys.executable, "-m", "pip", "install", *wanted]))
"""


def lint(steps: Steps) -> None:
    tools = venvs.ensure("test")
    env = venvs.environment(tools)
    steps.command("ruff", [tools / "ruff", "check", *PYTHON], env)
    steps.command("ruff format", [tools / "ruff", "format", "--check", *PYTHON], env)
    steps.step("mypy", lambda: types(steps))
    steps.command("ansible-lint", [tools / "ansible-lint", "--profile", "production", "--offline", "--strict"], env)
    steps.command("antsibull-changelog lint", [tools / "antsibull-changelog", "lint"], env)
    steps.step("documentation", lambda: documentation(steps))


def types(steps: Steps) -> None:
    tools = venvs.ensure("test")
    env = venvs.environment(tools)
    settings = ["--config-file", CHECKOUT / "pyproject.toml"]
    tree = collection_copy()
    root = tree.parents[2]
    product = [tree / "plugins", tree / "tests" / "unit" / "plugins"]
    steps.logged("mypy-collection", [tools / "mypy", *settings, *product], {**env, "MYPYPATH": str(root)}, cwd=root)
    homes = [CHECKOUT / "tests", *(CHECKOUT / "tests" / name for name in ("rig", "integration", "bench"))]
    workshop = ["tests/_run", "tests/rig/_rig", "tests/bench", "tests/integration", "tests/unit/rig"]
    path = os.pathsep.join(map(str, homes))
    steps.logged("mypy-workshop", [tools / "mypy", *settings, *workshop], {**env, "MYPYPATH": path})


def documentation(steps: Steps) -> None:
    """antsibull-docs reads the documentation of every plugin and role as a docs site would, references included."""
    tools = venvs.ensure("test")
    tree = collection_copy()
    argv = [
        tools / "antsibull-docs",
        "lint-collection-docs",
        "--plugin-docs",
        "--validate-collection-refs",
        "self",
        tree,
    ]
    steps.logged("antsibull-docs", argv, venvs.environment(tools), cwd=tree)


def units(steps: Steps) -> None:
    """On the oldest and the newest supported ansible-core, and on the one of the scenarios if either cannot run."""
    here = dict(venvs.interpreters())
    usable = {core: next((here[minor] for minor in pythons if minor in here), None) for core, pythons in CORES}
    both = all(usable.values())
    tools = venvs.ensure("test")
    # the rig is a program of its own for the Python of this machine; it does not run inside ansible-core
    what = "tests/unit/rig" if both else "tests/unit"
    name = "units of the rig" if both else "units"
    steps.command(name, [tools / "python", "-m", "pytest", "-q", what], venvs.environment(tools))
    for number, (core, pythons) in enumerate(reversed(CORES)):
        python = usable[core]
        if python is None:
            wanted = " or ".join(pythons)
            say(f"== units on ansible-core {core}: could not run, it needs Python {wanted} and none is here")
            continue
        name = f"units on ansible-core {core}, Python {venvs.version(python)}"
        more = ["--hypothesis-profile=again"] if number else []
        steps.step(name, partial(_units_on, steps, core, python, more, name))


def _units_on(steps: Steps, core: str, python: str, more: list[str], name: str) -> None:
    tools = venvs.ensure("units", python, (f"ansible-core=={core}",))
    argv = [tools / "python", "-m", "pytest", "-q", "tests/unit", "--ignore=tests/unit/rig", *more]
    steps.logged(name, argv, venvs.environment(tools))


def sanity(steps: Steps) -> None:
    steps.step("ansible-test sanity", lambda: _sanity(steps))


def _sanity(steps: Steps) -> None:
    tools = venvs.ensure("test")
    tree = built_collection(steps)
    home = _home_for_ansible_test()
    found = [str(Path(path).parent) for _, path in venvs.interpreters() if os.sep in path]
    env = venvs.environment(tools)
    env.update(HOME=str(home), PATH=os.pathsep.join([str(tools), *found, os.environ["PATH"]]))
    argv = [tools / "ansible-test", "sanity", "--requirements", "--color", "no"]
    text = steps.logged("sanity", argv, env, cwd=tree)
    versions = sorted(
        {line.rsplit(" ", 1)[-1] for line in text.splitlines() if line.startswith('Running sanity test "import"')}
    )
    say(f"   modules imported on Python {', '.join(versions)}")


def _home_for_ansible_test() -> Path:
    home = cache() / "ansible-test"
    bootstraps = home / ".ansible" / "test" / "cache"
    bootstraps.mkdir(parents=True, exist_ok=True)
    (bootstraps / "get_pip_24_2.py").write_text(GET_PIP)  # the version that ansible-test of core 2.19 asks for
    for settings in (".config", ".pip"):
        link = home / settings
        if not link.is_symlink() and (Path.home() / settings).exists():
            link.symlink_to(Path.home() / settings)
    return home


def built_collection(steps: Steps) -> Path:
    """What users get: the collection built and installed. The workshop around it is ruff's and mypy's to judge."""
    tools = venvs.ensure("test")
    env = venvs.environment(tools)
    place = cache() / "built"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    galaxy = tools / "ansible-galaxy"
    steps.logged("build", [galaxy, "collection", "build", collection_copy(), "--output-path", place], env)
    (tarball,) = place.glob("*.tar.gz")
    install = [galaxy, "collection", "install", tarball, "--no-deps", "--collections-path", place]
    # away from the checkout, whose ansible.cfg would say that it is installed already
    steps.logged("install", install, env, cwd=place)
    return place / "ansible_collections" / "kubegpu" / "nodes"


def collection_copy() -> Path:
    """The files of the checkout (tracked, and new ones that git would take) where ansible's tools insist on them."""
    tree = cache() / "tree" / "ansible_collections" / "kubegpu" / "nodes"
    shutil.rmtree(tree, ignore_errors=True)
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=CHECKOUT)
    for name in filter(None, names.split("\0")):
        source = CHECKOUT / name
        if name.startswith("collections/") or not source.exists():
            continue
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, tree / name, follow_symlinks=False)
    if not (tree / "galaxy.yml").is_file():
        raise RigError(f"{CHECKOUT} is not a git checkout of the collection: git ls-files names no galaxy.yml")
    return tree
