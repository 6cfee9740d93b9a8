# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""containerd's config.toml: tables for the decisions, hypothesis for what strangers wrote."""

from __future__ import annotations

import typing as t

import pytest
import tomlkit
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.plugin_utils._merge.containerd import Wish, merge
from hypothesis import given, settings
from hypothesis import strategies as st

V2 = '"io.containerd.grpc.v1.cri"'
V3 = '"io.containerd.cri.v1.runtime"'
ABSENT = Wish(state="absent")
DEFAULT = Wish(default=True)

# As Debian's package ships it (1.6.20~ds1-1+deb12u3).
DEBIAN = """version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
      conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.internal.v1.opt"]
    path = "/var/lib/containerd/opt"
"""


def node(
    version: int = 2, default: str = 'default_runtime_name = "runc" # site', runc: str = "SystemdCgroup = true"
) -> str:
    """A node as people set it up, with comments."""
    section = V2 if version == 2 else V3
    return f"""# site config
version = {version}
[plugins]
  [plugins.{section}]
    enable_selinux = true # ours
    [plugins.{section}.containerd]
      {default}
      [plugins.{section}.containerd.runtimes.runc]
        runtime_type = "io.containerd.runc.v2"
        [plugins.{section}.containerd.runtimes.runc.options]
          {runc}
# metrics
[metrics]
  address = "127.0.0.1:1338"
"""


def runtimes(text: str, section: str = V2) -> dict[str, t.Any]:
    data = tomlkit.parse(text).unwrap()
    return t.cast("dict[str, t.Any]", data["plugins"][section.strip('"')]["containerd"]["runtimes"])


def default_of(text: str, section: str = V2) -> t.Any:
    data = tomlkit.parse(text).unwrap()
    return data["plugins"][section.strip('"')].get("containerd", {}).get("default_runtime_name")


TEXTS = {
    "debian": DEBIAN,
    "empty": "",
    "comment only": "# nothing yet\n",
    "node 2": node(2),
    "node 3": node(3),
    "no default": node(2, default="# none"),
    "no options": node(2, runc="# none"),
    "windows": node(2).replace("\n", "\r\n"),
    "no last newline": node(2).rstrip("\n"),
}


@pytest.mark.parametrize(
    "wish", [Wish(), DEFAULT, Wish(name="gpu", binary="/opt/nvidia-container-runtime")], ids=["", "default", "name"]
)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_merge_once_and_take_back(text: str, wish: Wish) -> None:
    first = merge(text, wish)
    assert first.changed and first.effective and first.reasons
    assert all(line in first.text for line in text.splitlines() if line.lstrip().startswith("#"))
    again = merge(first.text, wish)
    assert again == again._replace(text=first.text, changed=False, effective=False, reasons=[])

    back = merge(first.text, wish._replace(state="absent", default=False))
    ended = text if text.endswith("\n") or not text else text + "\n"
    began = ended + ("" if "version" in text else "version = 2\n")
    assert back.text == began, "to the byte"


def test_runc_is_cloned_with_its_cgroup_driver() -> None:
    found = runtimes(merge(node(), Wish()).text)
    assert found["nvidia"] == {
        "runtime_type": "io.containerd.runc.v2",
        "options": {"SystemdCgroup": True, "BinaryName": "/usr/bin/nvidia-container-runtime"},
    }


def test_a_file_without_runtimes_gets_runc_too() -> None:
    """containerd 1.6 ends with 'no corresponding runtime configured' otherwise."""
    assert set(runtimes(merge(DEBIAN, Wish()).text)) == {"runc", "nvidia"}


@pytest.mark.parametrize("cgroup", [True, False])
def test_the_effective_cgroup_driver_counts_where_the_file_is_silent(cgroup: bool) -> None:
    found = runtimes(merge(DEBIAN, Wish(systemd_cgroup=cgroup)).text)
    assert [found[name]["options"]["SystemdCgroup"] for name in ("runc", "nvidia")] == [cgroup, cgroup]


def test_the_runtime_that_pods_get_is_the_model() -> None:
    crun = node(default='default_runtime_name = "crun"').replace("runtimes.runc", "runtimes.crun")
    found = runtimes(merge(crun, Wish()).text)
    assert set(found) == {"crun", "nvidia"} and found["nvidia"]["options"]["SystemdCgroup"] is True


def test_an_entry_with_another_cgroup_driver_is_healed() -> None:
    text = merge(node(), Wish()).text.replace(
        "SystemdCgroup = true\nBinaryName", "SystemdCgroup = false # why?\nBinaryName"
    )
    healed = merge(text, Wish())
    assert healed.effective and runtimes(healed.text)["nvidia"]["options"]["SystemdCgroup"] is True
    assert "SystemdCgroup = true # why?" in healed.text


def test_keys_that_others_added_to_the_entry_stay() -> None:
    text = merge(node(), Wish()).text + "Root = '/run/x'\n"
    assert not merge(text, Wish()).changed
    assert "nvidia" not in runtimes(merge(text, ABSENT).text)


