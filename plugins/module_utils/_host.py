# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the adapter to the host that a module runs on. It reads and runs; it decides nothing."""

from __future__ import annotations

import concurrent.futures
import copy
import glob
import hashlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError

# A remote user's PATH often lacks the folders of the system's own tools.
SEARCH_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
TIME_LIMIT_S = 10.0
READ_LIMIT = 4 * 1024 * 1024


class Answer(t.NamedTuple):
    """What a command said. A status other than 0 is an answer too; who asked knows what it means."""

    rc: int
    out: str
    err: str


class Space(t.NamedTuple):
    """Of a file system. What is kept for root does not count as available."""

    total_bytes: int
    available_bytes: int


class Host:
    """Files below ``root`` and commands of this machine."""

    def __init__(self, root: str = "/", time_limit_s: float = TIME_LIMIT_S) -> None:
        self._root = root.rstrip("/")
        self.time_limit_s = time_limit_s
        self._asking = threading.Lock()
        self._asked: dict[tuple[str, ...], concurrent.futures.Future[Answer]] = {}

    def read(self, path: str, limit: int = READ_LIMIT) -> str:
        """The text of a file, at most ``limit`` bytes of it. What is not UTF-8 becomes U+FFFD."""
        return self._read(path, limit).decode("utf-8", errors="replace")

    def read_in_time(self, path: str) -> str:
        """The text of a file that may never answer: one of a driver's, which waits for its hardware."""
        answer = self.run("cat", self._at(path))
        if answer.rc != 0:
            raise KubeGpuError(f"{path}: {answer.err.strip() or 'cannot be read'}", path=path)
        return answer.out

    def digest(self, path: str) -> str:
        """SHA-256 of a regular file, in hex."""
        if os.path.exists(self._at(path)) and not os.path.isfile(self._at(path)):
            raise KubeGpuError(f"{path}: not a regular file", path=path)
        return hashlib.sha256(self._read(path, -1)).hexdigest()

    def exists(self, path: str) -> bool:
        return os.path.exists(self._at(path))

    def is_dir(self, path: str) -> bool:
        return os.path.isdir(self._at(path))

    def list_dir(self, path: str) -> list[str]:
        """Names in a folder, sorted."""
        try:
            return sorted(os.listdir(self._at(path)))
        except OSError as exc:
            raise _unreadable(path, exc) from exc

    def links(self, path: str) -> list[str]:
        """Where the links in a folder lead, as they say it. A link that vanishes meanwhile is passed over."""
        try:
            folder = os.open(self._at(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as exc:
            raise _unreadable(path, exc) from exc
        try:
            return list(_targets(folder))
        except OSError as exc:
            raise _unreadable(path, exc) from exc
        finally:
            os.close(folder)

    def space(self, path: str) -> Space:
        """Of the file system that holds a path."""
        try:
            found = os.statvfs(self._at(path))
        except OSError as exc:
            raise _unreadable(path, exc) from exc
        return Space(found.f_frsize * found.f_blocks, found.f_frsize * found.f_bavail)

    def glob(self, pattern: str) -> list[str]:
        """Paths that match, sorted, as the host names them."""
        return sorted(found[len(self._root) :] for found in glob.glob(self._at(pattern)))

    def real_path(self, path: str) -> str | None:
        """Where a chain of links ends, or None where nothing is there."""
        found = os.path.realpath(self._at(path))
        root = os.path.realpath(self._root) if self._root else ""
        return found[len(root) :] if os.path.exists(found) else None

    def which(self, command: str) -> str | None:
        folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
        return shutil.which(command, path=os.pathsep.join((*folders, *SEARCH_PATH)))

    def run(self, *argv: str) -> Answer:
        """Run a command in the C locale without input. Raises where it cannot start or does not end in time."""
        command = self.which(argv[0])
        if command is None:
            raise KubeGpuError(f"{argv[0]} not found", cmd=list(argv))
        environment = {**os.environ, "LANG": "C", "LC_ALL": "C", "LANGUAGE": "C"}
        try:
            process = subprocess.Popen(
                [command, *argv[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        except OSError as exc:
            raise KubeGpuError(f"{argv[0]} cannot be started: {exc.strerror}", cmd=list(argv)) from exc
        return self._answer(process, argv)

    def run_once(self, *argv: str) -> Answer:
        """As ``run``, for what several readers ask at the same time: it runs once, and all get the one answer."""
        with self._asking:
            first = argv not in self._asked
            asked = self._asked.setdefault(argv, concurrent.futures.Future())
        if first:
            try:
                asked.set_result(self.run(*argv))
            except Exception as exc:
                asked.set_exception(exc)
        return asked.result()

    def _answer(self, process: subprocess.Popen[bytes], argv: tuple[str, ...]) -> Answer:
        try:
            out, err = process.communicate(timeout=self.time_limit_s)
        except subprocess.TimeoutExpired as exc:
            _abandon(process.pid)
            raise KubeGpuError(
                f"{argv[0]} did not answer within {self.time_limit_s:g} s", cmd=list(argv), timed_out=True
            ) from exc
        return Answer(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))

    def ask_child(self, question: t.Callable[[], t.Any]) -> Child:
        """Answer a question in a child process, so that a library that hangs or crashes takes nobody with it.

        To be called while the process has one thread only.
        """
        return Child(question, self.time_limit_s)

    def patient(self, times: int) -> Host:
        """The same host, with a time limit so many times as long."""
        other = copy.copy(self)
        other.time_limit_s *= times
        return other

    def host_name(self) -> str:
        return socket.gethostname()

    def kernel(self) -> str:
        return os.uname().release

    def machine(self) -> str:
        return os.uname().machine

    def uid(self) -> int:
        return os.geteuid()

    def _at(self, path: str) -> str:
        return f"{self._root}{path}"

    def _read(self, path: str, limit: int) -> bytes:
        try:
            with open(self._at(path), "rb") as file:
                return file.read(limit)
        except OSError as exc:
            raise _unreadable(path, exc) from exc


class Child:
    """A forked process that answers one question in JSON."""

    def __init__(self, question: t.Callable[[], t.Any], time_limit_s: float) -> None:
        self._deadline = time.monotonic() + time_limit_s
        self._time_limit_s = time_limit_s
        self._pipe, writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _answer_and_exit(question, writer)
        os.close(writer)

    def answer(self) -> t.Any:
        """The answer. Raises where the child hangs, dies or speaks nonsense."""
        try:
            text = self._read_to_end()
        finally:
            os.close(self._pipe)
        status = self._status()
        if os.WIFSIGNALED(status):
            raise KubeGpuError(f"ended by signal {os.WTERMSIG(status)}")
        try:
            return json.loads(text.decode("utf-8"))
        except ValueError as exc:
            raise KubeGpuError(f"gave no answer (exit status {os.WEXITSTATUS(status)})") from exc

    def _status(self) -> int:
        """How it ended. One that has said everything may still hang where the kernel closes its files."""
        while True:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                return status
            if time.monotonic() > self._deadline:
                raise self._hangs()
            time.sleep(0.001)

    def _read_to_end(self) -> bytes:
        text = b""
        while True:
            left = self._deadline - time.monotonic()
            if not select.select([self._pipe], [], [], max(left, 0))[0]:
                raise self._hangs()
            piece = os.read(self._pipe, 65536)
            if not piece:
                return text
            text += piece

    def _hangs(self) -> KubeGpuError:
        _abandon(self._pid)
        return KubeGpuError(f"did not answer within {self._time_limit_s:g} s", timed_out=True)


def _answer_and_exit(question: t.Callable[[], t.Any], writer: int) -> t.NoReturn:
    """The child's life. Its 0, 1 and 2 are not the module's: a child that hangs must not keep them open."""
    status = 1
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(json.dumps(question()).encode("utf-8"))
        status = 0
    finally:
        os._exit(status)


def _abandon(pid: int) -> None:
    """Kill a child and its own without waiting long: one that hangs in the kernel ends when the kernel lets it."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(pid, signal.SIGKILL)  # it has not come as far as leading a group; it is there until it is waited for
    deadline = time.monotonic() + 0.2
    try:
        while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
    except ChildProcessError:
        return


def _targets(folder: int) -> t.Iterator[str]:
    for name in os.listdir(folder):
        try:
            yield os.readlink(name, dir_fd=folder)
        except (FileNotFoundError, ProcessLookupError):
            continue


def _unreadable(path: str, exc: OSError) -> KubeGpuError:
    missing = isinstance(exc, (FileNotFoundError, ProcessLookupError))
    return KubeGpuError(f"{path}: {exc.strerror}", path=path, missing=missing)
