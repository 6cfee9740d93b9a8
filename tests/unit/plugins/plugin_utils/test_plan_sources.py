# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a driver comes from: NVIDIA's repository, the distribution, or whoever has installed it already."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import COMPONENTS_FILE, PIN_FILE
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._plan import plan
from ansible_collections.kubegpu.nodes.tests.unit.plugins.plugin_utils.plan_hosts import (
    B200,
    BRIDGE,
    GH200,
    H100,
    NVSWITCH,
    V100,
    Facts,
    from_distribution,
    host,
    rules,
    wish,
    with_driver,
)

DEBIAN = "http://deb.debian.org/debian"
SECURITY = "http://security.debian.org/debian-security"
KEYRING = {"Signed-By": "/usr/share/keyrings/debian-archive-keyring.gpg"}
NEEDED = ["contrib", "non-free", "non-free-firmware"]
ALL = ["main", *NEEDED]


def row(suite: str = "bookworm", uri: str = DEBIAN, components: t.Sequence[str] = ("main",), **other: t.Any) -> Facts:
    found = {"file": "/etc/apt/sources.list", "uri": uri, "suite": suite, "components": list(components)}
    return {**found, "options": dict(KEYRING), "origin": "Debian", "obstacle": None, **other}


OWN = [row(), row("bookworm-updates"), row("bookworm-security", SECURITY)]


def bookworm(*sources: Facts, **other: t.Any) -> Facts:
    platform = {"codename": "bookworm", **other.pop("platform", {})}
    return {**host(platform=platform, **other), "package_sources": list(sources or OWN)}


def trixie(*sources: Facts) -> Facts:
    platform = {"version": "13", "codename": "trixie", "name": "Debian GNU/Linux 13 (trixie)"}
    return {**host(platform=platform), "package_sources": list(sources or [row("trixie")])}


def ubuntu(version: str = "24.04", codename: str = "noble", kernel: str = "6.8.0-31-generic") -> Facts:
    platform = {"id": "ubuntu", "version": version, "codename": codename, "name": f"Ubuntu {version}"}
    sources = [row(codename, "http://archive.ubuntu.com/ubuntu", ["main", "restricted"], origin="Ubuntu")]
    return {**host(platform={**platform, "kernel": {"running": kernel}}), "package_sources": sources}


def distro(branch: str = "535", **other: t.Any) -> dict[str, t.Any]:
    return wish(branch, source="distro", **other)


def specs(facts: Facts, wishes: dict[str, t.Any]) -> list[str]:
    value = plan(facts, wishes)
    assert value["refusals"] == []
    return [package["spec"] for package in value["driver"]["packages"]]


def test_debians_packages() -> None:
    assert specs(bookworm(), distro()) == [
        "nvidia-kernel-dkms=535.*",
        "nvidia-smi=535.*",
        "libcuda1=535.*",
        "libnvidia-ml1=535.*",
        "nvidia-persistenced",
        "nvidia-modprobe",
    ]
    value = plan(bookworm(), distro())
    assert (value["driver"]["source"], value["driver"]["version_expected"]) == ("distro", "535.309.01")
    assert value["repository"]["needed"] is False


def test_modules_that_are_behind_their_libraries_take_these_along() -> None:
    """Debian 12 corrects the proprietary driver in its security updates, and the open modules do not follow."""
    found = plan(bookworm(), distro(flavour="open"))["driver"]
    assert (found["version"], found["pin"]) == ("535.261.03", "535.261.03-*")
    assert found["packages"][0]["spec"] == "nvidia-open-kernel-dkms=535.261.03-*"


OPEN_PARTS = ("nvidia-open-kernel-dkms", "nvidia-smi", "libcuda1", "libnvidia-ml1")


def with_open_modules(version: str, **other: str) -> Facts:
    """Debian 12 with its open modules. `other`: the versions of single packages that have not followed."""
    versions = {name: version for name in OPEN_PARTS} | {name.replace("_", "-"): own for name, own in other.items()}
    packages = {name: {"version": f"{own}-1~deb12u1", "held": False} for name, own in versions.items()}
    packages |= {
        name: {"version": "535.171.04-1", "held": False} for name in ("nvidia-persistenced", "nvidia-modprobe")
    }
    facts = from_distribution(version, flavour="open", on_disk_flavour="open")
    platform = {**facts["platform"], "codename": "bookworm"}
    return {**facts, "packages": packages, "package_sources": OWN, "platform": platform}


