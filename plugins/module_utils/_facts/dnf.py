# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: what dnf was told, by its own files: repositories, module streams, our version locks."""

from __future__ import annotations

import configparser
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import holds
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import OK, Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

FOLDER = "/etc/dnf"
REPOSITORIES = "/etc/yum.repos.d/*.repo"
# One file for each module that somebody has chosen a stream of, or taken the choice back.
STREAMS = "/etc/dnf/modules.d/*.module"
CREDENTIALS = re.compile(r"(?<=://)[^/]*@")
OFF = ("0", "no", "false", "off")


def _sections(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    try:
        parser.read_string(text)
    except configparser.Error as exc:
        raise KubeGpuError(str(exc).splitlines()[0]) from exc
    return {name: dict(parser[name]) for name in parser.sections()}


def parse_repositories(path: str, text: str) -> list[dict[str, t.Any]]:
    """Those that are switched on, with the addresses that they name."""
    return [
        {"id": name, "file": path, "urls": [CREDENTIALS.sub("", url) for url in _addresses(options)]}
        for name, options in _sections(text).items()
        if name != "main" and options.get("enabled", "1").strip().lower() not in OFF
    ]


def _addresses(options: t.Mapping[str, str]) -> list[str]:
    return [
        word
        for key in ("baseurl", "mirrorlist", "metalink")
        for word in re.split(r"[\s,]+", options.get(key, ""))
        if word
    ]


def parse_streams(text: str) -> dict[str, str]:
    """The stream that is enabled of each module."""
    return {
        name: options["stream"]
        for name, options in _sections(text).items()
        if options.get("state") == "enabled" and options.get("stream")
    }


def read(host: Host) -> Reading:
    """Null where there is no dnf, and where a file of it cannot be understood."""
    if not host.is_dir(FOLDER):
        return Reading(None, {"dnf": Source(None, f"not asked: there is no {FOLDER}")})
    value: dict[str, t.Any] = {"repositories": [], "streams": {}, "locks": []}
    path = ""
    try:
        for path in host.glob(REPOSITORIES):
            value["repositories"] += parse_repositories(path, host.read(path, limit=256 * 1024))
        for path in host.glob(STREAMS):
            value["streams"].update(parse_streams(host.read(path, limit=64 * 1024)))
        path = holds.LISTS[0]
        value["locks"] = holds.parse_own(host.read(path)) if host.exists(path) else []
    except KubeGpuError as exc:
        return Reading(None, {"dnf": Source(False, f"{path}: {exc}")})
    return Reading(value, {"dnf": OK})
