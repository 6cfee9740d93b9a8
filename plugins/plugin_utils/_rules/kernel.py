# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE. Rules about the kernel: what it lets load, what it is built with, who holds the card already."""

from __future__ import annotations

from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _driver_plan, _effect, _kernels
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._case import PREINSTALLED, Case, flag, part, text
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._rules.finding import Findings, Planned, Rule, refuse

GDS_SOURCE = (
    "https://docs.nvidia.com/datacenter/cloud-native/gpu-operator/latest/platform-support.html (GPUDirect Storage)"
)
SIGNING_SOURCE = "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/ (Secure Boot)"
SIGNED = "or take the distribution's modules, which it has signed itself (nvidia_driver_source: distro); "


def secure_boot(case: Case, planned: Planned) -> Findings:
    """A driver that is loaded under Secure Boot has shown that its signature counts; the next one has the same key."""
    target = planned.target
    if target is None or flag(case.platform, "secure_boot") is not True:
        return
    if text(case.driver, "loaded") or flag(case.wish, "modules_signed") is True:
        return
    if target.kept:
        if text(case.driver, "signer") is None:
            yield "Secure Boot is on, and the driver that is kept seems to be unsigned: the kernel may not load it."
        return
    if not case.builds_modules:
        return
    way_out = (
        "have the firmware trust a key of your own and let DKMS sign with it (mokutil --import), then say so with"
        f" nvidia_driver_modules_signed: true; {SIGNED if case.distro_signs else ''}"
        "or turn Secure Boot off in the firmware"
    )
    reason = (
        "Secure Boot is on, and a kernel does not load the modules that these packages build here without a signature"
    )
    yield refuse("secure-boot", "Secure Boot, no driver loaded yet", "signed modules", way_out, reason, SIGNING_SOURCE)


def direct_storage(case: Case, planned: Planned) -> Findings:
    """GPUDirect Storage has a kernel module of its own, nvidia-fs."""
    if flag(case.wishes, "gds") is not True:
        return
    if flag(case.platform, "secure_boot") is True:
        reason = "GPUDirect Storage does not work under Secure Boot"
        way_out = "turn Secure Boot off in the firmware, or do without it (nvidia_driver_gds: false)"
        yield refuse("gds-secure-boot", "Secure Boot", "none, for GPUDirect Storage", way_out, reason, GDS_SOURCE)
    flavour = planned.target.flavour if planned.target else text(case.driver, "flavour")
    if flavour == "proprietary":
        reason = "GPUDirect Storage needs the open kernel modules"
        way_out = "set nvidia_driver_flavour to open, if the cards allow it, or do without (nvidia_driver_gds: false)"
        yield refuse("gds-proprietary", "proprietary kernel modules", "open ones", way_out, reason, GDS_SOURCE)


def headers(case: Case, planned: Planned) -> Findings:
    """A kernel that only runs here, and that no package has brought, is left out."""
    release = _kernels.left_out(case)
    if planned.kernel["headers"] and release:
        yield (
            f"Kernel {release}, which runs, is none of this host's own, so that it has no headers: modules are built"
            f" for {_kernels.following(case)} only, and take effect when that boots."
        )


def next_boot(case: Case, planned: Planned) -> Findings:
    """An update of the kernel that DKMS did not follow leaves a host without GPUs after its next boot."""
    following = part(case.driver, "next_boot")
    release, running = text(following, "kernel"), text(part(case.platform, "kernel"), "running")
    on_disk = text(case.driver, "on_disk")
    if not case.wants_driver or not release or release == running or on_disk is None or planned.installs_driver:
        return
    version = text(following, "version")
    if version is None:
        yield f"Kernel {release} boots next, and there is no NVIDIA module for it: the GPUs will be gone then."
    elif version != on_disk:
        yield f"Kernel {release} boots next, with driver {version} for it; the running one has {on_disk}."


def module_parameters(case: Case, planned: Planned) -> Findings:
    bad = _effect.bad_parameters(case) if case.wants_driver else []
    if bad:
        found = ", ".join(bad)
        way_out = (
            "name parameters of the module nvidia (NVreg_...) with one word each in nvidia_driver_module_parameters"
        )
        reason = f"These are no parameters of NVIDIA's kernel module: {found}"
        yield refuse("bad-parameter", found, "such as NVreg_NvLinkDisable: 1", way_out, reason)


def parameters_of_others(case: Case, planned: Planned) -> Findings:
    """Settings of a driver that others have installed are theirs, so that they are compared and not changed."""
    differing = _effect.differing(case) if case.wants_driver and case.source == PREINSTALLED else []
    if differing:
        found = ", ".join(differing)
        way_out = "set it where that driver is installed, or leave it out of nvidia_driver_module_parameters"
        reason = f"The driver was installed by others, and its kernel module has other parameters: {found}"
        yield refuse("preinstalled-parameters", found, "the parameters that are named", way_out, reason)


def rivals(case: Case, planned: Planned) -> Findings:
    held = _driver_plan.rivals(case)
    if held and case.wants_driver:
        yield f"Another driver of the kernel holds the card ({', '.join(held)}): NVIDIA's takes over after a reboot."


def passed_through(case: Case, planned: Planned) -> Findings:
    if case.passed_on and case.cards and case.wants_driver:
        found = ", ".join(case.passed_on)
        yield f"Virtual machines have, or are to have, {found} (vfio-pci): NVIDIA's driver here is not for them."


RULES: tuple[Rule, ...] = (
    secure_boot,
    direct_storage,
    headers,
    next_boot,
    module_parameters,
    parameters_of_others,
    rivals,
    passed_through,
)
