# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as an execution on a host: the ends of ssh command lines as several ansible-cores write them."""

from __future__ import annotations

import pytest
from executions import count_executions

OPTIONS = "-C -o ControlMaster=auto -o ControlPersist=60s -o User=root -o ConnectTimeout=10 10.213.0.12"


@pytest.mark.parametrize(
    "command, executions",
    [
        # pipelined: ansible-core 2.16 and 2.19, then 2.21
        ("/bin/sh -c '/usr/bin/python3.11 && sleep 0'", 1),
        ("/bin/sh -c /usr/bin/python3.11", 1),
        # not pipelined
        ("/bin/sh -c '/usr/bin/python3 /root/.ansible/tmp/x/AnsiballZ_systemd_service.py && sleep 0'", 1),
        ("/bin/sh -c 'sudo -H -S -n -u root /bin/sh -c '\"'\"'echo BECOME ; /usr/bin/python3 && sleep 0'", 1),
        # looking for an interpreter, and folders for temporary files
        (
            "/bin/sh -c 'echo FOUND; command -v '\"'\"'python3.13'\"'\"'; echo ENDFOUND'",
            0,
        ),
        ("/bin/sh -c 'echo ~root && sleep 0'", 0),
        ("/bin/sh -c 'rm -f -r /root/.ansible/tmp/x/ > /dev/null 2>&1 && sleep 0'", 0),
    ],
)
def test_executions(command: str, executions: int) -> None:
    assert count_executions([f"{OPTIONS} {command}"]) == ({"10.213.0.12": executions} if executions else {})
