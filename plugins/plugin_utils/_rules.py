# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. The rules by which a host or a wish is refused. Each is a function of facts and wishes; all are asked."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _compat, _driver_plan, _versions

Data = t.Mapping[str, t.Any]

SOURCES = "/etc/apt/sources.list.d/"
# All that apt reads there; a file with another ending, such as .save, it leaves alone.
SOURCE_ENDINGS = (".list", ".sources")


class Refusal(t.NamedTuple):
    """`sentence` says all of it to a person, the other fields the same to a program."""

    rule: str
    found: str
    wanted: str
    way_out: str
    sentence: str


def _refusal(rule: str, found: str, wanted: str, way_out: str, reason: str) -> Refusal:
    return Refusal(rule, found, wanted, way_out, f"{reason}; {way_out}.")


def refusals(facts: Data, wishes: Data) -> list[Refusal]:
    return [found for found in (rule(facts, wishes) for rule in RULES) if found]


def _platform(facts: Data) -> Data:
    return facts.get("platform") or {}


def _driver(wishes: Data) -> Data | None:
    """The wish for a driver, if there is one that installs."""
    wish = wishes.get("driver")
    return wish if wish and wish.get("state", "present") == "present" else None


def _wishes_packages(wishes: Data) -> bool:
    """Whether anything is to be installed from a repository of NVIDIA's."""
    cuda, toolkit = wishes.get("cuda") or {}, wishes.get("toolkit")
    with_cuda = cuda.get("state", "present") == "present" and bool(cuda.get("versions"))
    with_toolkit = toolkit is not None and toolkit.get("state", "present") == "present"
    return _driver(wishes) is not None or with_cuda or with_toolkit


def _mirrors(wishes: Data) -> list[str]:
    """The mirror of all wishes, and the toolkit's where it has one of its own."""
    found = [wishes.get("mirror"), (wishes.get("toolkit") or {}).get("mirror")]
    return list(dict.fromkeys(str(mirror) for mirror in found if mirror))


def _host_of(mirror: str) -> str:
    """What stands between the scheme and the path, credentials and all."""
    return re.split(r"[/?#]", mirror.partition("://")[2] or mirror, maxsplit=1)[0]


def _without_credentials(mirror: str) -> str:
    """An address as it may be shown: logs keep what a refusal says."""
    return re.sub(r"^([A-Za-z]+://)?.*@", r"\1", mirror)


def no_hardware(facts: Data, wishes: Data) -> Refusal | None:
    if _driver(wishes) is None or any(str(card.get("class", "")).startswith("03") for card in facts.get("pci") or []):
        return None
    reading = (facts.get("sources") or {}).get("pci") or {}
    if reading.get("ok") is False:
        reason = f"The PCI bus could not be read ({reading.get('reason')}), so no NVIDIA GPU is known"
        return _refusal("no-nvidia-hardware", "an unreadable PCI bus", "an NVIDIA GPU", "see why on the host", reason)
    way_out = "take the host out of the play, or see that the card is seated and passed through to this machine"
    return _refusal(
        "no-nvidia-hardware", "no device", "an NVIDIA GPU", way_out, "This host has no NVIDIA GPU on its PCI bus"
    )


def unsupported_platform(facts: Data, wishes: Data) -> Refusal | None:
    platform = _platform(facts)
    line = _compat.platform(platform.get("id"), platform.get("version"))
    architecture = platform.get("architecture")
    if line and architecture in line["architectures"]:
        return None
    name, id_, version = (platform.get(key) or "unknown" for key in ("name", "id", "version"))
    found = f"{name} (ID {id_}, version {version}) on {architecture}"
    supported = ", ".join(f"{line['name']} {line['version']}" for line in _compat.platforms())
    files = f"plugins/plugin_utils/data/platforms.yml and roles/nvidia_driver/vars/{id_}.yml"
    architectures = ", ".join(sorted({name for line in _compat.platforms() for name in line["architectures"]}))
    reason = f"{found} is not supported, only {supported} on {architectures}"
    return _refusal("unsupported-platform", found, supported, f"to support it, add it to {files}", reason)


