# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: the option for a user's own compatibility data."""

from __future__ import annotations


class ModuleDocFragment:
    """Its lists and fields are those of C(plugin_utils/_compat_schema.py); a test compares them."""

    DOCUMENTATION = r"""
options:
  compatibility:
    description:
      - Your own compatibility data, laid over that of the collection. See its files in C(plugins/plugin_utils/data) for
        what is known already, line by line with its source.
      - The keys are the names of these files, below them those of their lists, and in a list there are lines as in the
        file. A line that has the identity of a line there, the first fields named below, takes the place of all of it;
        any other line is added.
      - Each line needs a C(source), a key of the C(sources) of its file; C(sources) of your own stand beside the lists.
        A source is an address, or words such as the number of a ticket.
      - Versions, days and months are texts in quotes, such as V("12.8"). A field in brackets may be left out.
      - 'Such as C(branches: {sources: {notice: OPS-17}, branches: [{branch: 630, eol: "2028-01", source: notice}]}).'
      - What cannot be understood is refused in one sentence that names the line, the field and what is wanted.
    type: dict
    suboptions:
      platforms:
        description:
          - C(platforms) by C(id) and C(version), with C(name), C(architectures), C(package_manager).
          - A line here does not teach the roles a new platform; they need files of variables for it as well.
          - C(repositories) of NVIDIA's by C(id) and C(version), with [C(architectures)] and [C(first_branch)], where
            they have less than others.
          - C(drivers) that a distribution has itself, by C(id), C(version), C(branch) and C(flavour), with [C(newest)].
          - C(toolkits) by C(id) and C(version), with C(cuda), the CUDA that a distribution has itself.
          - C(components) by C(id) and C(name), in which a distribution has them.
          - C(kernels) by C(id) and C(version), with C(kernel), that a release of a distribution with signed modules
            came with.
        type: dict
      packages:
        description:
          - What packages are called. C(from) and C(below) are branches of the driver; C({branch}), C({version}) and
            C({release}) in a C(name) are replaced.
          - C(driver) by [C(origin)] (V(repo), the default, or V(distro)), C(package_manager), C(flavour) and C(name),
            with C(pinned) (its version is the driver's), [C(from)], [C(below)], [C(kind)], [C(releases)],
            [C(platforms)].
          - C(modules) and C(defaults) by C(flavour), with [C(from)], [C(below)]. The first says which kernel modules a
            branch has, the second which are the default.
          - C(fabric) by C(package_manager) and C(name), with C(for) (V(nvswitch), V(nvlink5), V(imex)), C(pinned),
            [C(from)], [C(below)].
          - C(headers), C(build) and C(toolkit) by C(package_manager) and C(name), the second with [C(for)] (sources
            of the driver, all if it has none).
          - C(matched) by C(package_manager), C(build) (a package of that table) and C(kernel) (a kernel's package),
            with C(name), the package that the first wants with the second, in the kernel's version.
          - C(cuda) by C(package_manager) and C(name), with C(for) (what C(cuda_components) may be), [C(origin)],
            [C(platforms)].
          - C(cuda_libraries) by C(package_manager) and C(name), with C(library) (V(cudnn-9), V(nccl)), C(for),
            [C(match)] (a pattern that the package's version has to fit); C({major}) of CUDA is replaced in both.
        type: dict
      branches:
        description:
          - C(branches) of the driver by C(branch), with [C(type)] (V(LTSB), V(PB), V(NFB)), [C(newest)], [C(eol)].
        type: dict
      architectures:
        description:
          - C(architectures) by C(name), with C(modules) (whether open kernel modules serve it, V(never), V(either) or
            V(only)), C(modules_source), [C(first_branch)], [C(last_branch)].
          - C(cards) by C(device), with C(name), [C(first_driver)], [C(modules)].
          - C(device_ids) by C(below), with C(architecture), for cards whose facts name no architecture.
          - C(capabilities) by C(capability), with C(architecture), C(cuda_first), [C(cuda_last)].
        type: dict
      cuda:
        description:
          - C(releases) by C(version), with C(driver), the one that comes with it.
          - C(families) by C(major), with C(since) and C(driver), the oldest one that runs programs of the family.
          - C(forward) by C(package), with C(words).
        type: dict
      kubernetes:
        description:
          - C(kubernetes) by C(version), with [C(eol)].
          - C(containerd) by C(version), with [C(eol)], [C(last_kubernetes)], [C(last_kubernetes_source)].
          - C(changes) by C(name), with C(since), C(words).
        type: dict
      kubelet_gates:
        description:
          - C(gates) by C(name), with C(since), [C(removed)], [C(locked)], [C(value)].
          - C(complete) by C(version), Kubernetes versions of which all gates are listed.
        type: dict
      known_bad:
        description:
          - C(known_bad) by C(name), with C(product) (V(driver), V(containerd), V(container-toolkit)), C(words),
            [C(from)], [C(below)].
        type: dict
"""
