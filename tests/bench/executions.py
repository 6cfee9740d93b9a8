# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module executions that reached a host, from the ssh command lines that the file `ssh` beside this one has noted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

# A pipelined module is a bare interpreter that reads its program from stdin, with ansible-core 2.21 without more words;
# any other is a copied AnsiballZ file.
MODULE = re.compile(r"/bin/sh -c (?:'.*?(?:python[0-9.]* && sleep 0|AnsiballZ_\w+\.py)|\S*/python[0-9.]*$)")
HOST = re.compile(r"(\d+\.\d+\.\d+\.\d+) /bin/sh -c")


def count_executions(lines: Iterable[str]) -> dict[str, int]:
    """Module executions by host."""
    return dict(Counter(_host(line) for line in lines if MODULE.search(line)))


def _host(line: str) -> str:
    found = HOST.search(line)
    return found.group(1) if found else "unknown"
