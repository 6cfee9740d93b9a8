# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. CUDA on one host: the toolkits that are installed there, and the images that are to run there."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _cuda_proof, _cuda_runfiles, _versions
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import (
    DISTRO,
    Card,
    Case,
    Section,
    flag,
    part,
    rows,
    text,
    texts,
)
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat import Library

# A toolkit's packages end with its version. cuda-compat is a driver's library, beside whatever toolkits there are.
OF_A_TOOLKIT = re.compile(r"cuda-(?!compat-).*?-([0-9]+)-([0-9]+)(?:-config-common)?")
# Their other parts have the same end. So have packages of others', which stay.
OF_THE_VENDOR = re.compile(r"cuda-(?!compat-)|lib|gds-tools-")
FOR_CUDA = re.compile(r"\+cuda([0-9]+)")
OF_A_LIBRARY = re.compile(r"lib(cudnn)([0-9]+)(?:-dev|-devel|-headers)?-cuda-([0-9]+)|lib(nccl)(?:2|-dev|-devel)?")
COMMON = "-config-common"
# Where a distribution has its toolkit, beside everything else.
OWN_PLACE = "/usr"
COMPONENTS = ("full", "toolkit", "runtime", "compiler")


def decide(case: Case) -> dict[str, t.Any]:
    """Toolkits side by side. Installed is what the package database and the folder of the toolkit both say."""
    if case.cuda_wish.get("state") == "absent":
        return _absent(case)
    value = _empty()
    missing = [version for version in versions(case) if not _met(case, version)]
    libraries = [library for library in _libraries(case) if not _has(case, library)]
    if missing or libraries:
        names = [name for version in versions(case) for name in _packages(case, version)]
        value["packages"] = [*names, *(_spec(case, library) for library in _libraries(case))]
    value["steps"] = _cuda_runfiles.steps(case)
    files = [name for name in _cuda_runfiles.versions(case) if _cuda_runfiles.installed(case, name) is None]
    value["missing"] = [*missing, *files]
    value["libraries"] = [_spec(case, library) for library in libraries]
    if flag(case.cuda_wish, "remove_unlisted"):
        value["remove"] = sorted({*_gone(case, unlisted(case)), *_of_another_cuda(case)})
    chosen = text(case.cuda_wish, "default")
    value["default"] = _toolkit(case, chosen, value["missing"])["path"] if chosen else None
    value["records"] = _records(case, value)
    value["proofs"] = list(_proofs(case, value["missing"]))
    value["action"] = _action(case, value)
    return value


def _empty() -> dict[str, t.Any]:
    lists: dict[str, t.Any] = {
        name: [] for name in ("packages", "steps", "missing", "libraries", "proofs", "remove", "folders", "records")
    }
    return {"action": "none", "default": None, **lists}


def _action(case: Case, value: dict[str, t.Any]) -> str:
    if value["packages"] or value["steps"]:
        return "install"
    if value["remove"]:
        return "remove"
    linked = part(case.facts, "cuda").get("default")
    if value["default"] not in (None, linked):
        return "default"
    return "prove" if value["proofs"] else "none"


def versions(case: Case) -> list[str]:
    """Toolkits that are to come from packages."""
    return texts(case.cuda_wish, "versions")


def there(case: Case) -> list[str]:
    """Versions of the toolkits that have a folder."""
    return [str(toolkit["version"]) for toolkit in rows(part(case.facts, "cuda"), "toolkits") if toolkit.get("version")]


def _folder(case: Case, version: str) -> bool:
    return version in there(case)


def components(case: Case) -> str:
    return text(case.cuda_wish, "components") or "full"


def _packages(case: Case, version: str) -> list[str]:
    if case.wants_own_cuda:
        return own_packages(case)
    return case.data.cuda_packages(case.manager, version, components(case))


def own_packages(case: Case) -> list[str]:
    """Those of the distribution's toolkit."""
    return case.data.distro_cuda_packages(case.line, components(case)) if case.line else []


def _met(case: Case, version: str) -> bool:
    """Libraries alone make no folder that says what it is."""
    if case.wants_own_cuda:
        names = own_packages(case)
        first = case.package_version(names[0]) if names else None
        same = _versions.minor(first) == _versions.minor(version)
        return first is not None and same and all(name in case.packages for name in names)
    proven = components(case) == "runtime" or _folder(case, version)
    return proven and all(name in case.packages for name in _packages(case, version))