@pytest.mark.parametrize("before", ["runc", None])
def test_the_default_goes_and_comes_back(before: str | None) -> None:
    text = node(default='default_runtime_name = "runc" # site' if before else "# none")
    made = merge(text, DEFAULT)
    assert default_of(made.text) == "nvidia"
    assert ("# site; kubegpu.nodes" in made.text) is bool(before)
    back = merge(made.text, Wish())
    assert default_of(back.text) == before and merge(text, Wish()).text == back.text


def test_somebody_elses_default_stays() -> None:
    text = merge(node(), Wish()).text.replace('"runc" # site', '"nvidia" # mine')
    left = merge(text, Wish())
    assert not left.changed and "somebody else" in left.reasons[0]


def test_somebody_elses_runtime_stays() -> None:
    text = merge(node(), Wish(binary="/opt/other")).text
    left = merge(text, ABSENT)
    assert not left.changed and "/opt/other" in left.reasons[0]


def test_an_entry_by_nvidia_ctk_is_taken_out_and_the_next_comment_stays() -> None:
    """Shape of nvidia-container-toolkit 1.20.0; synthetic."""
    entry = f"""    [plugins.{V2}.containerd.runtimes.nvidia]
        runtime_type = "io.containerd.runc.v2"
        [plugins.{V2}.containerd.runtimes.nvidia.options]
          BinaryName = "/usr/bin/nvidia-container-runtime"
          SystemdCgroup = true

"""
    text = node().replace("# metrics", f"{entry}# metrics")
    assert not merge(text, Wish()).changed
    assert merge(text, ABSENT).text == node().replace("# metrics", "\n# metrics")


def test_tables_that_are_not_in_order() -> None:
    text = merge(node(), Wish()).text + f"[plugins.{V2}.registry]\nconfig_path = '/x'\n"
    made = merge(text, DEFAULT)
    assert default_of(made.text) == "nvidia" and merge(made.text, Wish()).text == text


def test_inline_tables() -> None:
    runc = "{runc = {runtime_type = 'io.containerd.runc.v2'}}"
    text = f"version = 2\n[plugins.{V2}]\ncontainerd = {{runtimes = {runc}}}\n"
    assert set(runtimes(merge(text, Wish()).text)) == {"runc", "nvidia"}


REFUSED = {
    "not TOML": ("version = 2\n[plugins\n", ["line 2", "nothing was touched"]),
    "a key twice": ("version = 2\nversion = 2\n", ["not TOML"]),
    "schema 1": ('[plugins.cri]\nx = "y"\n', ["schema 1", "containerd config migrate"]),
    "docker's package": ('disabled_plugins = ["cri"]\n', ["schema 1", "disabled_plugins", "restart containerd"]),
    "interface off": (f"version = 2\ndisabled_plugins = [{V2}]\n", ["no kubelet can use it"]),
    "schema 9": ("version = 9\n", ["version = 9"]),
}


@pytest.mark.parametrize("text, words", REFUSED.values(), ids=REFUSED.keys())
def test_refused(text: str, words: list[str]) -> None:
    with pytest.raises(KubeGpuError) as refusal:
        merge(text, Wish())
    assert [word for word in words if word not in str(refusal.value)] == []


def test_nothing_is_taken_out_where_nothing_can_be() -> None:
    assert not merge('disabled_plugins = ["cri"]\n', ABSENT).changed
    assert not merge("", ABSENT).changed
    assert not merge(DEBIAN, ABSENT).changed


VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=12),
    st.lists(st.integers(0, 99), max_size=3),
)
NAMES = st.text("abcdefgh_-.ü", min_size=1, max_size=6)
TABLES = st.dictionaries(NAMES, VALUES, max_size=3)


def written(name: str, table: dict[str, t.Any], comment: str) -> str:
    lines = [f"# {comment}", f"[plugins.{tomlkit.string('x.' + name).as_string()}]"]
    lines += [
        f"  {tomlkit.key(key).as_string()} = {tomlkit.item(value).as_string()} # {comment}"
        for key, value in table.items()
    ]
    return "\n".join([*lines, "", ""])


@settings(deadline=None)
@given(
    st.dictionaries(NAMES, TABLES, max_size=3),
    st.dictionaries(NAMES, TABLES, max_size=3),
    st.booleans(),
    st.sampled_from([2, 3]),
)
def test_what_strangers_wrote_stays(
    above: dict[str, dict[str, t.Any]], below: dict[str, dict[str, t.Any]], default: bool, version: int
) -> None:
    head = "".join(written(f"a{name}", table, "above") for name, table in above.items())
    tail = "".join(written(f"b{name}", table, "below") for name, table in below.items())
    start, rest = node(version).split("[plugins]\n")
    text = start + head + rest + tail
    made = merge(text, Wish(default=default))
    theirs = [line for line in text.splitlines() if "default_runtime_name" not in line]
    assert [line for line in theirs if line not in made.text] == []
    assert not merge(made.text, Wish(default=default)).changed
    assert merge(made.text, ABSENT).text == text
