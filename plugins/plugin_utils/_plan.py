# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. The plan of one host: facts x wishes x compatibility data -> value. It reads nothing and changes nothing."""

from __future__ import annotations

import typing as t

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _compat, _driver_plan, _rules, _versions

Data = t.Mapping[str, t.Any]

CUDA = "cuda-toolkit-"


def plan(facts: Data, wishes: Data) -> dict[str, t.Any]:
    """A part that nobody wishes for is left alone: its action is `none`."""
    wish = wishes.get("driver") or {}
    wanted = _driver_plan.target(facts, wish) if wish else None
    driver = _driver_plan.decide(facts, wish, wanted) if wish else {"action": "none", "reason": "not asked for"}
    value = {
        "refusals": [refusal._asdict() for refusal in _rules.refusals(facts, wishes)],
        "warnings": _warnings(facts),
        "driver": driver,
        "cuda": _cuda(facts, wishes.get("cuda") or {}),
        "toolkit": _toolkit(facts, wishes.get("toolkit")),
    }
    value["repository"] = {"needed": _repository_needed(facts, wishes)}
    value["summary"] = _summary(value)
    return value


def _manager(facts: Data) -> str:
    return str((facts.get("platform") or {}).get("package_manager"))


def _warnings(facts: Data) -> list[str]:
    held = _driver_plan.rivals(facts)
    if not held:
        return []
    return [f"Another driver of the kernel holds the card ({', '.join(held)}): NVIDIA's takes over after a reboot."]


def _cuda(facts: Data, wish: Data) -> dict[str, t.Any]:
    """Toolkits side by side. Installed is what the package database and the folder of the toolkit both say."""
    wished = [str(version) for version in wish.get("versions") or []]
    if wish.get("state") == "absent":
        return _cuda_absent(facts, wished)
    there = [toolkit["version"] for toolkit in (facts.get("cuda") or {}).get("toolkits") or []]
    packages = {version: _compat.cuda_packages(_manager(facts), version) for version in wished}
    known = facts.get("packages") or {}
    missing = [v for v in wished if v not in there or any(name not in known for name in packages[v])]
    default = _cuda_path(str(wish["default"])) if wish.get("default") else None
    relink = default is not None and (facts.get("cuda") or {}).get("default") != default
    value = _cuda_value("install" if missing else "default" if relink else "none")
    value.update(packages=[name for version in wished for name in packages[version]], missing=missing, default=default)
    return value


def _cuda_value(action: str) -> dict[str, t.Any]:
    return {"action": action, "packages": [], "missing": [], "default": None, "remove": [], "remove_default": False}


def _cuda_path(version: str) -> str:
    return f"/usr/local/cuda-{version}"


def _cuda_absent(facts: Data, wished: list[str]) -> dict[str, t.Any]:
    """All packages of a toolkit end with its version; one that serves several toolkits does not."""
    ends = tuple(f"-{version.replace('.', '-')}" for version in wished)
    gone = [name for name in sorted(facts.get("packages") or {}) if ends and name.endswith(ends)]
    remove_default = (facts.get("cuda") or {}).get("default") in [_cuda_path(version) for version in wished]
    value = _cuda_value("absent" if gone or remove_default else "none")
    value.update(remove=gone, remove_default=remove_default)
    return value


def _toolkit(facts: Data, wish: Data | None) -> dict[str, t.Any]:
    if wish is None:
        return {"action": "none", "version": None, "packages": []}
    names = _compat.toolkit_packages(_manager(facts))
    known = facts.get("packages") or {}
    version = str(wish.get("version") or "") or None
    there = {name: _versions.upstream(known[name]["version"]) for name in names if name in known}
    if wish.get("state") == "absent":
        return {"action": "absent" if there else "none", "version": None, "packages": sorted(there)}
    met = len(there) == len(names) and all(version in (None, found) for found in there.values())
    action = "none" if met else "change" if there else "install"
    packages = [
        {
            "name": name,
            "version_pin": f"{version}-*" if version else None,
            "spec": f"{name}={version}-*" if version else name,
        }
        for name in names
    ]
    return {"action": action, "version": version, "packages": packages}


def _repository_needed(facts: Data, wishes: Data) -> bool:
    """Whether something is, or is to be, installed from NVIDIA's repository of drivers and CUDA after these wishes."""
    driver, cuda = wishes.get("driver"), wishes.get("cuda")
    if driver is None:
        with_driver = _driver_plan.PIN_FILE in (facts.get("files") or {})
    else:
        with_driver = driver.get("state", "present") == "present"
    leaving = set(_cuda(facts, cuda)["remove"]) if cuda and cuda.get("state") == "absent" else set()
    wished = bool(cuda and cuda.get("state") != "absent" and cuda.get("versions"))
    with_cuda = any(name.startswith(CUDA) and name not in leaving for name in facts.get("packages") or {})
    return with_driver or wished or with_cuda


def _summary(value: Data) -> list[str]:
    """One sentence for each change that is to come."""
    driver, cuda, toolkit = value["driver"], value["cuda"], value["toolkit"]
    sentences = []
    if driver["action"] != "none":
        sentences.append(f"{DRIVER_WORDS[driver['action']]}: {driver['reason']}.")
    if driver.get("disruption", "none") != "none":
        sentences.append(DISRUPTION_WORDS[driver["disruption"]])
    if cuda["action"] != "none":
        sentences.append(CUDA_WORDS[cuda["action"]].format(**{key: _words(value) for key, value in cuda.items()}))
    if toolkit["action"] != "none":
        words = "Remove" if toolkit["action"] == "absent" else "Install"
        sentences.append(f"{words} the NVIDIA container toolkit {toolkit['version'] or ''}".rstrip() + ".")
    return sentences


def _words(value: t.Any) -> str:
    return ", ".join(value) or "nothing" if isinstance(value, list) else str(value)


DRIVER_WORDS = {
    "install": "Install the driver",
    "change": "Change the driver",
    "load": "Load the driver",
    "reboot": "Make the installed driver the loaded one",
    "absent": "Remove the driver",
}
CUDA_WORDS = {
    "install": "Install CUDA toolkit {missing}.",
    "default": "Let /usr/local/cuda lead to {default}.",
    "absent": "Remove the CUDA packages {remove}.",
}
DISRUPTION_WORDS = {
    "load": "Load the kernel modules; nothing that runs is disturbed.",
    "unload": "Unload the kernel modules; nothing may use a GPU then.",
    "reboot": "Reboot the host, if nvidia_driver_reboot allows it; else the reboot stays pending.",
}
