# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where apt gets packages from: both formats of its files."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import origins, package_sources
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.package_sources import Entry
from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

DEBIAN = "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

LINES = {
    f"deb {DEBIAN} bookworm main": [Entry([DEBIAN], ["bookworm"], ["main"], {})],
    f"deb {DEBIAN} bookworm main contrib # ours": [Entry([DEBIAN], ["bookworm"], ["main", "contrib"], {})],
    f"deb [signed-by={KEYRING} arch=amd64,arm64] {DEBIAN} bookworm main": [
        Entry([DEBIAN], ["bookworm"], ["main"], {"Signed-By": KEYRING, "Architectures": "amd64,arm64"})
    ],
    f"deb [ arch+=i386  check-valid-until=no ]  {DEBIAN}\tbookworm  main": [
        Entry([DEBIAN], ["bookworm"], ["main"], {"Architectures-Add": "i386", "Check-Valid-Until": "no"})
    ],
    "deb http://x.example/repo ./": [Entry(["http://x.example/repo"], ["./"], [], {})],
    f"deb-src {DEBIAN} bookworm main": [],
    f"# deb {DEBIAN} bookworm main": [],
    "deb cdrom:[Debian 12 _Bookworm_]/ bookworm main": [],
    "deb": [],
    "": [],
}


@pytest.mark.parametrize("text, entries", LINES.items())
def test_one_line_an_entry(text: str, entries: list[Entry]) -> None:
    assert list(package_sources.parse_list(text)) == entries


TWO = f"""# where Debian is
Types: deb deb-src
URIs: {DEBIAN}
Suites: bookworm bookworm-updates
Components: main
 contrib
# a remark
signed-by: {KEYRING}

Types: deb-src
URIs: {DEBIAN}
Suites: sid
Components: main


Types: deb
URIs: http://security.debian.org/
Suites: bookworm-security
Components: main
Enabled: yes
X-Repolib-Name: Security
"""


def test_stanzas() -> None:
    assert list(package_sources.parse_stanzas(TWO)) == [
        Entry([DEBIAN], ["bookworm", "bookworm-updates"], ["main", "contrib"], {"Signed-By": KEYRING}),
        Entry(["http://security.debian.org/"], ["bookworm-security"], ["main"], {}),
    ]


@pytest.mark.parametrize("word", ["no", "No", "false", "0", "off"])
def test_what_is_switched_off_is_no_source(word: str) -> None:
    assert not list(package_sources.parse_stanzas(f"Types: deb\nURIs: u\nSuites: s\nComponents: c\nEnabled: {word}\n"))


def read(root: pathlib.Path, files: dict[str, str]) -> list[dict[str, t.Any]]:
    for name, text in {"/etc/apt/trusted.gpg.d/x": "", **files}.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    reading = package_sources.read(Host(root=str(root)))
    assert reading.sources["package_sources"].ok
    return list(reading.value)


def test_a_row_for_each_suite_with_who_it_is(tmp_path: pathlib.Path) -> None:
    release = f"{origins.LISTS}/deb.debian.org_debian_dists_bookworm_InRelease"
    rows = read(tmp_path, {"/etc/apt/sources.list.d/debian.sources": TWO, release: "Origin: Debian\nLabel: Debian\n"})
    assert [(row["suite"], row["origin"], row["obstacle"]) for row in rows] == [
        ("bookworm", "Debian", None),
        ("bookworm-updates", None, None),
        ("bookworm-security", None, None),
    ]
    assert rows[0] == {
        "file": "/etc/apt/sources.list.d/debian.sources",
        "uri": DEBIAN,
        "suite": "bookworm",
        "components": ["main", "contrib"],
        "options": {"Signed-By": KEYRING},
        "origin": "Debian",
        "obstacle": None,
    }


def test_secrets_stay_on_the_host(tmp_path: pathlib.Path) -> None:
    rows = read(tmp_path, {"/etc/apt/sources.list": "deb https://me:word@mirror.example/debian bookworm main\n"})
    assert rows[0]["uri"] == "https://mirror.example/debian"
    assert rows[0]["obstacle"] == "its address has credentials in it"


def test_a_key_inside_is_not_told(tmp_path: pathlib.Path) -> None:
    key = "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ==\n -----END PGP PUBLIC KEY BLOCK-----\n"
    stanza = f"Types: deb\nURIs: {DEBIAN}\nSuites: bookworm\nComponents: main\n{key}"
    rows = read(tmp_path, {"/etc/apt/sources.list.d/debian.sources": stanza})
    assert (rows[0]["options"], rows[0]["obstacle"]) == ({}, "its key stands inside it")


def test_no_apt(tmp_path: pathlib.Path) -> None:
    reading = package_sources.read(Host(root=str(tmp_path)))
    assert reading.value is None and reading.sources["package_sources"].ok is None


def test_files_with_other_endings_are_not_read(tmp_path: pathlib.Path) -> None:
    assert read(tmp_path, {"/etc/apt/sources.list.d/old.list.save": f"deb {DEBIAN} bookworm main\n"}) == []
