# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter gpu_plan: what has to happen on a host, decided from its facts and from what is wished for."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._compat import CompatError
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._plan import plan
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._wishes import PARTS

DOCUMENTATION = r"""
name: gpu_plan
short_description: What has to happen on a GPU host, or why it is refused
version_added: 0.1.0
author:
  - kubegpu.nodes authors (@kubegpu)
description:
  - Compares the facts of M(kubegpu.nodes.nvidia_facts) with wishes and with the compatibility data of the collection.
  - It is a pure function of its input. The roles act on its value, so that check mode and tasks cannot disagree.
  - A part that no wish names is left alone. A fact that is missing or null is unknown; nothing is refused for that,
    but for a distribution that cannot be told.
positional: wishes
extends_documentation_fragment: kubegpu.nodes._compatibility
options:
  _input:
    description: C(ansible_facts.nvidia) of the host.
    type: dict
    required: true
  wishes:
    description: What the host should have.
    type: dict
    required: true
    suboptions:
      driver:
        description: The driver. Without it the driver is left alone.
        type: dict
        suboptions:
          state:
            description: Whether there should be a driver. V(absent) takes away only what this collection has installed.
            type: str
            choices: [present, absent]
            default: present
          source:
            description:
              - Where the driver comes from. V(repo) is NVIDIA's repository, V(distro) the distribution's own packages,
                of which there are few branches, and V(preinstalled) whoever has installed it already. The last is
                judged as V(keep) in O(wishes.driver.branch) is, whatever branch is named, and nothing of it is changed.
              - V(local_repo) is NVIDIA's repository of one version, as a package, and V(runfile) NVIDIA's own
                installer. Both are a O(wishes.driver.file), whose version counts.
            type: str
            choices: [repo, distro, local_repo, runfile, preinstalled]
            default: repo
          file:
            description: The file of the sources V(local_repo) and V(runfile).
            type: dict
            suboptions:
              url:
                description: Where to download it; https. One of this and the two paths.
                type: str
              path:
                description: The file on the controller.
                type: str
              host_path:
                description: The file on the host.
                type: str
              sha256:
                description: SHA-256 sum of the file.
                type: str
              key_fingerprint:
                description: Fingerprint of the key that signs a V(local_repo).
                type: str
          branch:
            description:
              - Branch of the driver, such as V(580). Any version of it will do, unless one is named.
              - V(newest) is the newest branch that all cards, images and toolkits allow. One that NVIDIA corrects for
                a year or longer goes before a newer one with new features only, and one past its end of life is taken
                only where no other fits.
              - V(needed) is the oldest such branch, and needs O(wishes.driver.cuda_images).
              - Neither goes back behind the driver that is installed, unless O(wishes.driver.allow_downgrade) is true.
              - V(keep) is the driver that is installed, whoever installed it, if it fits. Nothing is installed or
                removed.
            type: str
          version:
            description:
              - Exact version, such as V(580.95.05). O(wishes.driver.branch) is then its branch, or empty.
              - That of O(wishes.driver.file), where the name of the file has one.
            type: str
          cuda_images:
            description:
              - CUDA versions of the images that are to run on the host, such as V(12.8) or V(8.0.61). The driver has
                to run them all, by minor-version compatibility at least.
            type: list
            elements: str
          allow_downgrade:
            description: Whether an older driver may take the place of a newer one.
            type: bool
            default: false
          modules_signed:
            description:
              - Whether kernel modules that are built on the host are signed with a key that its firmware trusts.
                Without that no driver is installed under Secure Boot, unless one is loaded already.
            type: bool
            default: false
          reboot:
            description:
              - Whether the host may be rebooted for the driver. Without that it is refused to remove a driver that
                somebody uses, and to replace the fabric manager under a job.
            type: bool
            default: false
          parameters:
            description:
              - Parameters of the kernel module C(nvidia), such as C(NVreg_NvLinkDisable), with their values.
              - Those of a driver that is V(preinstalled) are compared, and others are refused.
            type: dict
          flavour:
            description: Kernel modules. V(auto) is what NVIDIA recommends for the branch and the cards.
            type: str
            choices: [auto, open, proprietary]
            default: auto
          imex:
            description: Whether the packages of IMEX are to be there, in the driver's version.
            type: bool
            default: false
      gds:
        description: Whether GPUDirect Storage is to work on the host. It needs open kernel modules and no Secure Boot.
        type: bool
        default: false
      kubernetes:
        description: The cluster's software. With this or O(wishes.cluster) the host is judged as a node too.
        type: dict
        suboptions:
          version:
            description: Version that the host's kubelet is to have. The one it has, if empty.
            type: str
      today:
        description: The day that ends of life are compared with, such as V(2026-11-22). That of the run if empty.
        type: str
      cuda:
        description: CUDA toolkits. Without it they are left alone.
        type: dict
        suboptions:
          state:
            description: Whether these toolkits should be there.
            type: str
            choices: [present, absent]
            default: present
          source:
            description: Where these toolkits come from, NVIDIA's repository or the distribution, which has one.
            type: str
            choices: [repo, distro]
            default: repo
          versions:
            description: Toolkits from packages, side by side, such as V(13.0).
            type: list
            elements: str
          components:
            description: What of them, as C(cuda_components) of the role P(kubegpu.nodes.cuda#role) has it.
            type: str
            choices: [full, toolkit, runtime, compiler]
            default: full
          runfiles:
            description:
              - Toolkits from NVIDIA's runfiles, with C(version), C(release), C(url) or C(path), C(sha256) and
                C(patches), as C(cuda_runfiles) of the role P(kubegpu.nodes.cuda#role) has them.
            type: list
            elements: dict
          default:
            description: The toolkit that C(/usr/local/cuda) is to lead to, such as V(13.0). Any if empty.
            type: str
          cudnn:
            description: Major version of cuDNN, such as V(9), for the CUDA of the default toolkit, else of the newest.
            type: str
          nccl:
            description: Whether there should be NCCL, for the same CUDA.
            type: bool
            default: false
          remove_unlisted:
            description: Whether toolkits go that have packages and that O(wishes.cuda.versions) does not list.
            type: bool
            default: false
          build_only:
            description: Whether the host builds programs for others only, so that its driver need not run them.
            type: bool
            default: false
          verify:
            description: Whether a toolkit has to be proven by a program, also one that is installed already.
            type: bool
            default: true
      toolkit:
        description: The NVIDIA container toolkit. Without it it is left alone.
        type: dict
        suboptions:
          state:
            description: Whether there should be a container toolkit.
            type: str
            choices: [present, absent]
            default: present
          version:
            description: Exact version, such as V(1.20.0); any if empty.
            type: str
          mirror:
            description: The same as O(wishes.mirror) for the toolkit's repository.
            type: str
      mirror:
        description: Base address that stands in for NVIDIA's hosts. It must be reached over TLS.
        type: str
      cluster:
        description: What the cluster knows of this host.
        type: dict
        suboptions:
          node:
            description: Name of the host's node.
            type: str
          registered:
            description: Whether the cluster has this node.
            type: bool
"""