def not_root(facts: Data, wishes: Data) -> Refusal | None:
    uid = _platform(facts).get("uid")
    if uid in (0, None):
        return None
    return _refusal(
        "not-root", f"uid {uid}", "uid 0", "set become: true", f"Tasks run as uid {uid} here, but need root"
    )


def mirror_without_tls(facts: Data, wishes: Data) -> Refusal | None:
    plain = [_without_credentials(mirror) for mirror in _mirrors(wishes) if not mirror.startswith("https://")]
    if not plain:
        return None
    found = ", ".join(plain)
    reason = f"The mirror {found} is not reached over TLS"
    return _refusal("mirror-without-tls", found, "https://...", "set kubegpu_mirror to an https:// address", reason)


def mirror_with_credentials(facts: Data, wishes: Data) -> Refusal | None:
    """The address itself is told nowhere, since what is refused here is that others get to read it."""
    if not any("@" in _host_of(mirror) for mirror in _mirrors(wishes)):
        return None
    way_out = "take them out of the address and put them into a file in /etc/apt/auth.conf.d on the hosts"
    reason = "The address of the mirror has credentials in it, and it would be written into a file that all may read"
    return _refusal("mirror-with-credentials", "credentials before the host", "an address without", way_out, reason)


def foreign_source(facts: Data, wishes: Data) -> Refusal | None:
    """With two sources of one repository that name different keys, apt reads no source at all any more."""
    names = {path: path.removeprefix(SOURCES) for path in facts.get("files") or {} if path.startswith(SOURCES)}
    foreign = [path for path, name in sorted(names.items()) if _is_foreign_source(name.lower())]
    if not foreign or not _wishes_packages(wishes):
        return None
    found = ", ".join(foreign)
    way_out = (
        "remove it (if by the package cuda-keyring: apt purge cuda-keyring) and run again; the role brings its own"
    )
    reason = f"{found} is not by this collection, and apt fails for all packages if one repository has two keys"
    return _refusal("foreign-source", found, "no other source of NVIDIA's packages", way_out, reason)


def _is_foreign_source(name: str) -> bool:
    theirs = "cuda" in name or "nvidia" in name
    return theirs and "kubegpu" not in name and name.endswith(SOURCE_ENDINGS)


def unknown_branch(facts: Data, wishes: Data) -> Refusal | None:
    wish = _driver(wishes)
    if wish is None or _driver_plan.wished_branch(wish) in _compat.branches():
        return None
    wanted = str(wish.get("branch") or wish.get("version") or "none")
    known = ", ".join(str(branch) for branch in _compat.branches())
    way_out = f"set nvidia_driver_branch to one of {known}"
    return _refusal("unknown-branch", known, wanted, way_out, f"Driver branch {wanted} is not known")


def open_modules_old_card(facts: Data, wishes: Data) -> Refusal | None:
    wish, old = _driver(wishes), _driver_plan.old_cards(facts)
    if wish is None or wish.get("flavour") != "open" or not old:
        return None
    found, generation = ", ".join(card.words for card in old), old[0].generation
    way_out = f"set nvidia_driver_flavour to auto or {generation.flavour.value}"
    reason = f"There are no open kernel modules for {found}: {generation.name} ({generation.flavour.source})"
    return _refusal("open-modules-old-card", found, "open kernel modules", way_out, reason)


def branch_past_card(facts: Data, wishes: Data) -> Refusal | None:
    wish = _driver(wishes)
    branch = _driver_plan.wished_branch(wish) if wish else None
    old = [card for card in _driver_plan.old_cards(facts) if branch and branch > card.generation.last_branch]
    if not old:
        return None
    found, generation = ", ".join(card.words for card in old), old[0].generation
    last = generation.last_branch
    reason = (
        f"Branch {branch} has no driver for {found}: {generation.name},"
        f" for which {last} is the last branch ({generation.last_branch_source})"
    )
    way_out = f"set nvidia_driver_branch to {last}, or take the card out of the host"
    return _refusal("branch-past-card", found, f"branch {branch}", way_out, reason)


