# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the signing key of a package repository on a host, after its fingerprint has been checked."""

from __future__ import annotations

DOCUMENTATION = r"""
module: repository_key
short_description: Signing key of a package repository, checked against a pinned fingerprint
version_added: 0.1.0
author:
  - kubegpu.nodes authors (@kubegpu)
description:
  - Downloads an OpenPGP public key, or takes one of the host's files, compares the fingerprints of what it got with the
    pinned ones, and writes the key to a file of its own, for C(Signed-By) of a C(.sources) file or C(gpgkey) of a
    C(.repo) file.
  - A file that already holds exactly the pinned keys is kept, without any network request.
  - Needs neither C(gpg) nor any Python package on the host.
extends_documentation_fragment:
  - kubegpu.nodes._attributes
attributes:
  check_mode:
    support: full
    details:
      - The key is downloaded and checked in check mode too, so that a wrong fingerprint is found; nothing is written.
  diff_mode:
    support: full
    details:
      - The diff shows fingerprints, not key material.
  platform:
    platforms: posix
options:
  path:
    description:
      - File to write. It holds the key armored if its name ends in V(.asc), else binary; apt tells them apart so.
      - Its folder must exist.
    type: path
    required: true
  url:
    description:
      - Where the key is, armored or binary. Only C(https) is accepted.
      - This or O(src) is required if O(state=present).
    type: str
  src:
    description:
      - File on the host that has the key, armored or binary, instead of O(url).
    type: path
  fingerprints:
    description:
      - Fingerprints of the primary keys, 40 hexadecimal digits each; spaces and case do not matter.
      - The file must hold these keys and no other one.
      - Required with O(url). With O(src) whatever keys that file has may do, where its own checksum was pinned.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(present) writes the key, V(absent) removes the file.
    type: str
    choices: [present, absent]
    default: present
  timeout:
    description:
      - Seconds to wait for the server.
    type: int
    default: 30
notes:
  - A proxy is taken from the environment of the task (C(https_proxy)).
seealso:
  - module: ansible.builtin.deb822_repository
  - module: ansible.builtin.rpm_key
"""

EXAMPLES = r"""
- name: Key of NVIDIA's CUDA repository
  kubegpu.nodes.repository_key:
    path: /etc/apt/keyrings/nvidia-cuda.asc
    url: https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64/3bf863cc.pub
    fingerprints:
      - EB69 3B30 35CD 5710 E231  E123 A4B4 6996 3BF8 63CC

- name: Key of a repository that came as a package, whose own sum was checked
  kubegpu.nodes.repository_key:
    path: /usr/share/keyrings/nvidia-driver-local-keyring.gpg
    src: /var/nvidia-driver-local-repo-debian12-580.95.05/nvidia-driver-local-keyring.gpg
"""

RETURN = r"""
path:
  description: The file.
  returned: always
  type: str
fingerprints:
  description: Fingerprints of the primary keys that the file holds, or would hold.
  returned: always
  type: list
  elements: str
sha256:
  description: Digest of the file, or of what would be written; V(null) if there is no file.
  returned: always
  type: str
"""

import hashlib
import os
import re
import tempfile
import typing as t
from urllib.error import URLError

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._openpgp import OpenPGPError, armor, fingerprints, read_keys

ARGUMENT_SPEC: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "url": {"type": "str"},
    "src": {"type": "path"},
    "fingerprints": {"type": "list", "elements": "str", "default": []},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "timeout": {"type": "int", "default": 30},
}
# A key with a few hundred signatures has some 100 kB; a longer answer is no key.
MOST_BYTES = 1024 * 1024

Fetch = t.Callable[[str, int], bytes]
Write = t.Callable[[str, bytes], None]


class File(t.NamedTuple):
    """What a key file holds: `keys` is empty where it is missing or no key file."""

    data: bytes | None
    keys: list[str]

    @property
    def sha256(self) -> str | None:
        return None if self.data is None else hashlib.sha256(self.data).hexdigest()