EXAMPLES = r"""
- name: Show what driver 580 would mean for a host
  ansible.builtin.debug:
    msg: "{{ ansible_facts.nvidia | kubegpu.nodes.gpu_plan({'driver': {'branch': '580'}}) }}"

- name: Which driver do these images need on this host, and would it run them?
  ansible.builtin.debug:
    msg: "{{ plan.driver.branch }}: {{ plan.cuda_images | map(attribute='why') | join('; ') }}"
  vars:
    plan: "{{ ansible_facts.nvidia | kubegpu.nodes.gpu_plan(wishes) }}"
    wishes:
      driver:
        branch: needed
        cuda_images: ["12.8", "13.0"]

- name: Does the driver that is there do?
  ansible.builtin.assert:
    that: plan.refusals | length == 0
    fail_msg: "{{ plan.refusals | map(attribute='sentence') | join(' ') }}"
  vars:
    plan: "{{ ansible_facts.nvidia | kubegpu.nodes.gpu_plan({'driver': {'branch': 'keep', 'cuda_images': ['12.4']}}) }}"

- name: The same with what your own ticket says about a version
  ansible.builtin.debug:
    msg: "{{ ansible_facts.nvidia | kubegpu.nodes.gpu_plan({'driver': {'branch': '580'}}, compatibility=ours) }}"
  vars:
    ours:
      known_bad:
        sources:
          ticket: OPS-1234
        known_bad:
          - name: our-storage
            product: driver
            from: "580.65.06"
            below: "580.82.07"
            words: our storage client does not start on it
            source: ticket
"""

