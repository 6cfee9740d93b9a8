# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig for the integration tests, and the few things they all do with it: play, look at a host, ask the API."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
RIG = CHECKOUT / "tests" / "rig" / "rig"
sys.path[:0] = [str(CHECKOUT / "tests" / "rig"), str(CHECKOUT / "tests" / "bench")]

DEMO = {"rig-h100": 8, "rig-t4": 4}  # host -> GPUs
DEMO_INVENTORY = ("-i", "inventories/demo")
COMPLAINT = re.compile(r"\[(?:DEPRECATION )?WARNING\]")
SNAPSHOT = CHECKOUT / "molecule" / "_shared" / "snapshot.py"


class Played(NamedTuple):
    status: int
    text: str

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """Host -> what became of its tasks (`changed`, `failed`, ...) -> how many."""
        found: dict[str, dict[str, int]] = {}
        for line in self.text.partition("PLAY RECAP")[2].splitlines():
            host, colon, counts = line.partition(" : ok=")
            if colon:
                pairs = (pair.split("=") for pair in f"ok={counts}".split())
                found[host.strip()] = {name: int(count) for name, count in pairs}
        return found

    @property
    def changed(self) -> dict[str, int]:
        """Host -> changed tasks."""
        return {host: counts["changed"] for host, counts in self.recap.items()}


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

    def downloads(self, hosts: Iterable[str]) -> list[str]:
        """Requests that these hosts have made to the package repositories so far."""
        addresses = {self.on(host, "cat /etc/kubegpu-rig/host.env").split()[0].partition("=")[2] for host in hosts}
        lines = (self.state / "repo" / "access.log").read_text().splitlines()
        return [line for line in lines if line.split()[1] in addresses]


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


@contextlib.contextmanager
def fleet(rig: Rig, name: str) -> Iterator[None]:
    """Fresh hosts for as long as somebody needs them."""
    rig.call("up", "--fresh", name)
    rig.refresh()
    yield
    rig.call("down", name)


@pytest.fixture(scope="session")
def small_fleet(control_plane: Rig) -> Iterator[Rig]:
    """The hosts of tests/rig/fleets/refusals.toml, for tests that leave them as they are."""
    with fleet(control_plane, "refusals"):
        yield control_plane


@pytest.fixture(scope="session")
def demo(control_plane: Rig) -> Iterator[Rig]:
    """The hosts of tests/rig/fleets/demo.toml, which test_site.py makes GPU nodes and test_remove.py takes back."""
    with fleet(control_plane, "demo"):
        yield control_plane


@pytest.fixture(scope="session")
def bare(demo: Rig) -> dict[str, dict[str, Any]]:
    """The demo's hosts, their nodes and the cluster before anything was done."""
    return state(demo)


@pytest.fixture(scope="session")
def converged(demo: Rig, bare: dict[str, dict[str, Any]]) -> Rig:
    """The demo's hosts as site.yml leaves them: by test_site.py, or by one run where that was not run before."""
    if any("device /dev/nvidiactl" not in demo.picture(host) for host in DEMO):
        played = demo.play("site.yml", *DEMO_INVENTORY)
        assert played.status == 0, played.text
    return demo


def passed(played: Played) -> Played:
    """It ended well, and without a word of warning."""
    assert played.status == 0, played.text
    assert not COMPLAINT.search(played.text), played.text
    return played


def state(rig: Rig) -> dict[str, dict[str, Any]]:
    """All that site.yml may change, on the demo's hosts and in the cluster."""
    found: dict[str, dict[str, Any]] = {host: {"host": rig.picture(host)} for host in DEMO}
    for host in DEMO:
        node = rig.node(host)
        found[host]["node"] = [node["metadata"].get("labels"), node["metadata"].get("annotations"), node["spec"]]
    found["cluster"] = {
        kind: sorted(thing["metadata"]["name"] for thing in rig.kubectl("get", kind, "--all-namespaces")["items"])
        for kind in ("daemonsets", "runtimeclasses", "jobs", "configmaps")
    }
    return found