# What is proven: all that this run installs, and what nobody has seen at work yet.


def _compiles(case: Case, version: str) -> bool:
    return version in _cuda_runfiles.versions(case) or components(case) != "runtime"


def _proofs(case: Case, missing: list[str]) -> t.Iterator[dict[str, t.Any]]:
    asked = flag(case.cuda_wish, "verify") is not False
    for version in (name for name in case.toolkits if _compiles(case, name)):
        toolkit = _toolkit(case, version, missing)
        if version in missing or (asked and not _cuda_proof.known(case, version, toolkit)):
            yield _cuda_proof.proof(case, version, toolkit)


def _toolkit(case: Case, version: str, missing: list[str]) -> Section:
    """The toolkit as it is, or where it will be."""
    if case.wants_own_cuda and version in versions(case):
        return {"path": OWN_PLACE, "release": next(map(case.package_version, own_packages(case)), None)}
    there = None if version in missing else _cuda_runfiles.installed(case, version)
    return there or {"path": _cuda_runfiles.folder(version)}


def _records(case: Case, value: dict[str, t.Any]) -> list[str]:
    """Proofs of toolkits that this run installs anew, or that go. Of a half one the record stays until it is whole."""
    gone = unlisted(case) if value["remove"] else set()
    old = {*value["missing"], *gone} - {name for name in value["missing"] if _cuda_proof.begun(case, name)}
    return _cuda_proof.recorded(case, old)


# Libraries beside the toolkits.


def major(case: Case) -> int | None:
    """The CUDA that libraries are for: that of the default toolkit, else the newest."""
    chosen = text(case.cuda_wish, "default")
    listed = [*versions(case), *_cuda_runfiles.versions(case)]
    known = [found[0] for found in map(_versions.minor, [chosen] if chosen else listed) if found]
    return max(known, default=None)


def wanted_libraries(case: Case) -> list[str]:
    """Names of the data's lines."""
    cudnn = text(case.cuda_wish, "cudnn")
    return [*([f"cudnn-{cudnn}"] if cudnn else []), *(["nccl"] if flag(case.cuda_wish, "nccl") else [])]


def _libraries(case: Case) -> list[Library]:
    cuda = major(case)
    if cuda is None:
        return []
    names = wanted_libraries(case)
    return [line for name in names for line in case.data.cuda_libraries(case.manager, name, cuda, components(case))]


def _has(case: Case, library: Library) -> bool:
    version = str(case.packages.get(library.name, {}).get("version", ""))
    return bool(version) and fnmatch.fnmatchcase(version, library.match or "*")


def _spec(case: Case, library: Library) -> str:
    return case.spec(library.name, library.match)


def _installed_libraries(case: Case) -> list[tuple[str, str, int | None]]:
    """Packages of cuDNN and NCCL, the name of the data's lines, and the CUDA in the package's name."""
    found = ((name, OF_A_LIBRARY.fullmatch(name)) for name in sorted(case.packages))
    return [(name, f"cudnn-{m[2]}" if m[1] else "nccl", int(m[3]) if m[1] else None) for name, m in found if m]


def _of_another_cuda(case: Case) -> list[str]:
    """cuDNN of an earlier wish, beside which that of this one is installed."""
    mine = (major(case), None)
    wished = wanted_libraries(case)
    return [name for name, library, cuda in _installed_libraries(case) if library in wished and cuda not in mine]


# What goes.


def installed(case: Case) -> set[str]:
    """Versions of the toolkits that have packages."""
    found = (OF_A_TOOLKIT.fullmatch(name) for name in case.packages)
    return {f"{match[1]}.{match[2]}" for match in found if match}


def unlisted(case: Case) -> set[str]:
    """Versions that have packages, and that nobody asks for."""
    return installed(case) - set(case.toolkits)


def wants_packages(case: Case) -> bool:
    """Whether packages of NVIDIA's repository are wished for."""
    from_there = versions(case) and not case.wants_own_cuda
    return case.cuda_wish.get("state") != "absent" and bool(from_there or _libraries(case))


def needs_the_repository(case: Case, planned: dict[str, t.Any]) -> bool:
    """Whether something here is, or is to be, of NVIDIA's repository, a driver aside."""
    staying = case.packages.keys() - set(planned["remove"])
    return wants_packages(case) or any(OF_A_TOOLKIT.fullmatch(name) or OF_A_LIBRARY.fullmatch(name) for name in staying)


