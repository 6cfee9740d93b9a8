# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster is given first is what was meant, whatever the dice say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from _rig import control_plane


@pytest.mark.parametrize("token", ["a1b2c3.0123456789abcdef", "123456.1234567890123456", "012345.0e12345678901234"])
def test_a_token_of_digits_is_no_number(token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server takes no Secret whose text is a number, so that one start in seventeen failed."""
    monkeypatch.setenv("KUBEGPU_RIG_STATE", str(tmp_path))
    (tmp_path / "control-plane").mkdir()
    (tmp_path / "control-plane" / "bootstrap-token").write_text(token)
    secret = next(yaml.safe_load_all(control_plane._manifest()))
    texts = secret["stringData"]
    assert [texts["token-id"], texts["token-secret"]] == token.split(".")
    assert secret["metadata"]["name"] == f"bootstrap-token-{token.split('.')[0]}"
