# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. CUDA on one host: the toolkits that are installed there, and the images that are to run there."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import Card, Case, part, rows, text, texts


def decide(case: Case) -> dict[str, t.Any]:
    """Toolkits side by side. Installed is what the package database and the folder of the toolkit both say."""
    wish = case.cuda_wish
    wished = texts(wish, "versions")
    cuda = part(case.facts, "cuda")
    if wish.get("state") == "absent":
        return _absent(case, wished)
    found = there(case)
    packages = {version: case.data.cuda_packages(case.manager, version) for version in wished}
    missing = [v for v in wished if v not in found or any(name not in case.packages for name in packages[v])]
    chosen = text(wish, "default")
    default = _path(chosen) if chosen else None
    relink = default is not None and cuda.get("default") != default
    value = _value("install" if missing else "default" if relink else "none")
    value.update(packages=[name for version in wished for name in packages[version]], missing=missing, default=default)
    return value


def there(case: Case) -> list[str]:
    """Versions of the toolkits that have a folder."""
    return [str(toolkit["version"]) for toolkit in rows(part(case.facts, "cuda"), "toolkits") if toolkit.get("version")]


def _value(action: str) -> dict[str, t.Any]:
    return {"action": action, "packages": [], "missing": [], "default": None, "remove": [], "remove_default": False}


def _path(version: str) -> str:
    return f"/usr/local/cuda-{version}"


def _absent(case: Case, wished: list[str]) -> dict[str, t.Any]:
    """All packages of a toolkit end with its version; one that serves several toolkits does not."""
    ends = tuple(f"-{version.replace('.', '-')}" for version in wished)
    gone = [name for name in sorted(case.packages) if ends and name.endswith(ends)]
    remove_default = part(case.facts, "cuda").get("default") in [_path(version) for version in wished]
    value = _value("absent" if gone or remove_default else "none")
    value.update(remove=gone, remove_default=remove_default)
    return value


def images(case: Case, driver: str | None) -> list[dict[str, t.Any]]:
    """Whether each image will run on the driver that is to be; null where nothing is known of it."""
    return [_image(case, version, driver) for version in case.images]


def _image(case: Case, cuda: str, driver: str | None) -> dict[str, t.Any]:
    verdict = case.data.cuda_runs_on(driver, cuda) if driver else None
    value = {"cuda": cuda, "runs": verdict.ok if verdict else None, "full": bool(verdict and verdict.full)}
    value["needs"] = verdict.needed if verdict else None
    if all_without(case, cuda):
        words = ", ".join(card.words for card in case.cards)
        return {**value, "runs": False, "full": False, "why": f"CUDA {cuda} has no programs for {words} any more"}
    return {**value, "why": _why(value, driver)}


def _why(value: dict[str, t.Any], driver: str | None) -> str:
    cuda, needs = value["cuda"], value["needs"]
    if value["runs"] is None:
        return f"nothing is known of CUDA {cuda}" if driver else "which driver there will be is not known"
    if not value["runs"]:
        return f"driver {driver} is older than {needs}"
    if value["full"]:
        return f"driver {driver} has all that CUDA {cuda} can ask for"
    return f"driver {driver} runs it by minor-version compatibility, with fewer features"


def without(case: Case, cuda: str) -> list[Card]:
    """Cards for which a CUDA makes no programs any more."""
    asked = _versions.minor(cuda)
    return [
        card
        for card in case.cards
        if asked
        and card.architecture
        and card.architecture.cuda_last
        and asked > (_versions.minor(card.architecture.cuda_last) or asked)
    ]


def all_without(case: Case, cuda: str) -> bool:
    """Whether no card here has programs from this CUDA."""
    return bool(case.cards) and len(without(case, cuda)) == len(case.cards)


def before(case: Case, cuda: str) -> list[Card]:
    """Cards that are newer than a CUDA, which makes no programs for them yet."""
    asked = _versions.minor(cuda)
    return [
        card
        for card in case.cards
        if asked
        and card.architecture
        and card.architecture.cuda_first
        and asked < (_versions.minor(card.architecture.cuda_first) or asked)
    ]
