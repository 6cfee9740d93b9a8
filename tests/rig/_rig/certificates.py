# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and certificates, by openssl: one authority for the cluster and for the rig's HTTPS server."""

from __future__ import annotations

from pathlib import Path

from _rig.shell import run

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def authority(folder: Path) -> None:
    """Make ca.crt and ca.key."""
    extensions = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    pair: list[str | Path] = ["-keyout", folder / "ca.key", "-out", folder / "ca.crt"]
    run("openssl", "req", "-x509", *CURVE, "-days", "365", "-subj", "/CN=kubegpu-rig", *extensions, *pair)


def issue(folder: Path, name: str, subject: str, names: str = "") -> None:
    """Make <name>.crt and <name>.key, signed by the folder's authority; `names` is a subjectAltName of a server."""
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    use = "serverAuth,clientAuth" if names else "clientAuth"
    lines = ["basicConstraints=CA:FALSE", "keyUsage=digitalSignature", f"extendedKeyUsage={use}"]
    extensions.write_text("\n".join([*lines, f"subjectAltName={names}" if names else ""]) + "\n")
    run("openssl", "req", *CURVE, "-subj", subject, "-keyout", folder / f"{name}.key", "-out", request)
    signer: list[str | Path] = ["-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial"]
    target: list[str | Path] = ["-out", folder / f"{name}.crt", "-extfile", extensions]
    run("openssl", "x509", "-req", "-in", request, *signer, "-days", "365", *target)
    request.unlink()
    extensions.unlink()


def key_pair(folder: Path, name: str) -> None:
    """Make <name>.key and <name>.pub, with which service account tokens are signed and checked."""
    private = folder / f"{name}.key"
    run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", private)
    run("openssl", "pkey", "-in", private, "-pubout", "-out", folder / f"{name}.pub")
