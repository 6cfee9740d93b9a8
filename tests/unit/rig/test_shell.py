# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A failed program is explained: its last words, or one sentence where it had no network."""

from __future__ import annotations

import pytest
from _rig.shell import explained

WITHOUT_A_NETWORK = {
    "go": "go: x: Get https://example.org/x/@v/list: dial tcp: lookup example.org on 10.0.0.1:53: no such host",
    "apt": "W: x\nErr:1 http://example.org x InRelease\n  Temporary failure resolving 'example.org'",
    "pip": "WARNING: Retrying after NewConnectionError: Failed to establish a new connection: [Errno 101]",
}


@pytest.mark.parametrize("said", WITHOUT_A_NETWORK.values(), ids=WITHOUT_A_NETWORK.keys())
def test_without_a_network_it_is_one_sentence_with_the_way_out(said: str) -> None:
    words = explained(["/usr/bin/tool", "get"], 1, said)
    assert words.startswith("tool cannot reach") and "PIP_INDEX_URL, GOPROXY" in words and "\n" not in words


def test_any_other_failure_shows_its_last_words() -> None:
    words = explained(["gcc", "-c", "x.c"], 1, "x.c:1: error: expected ';'\n")
    assert words == "`gcc -c x.c` ended with 1:\n    x.c:1: error: expected ';'"
