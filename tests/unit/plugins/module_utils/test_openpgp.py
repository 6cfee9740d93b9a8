# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys as gpg writes them are read as gpg reads them; garbage is refused with a reason, never with a traceback."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._openpgp import (
    OpenPGPError,
    armor,
    fingerprints,
    read_keys,
    read_packets,
)
from hypothesis import given
from hypothesis import strategies as st

FIXTURES = Path(__file__).parents[2] / "fixtures" / "openpgp"
FIRST, SECOND = (FIXTURES / "fingerprints.txt").read_text().split()


@pytest.mark.parametrize("name, keys", [("one.asc", [FIRST]), ("one.gpg", [FIRST]), ("two.asc", [FIRST, SECOND])])
def test_the_fingerprints_are_those_that_gpg_prints(name: str, keys: list[str]) -> None:
    assert fingerprints(read_keys((FIXTURES / name).read_bytes())) == keys


def test_both_forms_hold_the_same_packets() -> None:
    binary = (FIXTURES / "one.gpg").read_bytes()
    assert read_keys((FIXTURES / "one.asc").read_bytes()) == binary
    assert armor(binary) == (FIXTURES / "one.asc").read_bytes()


def test_a_subkey_is_no_key_of_its_own() -> None:
    tags = [packet.tag for packet in read_packets((FIXTURES / "one.gpg").read_bytes())]
    assert 14 in tags and tags.count(6) == 1


VARIANTS = {
    "headers": lambda text: text.replace(b"BLOCK-----\n\n", b"BLOCK-----\nVersion: GnuPG v2\nComment: x\n\n", 1),
    "windows line ends": lambda text: text.replace(b"\n", b"\r\n"),
    "words around it": lambda text: b"pub rsa3072\n\n" + text + b"\nthe end\n",
    "no checksum, as RFC 9580 allows": lambda text: b"\n".join(
        x for x in text.split(b"\n") if not (x[:1] == b"=" and len(x) == 5)
    ),
}


@pytest.mark.parametrize("vary", VARIANTS.values(), ids=VARIANTS.keys())
def test_armor_may_look_different(vary: t.Callable[[bytes], bytes]) -> None:
    text = vary((FIXTURES / "one.asc").read_bytes())
    assert fingerprints(read_keys(text)) == [FIRST]


def test_two_armored_blocks_in_one_file() -> None:
    text = (FIXTURES / "one.asc").read_bytes()
    assert fingerprints(read_keys(text + text)) == [FIRST, FIRST]


BROKEN = {
    "nothing": (b"", "no OpenPGP key"),
    "a web page": (b"<!DOCTYPE html><title>Not found</title>", "no OpenPGP key"),
    "an empty block": (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n", "is empty"),
    "cut off": ((FIXTURES / "one.gpg").read_bytes()[:100], "cut off"),
    "only a user id": (b"\xcd\x03abc", "no OpenPGP public key"),
    "version 3": (b"\xc6\x02\x03\x00", "version 3"),
    "version 6": (b"\xc6\x02\x06\x00", "version 6"),
    "partial length": (b"\xc6\xe1\x04\x00", "partial length"),
    "indeterminate length": (b"\x9b\x04\x00", "indeterminate length"),
    "half a header": (b"\xc6\xff\x00", "within a packet's header"),
    "no packet after the first": (b"\xcd\x01a\x00", "begins at byte 3"),
}


@pytest.mark.parametrize("data, words", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_key_is_refused_with_a_reason(data: bytes, words: str) -> None:
    with pytest.raises(OpenPGPError, match=words):
        fingerprints(read_keys(data))


def test_a_damaged_block_is_seen() -> None:
    text = (FIXTURES / "one.asc").read_bytes()
    middle = len(text) // 2
    damaged = text[:middle] + (b"A" if text[middle : middle + 1] != b"A" else b"B") + text[middle + 1 :]
    with pytest.raises(OpenPGPError, match="damaged"):
        read_keys(damaged)


@given(st.binary(max_size=300))
def test_any_bytes_are_keys_or_are_refused(data: bytes) -> None:
    try:
        found = fingerprints(read_keys(data))
    except OpenPGPError:
        return
    assert all(len(key) == 40 for key in found)


@given(st.binary(max_size=200))
def test_any_armored_text_is_keys_or_is_refused(text: bytes) -> None:
    block = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n" + text + b"\n-----END PGP PUBLIC KEY BLOCK-----\n"
    try:
        read_keys(block)
    except OpenPGPError:
        return


@given(st.binary(min_size=1, max_size=500))
def test_armor_can_be_read_back(data: bytes) -> None:
    assert read_keys(armor(data)) == data


@given(st.lists(st.tuples(st.integers(1, 60), st.binary(max_size=9000)), min_size=1, max_size=4))
def test_packets_of_every_length_are_read(packets: list[tuple[int, bytes]]) -> None:
    data = b"".join(bytes([0xC0 | tag]) + _length(len(body)) + body for tag, body in packets)
    assert [tuple(packet) for packet in read_packets(data)] == packets


def _length(size: int) -> bytes:
    if size < 192:
        return bytes([size])
    if size < 8384:
        return bytes([((size - 192) >> 8) + 192, (size - 192) & 0xFF])
    return b"\xff" + size.to_bytes(4, "big")