def pinned(texts: t.Sequence[str]) -> list[str]:
    """The fingerprints as a person writes them, in their one form."""
    found = [re.sub(r"[\s:]", "", text).upper() for text in texts]
    for text, fingerprint in zip(texts, found):
        if not re.fullmatch(r"[0-9A-F]{40}", fingerprint):
            raise KubeGpuError(f"{text!r} is not a fingerprint: 40 hexadecimal digits are")
    return found


def read(path: str) -> File:
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except FileNotFoundError:
        return File(None, [])
    except OSError as error:
        raise KubeGpuError(f"{path} cannot be read: {error.strerror}", path=path) from error
    try:
        return File(data, fingerprints(read_keys(data)))
    except OpenPGPError:
        return File(data, [])


def checked(data: bytes, url: str, wanted: t.Sequence[str]) -> bytes:
    """The packets of the keys that came from `url`, if they are the pinned ones."""
    try:
        packets = read_keys(data)
        found = fingerprints(packets)
    except OpenPGPError as error:
        raise KubeGpuError(f"{url} gave no usable key: {error}.", url=url) from error
    if sorted(found) != sorted(wanted):
        raise KubeGpuError(
            f"{url} gave the key {', '.join(found)}, but {', '.join(wanted)} is pinned; nothing was written.", url=url
        )
    return packets


def run(params: dict[str, t.Any], fetch: Fetch, write: Write, check_mode: bool) -> dict[str, t.Any]:
    before = read(params["path"])
    after = File(None, []) if params["state"] == "absent" else _wanted(params, before, fetch)
    changed = before.data != after.data
    if changed and not check_mode:
        write(params["path"], after.data) if after.data is not None else os.unlink(params["path"])
    return {
        "changed": changed,
        "path": params["path"],
        "fingerprints": after.keys,
        "sha256": after.sha256,
        "diff": {"before": _shown(before), "after": _shown(after)},
    }


def _wanted(params: dict[str, t.Any], before: File, fetch: Fetch) -> File:
    wanted = pinned(params["fingerprints"]) or (_keys_of(params["src"]) if params["src"] else [])
    if before.keys and sorted(before.keys) == sorted(wanted):
        return before
    return File(_content(params, wanted, fetch), wanted)


def _keys_of(path: str) -> list[str]:
    """What a file of the host holds."""
    found = read(path).keys
    if not found:
        raise KubeGpuError(f"{path} gave no usable key.", path=path)
    return found


def _content(params: dict[str, t.Any], wanted: t.Sequence[str], fetch: Fetch) -> bytes:
    place = params["src"] or params["url"]
    packets = checked(read(place).data or b"" if params["src"] else _fetched(params, fetch), place, wanted)
    return armor(packets) if params["path"].endswith(".asc") else packets


def _fetched(params: dict[str, t.Any], fetch: Fetch) -> bytes:
    if not params["url"].startswith("https://"):
        raise KubeGpuError(f"{params['url']} is not https; a key is only fetched over TLS.", url=params["url"])
    return fetch(params["url"], params["timeout"])


def _shown(file: File) -> str:
    if file.data is None:
        return ""
    return "".join(f"{key}\n" for key in file.keys) or "not an OpenPGP key\n"


def download(url: str, timeout: int) -> bytes:
    try:
        answer = open_url(url, timeout=timeout, http_agent="kubegpu.nodes")
        data = answer.read(MOST_BYTES + 1)
    except (URLError, OSError) as error:
        raise KubeGpuError(f"{url} cannot be fetched: {getattr(error, 'reason', None) or error}.", url=url) from error
    if len(data) > MOST_BYTES:
        raise KubeGpuError(f"{url} gave more than {MOST_BYTES} bytes; that is no key.", url=url)
    return bytes(data)


def writer(module: AnsibleModule) -> Write:
    def write(path: str, data: bytes) -> None:
        handle, temporary = tempfile.mkstemp(dir=module.tmpdir)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(temporary, 0o644)  # apt reads keys as the user _apt
        module.atomic_move(temporary, path)

    return write


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("state", "present", ("url", "src"), True)],
        mutually_exclusive=[("url", "src")],
        supports_check_mode=True,
    )
    try:
        result = run(module.params, download, writer(module), module.check_mode)
    except KubeGpuError as error:
        module.fail_json(msg=str(error), **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
