# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: whose package repository offers an installed package, by apt."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Source, first_line

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

LISTS = "/var/lib/apt/lists"
# Without its cache of the lists apt reads them all, which takes seconds.
CACHE = "/var/cache/apt/srcpkgcache.bin"
# This reading changes nothing, but apt would write its caches anew after each change of a package or of a source. It
# writes neither of them where it cannot write to the folder of this one, and Debian has no folder of that name.
POLICY = ("apt-cache", "-o", "Dir::Cache::pkgcache=/nonexistent/pkgcache.bin", "policy")
PACKAGE = re.compile(r"^(\S+):$")
INSTALLED = re.compile(r"^  Installed: (\S+)$")
VERSION = re.compile(r"^ (?:\*\*\*|   ) (\S+) -?[0-9]+$")
# "        500 http://deb.debian.org/debian bookworm/main amd64 Packages"; a flat repository has only blanks there
OFFER = re.compile(r"^ {8} *-?[0-9]+ ([a-z][a-z0-9+.-]*:\S+)(?: (\S+)/\S+ \S+)? +Packages$")
ORIGIN = re.compile(r"^Origin: *(\S.*?)\s*$", re.M)
LABEL = re.compile(r"^Label: *(\S.*?)\s*$", re.M)


class Repository(t.NamedTuple):
    """As apt names it. A flat repository has no suite."""

    uri: str
    suite: str | None


def parse_policy(text: str) -> dict[str, Repository | None]:
    """The first repository that offers the installed version of each package, None where none does."""
    found: dict[str, Repository | None] = {}
    package, installed, version = "", None, None
    for line in text.splitlines():
        named, has, row, offer = PACKAGE.match(line), INSTALLED.match(line), VERSION.match(line), OFFER.match(line)
        if named:
            package, installed, version = named.group(1), None, None
            found[package] = None
        elif has:
            installed = has.group(1)
        elif row:
            version = row.group(1)
        elif offer and package and version == installed and found[package] is None:
            found[package] = Repository(offer.group(1), offer.group(2))
    return found


def release_files(repository: Repository) -> list[str]:
    """Names that the repository's own description may have among apt's lists."""
    scheme, _colon, rest = repository.uri.partition(":")
    place = rest.lstrip("/").rpartition("@")[2]
    # apt's way to make a file name of a URI: some characters as %xx, and its slashes as underscores
    name = re.sub(r"[\\|{}\[\]<>\"^~_=!@#$%&*]", lambda match: f"%{ord(match.group()):02x}", place).strip("/")
    name = name.replace("/", "_")
    # A folder of the host has no name of a host before its first slash.
    name = f"_{name}" if scheme in ("file", "copy") else name
    if repository.suite is not None:
        heads = [f"{name}_dists_{repository.suite.replace('/', '_')}"]
    else:
        heads = [name, f"{name}_._"[:-1]]
    return [f"{LISTS}/{head}_{file}" for head in heads for file in ("InRelease", "Release")]


def parse_release(text: str) -> str | None:
    match = ORIGIN.search(text) or LABEL.search(text)
    return match.group(1) if match else None


def site(uri: str) -> str | None:
    try:
        return urllib.parse.urlsplit(uri).hostname
    except ValueError:
        return None


def said(host: Host, repository: Repository) -> str | None:
    """Who it says that it is; None where apt has not read it yet."""
    for path in release_files(repository):
        try:
            words = parse_release(host.read(path, limit=4096))
        except KubeGpuError:
            continue
        if words:
            return words
    return None


def read(host: Host, names: t.Sequence[str]) -> tuple[dict[str, str | None], Source]:
    """By the packages' names. Nothing for a package that apt did not tell of."""
    if not names:
        return {}, Source(None, "not asked: no such package is installed")
    if not host.exists(CACHE):
        return {}, Source(None, "not asked: apt has no cache of its lists, and would take seconds")
    try:
        answer = host.run(*POLICY, *names)
    except KubeGpuError as exc:
        return {}, Source(False, str(exc))
    if answer.rc != 0:
        return {}, Source(False, f"exit status {answer.rc}: {first_line(answer.err, answer.out)}")
    offers = parse_policy(answer.out)
    words = {
        repository: said(host, repository) or site(repository.uri) for repository in set(offers.values()) if repository
    }
    return {name: words[repository] if repository else None for name, repository in offers.items()}, OK