WHOLE: dict[str, tuple[Facts, str, str]] = {
    # name: (facts, the version that is wanted, what is done)
    "newer than the data has seen": (with_open_modules("535.309.01"), "535.309.01", "none"),
    "as the data says": (with_open_modules("535.261.03"), "535.261.03", "none"),
    "older": (with_open_modules("535.216.03"), "535.261.03", "change"),
    "not whole": (with_open_modules("535.261.03", libcuda1="535.309.01"), "535.261.03", "change"),
}


@pytest.mark.parametrize("facts, version, action", WHOLE.values(), ids=WHOLE.keys())
def test_what_the_distribution_has_made_whole_since_stays(facts: Facts, version: str, action: str) -> None:
    value = plan(facts, distro(flavour="open"))
    driver = value["driver"]
    assert (value["refusals"], driver["version"], driver["action"]) == ([], version, action)
    assert driver["pin"] == f"{version}-*"


@pytest.mark.parametrize("flavour", ["open", "proprietary"])
def test_where_both_are_of_one_version_the_branch_will_do(flavour: str) -> None:
    assert plan(trixie(), distro("550", flavour=flavour))["driver"]["version"] is None


@pytest.mark.parametrize("word, images", [("newest", []), ("needed", ["11.8"])])
def test_words_choose_among_what_there_is(word: str, images: list[str]) -> None:
    assert plan(bookworm(), distro(word, cuda_images=images))["driver"]["branch"] == "535"
    assert plan(trixie(), distro(word, cuda_images=images))["driver"]["branch"] == "550"


def test_no_word_finds_what_there_is_not() -> None:
    found = plan(bookworm(), distro("needed", cuda_images=["13.0"]))["refusals"]
    assert [refusal["rule"] for refusal in found] == ["no-branch-fits"]
    assert "has only branch 535 itself" in found[0]["sentence"] and "nvidia_driver_source: repo" in found[0]["way_out"]


def test_a_card_that_is_too_new_for_the_distribution() -> None:
    assert "no-branch-fits" in rules(bookworm(pci=[B200]), distro("newest"))
    assert plan(bookworm(pci=[H100]), distro("newest"))["refusals"] == []


def test_a_branch_that_the_distribution_does_not_have() -> None:
    (found,) = plan(bookworm(), distro("580"))["refusals"]
    assert found["rule"] == "distribution-branch"
    assert "only branch 535" in found["sentence"] and "set nvidia_driver_branch to 535" in found["way_out"]


def test_the_missing_components_are_added_beside_the_hosts_own() -> None:
    assert plan(bookworm(), distro())["components"] == {
        "needed": NEEDED,
        "missing": [
            {"uri": DEBIAN, "suite": "bookworm", "components": NEEDED, "options": KEYRING},
            {"uri": DEBIAN, "suite": "bookworm-updates", "components": NEEDED, "options": KEYRING},
            {"uri": SECURITY, "suite": "bookworm-security", "components": NEEDED, "options": KEYRING},
        ],
    }


def test_what_we_added_ourselves_is_still_missing_without_us() -> None:
    ours = row(components=NEEDED, file=COMPONENTS_FILE)
    assert plan(bookworm(*OWN, ours), distro())["components"] == plan(bookworm(), distro())["components"]


def test_what_is_there_already_is_not_added() -> None:
    assert plan(bookworm(row(components=ALL)), distro())["components"]["missing"] == []
    halves = [row(), row(components=["contrib", "non-free"])]
    (entry,) = plan(bookworm(*halves), distro())["components"]["missing"]
    assert entry["components"] == ["non-free-firmware"]


def test_others_and_other_releases_are_not_repeated() -> None:
    others = [
        row(uri="https://packages.example/debian", origin="Example"),
        row("bookworm-backports"),
        row("bookworm-pgdg", "http://apt.example/pub"),
        row("sid"),
        row(uri="https://flat.example", components=[]),
    ]
    missing = plan(bookworm(*OWN, *others), distro())["components"]["missing"]
    assert missing == plan(bookworm(), distro())["components"]["missing"]


def test_before_apt_has_read_its_lists_the_key_tells() -> None:
    assert plan(bookworm(row(origin=None)), distro())["components"]["missing"]
    (found,) = plan(bookworm(row(origin=None, options={})), distro())["refusals"]
    assert found["rule"] == "distribution-components" and "apt-get update" in found["way_out"]


