# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control plane: a container with etcd, API server, controller manager, scheduler, and the package repositories."""

from __future__ import annotations

import base64
import json
import secrets
import ssl
import string
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from _rig import certificates, kubeconfig, served
from _rig.build import Made
from _rig.cache import CHECKOUT, RIG, key
from _rig.fleets import address
from _rig.podman import Container, containers, inside, remove, start_systemd
from _rig.shell import RigError, attempt, last_words, run, say
from _rig.state import kept, state, write

NAME = "rig-control-plane"
COMPONENTS = ("rig-etcd", "rig-kube-apiserver", "rig-kube-controller-manager", "rig-kube-scheduler", "rig-repo")


def server() -> str:
    return f"https://{address(2)}:6443"


def repositories_url() -> str:
    return f"https://{address(2)}:8443"


def pki() -> Path:
    return state() / "control-plane" / "pki"


def identity() -> None:
    """Certificates, kubeconfigs and the bootstrap token of this instance; made when there are none."""
    kept(state() / "control-plane", _make_identity)
    write(state() / "admin.kubeconfig", kubeconfig.with_certificate(server(), pki(), "admin"))


def _make_identity(folder: Path) -> None:
    new = folder / "pki"
    new.mkdir()
    certificates.authority(new)
    names = (
        f"DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:10.96.0.1,IP:{address(2)}"
    )
    certificates.issue(new, "apiserver", "/CN=kube-apiserver", names)
    certificates.issue(new, "repo", "/CN=kubegpu-rig-repo", f"IP:{address(2)}")
    certificates.issue(new, "apiserver-kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client")
    certificates.issue(new, "admin", "/O=system:masters/CN=admin")
    certificates.key_pair(new, "sa")
    for component in ("kube-controller-manager", "kube-scheduler"):
        certificates.issue(new, component, f"/CN=system:{component}")
        write(folder / f"{component}.kubeconfig", kubeconfig.with_certificate(server(), new, component))
    write(folder / "kwok.kubeconfig", kubeconfig.with_certificate(server(), new, "admin"))
    write(folder / "bootstrap-token", f"{secrets.token_hex(3)}.{secrets.token_hex(8)}")
    write(folder / "host.env", f"RIG_ADDRESS={address(2)}\nRIG_NETWORK_PREFIX={address(0).rsplit('.', 1)[0]}\n")
    (folder / "ca.crt").write_bytes((new / "ca.crt").read_bytes())
    (folder / "authorized_keys").touch()


def wanted(made: Made) -> str:
    """What a control plane must have been made from to be the one that is wanted."""
    return key(made.image, *map(str, made[1:4]), (pki() / "ca.crt").read_text())


def start(made: Made, network: str) -> None:
    for folder in (state() / "audit", state() / "repo", state() / "kwok", served.more()):
        folder.mkdir(exist_ok=True)
    mounts = {
        state() / "control-plane": "/etc/kubegpu-rig:ro",
        state() / "audit": "/var/log/rig-audit",
        state() / "repo": "/var/log/rig-repo",
        state() / "kwok": "/opt/kubegpu-rig/kwok:ro",
        made.kubernetes / "bin": "/opt/kubegpu-rig/bin:ro",
        made.etcd: "/opt/kubegpu-rig/etcd:ro",
        made.repositories: "/srv/kubegpu-rig:ro",
        served.more(): f"{served.MOUNT}:ro",
    }
    write(state() / "repo" / "fingerprint", (made.repositories / "fingerprint").read_text())
    write(state() / "made.json", json.dumps([str(entry) for entry in made]))
    container = Container(NAME, "control-plane", wanted(made), "", True)
    remove(NAME)
    volumes = [f"--volume={source}:{target}" for source, target in mounts.items()]
    start_systemd(container, network, address(2), made.image, *volumes)


def last_made() -> Made | None:
    """What the running control plane was made from; None when none was started."""
    path = state() / "made.json"
    if not path.exists():
        return None
    image, *folders = json.loads(path.read_text())
    return Made(image, *map(Path, folders))