RETURN = r"""
_value:
  description: The plan.
  type: dict
  contains:
    refusals:
      description:
        - Why this host or these wishes are refused, all reasons at once. Nothing may be done unless this is empty.
        - C(sentence) says all of it, C(rule), C(found), C(wanted) and C(way_out) say it to a program. C(source) is
          where the rule stands, V(null) where it needs none.
      type: list
      elements: dict
    warnings:
      description: What a person should know although nothing is refused.
      type: list
      elements: str
    driver:
      description:
        - C(action) is V(none) only if the facts prove that nothing has to be done, else V(install), V(change) (another
          driver is installed), V(load) (it is installed, not loaded), V(reload) and V(reboot) (another one is loaded,
          or with other parameters) or V(absent).
        - C(source) as wished for.
        - C(version) (V(null) is the newest of the branch in the repository), C(version_expected) (what that is likely
          to be, or what is there and will do), C(branch), C(branch_reason), C(flavour), C(flavour_reason).
        - C(packages) with C(name), C(kind), C(version_pin) and C(spec), C(pin) for the package manager (V(null) where
          a driver is kept, or comes without packages), C(remove) with names, whether the driver itself C(goes) with
          them, C(parts), which are installed packages that another driver may take the place of, C(obsolete) packages
          that hold the host at another branch, C(superseded) ones that the distribution has named after another driver
          or flavour, and C(parameters) of the kernel module.
        - On hosts with dnf C(stream) is the module stream that has the packages, V(null) where there are none, and
          C(lock) what versionlock is to keep the driver at.
        - C(before) is the whole driver that another one is to take the place of, with C(version), C(pin) and
          C(packages), which come back where that one breaks off half-way.
        - C(file) is where the file of a V(local_repo) or V(runfile) is, as wished for, with its C(sha256) and the
          C(arguments) of NVIDIA's installer, V(null) for other sources. C(uninstall) tells whether NVIDIA's own
          program is to take away what its installer brought.
        - C(disruption) is V(none), V(load), V(reload) (nobody uses a GPU), V(unload) or V(reboot), with
          C(disruption_reason). C(reason) is in words, and C(reasons) are sentences for branch and flavour.
      type: dict
    cuda:
      description:
        - C(action) is V(none) only if the facts prove that nothing has to be done, else V(install), V(remove) (toolkits
          that are not listed), V(default) (only the link differs), V(prove) (only a proof is missing) or V(absent).
        - C(packages) to install, versions of toolkits that are C(missing), C(libraries) that are not there, C(steps)
          with the runfiles to run, and the C(default) path (V(null) where none is wished for).
        - C(proofs) of toolkits that have to compile a program, each with its C(version) and C(path), the C(gpus) that
          can run it now, the C(record) that is to be left on the host, and its C(text).
        - Packages to C(remove), C(folders) of runfiles to remove, and C(records) of proofs that do not hold any more.
      type: dict
    cuda_images:
      description:
        - For each of the CUDA versions in O(wishes.driver.cuda_images), as C(cuda), whether it C(runs) on the driver
          that is to be (V(null) is unknown), whether it does so in C(full), the oldest driver that it C(needs), and
          C(why).
      type: list
      elements: dict
    toolkit:
      description: C(action) (V(none), V(install), V(change), V(absent)), C(version), C(packages).
      type: dict
    fabric:
      description:
        - Whether a fabric manager is C(needed), for which C(kind) of switch (V(nvswitch), V(nvlink-bridge)), which
          C(packages) bring it, and IMEX where it is wished for, in the driver's version, which of them are C(missing),
          which are C(obsolete), since their names say another branch, and C(why).
        - C(modules) of the kernel through which it reaches the switches, and which of them it has yet to C(load).
      type: dict
    kernel:
      description:
        - Packages with the C(headers) of the kernel that runs and of the one that boots next, the C(tools) that build
          with them, those of both that are C(missing), kernels that the driver has yet to C(build) a module for, and
          C(why).
        - C(boots) tells the C(release) that boots next, the C(version) of its module and whether that is C(ready).
      type: dict
    services:
      description: Units of the driver's own services that have to C(start), now and at each boot.
      type: dict
    components:
      description:
        - With V(distro) in O(wishes.driver.source) the C(needed) components of the distribution, and what is C(missing)
          of them in the host's own package sources, as entries with C(uri), C(suite), C(components) and C(options).
          V(null) where that cannot be told, which is refused.
      type: dict
    repository:
      description:
        - C(needed) tells whether anything on the host comes from NVIDIA's repository of drivers and CUDA,
          C(components_needed) whether anything stays that came from components of the distribution which a role has
          enabled.
      type: dict
    summary:
      description: One sentence for each change to come.
      type: list
      elements: str
"""


def gpu_plan(facts: t.Any, wishes: t.Any, compatibility: t.Any = None) -> dict[str, t.Any]:
    for name, value in (("the facts of a host (ansible_facts.nvidia)", facts), ("a dict of wishes", wishes)):
        if not isinstance(value, Mapping):
            raise AnsibleFilterError(f"kubegpu.nodes.gpu_plan needs {name}, not {type(value).__name__}")
    for name in PARTS:
        if wishes.get(name) is not None and not isinstance(wishes[name], Mapping):
            kind = type(wishes[name]).__name__
            raise AnsibleFilterError(f"kubegpu.nodes.gpu_plan needs a dict of wishes for {name}, not {kind}")
    try:
        return plan(facts, {**wishes, "today": _day(wishes.get("today"))}, compatibility)
    except CompatError as exc:
        raise AnsibleFilterError(f"kubegpu.nodes.gpu_plan: {exc}") from exc


def _day(text: t.Any) -> datetime.date:
    """The day itself, so that the plan stays a function of its input."""
    if not text:
        return datetime.datetime.now(datetime.timezone.utc).date()
    try:
        return datetime.date.fromisoformat(str(text))
    except ValueError as exc:
        raise AnsibleFilterError(
            f"kubegpu.nodes.gpu_plan: today is to be a day such as 2026-11-22, not {text}"
        ) from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"gpu_plan": gpu_plan}