@pytest.mark.parametrize("facts", [bookworm() | {"package_sources": None}, bookworm(row("sid"))])
def test_unknown_sources_are_refused_with_a_way_out(facts: Facts) -> None:
    (found,) = plan(facts, distro())["refusals"]
    assert found["rule"] == "distribution-components"
    assert "enable contrib non-free non-free-firmware yourself" in found["way_out"]


def test_the_way_out_is_one() -> None:
    """A mirror that nobody knows by name, with everything enabled by hand."""
    value = plan(bookworm(row(origin="Ours", components=ALL, options={})), distro())
    assert value["refusals"] == [] and value["components"]["missing"] == []


def test_what_cannot_be_repeated_is_refused() -> None:
    (found,) = plan(bookworm(row(obstacle="its address has credentials in it")), distro())["refusals"]
    assert found["rule"] == "distribution-components" and "credentials" in found["sentence"]


def test_ubuntus_signed_modules_are_not_built_here() -> None:
    assert specs(ubuntu(), distro("580")) == [
        "nvidia-headless-no-dkms-580-server-open=580.*",
        "linux-modules-nvidia-580-server-open-generic",
        "nvidia-utils-580-server=580.*",
    ]
    value = plan(ubuntu(), distro("580"))
    assert value["kernel"]["headers"] == value["kernel"]["missing"] == []
    assert value["components"] == {"needed": ["restricted"], "missing": []}


def test_signed_modules_are_what_secure_boot_wants() -> None:
    facts = ubuntu()
    facts["platform"] = {**facts["platform"], "secure_boot": True}
    assert rules(facts, distro("580")) == []
    (found,) = plan(facts, wish("580"))["refusals"]
    assert found["rule"] == "secure-boot" and "nvidia_driver_source: distro" in found["way_out"]


@pytest.mark.parametrize("wishes", [distro("535"), wish("580")])
def test_debian_signs_none(wishes: dict[str, t.Any]) -> None:
    (found,) = plan(bookworm(platform={"secure_boot": True}), wishes)["refusals"]
    assert found["rule"] == "secure-boot" and "distro" not in found["way_out"]


def two_kernels(**driver: t.Any) -> Facts:
    """An Ubuntu that has got a newer kernel and has not booted it yet."""
    facts = ubuntu()
    kernel = {"running": "6.8.0-31-generic", "next_boot": "6.8.0-60-generic"}
    kernels = [{"release": release, "headers": False, "bootable": True} for release in kernel.values()]
    facts["platform"] = {**facts["platform"], "kernel": kernel, "kernels": kernels}
    return {**facts, "driver": {**facts["driver"], **driver}}


def test_signed_modules_come_for_the_newest_kernel_only() -> None:
    driver = plan(two_kernels(), distro("580"))["driver"]
    assert (driver["action"], driver["disruption"]) == ("install", "reboot")
    assert "come for kernel 6.8.0-60-generic" in driver["disruption_reason"]


def test_so_that_the_driver_waits_for_that_kernel() -> None:
    boots = {"kernel": "6.8.0-60-generic", "version": "580.95.05", "flavour": "open"}
    facts = two_kernels(userland="580.95.05", next_boot=boots, installed_by="distro")
    names = ("nvidia-headless-no-dkms-580-server-open", "nvidia-utils-580-server")
    facts["packages"] = {name: {"version": "580.95.05-0ubuntu0.24.04.1", "held": False} for name in names}
    facts["packages"]["linux-modules-nvidia-580-server-open-generic"] = {"version": "6.8.0-60.63", "held": False}
    value = plan(facts, distro("580"))
    assert (value["driver"]["action"], value["driver"]["disruption"]) == ("reboot", "reboot")
    assert value["kernel"]["boots"]["ready"] is True
    facts["driver"] |= {"on_disk": "580.95.05", "on_disk_flavour": "open"}
    assert plan(facts, distro("580"))["driver"]["disruption"] == "load"


