# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of stub packages agrees with itself, and the repositories' indexes with the packages."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from _rig import ubuntu
from _rig.debs import control
from _rig.packages import Package, Repository, repositories, table
from _rig.repository import fingerprint, index_entry, release

REPOSITORIES = repositories(table())
OF_THE_SYSTEM = {"kmod"}

# What a host of one of Ubuntu's releases finds in all suites and components of its archive.
RELEASES = [Repository(name, {}, list(ubuntu.offered(name)), "Ubuntu") for name in ubuntu.codenames()]

each_repository = pytest.mark.parametrize("repository", REPOSITORIES, ids=lambda repository: repository.name)
each_host_finds = pytest.mark.parametrize(
    "repository", [*REPOSITORIES, *RELEASES], ids=lambda repository: repository.name
)


def by_name(repository: Repository, name: str) -> list[Package]:
    return [package for package in repository.packages if package.name == name]


def named(name: str) -> Repository:
    return next(repository for repository in REPOSITORIES if repository.name == name)


@each_host_finds
def test_no_package_is_there_twice(repository: Repository) -> None:
    files = [package.file_name for package in repository.packages]
    assert len(files) == len(set(files))


@each_host_finds
def test_every_dependency_can_be_met_from_the_same_repository(repository: Repository) -> None:
    known = {(package.name, package.version) for package in repository.packages}
    for package in repository.packages:
        for relation in package.relations.get("depends", []):
            first_of_several = relation.partition(" | ")[0]
            found = re.fullmatch(r"([a-z0-9.-]+)(?: \((=|>=|<=|<<) (.+)\))?", first_of_several)
            assert found, relation
            name, operator, version = found.groups()
            if operator == "=":
                assert (name, version) in known, f"{package.name} wants {relation}"
            else:
                assert name in OF_THE_SYSTEM or name in {name for name, _ in known}, f"{package.name} wants {relation}"


@each_repository
def test_a_metapackage_reaches_every_piece_of_a_driver(repository: Repository) -> None:
    for package in repository.packages:
        if re.match(r"(nvidia-open|cuda-drivers)(-\d+)?$", package.name):
            kinds = {kind for part in closure(repository, package) for kind in part.content}
            assert {"nvml", "cuda", "smi", "kernel-support"} <= kinds
            assert len(kinds & {"modules-open", "modules-proprietary"}) == 1


def names_below(repository: Repository, name: str) -> set[str]:
    """A package's name, and those of all that apt would install with it."""
    found: set[str] = set()
    rest = [name]
    while rest:
        name = rest.pop()
        relations = [item for package in by_name(repository, name) for item in package.relations.get("depends", [])]
        rest += {relation.split(" ")[0] for relation in relations} - found
        found.add(name)
    return found


@pytest.mark.parametrize("repository", ["cuda-debian", "cuda-ubuntu"])
def test_cuda_brings_a_driver_by_the_packages_that_do_so_at_nvidia_and_by_no_other(repository: str) -> None:
    for package in named(repository).packages:
        if package.name.startswith(("cuda-", "libcu")) and not package.name.startswith("cuda-drivers"):
            brings = "cuda-drivers" in names_below(named(repository), package.name)
            assert brings is bool(re.match(r"cuda-(runtime-)?\d", package.name)), package.name


def closure(repository: Repository, package: Package) -> list[Package]:
    wanted = [relation.split(" (= ") for relation in package.relations.get("depends", []) if "(=" in relation]
    parts = [part for name, version in wanted for part in by_name(repository, name) if part.version == version[:-1]]
    return [package, *(deeper for part in parts for deeper in closure(repository, part))]


@pytest.mark.parametrize("repository", ["cuda-debian", "cuda-ubuntu"])
def test_the_branch_is_in_the_name_below_590_and_pinned_from_then_on(repository: str) -> None:
    names = {package.name for package in named(repository).packages}
    assert {"nvidia-open-570", "nvidia-open-580", "cuda-drivers-580", "nvidia-open", "cuda-drivers"} <= names
    assert "nvidia-open-595" not in names
    assert "nvidia-driver-pinning-595" in names


@pytest.mark.parametrize("branch", ["580", "595"])
@pytest.mark.parametrize("repository", ["cuda-debian", "cuda-ubuntu"])
def test_there_is_a_newer_version_to_stay_away_from(repository: str, branch: str) -> None:
    """Where a branch had one version only, nothing would tell a driver that is held from one that is not."""
    versions = {package.upstream for package in named(repository).packages if package.upstream.startswith(f"{branch}.")}
    assert len(versions) > 1


def test_index_and_control_file_say_the_same(tmp_path: Path) -> None:
    package = Package("nvidia-open-580", "580.95.05-1", "580.95.05", {"depends": ["nvidia-open (= 580.95.05-1)"]}, ())
    deb = tmp_path / package.file_name
    deb.write_bytes(b"content")
    entry = index_entry(package, deb)
    assert entry.startswith(control(package))
    assert "Depends: nvidia-open (= 580.95.05-1)\n" in entry
    assert f"SHA256: {hashlib.sha256(b'content').hexdigest()}\n" in entry
    assert "\n\n" not in entry


def test_release_names_every_index_with_its_sum() -> None:
    text = release(named("cuda-debian"), {"Packages": b"one", "Packages.gz": b"two"})
    assert f" {hashlib.sha256(b'one').hexdigest()} 3 Packages\n" in text
    assert text.count("\n ") == 2


def test_the_fingerprint_is_the_primary_keys() -> None:
    listing = "pub:u:3072:1:AA:::::::\nfpr:::::::::PRIMARY:\nsub:u:3072:1:BB:::::::\nfpr:::::::::SUBKEY:\n"
    assert fingerprint(listing) == "PRIMARY"
