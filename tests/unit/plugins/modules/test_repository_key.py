# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""repository_key: the twelve runs against a folder and a server that counts its requests."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.modules import repository_key

FIXTURES = Path(__file__).parents[2] / "fixtures" / "openpgp"
FIRST, SECOND = (FIXTURES / "fingerprints.txt").read_text().split()
URL = "https://repository.example.org/key.pub"


class Server:
    """Answers with one file and counts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests = 0

    def __call__(self, url: str, timeout: int) -> bytes:
        self.requests += 1
        return (FIXTURES / self.name).read_bytes()


def write(path: str, data: bytes) -> None:
    Path(path).write_bytes(data)


def params(path: Path, **other: t.Any) -> dict[str, t.Any]:
    return {
        "path": str(path),
        "url": URL,
        "src": None,
        "fingerprints": [FIRST],
        "state": "present",
        "timeout": 5,
        **other,
    }


def test_twelve_runs(tmp_path: Path) -> None:
    key = tmp_path / "key.asc"
    steps = [
        ("create", params(key), True),
        ("create again", params(key), False),
        ("modify", params(key, fingerprints=[FIRST, SECOND]), True),
        ("modify again", params(key, fingerprints=[FIRST, SECOND]), False),
        ("delete", params(key, state="absent"), True),
        ("delete again", params(key, state="absent"), False),
    ]
    for name, wish, changes in steps:
        server = Server("two.asc" if len(wish["fingerprints"]) > 1 else "one.asc")
        before = key.read_bytes() if key.exists() else None
        preview = repository_key.run(wish, server, write, check_mode=True)
        assert (key.read_bytes() if key.exists() else None) == before, f"{name}: check mode wrote"
        real = repository_key.run(wish, server, write, check_mode=False)
        assert real == preview, name
        assert real["changed"] is changes, name
        assert changes or server.requests == 0, f"{name}: asked the network for nothing"


@pytest.mark.parametrize("served", ["one.asc", "one.gpg"])
def test_the_name_decides_the_form(tmp_path: Path, served: str) -> None:
    for name in ("one.asc", "one.gpg"):
        result = repository_key.run(params(tmp_path / name), Server(served), write, check_mode=False)
        assert (tmp_path / name).read_bytes() == (FIXTURES / name).read_bytes()
        assert result["fingerprints"] == [FIRST]


@pytest.mark.parametrize("pins", [[FIRST], []], ids=["pinned", "whatever is there"])
def test_a_file_of_the_host_is_as_good(tmp_path: Path, pins: list[str]) -> None:
    key, server = tmp_path / "key.gpg", Server("two.asc")
    wish = params(key, url=None, src=str(FIXTURES / "one.asc"), fingerprints=pins)
    for changes in (True, False):
        assert repository_key.run(wish, server, write, check_mode=True)["changed"] is changes
        assert repository_key.run(wish, server, write, check_mode=False)["changed"] is changes
    assert key.read_bytes() == (FIXTURES / "one.gpg").read_bytes()
    assert server.requests == 0


@pytest.mark.parametrize(
    "name, pins, words",
    [("two.asc", [FIRST], "is pinned"), ("fingerprints.txt", [], "no usable key"), ("none", [FIRST], "no usable key")],
)
def test_a_file_of_the_host_that_will_not_do(tmp_path: Path, name: str, pins: list[str], words: str) -> None:
    wish = params(tmp_path / "key.gpg", url=None, src=str(FIXTURES / name), fingerprints=pins)
    with pytest.raises(KubeGpuError, match=words):
        repository_key.run(wish, Server("one.asc"), write, check_mode=False)


def test_a_person_may_write_the_fingerprint_with_spaces(tmp_path: Path) -> None:
    spaced = " ".join(FIRST[start : start + 4] for start in range(0, 40, 4)).lower()
    assert repository_key.run(params(tmp_path / "key.asc", fingerprints=[spaced]), Server("one.asc"), write, False)[
        "changed"
    ]


@pytest.mark.parametrize(
    "left", [b"", b"rubbish", (FIXTURES / "two.asc").read_bytes()], ids=["empty", "rubbish", "one key too many"]
)
def test_a_file_that_holds_something_else_is_replaced(tmp_path: Path, left: bytes) -> None:
    key = tmp_path / "key.asc"
    key.write_bytes(left)
    assert repository_key.run(params(key), Server("one.asc"), write, check_mode=False)["changed"]
    assert key.read_bytes() == (FIXTURES / "one.asc").read_bytes()


REFUSED = {
    "another key": ({}, "two.asc", "is pinned; nothing was written"),
    "fewer keys than pinned": ({"fingerprints": [FIRST, SECOND]}, "one.asc", "is pinned; nothing was written"),
    "no key at all": ({}, "fingerprints.txt", "gave no usable key"),
    "no TLS": ({"url": "http://repository.example.org/key.pub"}, "one.asc", "only fetched over TLS"),
    "half a fingerprint": ({"fingerprints": ["3BF863CC"]}, "one.asc", "40 hexadecimal digits"),
}


@pytest.mark.parametrize("wish, served, words", REFUSED.values(), ids=REFUSED.keys())
def test_refused_before_anything_is_written(tmp_path: Path, wish: dict[str, t.Any], served: str, words: str) -> None:
    key = tmp_path / "key.asc"
    for check_mode in (True, False):
        with pytest.raises(KubeGpuError, match=words):
            repository_key.run(params(key, **wish), Server(served), write, check_mode)
    assert not key.exists()


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(KubeGpuError, match="https://127.0.0.1:9/key.pub cannot be fetched"):
        repository_key.download("https://127.0.0.1:9/key.pub", 2)