def with_ubuntus_modules(**wishes: t.Any) -> t.Any:
    """A host of Ubuntu with its driver of the role's that a new kernel has come to since."""
    asked_for = "linux-modules-nvidia-580-server-open-generic"
    for_kernels = [f"linux-modules-nvidia-580-server-open-6.8.0-{abi}-generic" for abi in (31, 60)]
    ours = ["nvidia-headless-no-dkms-580-server-open", "nvidia-utils-580-server"]
    packages = {name: {"version": "580.95.05-0ubuntu0.24.04.1", "held": False} for name in ours}
    packages |= {name: {"version": "6.8.0-60.63", "held": False} for name in (asked_for, *for_kernels)}
    record = {name: packages[name] | {"whole": True} for name in (*ours, asked_for, for_kernels[0])}
    facts = two_kernels(on_disk="580.95.05", userland="580.95.05", installed_by="distro", brought=record)
    return plan({**facts, "packages": packages, "files": {PIN_FILE: "0" * 64}}, distro(**wishes))["driver"], for_kernels


def test_modules_that_came_with_a_kernel_go_with_the_driver() -> None:
    driver, for_kernels = with_ubuntus_modules(branch="580", state="absent")
    assert set(for_kernels) < set(driver["remove"])


def test_modules_that_came_with_a_kernel_give_way_to_those_of_another_driver() -> None:
    driver, for_kernels = with_ubuntus_modules(branch="580", flavour="proprietary")
    assert driver["action"] == "change"
    assert set(for_kernels) < set(driver["parts"])
    assert set(driver["superseded"]) == {*for_kernels, "linux-modules-nvidia-580-server-open-generic"}


@pytest.mark.parametrize("wishes", [{"branch": "580"}, {"branch": "580", "version": "580.126.09"}])
def test_those_of_the_same_driver_stay_whatever_kernel_they_are_for(wishes: dict[str, str]) -> None:
    driver, _ = with_ubuntus_modules(**wishes)
    assert driver["superseded"] == []


DEBIANS = {
    "proprietary": ["nvidia-kernel-dkms", "nvidia-kernel-support"],
    "open": ["nvidia-open-kernel-dkms", "nvidia-open-kernel-support"],
}


@pytest.mark.parametrize("wanted", DEBIANS)
@pytest.mark.parametrize("ours", [True, False], ids=["ours", "of others"])
def test_debians_modules_of_the_other_flavour_go_if_they_are_ours(wanted: str, ours: bool) -> None:
    """Beside each other Debian's own order tells which of them the kernel loads, and not the wish."""
    version = "535.309.01-0+deb12u1"
    packages = {name: {"version": version, "held": False} for names in DEBIANS.values() for name in names}
    brought = {name: line | {"whole": True} for name, line in packages.items()} if ours else {}
    facts = bookworm(driver={"userland": "535.309.01", "installed_by": "distro", "brought": brought})
    driver = plan({**facts, "packages": packages}, distro(flavour=wanted))["driver"]
    (other,) = DEBIANS.keys() - {wanted}
    assert driver["superseded"] == (DEBIANS[other] if ours else [])


KERNELS = {
    "6.8.0-31-generic": "generic",
    "6.14.0-27-generic": "generic-hwe-24.04",
    "6.8.0-31-lowlatency": "lowlatency",
    "6.8.0-1012-aws": "aws",
    "6.14.0-1010-azure": "azure",
    "6.8.0-31-generic-64k": "generic-64k",
    "6.14.0-27-generic-64k": "generic-64k-hwe-24.04",
    "6.8.0-1024-nvidia-64k": "nvidia-64k",
    "6.17.0-1029-nvidia-64k": "nvidia-64k-hwe-24.04",
    "6.14.0-1010-nvidia": "nvidia-hwe-24.04",
}


@pytest.mark.parametrize("kernel, flavour", KERNELS.items())
def test_the_flavour_of_the_kernel_is_in_the_name(kernel: str, flavour: str) -> None:
    assert f"linux-modules-nvidia-580-server-open-{flavour}" in specs(ubuntu(kernel=kernel), distro("580"))


@pytest.mark.parametrize("kernel", ["6.18.44-custom", "6.1.0-40-amd64+x", ""])
def test_a_kernel_that_is_not_ubuntus_has_no_modules(kernel: str) -> None:
    assert "foreign-kernel" in rules(ubuntu(kernel=kernel), distro("580"))


@pytest.mark.parametrize(
    "version, codename, branch", [("22.04", "jammy", "580"), ("24.04", "noble", "580"), ("26.04", "resolute", "595")]
)
def test_the_newest_of_each_ubuntu_that_its_cards_allow(version: str, codename: str, branch: str) -> None:
    assert plan(ubuntu(version, codename), distro("newest"))["driver"]["branch"] == branch


