# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: ask all sources at once, and put together what they say.

A source that hangs costs one time limit, however many others hang with it.
"""

from __future__ import annotations

import concurrent.futures
import typing as t

from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import (
    cdi,
    containerd,
    crio,
    cuda,
    dnf,
    docker,
    driver,
    files,
    gpus,
    kubelet,
    package_sources,
    packages,
    pci,
    platform,
    toolkit,
)
from ansible_collections.kubegpu.nodes.plugins.module_utils._facts.source import Reading, Source

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Host

    Reader = t.Callable[[Host], Reading]

SUBSETS = (
    "platform",
    "pci",
    "gpus",
    "driver",
    "cuda",
    "packages",
    "package_sources",
    "dnf",
    "container",
    "kubelet",
    "files",
)

# What can be asked at the same time: a subset's name, or <subset>.<key>, and the reader.
READERS: dict[str, Reader] = {
    "platform": platform.read,
    "pci": pci.read,
    **{f"driver.{part}": reader for part, reader in driver.READERS.items()},
    "cuda": cuda.read,
    "packages": packages.read,
    "package_sources": package_sources.read,
    "dnf": dnf.read,
    "container.toolkit": toolkit.read,
    "container.cdi": cdi.read,
    "container.containerd": containerd.read,
    "container.docker": docker.read,
    "container.crio": crio.read,
    "kubelet": kubelet.read,
    "files": files.read,
}
# These need the word of the running driver.
DRIVER_SUBSETS = frozenset({"gpus", "driver", "cuda"})
# What a subset needs to know of another one to come to its conclusions.
NEEDS = {"driver": ("packages",)}


def chosen(subset: t.Iterable[str]) -> list[str]:
    asked = set(subset)
    return [name for name in SUBSETS if "all" in asked or name in asked]


def gather(host: Host, subset: t.Iterable[str]) -> dict[str, t.Any]:
    names = chosen(subset)
    ask_driver = bool(DRIVER_SUBSETS.intersection(names))
    child = gpus.begin(host) if ask_driver else None  # forks, so it comes before the threads
    needed = {*names, *(other for name in names for other in NEEDS.get(name, ()))}
    readers = {key: reader for key, reader in READERS.items() if key.split(".", maxsplit=1)[0] in needed}
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(READERS)) as pool:
        running = {key: pool.submit(_guarded, key, reader, host) for key, reader in readers.items()}
        says = _guarded("gpus", lambda host: gpus.finish(host, child), host) if ask_driver else None
        readings = {key: future.result() for key, future in running.items()}
    if says:
        readings["gpus"] = Reading((says.value or gpus.SILENCE).gpus, says.sources)
    facts, sources = _assemble(readings)
    if says:
        _add_word_of_driver(facts, sources, says.value or gpus.SILENCE)
    return {**{name: facts[name] for name in names}, "sources": {name: sources[name] for name in sorted(sources)}}


def _guarded(key: str, reader: Reader, host: Host) -> Reading:
    """The last net: one reader's unforeseen trouble takes neither the others nor the play with it."""
    try:
        return reader(host)
    except Exception as exc:
        return Reading(None, {key.split(".")[-1]: Source(False, f"{type(exc).__name__}: {exc}")})


def _assemble(readings: dict[str, Reading]) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    facts: dict[str, t.Any] = {}
    sources: dict[str, t.Any] = {}
    for key, reading in readings.items():
        sources.update({name: source.as_dict() for name, source in reading.sources.items()})
        name, dot, inner = key.partition(".")
        if dot:
            facts.setdefault(name, {})[inner] = reading.value
        else:
            facts[name] = reading.value
    return facts, sources


def _add_word_of_driver(facts: dict[str, t.Any], sources: dict[str, t.Any], word: gpus.DriverSays) -> None:
    if "driver" in facts:
        known = facts["packages"] if sources["packages"]["ok"] else None
        facts["driver"] = driver.conclude(facts["driver"], word.driver_version, known)
    if facts.get("cuda") is not None:
        facts["cuda"]["driver_limit"] = word.cuda_version