def kubectl() -> Path | None:
    made = last_made()
    return made.kubernetes / "bin" / "kubectl" if made else None


def running(made: Made) -> bool:
    found = containers().get(NAME)
    return found is not None and found.running and found.key == wanted(made)


def get_ready(made: Made) -> None:
    """Wait for the API server, then give it what joining hosts and the collection need, unless it has that."""
    done = state() / "ready"
    rbac = CHECKOUT / "playbooks" / "files" / "rbac.yml"
    manifest = _manifest()
    version = key(manifest, rbac if rbac.exists() else "", (pki() / "ca.crt").read_text())
    wait_for("the API server to be ready", answers, components_said)
    if done.exists() and done.read_text() == version:
        return
    apply: list[str | Path] = [
        made.kubernetes / "bin" / "kubectl",
        f"--kubeconfig={state()}/admin.kubeconfig",
        "--request-timeout=10s",
        "apply",
        "--validate=false",
        "--filename",
    ]
    _give([*apply, "-"], manifest)
    if rbac.exists():
        run(*apply, rbac)
    wait_for(
        "the service account's token",
        lambda: _write_service_account(made.kubernetes / "bin" / "kubectl"),
        components_said,
    )
    write(done, version)


def _manifest() -> str:
    token_id, token_secret = (state() / "control-plane" / "bootstrap-token").read_text().split(".")
    template = string.Template((RIG / "cluster" / "bootstrap.yaml").read_text().split("\n", 1)[1])
    return template.substitute(token_id=token_id, token_secret=token_secret)


def _give(apply: list[str | Path], manifest: str) -> None:
    """Have the cluster take its first objects, or say why it does not."""
    refused: list[str] = []
    wait_for(
        "the cluster to take its first objects",
        lambda: _applied(apply, manifest, refused),
        lambda: "\n".join([components_said(), *refused[-1:]]),
    )


def _applied(argv: list[str | Path], manifest: str, refused: list[str]) -> bool:
    """The API server makes its own namespaces and roles in the first second of being ready; until then it refuses."""
    answer = attempt(*argv, stdin=manifest)
    if answer.returncode != 0:
        refused.append(last_words(answer.stderr, 5))
    return answer.returncode == 0


def _write_service_account(kubectl: Path) -> bool:
    get = ["get", "secret", "--namespace=kube-system", "kubegpu-token", "--output=json"]
    answer = attempt(kubectl, f"--kubeconfig={state()}/admin.kubeconfig", *get)
    token = json.loads(answer.stdout or "{}").get("data", {}).get("token")
    if not token:
        return False
    text = kubeconfig.with_token(server(), pki(), "kubegpu", base64.b64decode(token).decode())
    write(state() / "kubegpu.kubeconfig", text)
    return True


def answers() -> bool:
    context = ssl.create_default_context(cafile=str(pki() / "ca.crt"))
    try:
        with urllib.request.urlopen(f"{server()}/readyz", timeout=2, context=context) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def components_said() -> str:
    """The last words of the components, the API server's last."""
    said = [inside(NAME, "journalctl", "--no-pager", "--quiet", "--lines=5", f"--unit={name}") for name in COMPONENTS]
    return "\n".join(last_words(text, 5) for text in said if text)


def wait_for(what: str, happened: Callable[[], bool], culprit: Callable[[], str], seconds: float = 90) -> None:
    """Wait until something happened; say so when it takes long. In vain: show the culprit's last words."""
    begun = time.monotonic()
    told = False
    while not happened():
        waited = time.monotonic() - begun
        if waited > seconds:
            raise RigError(f"waited {seconds:.0f} s in vain for {what}; the last journal lines:\n{culprit()}")
        if waited > 3 and not told:
            say(f"waiting for {what} ...")
            told = True
        time.sleep(0.25)  # asking costs a processor more than waiting