def on_arm64(facts: Facts, **other: t.Any) -> Facts:
    return {**facts, "platform": {**facts["platform"], "architecture": "aarch64"}, **other}


@pytest.mark.parametrize("version, codename", [("22.04", "jammy"), ("24.04", "noble"), ("26.04", "resolute")])
def test_servers_with_arm64(version: str, codename: str) -> None:
    """NVIDIA's packages have the same names there, and its own boards take open modules only."""
    facts = on_arm64(ubuntu(version, codename), pci=[GH200])
    assert specs(facts, wish("580")) == ["nvidia-open-580=580.*"]
    assert plan(facts, {"cuda": {"versions": ["13.0"]}})["cuda"]["packages"] == ["cuda-toolkit-13-0"]
    assert rules(facts, wish("580", flavour="proprietary")) == ["proprietary-modules-new-card"]


def test_debian_on_arm64_has_its_own_driver_only() -> None:
    facts = on_arm64(bookworm())
    assert specs(facts, distro()) == specs(bookworm(), distro())
    (found,) = plan(facts, wish("580"))["refusals"]
    assert found["rule"] == "repository-architecture" and "nvidia_driver_source: distro" in found["way_out"]
    assert rules(facts, {"cuda": {"versions": ["13.0"]}}) == ["repository-architecture"]
    assert rules(on_arm64(installed()), wish("keep")) == []


def test_a_branch_that_nvidias_repository_for_a_new_release_does_not_have() -> None:
    (found,) = plan(trixie(), wish("580"))["refusals"]
    assert found["rule"] == "repository-branch"
    assert "NVIDIA's repository for Debian GNU/Linux 13 (trixie) begins with branch 590" in found["sentence"]
    assert "take branch 550 of the distribution with nvidia_driver_source: distro" in found["way_out"]
    assert rules(trixie(), wish("595")) == rules(bookworm(), wish("580")) == []
    assert rules(trixie(), distro("550")) == []


def test_words_do_not_choose_what_the_repository_does_not_have() -> None:
    assert plan(trixie(), wish("needed", cuda_images=["12.8"]))["driver"]["branch"] == "595"
    assert plan(bookworm(), wish("needed", cuda_images=["12.8"]))["driver"]["branch"] == "580"


def test_cards_that_are_too_old_for_what_the_repository_has() -> None:
    (found,) = plan({**trixie(), "pci": [V100]}, wish("newest"))["refusals"]
    assert found["rule"] == "no-branch-fits" and "begins with branch 590" in found["sentence"]
    assert "nvidia_driver_source: distro" in found["way_out"]


def installed(version: str = "535.309.01", **other: t.Any) -> Facts:
    facts = from_distribution(version)
    names = ("nvidia-kernel-dkms", "nvidia-smi", "libcuda1", "libnvidia-ml1")
    packages = {name: {"version": f"{version}-0+deb12u1", "held": False} for name in names}
    packages |= {
        "nvidia-persistenced": {"version": "535.171.04-1~deb12u1"},
        "nvidia-modprobe": {"version": f"{version}-1"},
    }
    platform = {**facts["platform"], "codename": "bookworm"}
    return {**facts, "packages": packages, "package_sources": OWN, "platform": platform, **other}


def test_the_distributions_driver_is_adopted_where_it_is_what_is_wanted() -> None:
    value = plan(installed(), distro())
    assert value["refusals"] == [] and value["driver"]["action"] == "none"


def test_the_two_do_not_go_beside_each_other() -> None:
    assert rules(installed(), wish("580")) == ["distribution-driver"]
    facts = with_driver("535.261.03", "proprietary", files={}) | {"package_sources": OWN}
    facts["platform"] = {**facts["platform"], "codename": "bookworm"}
    assert rules(facts, distro()) == ["repository-driver"]


def test_absence_takes_along_what_has_a_version_of_its_own() -> None:
    facts = installed(files={PIN_FILE: "0" * 64})
    facts["driver"]["brought"] = {name: {**line, "whole": True} for name, line in facts["packages"].items()}
    value = plan(facts, {"driver": {"state": "absent"}})
    assert value["driver"]["action"] == "absent"
    assert {"nvidia-kernel-dkms", "nvidia-persistenced", "nvidia-modprobe"} <= set(value["driver"]["remove"])
    assert value["repository"]["needed"] is False


