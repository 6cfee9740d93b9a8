# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of stub rpms agrees with itself, and the module streams with the packages."""

from __future__ import annotations

import pytest
import yaml
from _rig import rpms
from _rig.dnf_repositories import release_of
from _rig.rpms import Release, Rpm

RELEASES = rpms.releases()

each_release = pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.folder)


def offered(release: Release) -> list[Rpm]:
    """What a host there can install, EPEL included."""
    own = [rpm for section in ("system", "epel") for rpm in rpms.of_the_system(release, section)]
    return [*rpms.nvidia(release), *own]


@each_release
def test_no_package_is_there_twice(release: Release) -> None:
    files = [rpm.file_name for rpm in offered(release)]
    assert len(files) == len(set(files))


@each_release
def test_every_requirement_can_be_met(release: Release) -> None:
    there = offered(release)
    versions = {(rpm.name, f"{rpm.epoch}:{rpm.upstream}") for rpm in there}
    versions |= {(rpm.name, f"{rpm.upstream}-{rpm.revision}") for rpm in there}
    versions |= {(rpm.name, rpm.upstream) for rpm in there if not rpm.epoch}
    provided = {item for rpm in there for item in rpm.relations.get("provides", [])}
    for rpm in there:
        for line in rpm.relations.get("requires", []):
            words = line.strip("()").partition(" if ")[0]
            name, _, condition = words.partition(" ")
            operator, _, version = condition.partition(" ")
            named = words in provided or name in {other.name for other in there}
            exact = words in provided or operator != "=" or (name, version) in versions
            assert named and exact, f"{rpm.name} {rpm.upstream} wants {words}"


@each_release
@pytest.mark.parametrize("name, kernel", [("nvidia-open", "dkms-open"), ("cuda-drivers", "dkms-proprietary")])
def test_a_metapackage_reaches_every_piece_of_a_driver(release: Release, name: str, kernel: str) -> None:
    for version in {rpm.upstream for rpm in rpms.drivers(release)}:
        of_version = [rpm for rpm in rpms.drivers(release) if rpm.upstream == version]
        kinds: set[str] = set()
        rest, seen = [name], set()
        while rest:
            current = rest.pop()
            seen.add(current)
            for rpm in of_version:
                if rpm.name == current:
                    kinds |= set(rpm.content)
                    rest += {words.split(" ")[0] for words in rpm.relations.get("requires", [])} - seen
        assert {"nvml", "cuda", "smi", "kernel-support", "persistenced", kernel} <= kinds


def test_streams_hold_their_branch_and_flavour() -> None:
    release = next(release for release in RELEASES if release.modules)
    documents = list(yaml.safe_load_all(rpms.streams(rpms.drivers(release))))
    streams = {entry["data"]["stream"]: entry["data"] for entry in documents if entry["document"] == "modulemd"}
    defaults = next(entry["data"] for entry in documents if entry["document"] == "modulemd-defaults")
    assert {"570-open", "580-open", "595-open", "580-dkms", "open-dkms", "latest-dkms"} <= set(streams)
    assert defaults["stream"] in streams
    known = {rpm.nevra for rpm in rpms.drivers(release)}
    for name, data in streams.items():
        members = data["artifacts"]["rpms"]
        assert set(members) <= known
        other = "kmod-nvidia-latest-dkms" if name.endswith("-open") or name == "open-dkms" else "kmod-nvidia-open-dkms"
        assert not [member for member in members if member.startswith(other)], name
        if name[0].isdigit():
            assert {member.partition(":")[2].split(".")[0] for member in members} == {name.split("-")[0]}


def test_one_run_of_rpmbuild_has_each_name_once() -> None:
    everything = rpms.nvidia(RELEASES[0])
    found = rpms.batches(everything)
    assert sorted(rpm.nevra for batch in found for rpm in batch) == sorted(rpm.nevra for rpm in everything)
    for batch in found:
        assert len({rpm.name for rpm in batch}) == len(batch)


@pytest.mark.parametrize(
    "name, major",
    [("rocky-9", "9"), ("rocky-10", "10"), ("almalinux-9", "9"), ("debian-12", None), ("ubuntu-24.04", None)],
)
def test_what_a_costume_is(name: str, major: str | None) -> None:
    found = release_of(name)
    assert (found.major if found else None) == major