def _gone(case: Case, leaving: set[str]) -> list[str]:
    """Packages of these toolkits, and those that several share, if none of them stays."""
    staying = installed(case) - leaving
    ends = tuple(f"-{version.replace('.', '-')}" for version in leaving)
    shared = {f"cuda-toolkit-{tag}{COMMON}" for tag in _tags(leaving) - _tags(staying)}
    if leaving & installed(case) and not staying:
        shared.add(f"cuda-toolkit{COMMON}")
    mine = [name for name in sorted(case.packages) if OF_THE_VENDOR.match(name)]
    return [name for name in mine if name in shared or (ends and name.endswith(ends))]


def _tags(versions_: set[str]) -> set[str]:
    """12-8 and 12 for 12.8."""
    return {tag for version in versions_ for tag in (version.replace(".", "-"), version.partition(".")[0])}


def _absent(case: Case) -> dict[str, t.Any]:
    """The toolkits and libraries that are wished for go, and nothing else."""
    listed = {*versions(case), *_cuda_runfiles.versions(case)}
    value = _empty()
    own = set(own_packages(case)) if text(case.cuda_wish, "source") == DISTRO else set()
    value["remove"] = sorted({*_gone(case, listed), *_with_the_toolkits(case, listed), *(own & case.packages.keys())})
    value["folders"] = [
        _cuda_runfiles.folder(version) for version in _cuda_runfiles.versions(case) if _ours(case, version)
    ]
    value["records"] = _cuda_proof.recorded(case, listed)
    changes = value["remove"] or value["folders"] or value["records"] or _leads_to(case, listed)
    value["action"] = "absent" if changes else "none"
    return value


def _ours(case: Case, version: str) -> bool:
    """Whether the role puts a runfile's toolkit of this version where one is, or half of one."""
    there = text(_cuda_runfiles.installed(case, version) or {}, "path") == _cuda_runfiles.folder(version)
    return version not in installed(case) and (there or _cuda_proof.begun(case, version))


def _with_the_toolkits(case: Case, leaving: set[str]) -> list[str]:
    """Libraries that are wished for, of a CUDA of which no toolkit stays."""
    staying = _majors((installed(case) | set(there(case))) - leaving)
    gone = ({major(case)} | _majors(leaving)) - staying
    wished = wanted_libraries(case)
    found = [
        (name, _cuda_of(case, name, cuda)) for name, library, cuda in _installed_libraries(case) if library in wished
    ]
    return [name for name, cuda in found if cuda is not None and cuda in gone]


def _cuda_of(case: Case, name: str, cuda: int | None) -> int | None:
    """The CUDA that a library is for, by its package's name, else by its version; ours have it in either."""
    said = FOR_CUDA.search(str(case.packages[name]["version"]))
    return cuda or (int(said[1]) if said else None)


def _majors(versions_: set[str]) -> set[int | None]:
    return {found[0] for found in map(_versions.minor, versions_) if found}


def _leads_to(case: Case, listed: set[str]) -> bool:
    """Whether all that is left of one of these is the link to it."""
    gone = listed - set(there(case))
    return part(case.facts, "cuda").get("default") in [_cuda_runfiles.folder(version) for version in gone]


def sentences(value: dict[str, t.Any]) -> list[str]:
    """One for each change that is to come."""
    files = [step["words"] for step in value["steps"]]
    missing = [version for version in value["missing"] if f"CUDA toolkit {version}" not in files]
    said = [
        ("Install CUDA toolkit {}.", missing),
        ("Run NVIDIA's installer of {}.", files),
        ("Install {}.", value["libraries"]),
        ("Remove the CUDA packages {}.", value["remove"]),
        ("Remove {}.", value["folders"]),
    ]
    found = [words.format(", ".join(items)) for words, items in said if items]
    if value["action"] == "default":
        found.append(f"Let /usr/local/cuda lead to {value['default']}.")
    if value["action"] == "prove":
        found.append(
            f"Prove the CUDA toolkits {', '.join(proof['version'] for proof in value['proofs'])} by a program."
        )
    if value["action"] == "absent" and not found:
        what = ", ".join(value["records"]) or "/usr/local/cuda, which leads nowhere"
        found.append(f"Remove {what}.")
    return found


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