def test_a_foreign_entry_of_nvidias_repository_is_none_of_the_distributions_business() -> None:
    files = {"/etc/apt/sources.list.d/cuda-debian12.list": "0" * 64}
    assert rules(bookworm(files=files), distro()) == []
    assert rules(bookworm(files=files), wish("580")) == ["foreign-source"]


def preinstalled(**other: t.Any) -> dict[str, t.Any]:
    """The branch is what the role's default says; it does not count."""
    return wish("580", source="preinstalled", **other)


@pytest.mark.parametrize("facts", [installed(), with_driver("570.211.01"), with_driver("595.91.07", files={})])
def test_what_is_there_is_proven_and_used(facts: Facts) -> None:
    value = plan(facts, preinstalled())
    assert value["refusals"] == [] and value["driver"]["action"] == "none"
    assert value["driver"]["packages"] == value["driver"]["remove"] == value["kernel"]["missing"] == []
    assert value["driver"]["pin"] is None and value["components"]["missing"] == []


def test_its_services_are_whose_it_is() -> None:
    facts = with_driver("570.211.01", driver={"persistenced": {"present": True, "active": False, "enabled": False}})
    assert plan(facts, preinstalled())["services"]["action"] == "none"
    assert plan(facts, wish("570"))["services"]["action"] == "change"


def test_its_parameters_are_whose_it_is() -> None:
    facts = with_driver("570.211.01", driver={"parameters": {"NvLinkDisable": "0"}})
    assert plan(facts, preinstalled(parameters={"NVreg_NvLinkDisable": 0}))["refusals"] == []
    (found,) = plan(facts, preinstalled(parameters={"NVreg_NvLinkDisable": 1}))["refusals"]
    assert found["rule"] == "preinstalled-parameters" and "NVreg_NvLinkDisable is 0, not 1" in found["sentence"]
    assert rules(facts, wish("570", parameters={"NVreg_NvLinkDisable": 1})) == []


def test_it_is_loaded_at_most() -> None:
    facts = with_driver("570.211.01", driver={"loaded": None, "flavour": None})
    assert plan(facts, preinstalled())["driver"]["action"] == "load"


NO_MODULE = dict.fromkeys(("loaded", "flavour", "on_disk", "on_disk_flavour"))
REFUSED = {
    "nothing-to-keep": (host(), {}),
    "kept-driver-broken": (with_driver("570.211.01", driver={"userland": "570.133.20"}), {}),
    "kept-driver-broken ": (with_driver("570.211.01", driver=NO_MODULE, sources={"modinfo": {"ok": True}}), {}),
    "preinstalled-version": (with_driver("570.211.01"), {"version": "570.133.20"}),
    "kept-flavour": (with_driver("570.211.01"), {"flavour": "proprietary"}),
}


@pytest.mark.parametrize("rule", REFUSED)
def test_what_is_not_there_or_not_whole_is_refused_with_a_way_out(rule: str) -> None:
    facts, wishes = REFUSED[rule]
    found = plan(facts, preinstalled(**wishes))["refusals"]
    assert [refusal["rule"] for refusal in found] == [rule.strip()] and found[0]["way_out"]


def test_the_version_that_is_asked_for_may_be_there() -> None:
    assert plan(with_driver("570.211.01"), preinstalled(version="570.211.01"))["refusals"] == []


@pytest.mark.parametrize("device, words", [(NVSWITCH, "has NVSwitches"), (BRIDGE, "switches of NVLink 5")])
@pytest.mark.parametrize("facts, branch", [(bookworm(), "535"), (ubuntu(), "580")])
def test_no_distribution_has_what_switches_need(facts: Facts, branch: str, device: Facts, words: str) -> None:
    value = plan(facts | {"pci": [H100, device]}, distro(branch))
    (found,) = value["refusals"]
    assert found["rule"] == "distribution-fabric" and words in found["sentence"]
    assert "nvidia_driver_source: repo" in found["way_out"] and value["fabric"]["packages"] == []


def test_no_distribution_has_imex() -> None:
    assert rules(bookworm(), distro(imex=True)) == ["imex-without-packages"]


def test_a_fabric_manager_that_somebody_has_brought_is_no_reason_to_refuse() -> None:
    facts = installed(pci=[H100, NVSWITCH])
    facts["driver"] = {**facts["driver"], "fabric_manager": {"present": True, "version": "535.309.01"}}
    assert rules(facts, distro()) == []


def test_a_source_that_nobody_knows() -> None:
    assert rules(bookworm(), wish("580", source="snap")) == ["unknown-source"]
