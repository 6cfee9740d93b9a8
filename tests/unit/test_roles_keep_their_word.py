# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's defaults, argument specs, README, platform files and tasks say the same."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubegpu.nodes.plugins.plugin_utils import _driver_plan, _effect

CHECKOUT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (CHECKOUT / "roles").iterdir() if (path / "meta").is_dir())
NAMES = [role.name for role in ROLES]

each_role = pytest.mark.parametrize("role", ROLES, ids=NAMES)


class Loader(yaml.SafeLoader):
    """Reads what only Ansible gives a meaning to (!vault, !unsafe) as plain text."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: loader.construct_scalar(node))


def read(path: Path) -> t.Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader) if path.exists() else None


def options(role: Path) -> dict[str, dict[str, t.Any]]:
    return dict(read(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"])


def task_files(role: Path) -> list[Path]:
    return sorted(path for folder in ("tasks", "handlers") for path in (role / folder).rglob("*.yml"))


def tasks(role: Path) -> t.Iterator[tuple[Path, dict[str, t.Any]]]:
    """Every task of a role, those in blocks too."""
    for path in task_files(role):
        rest = list(read(path) or [])
        while rest:
            task = rest.pop(0)
            for part in ("block", "rescue", "always"):
                rest += task.get(part, [])
            yield path.relative_to(role), task


@each_role
def test_defaults_are_the_documented_ones(role: Path) -> None:
    documented = {name: spec["default"] for name, spec in options(role).items() if "default" in spec}
    assert (read(role / "defaults" / "main.yml") or {}) == documented
    assert list(read(role / "defaults" / "main.yml") or {}) == list(documented), "in the same order"


@each_role
def test_users_variables_have_the_roles_name(role: Path) -> None:
    assert [name for name in options(role) if not name.startswith(f"{role.name}_")] == []


@each_role
def test_everything_else_is_private(role: Path) -> None:
    private = f"__{role.name}_"
    for path in sorted((role / "vars").rglob("*.yml")):
        assert [name for name in read(path) or {} if not name.startswith(private)] == [], path
    for path, task in tasks(role):
        own = [task["register"]] if "register" in task else []
        own += [name for name in task.get("ansible.builtin.set_fact", {}) if name != "cacheable"]
        assert [name for name in own if not name.startswith(private)] == [], f"{path}: {task.get('name')}"


@each_role
def test_platform_files_define_the_same_names(role: Path) -> None:
    folders = {path.parent for path in (role / "vars").rglob("*.yml")}
    for folder in folders:
        names = {path.name: set(read(path)) for path in folder.glob("*.yml") if path.name != "main.yml"}
        asked = set().union(*names.values())
        if folder.name == "package_manager":
            asked &= asked_by_all(role, list(names))
        for name, defined in names.items():
            assert asked <= defined, f"{name} lacks {asked - defined}"


def asked_by_all(role: Path, managers: list[str]) -> set[str]:
    """Variables of tasks that are not of one package manager alone, as far as the role gives them no value itself."""
    own = tuple(name.removesuffix(".yml") for name in managers)
    files = [path for path in (role / "tasks").rglob("*.yml") if path.stem.partition("_")[0] not in own]
    texts = [path.read_text(encoding="utf-8") for path in [*files, role / "vars" / "main.yml"]]
    return set(re.findall(r"__\w+", " ".join(texts))) - set(read(role / "vars" / "main.yml"))


@each_role
def test_main_is_a_table_of_contents(role: Path) -> None:
    for task in read(role / "tasks" / "main.yml"):
        (how,) = set(task) & {"ansible.builtin.import_tasks", "ansible.builtin.include_tasks"}
        assert set(task) <= {"name", how, "when", "tags"}, task
        assert (role / "tasks" / task[how]).is_file(), task
        assert how == "ansible.builtin.import_tasks" or "when" in task, "only what is mostly skipped is included"


@each_role
def test_the_readme_names_every_variable_and_no_other(role: Path) -> None:
    text = (role / "README.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {role.name}\n")
    named = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert named == list(options(role)), "the table has them all, in the same order"


@each_role
def test_every_entry_point_has_its_tasks_and_its_words(role: Path) -> None:
    for name, spec in read(role / "meta" / "argument_specs.yml")["argument_specs"].items():
        assert (role / "tasks" / f"{name}.yml").is_file(), name
        assert spec["short_description"] and spec["version_added"] and spec["author"], name


@each_role
def test_meta_pulls_nothing_in(role: Path) -> None:
    meta = read(role / "meta" / "main.yml")
    assert meta["dependencies"] == []
    assert meta["galaxy_info"]["license"] == "GPL-3.0-or-later"
    assert meta["galaxy_info"]["min_ansible_version"] == "2.16"


@each_role
def test_booleans_of_users_are_converted_where_they_decide(role: Path) -> None:
    """`-e x=false` is text, which is true."""
    booleans = [name for name, spec in options(role).items() if spec.get("type") == "bool"]
    for path, task in tasks(role):
        conditions = str(task.get("when", ""))
        for name in booleans:
            bare = re.findall(rf"\b{name}\b(?!\s*\|\s*bool)", conditions)
            assert not bare, f"{path}: {task.get('name')}: {name} without | bool"


@each_role
def test_failures_are_not_hidden(role: Path) -> None:
    for path, task in tasks(role):
        where = f"{path}: {task.get('name')}"
        assert "ignore_errors" not in task, where
        assert str(task.get("failed_when", "")).lower() != "false", where
        for module in ("shell", "raw", "package", "service", "setup"):
            assert f"ansible.builtin.{module}" not in task, where


@each_role
def test_platforms_of_the_data_are_served(role: Path) -> None:
    """A role with platform files has one for each distribution that the plan lets through to it.

    Of a package manager that it knows nothing of, it has none: the plan refuses the container toolkit with dnf.
    """
    here = {path.stem for path in (role / "vars").glob("*.yml")} - {"main"}
    if not here:
        pytest.skip("the role does not differ by distribution")
    data = read(CHECKOUT / "plugins" / "plugin_utils" / "data" / "platforms.yml")["platforms"]
    managers = {path.stem for path in (role / "vars" / "package_manager").glob("*.yml")}
    for line in data:
        if managers and line["package_manager"] not in managers:
            continue
        candidates = {line["id"], f"{line['id']}-{line['version'].split('.')[0]}"}
        assert candidates & here, f"{role.name} has no vars file for {line['id']} {line['version']}"


@each_role
def test_what_a_platform_file_names_is_there(role: Path) -> None:
    """The package manager that a platform names has its variables beside it."""
    for path in sorted((role / "vars").glob("*.yml")):
        manager = (read(path) or {}).get(f"__{role.name}_package_manager")
        if path.name != "main.yml" and manager:
            assert (role / "vars" / "package_manager" / f"{manager}.yml").is_file(), path


@each_role
def test_what_the_plan_refuses_stops_every_role_that_asks_it(role: Path) -> None:
    """Also one without platform files: an unsupported distribution is a refusal of the plan."""
    files = [path for folder in ("vars", "tasks") for path in sorted((role / folder).rglob("*.yml"))]
    if not any("gpu_plan" in path.read_text(encoding="utf-8") for path in files):
        pytest.skip("the role does not ask the plan")
    conditions = [
        str(task["ansible.builtin.assert"]["that"]) for _, task in tasks(role) if "ansible.builtin.assert" in task
    ]
    assert [that for that in conditions if "refusals" in that and "length == 0" in that], conditions


WISHES = CHECKOUT / "roles" / "gpu_preflight" / "vars" / "main.yml"
FALLBACK = re.compile(r"\{\{ (\w+) \| default\((.*)\) \}\}")


def fallbacks(value: t.Any) -> t.Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for part in value.values():
            yield from fallbacks(part)
    found = FALLBACK.fullmatch(value) if isinstance(value, str) else None
    if found:
        yield found[1], found[2]


@pytest.mark.parametrize("name, fallback", list(fallbacks(read(WISHES)["__gpu_preflight_wishes"])))
def test_preflight_knows_the_wishes_of_the_other_roles(name: str, fallback: str) -> None:
    """Where a play does not hold the other role, preflight's fallback must be that role's default."""
    owners = [role for role in ROLES if name in options(role)]
    if not owners:
        pytest.skip(f"no role has {name} yet")
    default = options(owners[0])[name]["default"]
    written = default[3:-3] if isinstance(default, str) and default.startswith("{{ ") else repr(default)
    assert fallback == written


def test_plan_and_role_name_the_same_modules_and_services() -> None:
    """The plan judges by them and the role acts on them: what only one knows would be unloaded unasked, or stay."""
    variables = read(CHECKOUT / "roles" / "nvidia_driver" / "vars" / "main.yml")
    assert variables["__nvidia_driver_units"] == _effect.UNITS
    assert variables["__nvidia_driver_unloadable"] == list(_effect.MODULES), (
        "in the order in which they can be unloaded"
    )
    kept_off = re.findall(r"^blacklist (\w+)$", variables["__nvidia_driver_rivals_text"], re.MULTILINE)
    assert kept_off == list(_driver_plan.RIVALS)
