# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Reading OpenPGP public keys, armored or binary, as far as package managers need it. Bytes in, data out.

Formats: RFC 9580 sections 4.2 (packets), 5.5.4 (fingerprints) and 6 (ASCII armor). Signatures are not judged here: the
pinned fingerprint of the primary key is what is trusted, and gpgv ignores subkeys that this key has not signed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError

PUBLIC_KEY = 6
_ARMOR = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t]*\r?\n(.*?)^-----END PGP PUBLIC KEY BLOCK-----",
    re.DOTALL | re.MULTILINE,
)
_LINE = 64


class OpenPGPError(KubeGpuError):
    """These bytes are not OpenPGP public keys that apt and dnf could use."""


class Packet(t.NamedTuple):
    tag: int
    body: bytes


def read_keys(data: bytes) -> bytes:
    """The binary packets of a key file, whichever of the two forms it has."""
    blocks = _ARMOR.findall(data)
    if blocks:
        return b"".join(_unarmor(block) for block in blocks)
    if not data or not data[0] & 0x80:
        raise OpenPGPError("this is no OpenPGP key: neither an armored block nor a binary packet begins it")
    return data


def fingerprints(packets: bytes) -> list[str]:
    """Fingerprints of the primary keys, upper case, in their order; subkeys are not named."""
    found = [_fingerprint(packet.body) for packet in read_packets(packets) if packet.tag == PUBLIC_KEY]
    if not found:
        raise OpenPGPError("this holds no OpenPGP public key")
    return found


def armor(packets: bytes) -> bytes:
    """The one armored text of these packets, so that the same keys always make the same file."""
    body = base64.b64encode(packets)
    lines = [body[start : start + _LINE] for start in range(0, len(body), _LINE)]
    checksum = b"=" + base64.b64encode(_crc24(packets).to_bytes(3, "big"))
    begin, end = b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"-----END PGP PUBLIC KEY BLOCK-----"
    return b"\n".join([begin, b"", *lines, checksum, end, b""])


def read_packets(data: bytes) -> list[Packet]:
    packets = []
    position = 0
    while position < len(data):
        packet, position = _packet(data, position)
        packets.append(packet)
    return packets


def _packet(data: bytes, start: int) -> tuple[Packet, int]:
    header = data[start]
    if not header & 0x80:
        raise OpenPGPError(f"no OpenPGP packet begins at byte {start}")
    if header & 0x40:
        tag = header & 0x3F
        length, body = _new_length(data, start + 1)
    else:
        tag = (header >> 2) & 0x0F
        length, body = _old_length(data, start + 1, header & 0x03)
    end = body + length
    if end > len(data):
        raise OpenPGPError(
            f"the OpenPGP packet at byte {start} is cut off: {length} bytes said, {len(data) - body} there"
        )
    return Packet(tag, data[body:end]), end


def _new_length(data: bytes, start: int) -> tuple[int, int]:
    first = _number(data, start, 1)
    if first < 192:
        return first, start + 1
    if first < 224:
        return ((first - 192) << 8) + _number(data, start + 1, 1) + 192, start + 2
    if first == 255:
        return _number(data, start + 1, 4), start + 5
    raise OpenPGPError("a packet of partial length is not allowed in a key")


def _old_length(data: bytes, start: int, kind: int) -> tuple[int, int]:
    if kind == 3:
        raise OpenPGPError("a packet of indeterminate length is not allowed in a key")
    size = 1 << kind
    return _number(data, start, size), start + size


def _number(data: bytes, start: int, size: int) -> int:
    if start + size > len(data):
        raise OpenPGPError("the OpenPGP data is cut off within a packet's header")
    return int.from_bytes(data[start : start + size], "big")


def _fingerprint(body: bytes) -> str:
    version = body[0] if body else 0
    if version != 4:
        raise OpenPGPError(f"an OpenPGP key of version {version} cannot be checked, only version 4")
    if len(body) > 0xFFFF:
        raise OpenPGPError("an OpenPGP key of more than 65535 bytes has no version 4 fingerprint")
    # SHA-1 is what a version 4 fingerprint is made of; a host in FIPS mode allows it only if told what it is not for
    return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False).hexdigest().upper()


def _unarmor(block: bytes) -> bytes:
    text = block.replace(b"\r\n", b"\n")
    # headers such as "Version: ..." end with the first empty line; a block without headers begins with it
    if not text.startswith(b"\n"):
        _headers, blank, rest = text.partition(b"\n\n")
        text = rest if blank else text
    lines = [line.strip() for line in text.split(b"\n") if line.strip()]
    checksum = lines.pop() if lines and lines[-1].startswith(b"=") and len(lines[-1]) == 5 else None
    data = _decode(b"".join(lines))
    if not data:
        raise OpenPGPError("the armored OpenPGP block is empty")
    if checksum and _decode(checksum[1:]) != _crc24(data).to_bytes(3, "big"):
        raise OpenPGPError("the armored OpenPGP block is damaged: its checksum does not match")
    return data


def _decode(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise OpenPGPError(f"the armored OpenPGP block is damaged: {error}") from error


def _crc24(data: bytes) -> int:
    register = 0xB704CE
    for byte in data:
        register ^= byte << 16
        for _bit in range(8):
            register <<= 1
            if register & 0x1000000:
                register ^= 0x1864CFB
    return register
