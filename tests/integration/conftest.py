# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig for the integration tests, and the few things they all do with it: play, look at a host, ask the API."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
RIG = CHECKOUT / "tests" / "rig" / "rig"
sys.path.insert(0, str(CHECKOUT / "tests" / "rig"))

SNAPSHOT = CHECKOUT / "molecule" / "_shared" / "snapshot.py"


class Played(NamedTuple):
    status: int
    text: str

    @property
    def changed(self) -> dict[str, int]:
        """Host -> changed tasks, from the recap."""
        recap = self.text.partition("PLAY RECAP")[2]
        words = (line.split() for line in recap.splitlines() if " : ok=" in line)
        return {line[0]: int(line[3].partition("=")[2]) for line in words}


class Rig:
    """A rig that is up, with the environment in which ansible and kubectl find it."""

    def __init__(self) -> None:
        self.env = dict(os.environ)
        self.refresh()

    def refresh(self) -> None:
        for line in self.call("env").splitlines():
            name, _, value = shlex.split(line)[1].partition("=")
            self.env[name] = value.replace("$PATH", os.environ["PATH"])
        self.state = Path(self.env["KUBEGPU_RIG_STATE"])

    def call(self, *words: str) -> str:
        return subprocess.run([sys.executable, RIG, *words], check=True, stdout=subprocess.PIPE, text=True).stdout

    def play(self, *words: str, cwd: Path = CHECKOUT, **env: str) -> Played:
        answer = subprocess.run(
            ["ansible-playbook", *words],
            cwd=cwd,
            env={**self.env, "ANSIBLE_NOCOLOR": "1", **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Played(answer.returncode, answer.stdout)

    def kubectl(self, *words: str) -> Any:
        """What the API server says, asked as administrator: the tests judge the product's own user by it."""
        return json.loads(self.kubectl_text(*words, "--output", "json"))

    def kubectl_text(self, *words: str, stdin: str = "") -> str:
        argv = ["kubectl", "--kubeconfig", self.env["KUBEGPU_ADMIN_KUBECONFIG"], *words]
        return subprocess.run(argv, check=True, env=self.env, input=stdin, stdout=subprocess.PIPE, text=True).stdout

    def kubectl_apply(self, manifest: dict[str, Any]) -> None:
        self.kubectl_text("apply", "-f", "-", stdin=json.dumps(manifest))

    def kubectl_wait(self, what: str, condition: str) -> None:
        self.kubectl_text("wait", what, f"--for={condition}", "--timeout=90s")

    def on(self, host: str, command: str, stdin: str | None = None) -> str:
        """Run a command on a test host, past ansible."""
        argv = ["podman", "exec", "--interactive", host, "sh", "-c", command]
        return subprocess.run(argv, check=True, input=stdin or "", stdout=subprocess.PIPE, text=True).stdout

    def put(self, host: str, program: Path, path: str) -> None:
        """Bring a program to a test host."""
        argv = ["podman", "exec", "--interactive", host, "sh", "-c", f"cat > {path} && chmod 0755 {path}"]
        with program.open("rb") as content:
            subprocess.run(argv, check=True, stdin=content)

    def picture(self, host: str) -> dict[str, str]:
        """All that a role could change on a host."""
        return dict(json.loads(self.on(host, "python3 -", SNAPSHOT.read_text())))

    def node(self, name: str) -> dict[str, Any]:
        return dict(self.kubectl("get", "node", name))

    def downloads(self) -> int:
        """Requests that hosts have made to the package repositories so far."""
        return len((self.state / "repo" / "access.log").read_text().splitlines())


@pytest.fixture(scope="session")
def control_plane() -> Iterator[Rig]:
    """The cluster without hosts; one that was up before is left up."""
    found = (Path(os.environ.get("KUBEGPU_RIG_STATE", "/run/kubegpu-rig")) / "ready").exists()
    subprocess.run([sys.executable, RIG, "up"], check=True)
    rig = Rig()
    os.environ.update(KUBECONFIG=rig.env["KUBECONFIG"])
    yield rig
    if not found:
        rig.call("down")
