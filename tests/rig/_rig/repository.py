# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig's apt repositories: flat and signed, with the paths of NVIDIA's own, full of stub packages."""

from __future__ import annotations

import datetime
import email.utils
import gzip
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from _rig import debian, packages, parts, served
from _rig.architecture import AARCH64
from _rig.cache import cache, key, made_once
from _rig.debs import EPOCH, Sources, control, write_deb
from _rig.nvml import ensure_nvml
from _rig.packages import PACKAGES, Package, Repository
from _rig.shell import RigError, attempt, run

TOOLKIT = "nvidia-container-toolkit"
OWNER = "kubegpu.nodes test rig"


def ensure_repositories() -> Path:
    """A folder to serve over HTTPS: the repositories, each with its public key, and that key's `fingerprint`."""
    signing_key = ensure_signing_key()
    entries = packages.table()
    filled = sources()
    code = [
        Path(__file__).with_name(name)
        for name in ("repository.py", "packages.py", "debs.py", "architecture.py", "served.py")
    ]
    names = [folder.name for folder in (*filled.userland.values(), filled.toolkit.parent)]
    fingerprint = signing_key / "fingerprint"
    folder = cache() / "apt" / key(PACKAGES, *code, *names, filled.nvidia_smi, fingerprint, os.uname().release)

    def make(new: Path) -> None:
        (new / "fingerprint").write_bytes(fingerprint.read_bytes())
        with keyring(signing_key) as home:
            for repository in packages.repositories(entries):
                _fill(new, repository, filled, signing_key, home)
        for path in entries["runfiles"]["paths"]:
            (new / path).parent.mkdir(parents=True, exist_ok=True)
            (new / path).write_bytes((PACKAGES / "files" / "runfile").read_bytes())
        served.link(new)

    return made_once(folder, make, "write the apt repositories")


def ensure_arm64_repositories() -> Path:
    """NVIDIA's of drivers and CUDA for servers with arm64; made only for fleets that have some."""
    signing_key = ensure_signing_key()
    wanted = packages.of_drivers_and_cuda(packages.table(), AARCH64)

    def make(new: Path) -> None:
        filled = sources()
        with keyring(signing_key) as home:
            for repository in wanted:
                _fill(new, repository, filled, signing_key, home)

    # All that those for other machines are made of is in their name.
    folder = cache() / "apt" / key(ensure_repositories().name, AARCH64.nvidia)
    return made_once(folder, make, "write the apt repositories for arm64")


def sources() -> Sources:
    """What packages are filled from, each made or loaded once."""
    userland = {driver.version: ensure_nvml(driver) for driver in packages.drivers(packages.table())}
    return Sources(userland, debian.nvidia_smi(), parts.ensure(TOOLKIT) / "bin")


def _fill(root: Path, repository: Repository, sources: Sources, signing_key: Path, home: Path) -> None:
    first, *others = [root / path for path in repository.paths]
    first.mkdir(parents=True)
    debs = [write_deb(package, sources, first) for package in repository.packages]
    index(first, repository, debs, home)
    for folder in others:
        folder.mkdir(parents=True)
        for path in first.iterdir():
            os.link(path, folder / path.name)
    for place, key_name in repository.paths.items():
        (root / place / key_name).resolve().write_bytes((signing_key / "public.asc").read_bytes())


def index(folder: Path, repository: Repository, debs: list[Path], home: Path) -> None:
    """What apt reads of a folder of packages, signed."""
    entries = [index_entry(*pair) for pair in zip(repository.packages, debs, strict=True)]
    listed = "\n".join(entries).encode()
    files = {"Packages": listed, "Packages.gz": gzip.compress(listed, mtime=0)}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    sign(folder, release(repository, files), home)


def sign(folder: Path, text: str, home: Path) -> None:
    """Write what names the indexes in the folder, and sign it."""
    (folder / "Release").write_text(text)
    gpg(home, "--clearsign", "--output", folder / "InRelease", folder / "Release")
    gpg(home, "--armor", "--detach-sign", "--output", folder / "Release.gpg", folder / "Release")


def index_entry(package: Package, deb: Path, place: str = ".") -> str:
    """The package's paragraph in `Packages`; `place` is where it lies, seen from what apt is given."""
    content = deb.read_bytes()
    lines = [f"Filename: {place}/{deb.name}", f"Size: {len(content)}", f"SHA256: {hashlib.sha256(content).hexdigest()}"]
    return control(package) + "\n".join([*lines, ""])


def release(repository: Repository, files: dict[str, bytes], more: Sequence[str] = ()) -> str:
    """The text of `Release`: who made the repository, and the checksums of its indexes."""
    date = email.utils.format_datetime(datetime.datetime.fromtimestamp(EPOCH, datetime.UTC), usegmt=True)
    lines = [
        f"Origin: {repository.origin}",
        f"Label: {repository.name}",
        f"Architectures: {repository.architecture.deb}",
        *more,
        f"Date: {date}",
        "SHA256:",
    ]
    lines += [f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}" for name, content in files.items()]
    return "\n".join([*lines, ""])


# ---- the signing key ------------------------------------------------------------------------------------------------


def ensure_signing_key() -> Path:
    """A folder with `secret.asc`, `public.asc` and `fingerprint` of a key that this machine made for its rig."""
    return made_once(cache() / "openpgp" / key(OWNER), _make_key, "make the key that signs the rig's packages")


def _make_key(folder: Path) -> None:
    with keyring(None) as home:
        gpg(home, "--quick-generate-key", OWNER, "rsa3072", "sign", "never")
        (folder / "secret.asc").touch(0o600)
        (folder / "secret.asc").write_text(gpg(home, "--armor", "--export-secret-keys"))
        (folder / "public.asc").write_text(gpg(home, "--armor", "--export"))
        (folder / "fingerprint").write_text(fingerprint(gpg(home, "--with-colons", "--list-keys")) + "\n")


def fingerprint(listing: str) -> str:
    """The primary key's fingerprint out of `gpg --with-colons --list-keys`."""
    return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))


@contextmanager
def keyring(signing_key: Path | None) -> Iterator[Path]:
    """A GnuPG home for a moment (its sockets want a short path); its agent ends with it."""
    if attempt("gpg", "--version").returncode != 0:
        raise RigError("gpg is missing: the rig signs its package repositories with it; install the package gnupg")
    with tempfile.TemporaryDirectory(prefix="kubegpu-gpg-") as home:
        try:
            if signing_key is not None:
                gpg(Path(home), "--import", signing_key / "secret.asc")
            yield Path(home)
        finally:
            run("gpgconf", "--homedir", home, "--kill", "all")


def gpg(home: Path, *argv: str | Path) -> str:
    return run("gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode=loopback", "--passphrase=", *argv)
