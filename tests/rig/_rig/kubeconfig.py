# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files by which somebody finds the API server and shows who they are."""

from __future__ import annotations

import base64
import json
from pathlib import Path


def with_certificate(server: str, pki: Path, name: str) -> str:
    certificate = {
        "client-certificate-data": _embedded(pki / f"{name}.crt"),
        "client-key-data": _embedded(pki / f"{name}.key"),
    }
    return _kubeconfig(server, pki, name, certificate)


def with_token(server: str, pki: Path, name: str, token: str) -> str:
    return _kubeconfig(server, pki, name, {"token": token})


def _kubeconfig(server: str, pki: Path, user: str, credentials: dict[str, str]) -> str:
    """JSON, which every reader of YAML reads."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "rig", "cluster": {"server": server, "certificate-authority-data": _embedded(pki / "ca.crt")}}
        ],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": "rig", "context": {"cluster": "rig", "user": user}}],
        "current-context": "rig",
    }
    return json.dumps(config, indent=2) + "\n"


def _embedded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
