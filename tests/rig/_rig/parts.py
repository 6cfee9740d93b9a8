# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts that are built from Go modules: `ensure(name)` returns a folder whose `bin/` holds the part's programs."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from _rig.cache import RIG, cache, key, made_once, scratch
from _rig.shell import RigError, attempt, last_words

NO_NETWORK = ("dial tcp", "no such host", "connection refused", "i/o timeout", "TLS handshake timeout")


class Part(NamedTuple):
    name: str
    version: str
    module: str
    programs: dict[str, str]  # name of the program -> its Go package
    files: dict[str, list[str]]  # name of a YAML file -> the module's files that it is joined of
    cgo: bool
    ldflags: str
    optional: bool


def table() -> dict[str, Any]:
    """parts.toml as it stands."""
    return tomllib.loads((RIG / "parts.toml").read_text())


def parts() -> dict[str, Part]:
    return {name: _part(name, entry) for name, entry in table()["parts"].items()}


def _part(name: str, entry: dict[str, Any]) -> Part:
    ldflags = " ".join(entry["ldflags"]).replace("{version}", entry["version"])
    programs, files = entry["programs"], entry.get("files", {})
    return Part(
        name, entry["version"], entry["module"], programs, files, entry["cgo"], ldflags, entry.get("optional", False)
    )


def ensure(name: str) -> Path:
    """The folder of a part, built into the cache when missing. Programs found in $KUBEGPU_RIG_BIN need no building."""
    known = parts()
    if name not in known:
        raise RigError(f"there is no part called {name}; known are {', '.join(known)}")
    part = known[name]
    given = _given(part)
    what = f"build {part.name} {part.version}" if len(given) < len(part.programs) else f"take {part.name} as given"
    return made_once(_folder(part, given), lambda new: _fill(part, given, new), what)


def to_be_built() -> list[str]:
    """The parts of a demo that are neither given nor in the cache: these need Go."""
    wanted = [part for part in parts().values() if not part.optional]
    givens = [(part, _given(part)) for part in wanted]
    return [
        part.name for part, given in givens if len(given) < len(part.programs) and not _folder(part, given).is_dir()
    ]


def _folder(part: Part, given: dict[str, Path]) -> Path:
    module = RIG / "go" / part.name
    inputs: list[str | Path] = [part.version, part.ldflags, str(part.cgo), *sorted(part.programs.values())]
    inputs += [f"{name} {paths}" for name, paths in part.files.items()]
    inputs += [path for path in (module / "go.mod", module / "go.sum") if path.exists()]
    inputs += [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in given.values()]
    return cache() / "parts" / f"{part.name}-{key(*inputs)}"


def _given(part: Part) -> dict[str, Path]:
    folder = os.environ.get("KUBEGPU_RIG_BIN")
    if not folder:
        return {}
    found = {program: Path(folder).resolve() / program for program in part.programs}
    return {program: path for program, path in found.items() if path.is_file()}


def _fill(part: Part, given: dict[str, Path], folder: Path) -> None:
    target = folder / "bin"
    target.mkdir()
    for program, path in given.items():
        shutil.copy2(path, target / program)
    missing = [package for program, package in part.programs.items() if program not in given]
    if missing:
        need_go()
        scratch(folder).mkdir()
        _go_build(part, missing, target, scratch(folder))
    if part.files:
        _join_files(part, folder)


def _join_files(part: Part, folder: Path) -> None:
    """YAML files of the part's module, each written as one file of several documents."""
    need_go()
    answer = attempt("go", "mod", "download", "-json", f"{part.module}@{part.version}", cwd=RIG / "go" / part.name)
    if answer.returncode != 0:
        raise RigError(f"the Go module of {part.name} cannot be downloaded:\n{last_words(answer.stderr)}")
    source = Path(json.loads(answer.stdout)["Dir"])
    for name, paths in part.files.items():
        (folder / name).write_text("\n---\n".join((source / path).read_text() for path in paths))


def _go_build(part: Part, packages: list[str], target: Path, tmp: Path) -> None:
    argv = ["go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", f"-ldflags={part.ldflags}"]
    env = {
        "CGO_ENABLED": "1" if part.cgo else "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "",
        "GOWORK": "off",
        "GOTMPDIR": str(tmp),
    }
    if part.cgo:
        # Upstream's own flag: the driver library's entry points are found when it is loaded, not when this is linked.
        env["CGO_LDFLAGS"] = "-Wl,--unresolved-symbols=ignore-in-object-files"
    module = RIG / "go" / part.name
    result = attempt(*argv, "-o", f"{target}/", *packages, cwd=module, env=env)
    if result.returncode != 0 and any(hint in result.stderr for hint in NO_NETWORK):
        raise RigError(
            f"the Go modules of {part.name} cannot be downloaded: this machine reaches no Go module proxy; connect it "
            "or name one that it reaches (`go env -w GOPROXY=...`)"
        )
    if result.returncode != 0:
        raise RigError(f"building {part.name} failed:\n{last_words(result.stderr)}")


def need_go() -> None:
    """Refuse early, in one sentence, when Go is missing or too old."""
    wanted = str(table()["go"]["minimum"])
    answer = attempt("go", "env", "GOVERSION", env={"GOTOOLCHAIN": "local"})
    found = answer.stdout.strip().removeprefix("go") if answer.returncode == 0 else ""
    if not found or _numbers(found) < _numbers(wanted):
        what = f"Go {found} is too old" if found else "Go is missing"
        raise RigError(
            f"{what}: Kubernetes is built from source with Go >= {wanted}; install it from https://go.dev/dl/ and put "
            "its bin folder on PATH, or name a folder with built programs in KUBEGPU_RIG_BIN"
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(word) for word in version.split()[0].split(".")[:2] if word.isdigit())
