# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache: folders that are made once, whole or not at all, and named after everything that went into them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from _rig.shell import say

RIG = Path(__file__).resolve().parents[1]
CHECKOUT = RIG.parents[1]

_spent: dict[str, float] = {}


def cache() -> Path:
    """$KUBEGPU_CACHE, or the user's cache folder; never inside the checkout."""
    given = os.environ.get("KUBEGPU_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given) if given else home / "kubegpu-nodes"


def key(*inputs: str | bytes | Path) -> str:
    """A short name for exactly these inputs. A path stands for its content (a folder: names, modes and contents)."""
    digest = hashlib.sha256()
    for piece in inputs:
        for part in _content(piece):
            digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


def _content(piece: str | bytes | Path) -> Iterator[bytes]:
    if isinstance(piece, bytes):
        yield piece
    elif isinstance(piece, str):
        yield piece.encode()
    elif piece.is_dir():
        for path in sorted(path for path in piece.rglob("*") if "__pycache__" not in path.parts):
            yield f"{path.relative_to(piece)} {path.lstat().st_mode & 0o111:o}".encode()
            yield from _content(path) if not path.is_dir() else ()
    else:
        yield os.readlink(piece).encode() if piece.is_symlink() else piece.read_bytes()


def made_once(folder: Path, make: Callable[[Path], None], what: str) -> Path:
    """Return `folder`; when it is missing let `make` fill an empty one, which takes its name only when it is whole.

    Two rigs at once: the second waits for the first. One that was killed leaves `<folder>.part` and `<folder>.tmp`,
    which the next one sweeps.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent / f".{folder.name}.lock", f"another rig makes {what}"):
        if folder.is_dir():
            return folder
        part = folder.parent / f"{folder.name}.part"
        for old in (part, scratch(part)):
            shutil.rmtree(old, ignore_errors=True)
        part.mkdir()
        say(f"{what} ...")
        begun = time.monotonic()
        with saying_so(what):
            make(part)
        shutil.rmtree(scratch(part), ignore_errors=True)
        part.rename(folder)
        _spent[what] = time.monotonic() - begun
        say(f"{what}: {_spent[what]:.0f} s")
    return folder


@contextmanager
def saying_so(what: str, every: float = 60) -> Iterator[None]:
    """Say from time to time that something long is still at work."""
    begun, ended = time.monotonic(), threading.Event()

    def speak() -> None:
        while not ended.wait(every):
            say(f"{what}: at work for {time.monotonic() - begun:.0f} s")

    voice = threading.Thread(target=speak, daemon=True)
    voice.start()
    try:
        yield
    finally:
        ended.set()
        voice.join()


def scratch(part: Path) -> Path:
    """Where the programs that fill `part` may keep their temporary files; swept together with it."""
    return part.with_suffix(".tmp")


def time_spent() -> dict[str, float]:
    """What this run had to make, and the seconds each took."""
    return dict(_spent)


@contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock file; the kernel releases it whenever and however this process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{busy}; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
