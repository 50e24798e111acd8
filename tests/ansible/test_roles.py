"""Every role declares its arguments once more, for people and for checks: the two must say the same."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted((Path(__file__).parents[2] / "ansible" / "roles").iterdir())
names = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def options(role: Path) -> dict[str, Any]:
    """The options of all entry points together."""
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    return {name: option for spec in specs.values() for name, option in spec["options"].items()}


def defaults(role: Path) -> dict[str, Any]:
    return yaml.safe_load((role / "defaults" / "main.yml").read_text()) or {}


@names
def test_every_default_is_declared_with_the_same_value(role: Path) -> None:
    declared = options(role)
    assert {name: declared[name]["default"] for name in defaults(role)} == defaults(role)


@names
def test_what_is_required_has_no_default(role: Path) -> None:
    assert {name for name, option in options(role).items() if option.get("required")} & set(defaults(role)) == set()


@names
def test_what_is_not_required_has_a_default(role: Path) -> None:
    optional = {name for name, option in options(role).items() if not option.get("required")}
    assert optional - set(defaults(role)) == set()


@names
def test_variables_carry_the_role_s_name(role: Path) -> None:
    assert [name for name in options(role) if not name.startswith(f"{role.name}_")] == []


@names
def test_every_option_is_described(role: Path) -> None:
    assert [name for name, option in options(role).items() if not option.get("description")] == []


@names
def test_every_role_has_a_molecule_scenario(role: Path) -> None:
    assert (role.parents[1] / "molecule" / role.name / "verify.yml").is_file()


def test_readmes_say_what_the_specs_say() -> None:
    check = [sys.executable, ROLES[0].parents[1] / "role_readmes.py", "--check"]
    assert subprocess.run(check, capture_output=True, text=True, check=False).stderr == ""
