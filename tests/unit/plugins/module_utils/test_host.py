# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The adapter: what hangs is left behind in time, what crashes is named, and nothing is decided."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import sys
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host


def test_a_command_answers_in_the_c_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    answer = Host().run("sh", "-c", "echo $LANG $LC_ALL; echo oops >&2; exit 3")
    assert answer == (3, "C C\n", "oops\n")


def test_a_missing_command_is_named() -> None:
    with pytest.raises(KubeGpuError, match="^no-such-thing not found$"):
        Host().run("no-such-thing")


def test_a_hanging_command_is_left_behind_with_its_children() -> None:
    began = time.monotonic()
    with pytest.raises(KubeGpuError, match=r"^sh did not answer within 0.2 s$") as caught:
        Host(time_limit_s=0.2).run("sh", "-c", "sleep 30 & sleep 30")
    assert time.monotonic() - began < 5
    assert caught.value.details["timed_out"]


def test_what_several_readers_ask_runs_once(tmp_path: Path) -> None:
    host = Host()
    question = ("sh", "-c", f"echo x >> {tmp_path}/count; sleep 0.1; echo done")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: host.run_once(*question), range(4)))
    assert [answer.out for answer in answers] == ["done\n"] * 4
    assert (tmp_path / "count").read_text() == "x\n"


def test_what_several_readers_ask_fails_for_all_of_them() -> None:
    host = Host()
    for _ in range(2):
        with pytest.raises(KubeGpuError, match="^no-such-thing not found$"):
            host.run_once("no-such-thing")


def test_links_as_they_say_it(tmp_path: Path) -> None:
    (tmp_path / "fd").mkdir()
    (tmp_path / "fd" / "3").symlink_to("/dev/nvidia0 (deleted)")
    assert Host(str(tmp_path)).links("/fd") == ["/dev/nvidia0 (deleted)"]
    with pytest.raises(KubeGpuError, match="^/none: No such file"):
        Host(str(tmp_path)).links("/none")


def test_what_is_not_utf8_is_still_text(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a\xffb")
    assert Host(str(tmp_path)).read("/x") == "a\ufffdb"
    assert Host().run("printf", r"\377").out == "\ufffd"


def test_a_missing_file_is_told_from_an_unreadable_one(tmp_path: Path) -> None:
    for path, missing in (("/none", True), ("", False)):
        with pytest.raises(KubeGpuError) as caught:
            Host(str(tmp_path)).read(path)
        assert caught.value.details["missing"] is missing


def test_a_digest_is_only_of_a_regular_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    assert Host(str(tmp_path)).digest("/x").startswith("e3b0c442")
    with pytest.raises(KubeGpuError, match="not a regular file"):
        Host(str(tmp_path)).digest("/pipe")


def test_paths_are_the_hosts_own(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/a.conf").write_text("")
    (tmp_path / "etc/b.conf").symlink_to("a.conf")
    host = Host(str(tmp_path))
    assert host.glob("/etc/*.conf") == ["/etc/a.conf", "/etc/b.conf"]
    assert host.real_path("/etc/b.conf") == "/etc/a.conf"
    assert host.real_path("/etc/none") is None
    assert host.list_dir("/etc") == ["a.conf", "b.conf"]


def hang() -> None:
    time.sleep(30)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise ValueError("this goes nowhere")


def quit_early() -> None:
    sys.exit(0)


def speak() -> dict[str, t.Any]:
    print("a library that talks does not disturb the module's own output")
    return {"gpus": ["x" * 200_000]}


def test_a_child_answers() -> None:
    assert Host().ask_child(speak).answer() == speak()


def stay() -> None:
    """The pipe is closed, but the process does not end."""
    os.closerange(3, 1024)
    time.sleep(30)


CHILDREN = {
    "hangs": (hang, "did not answer within 0.3 s"),
    "hangs on its way out": (stay, "did not answer within 0.3 s"),
    "crashes": (crash, "ended by signal 9"),
    "fails": (fail, r"gave no answer \(exit status 1\)"),
    "quits": (quit_early, r"gave no answer \(exit status 1\)"),
}


@pytest.mark.parametrize("question, reason", CHILDREN.values(), ids=CHILDREN.keys())
def test_a_child_in_trouble(question: t.Callable[[], None], reason: str) -> None:
    began = time.monotonic()
    with pytest.raises(KubeGpuError, match=f"^{reason}$"):
        Host(time_limit_s=0.3).ask_child(question).answer()
    assert time.monotonic() - began < 5


def test_nothing_is_left_behind() -> None:
    with pytest.raises(KubeGpuError):
        Host(time_limit_s=0.1).ask_child(hang).answer()
    assert_no_child_is_left()


def test_a_child_that_has_hardly_begun_is_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine it may not even lead a process group by the time that it is given up."""
    monkeypatch.setattr(os, "setsid", hang)
    with pytest.raises(KubeGpuError):
        Host(time_limit_s=0.1).ask_child(hang).answer()
    assert_no_child_is_left()


def assert_no_child_is_left() -> None:
    """A killed process ends when the machine gets around to it."""
    deadline = time.monotonic() + 5
    with pytest.raises(ChildProcessError):
        while time.monotonic() < deadline:
            os.waitpid(-1, os.WNOHANG)
            time.sleep(0.01)


def test_room_on_a_file_system(tmp_path: Path) -> None:
    space = Host(str(tmp_path)).space("/")
    assert space.total_bytes > space.available_bytes >= 0
    with pytest.raises(KubeGpuError, match="^/none: No such file"):
        Host(str(tmp_path)).space("/none")
