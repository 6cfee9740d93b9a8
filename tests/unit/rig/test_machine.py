# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which podman options follow from what a machine is."""

from __future__ import annotations

import pytest
from _rig.machine import Machine, Options, podman_options, read_machine

LAPTOP = Machine(unified_cgroups=True, may_raise_limits=True, open_files=524288, processes=127000, process_ids=4194304)
SANDBOX = Machine(unified_cgroups=False, may_raise_limits=False, open_files=20000, processes=96365, process_ids=32768)


def ulimits(options: Options) -> list[str]:
    return [option for option in options.host if option.startswith("--ulimit")]


def test_plain_podman_will_do_on_cgroup_v2() -> None:
    options = podman_options(LAPTOP)
    assert options.podman == []
    assert "--systemd=always" in options.host
    assert not [option for option in options.host if option.startswith("--tmpfs")]


def test_cgroup_v1_wants_runc_and_keeps_podman_from_setting_up_systemd() -> None:
    options = podman_options(SANDBOX)
    assert "--runtime=runc" in options.podman
    assert "--systemd=false" in options.host
    assert "--tmpfs=/run" in options.host


@pytest.mark.parametrize(
    "machine, expected",
    [
        (LAPTOP, []),
        (SANDBOX, ["--ulimit=nofile=20000:20000", "--ulimit=nproc=32768:32768"]),
        (SANDBOX._replace(may_raise_limits=True), []),
        (SANDBOX._replace(processes=1000), ["--ulimit=nofile=20000:20000", "--ulimit=nproc=1000:1000"]),
        (SANDBOX._replace(open_files=-1, processes=-1), ["--ulimit=nproc=32768:32768"]),
        (LAPTOP._replace(may_raise_limits=False), ["--ulimit=nofile=524288:524288", "--ulimit=nproc=127000:127000"]),
    ],
)
def test_no_limit_is_asked_for_that_the_machine_may_not_give(machine: Machine, expected: list[str]) -> None:
    assert ulimits(podman_options(machine)) == expected


@pytest.mark.parametrize("machine", [LAPTOP, SANDBOX])
def test_every_host_reboots_and_has_cgroups_of_its_own(machine: Machine) -> None:
    assert {"--privileged", "--cgroupns=private", "--restart=always"} <= set(podman_options(machine).host)


def test_this_machine_can_be_read() -> None:
    assert read_machine().process_ids > 0
