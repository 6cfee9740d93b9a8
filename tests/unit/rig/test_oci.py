# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images are what the OCI image specification says: blobs are named after their content, the layer unpacks as meant."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import Any

from _rig.oci import Image, image_tar, layer_tar

IMAGE = Image(
    "registry.example/team/tool:v1",
    ["tool"],
    {"usr/bin/tool": b"program", "etc/tool.conf": b"text"},
    {"bin": "usr/bin"},
    ("A=1",),
)


def members(tar: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        files = {entry.name: opened.extractfile(entry) for entry in opened if entry.isfile()}
        return {name: file.read() for name, file in files.items() if file}


def follow(files: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    blob = files["blobs/" + descriptor["digest"].replace(":", "/")]
    assert len(blob) == descriptor["size"]
    assert "sha256:" + hashlib.sha256(blob).hexdigest() == descriptor["digest"]
    return blob


def test_from_the_index_to_the_layer_every_digest_holds() -> None:
    files = members(image_tar(IMAGE))
    index = json.loads(files["index.json"])
    manifest = json.loads(follow(files, index["manifests"][0]))
    config = json.loads(follow(files, manifest["config"]))
    layer = gzip.decompress(follow(files, manifest["layers"][0]))
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest()]
    assert config["config"]["Entrypoint"] == ["tool"]
    assert "A=1" in config["config"]["Env"]
    assert members(layer) == IMAGE.files


def test_containerd_learns_the_whole_name() -> None:
    entry = json.loads(members(image_tar(IMAGE))["index.json"])["manifests"][0]
    assert entry["annotations"]["io.containerd.image.name"] == "registry.example/team/tool:v1"
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == "v1"


def test_the_same_image_is_the_same_bytes() -> None:
    assert image_tar(IMAGE) == image_tar(IMAGE)


def test_a_layer_makes_each_folder_once_and_before_what_is_in_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(layer_tar(IMAGE.files, IMAGE.links))) as layer:
        entries = {entry.name: entry for entry in layer}
        names = layer.getnames()
    assert len(names) == len(set(names))
    assert names.index("usr") < names.index("usr/bin") < names.index("usr/bin/tool")
    assert entries["bin"].issym() and entries["bin"].linkname == "usr/bin"
    assert (entries["tmp"].mode, entries["usr/bin/tool"].mode, entries["etc/tool.conf"].mode) == (0o1777, 0o755, 0o644)
