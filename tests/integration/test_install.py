# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as users get it: built, installed, documented, and played by its name from any folder."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from conftest import CHECKOUT

ROLES = sorted(path.name for path in (CHECKOUT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted(path.stem for path in (CHECKOUT / "playbooks").glob("*.yml"))
PLUGINS = {
    kind: sorted(path.stem for path in (CHECKOUT / "plugins" / folder).glob("[!_]*.py"))
    for kind, folder in {"module": "modules", "filter": "filter"}.items()
}


def ran(*argv: str | Path, cwd: Path, **env: str) -> str:
    answer = subprocess.run(
        list(map(str, argv)),
        cwd=cwd,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "[WARNING]" not in answer.stderr, answer.stderr
    return answer.stdout


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    ran("ansible-galaxy", "collection", "build", CHECKOUT, "--output-path", folder, cwd=folder)
    (built,) = folder.glob("kubegpu-nodes-*.tar.gz")
    return built


@pytest.fixture(scope="module")
def installed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    argv = ("ansible-galaxy", "collection", "install", tarball, "--no-deps", "--collections-path", folder)
    ran(*argv, cwd=folder, ANSIBLE_COLLECTIONS_PATH=str(folder))
    return folder


def documented(kind: str, name: str, installed: Path) -> dict[str, Any]:
    argv = ("ansible-doc", "--json", "--type", kind, f"kubegpu.nodes.{name}")
    found: dict[str, dict[str, Any]] = json.loads(ran(*argv, cwd=installed, ANSIBLE_COLLECTIONS_PATH=str(installed)))
    return found[f"kubegpu.nodes.{name}"]


def test_the_tarball_holds_what_users_need_and_nothing_of_the_workshop(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = set(archive.getnames())
    assert {
        "README.md",
        "LICENSE",
        "playbooks/site.yml",
        "meta/runtime.yml",
        "plugins/modules/nvidia_facts.py",
    } <= names
    workshop = ("collections", ".", "tests/output")
    assert not [name for name in names if name.startswith(workshop) or "__pycache__" in name]


@pytest.mark.parametrize("kind, name", [(kind, name) for kind, names in PLUGINS.items() for name in names])
def test_every_plugin_is_documented(kind: str, name: str, installed: Path) -> None:
    doc = documented(kind, name, installed)["doc"]
    assert doc["short_description"] and doc["description"]


@pytest.mark.parametrize("role", ROLES)
def test_every_role_entry_point_is_documented(role: str, installed: Path) -> None:
    entry_points = documented("role", role, installed)["entry_points"]
    assert entry_points["main"]["short_description"] and entry_points["main"]["options"]


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_playbook_is_found_by_its_name(playbook: str, installed: Path, tmp_path: Path) -> None:
    argv = ("ansible-playbook", f"kubegpu.nodes.{playbook}", "--list-tasks", "-i", CHECKOUT / "inventories" / "example")
    listed = ran(*argv, cwd=tmp_path, ANSIBLE_COLLECTIONS_PATH=str(installed))
    assert "play #1" in listed