def version_of_the_branch(facts: Data, wishes: Data) -> Refusal | None:
    wish = _driver(wishes)
    if wish is None or not wish.get("version"):
        return None
    version, branch = str(wish["version"]), str(wish.get("branch") or "")
    if not _versions.is_driver_version(version):
        way_out = "set nvidia_driver_version to a full one such as 580.95.05, or leave it empty"
        return _refusal("bad-version", version, "580.95.05", way_out, f"{version} is not a version of a driver")
    if branch in ("", str(_versions.branch_of(version))):
        return None
    way_out = (
        f"set nvidia_driver_branch to {_versions.branch_of(version)} as well, or leave nvidia_driver_version empty"
    )
    reason = f"Driver version {version} is not of branch {branch}"
    return _refusal("version-not-in-branch", version, f"branch {branch}", way_out, reason)


def downgrade(facts: Data, wishes: Data) -> Refusal | None:
    wish = _driver(wishes)
    wanted = _driver_plan.target(facts, wish) if wish else None
    before = _driver_plan.installed(facts)
    if wanted is None or before is None or wanted.is_met_by(before):
        return None
    if _versions.order(before) < _versions.order(wanted.version or str(wanted.branch)):
        return None
    found, words = f"driver {before}", wanted.version or f"branch {wanted.branch}"
    way_out = "ask for what is installed or newer, or remove it first with nvidia_driver_state: absent"
    return _refusal("downgrade", found, words, way_out, f"Driver {before} is installed and newer than {words}")


def foreign_driver(facts: Data, wishes: Data) -> Refusal | None:
    on_disk = (facts.get("driver") or {}).get("on_disk")
    if _driver(wishes) is None or on_disk is None or _driver_plan.driver_packages(facts):
        return None
    way_out = "remove it the way it was installed (nvidia-uninstall, if by NVIDIA's .run file)"
    reason = f"Driver {on_disk} is installed, but not by a package"
    return _refusal("foreign-driver", f"driver {on_disk} without packages", "packages", way_out, reason)


def bad_cuda_version(facts: Data, wishes: Data) -> Refusal | None:
    versions = (wishes.get("cuda") or {}).get("versions") or []
    bad = ", ".join(str(version) for version in versions if not _versions.is_cuda_version(str(version)))
    if not bad:
        return None
    way_out = 'write cuda_versions as texts such as "13.0", in quotes'
    return _refusal("bad-cuda-version", bad, "13.0", way_out, f"{bad} is not a version of the CUDA toolkit")


def default_toolkit(facts: Data, wishes: Data) -> Refusal | None:
    wish = wishes.get("cuda") or {}
    default = str(wish.get("default") or "")
    if not default or wish.get("state") == "absent":
        return None
    there = [toolkit.get("version") for toolkit in (facts.get("cuda") or {}).get("toolkits") or []]
    if default in [*map(str, wish.get("versions") or []), *there]:
        return None
    reason = f"CUDA {default} cannot be the default toolkit, since it is neither installed nor asked for"
    return _refusal("default-toolkit", "no such toolkit", default, f"add {default} to cuda_versions", reason)


def node_not_registered(facts: Data, wishes: Data) -> Refusal | None:
    cluster = wishes.get("cluster") or {}
    if cluster.get("registered", True):
        return None
    node = cluster.get("node")
    way_out = "join the host to the cluster first, or name its node with kubegpu_node_name"
    return _refusal("node-not-registered", "no such node", str(node), way_out, f"The cluster has no node {node}")


RULES: tuple[t.Callable[[Data, Data], Refusal | None], ...] = (
    no_hardware,
    unsupported_platform,
    not_root,
    mirror_without_tls,
    mirror_with_credentials,
    foreign_source,
    unknown_branch,
    open_modules_old_card,
    branch_past_card,
    version_of_the_branch,
    downgrade,
    foreign_driver,
    bad_cuda_version,
    default_toolkit,
    node_not_registered,
)
