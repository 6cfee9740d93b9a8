# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container images without a registry: OCI image layouts as tar files, from programs that are at hand."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from _rig import debian, parts
from _rig.cache import RIG, cache, key, made_once
from _rig.shell import run

PLUGIN = "k8s-device-plugin"
PAUSE = RIG / "images" / "pause.c"
LIBRARIES = "lib/x86_64-linux-gnu"
GLIBC = ("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1")
APPLETS = ("sh", "cat", "echo", "env", "false", "grep", "head", "ls", "sed", "sleep", "sort", "tail", "true", "wc")
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MERGED = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}

MEDIA = "application/vnd.oci.image"


class Image(NamedTuple):
    reference: str
    entrypoint: list[str]
    files: dict[str, bytes]  # path without a leading slash -> content; programs, but for those in etc/
    links: dict[str, str] = {}  # path -> target
    env: tuple[str, ...] = ()


# ---- the rig's images -----------------------------------------------------------------------------------------------


def ensure_images() -> Path:
    """A folder with a tar for each image that the hosts' containerd imports."""
    userland = debian.extract(["busybox-static", "libc6"])
    plugin = parts.ensure(PLUGIN)
    folder = cache() / "images" / f"oci-{key(Path(__file__), PAUSE, userland.name, plugin.name)}"

    def make(new: Path) -> None:
        for image in (_pause(new), _device_plugin(plugin / "bin", userland), _gpu_proof(userland)):
            (new / f"{image.reference.rpartition('/')[2].replace(':', '-')}.tar").write_bytes(image_tar(image))

    return made_once(folder, make, "write the container images")


def _pause(folder: Path) -> Image:
    program = folder / "pause"
    run("gcc", "-std=gnu11", "-Os", "-static", "-s", "-Wall", "-Wextra", "-Werror", "-o", program, PAUSE)
    content = program.read_bytes()
    program.unlink()
    return Image("registry.k8s.io/pause:3.10", ["/pause"], {"pause": content})


def _device_plugin(programs: Path, userland: Path) -> Image:
    files = {f"usr/bin/{path.name}": path.read_bytes() for path in sorted(programs.iterdir())}
    name = f"nvcr.io/nvidia/k8s-device-plugin:{parts.parts()[PLUGIN].version}"
    env = ("NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=compute,utility")
    return Image(name, ["nvidia-device-plugin"], files | _glibc(userland), MERGED, env)


def _gpu_proof(userland: Path) -> Image:
    """A shell and a C library: enough for an nvidia-smi that the container runtime puts in."""
    files = {"usr/bin/busybox": (userland / "bin/busybox").read_bytes()}
    links = MERGED | {f"usr/bin/{applet}": "busybox" for applet in APPLETS}
    return Image("localhost/kubegpu/gpu-proof:1", ["/bin/sh"], files | _glibc(userland), links)


def _glibc(userland: Path) -> dict[str, bytes]:
    files = {f"usr/{LIBRARIES}/{name}": (userland / LIBRARIES / name).read_bytes() for name in GLIBC}
    loader = "ld-linux-x86-64.so.2"
    files |= {f"usr/lib64/{loader}": (userland / LIBRARIES / loader).read_bytes()}
    # The container toolkit adds a folder of its own to the loader's.
    return files | {"etc/ld.so.conf": b"include /etc/ld.so.conf.d/*.conf\n"}


# ---- the format: https://github.com/opencontainers/image-spec -------------------------------------------------------


def image_tar(image: Image) -> bytes:
    """An image layout with one layer; the same image is always the same bytes."""
    layer = layer_tar(image.files, image.links)
    packed = gzip.compress(layer, compresslevel=1, mtime=0)
    process = {"Entrypoint": image.entrypoint, "Env": [PATH, *image.env]}
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": process,
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{MEDIA}.manifest.v1+json",
            "config": _descriptor("config.v1+json", config),
            "layers": [_descriptor("layer.v1.tar+gzip", packed)],
        }
    )
    tag = image.reference.rpartition(":")[2]
    names = {"io.containerd.image.name": image.reference, "org.opencontainers.image.ref.name": tag}
    entry = _descriptor("manifest.v1+json", manifest) | {"annotations": names}
    index = {"schemaVersion": 2, "mediaType": f"{MEDIA}.index.v1+json", "manifests": [entry]}
    files = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": _json(index)}
    files |= {f"blobs/sha256/{_digest(blob)[7:]}": blob for blob in (config, manifest, packed)}
    return _tar(_member(path, blob, 0o644) for path, blob in files.items())


def layer_tar(files: dict[str, bytes], links: dict[str, str]) -> bytes:
    """One file system layer: folders first, each once, a world-writable /tmp, then links and programs."""
    return _tar(_layer_members(files, links))


def _layer_members(files: dict[str, bytes], links: dict[str, str]) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    parents = (parent for path in [*files, *links] for parent in PurePosixPath(path).parents)
    for folder in sorted({str(parent) for parent in parents} - {"."} | {"tmp"}):
        yield _special(folder, tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755)
    for path, target in sorted(links.items()):
        yield _special(path, tarfile.SYMTYPE, 0o777, target)
    for path, content in sorted(files.items()):
        yield _member(path, content, 0o644 if path.startswith("etc/") else 0o755)


def _member(path: str, content: bytes, mode: int) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(path)
    info.size, info.mode = len(content), mode
    return info, content


def _special(path: str, kind: bytes, mode: int, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(path)
    info.type, info.mode, info.linkname = kind, mode, target
    return info, b""


def _tar(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _descriptor(kind: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": f"{MEDIA}.{kind}", "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
