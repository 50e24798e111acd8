#!/usr/bin/env python3
"""Write each role's README.md from its `meta/argument_specs.yml`; with --check only tell which ones are out of date."""

import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parent / "roles"


def plain(text: str | list[str]) -> str:
    """Ansible's markup as Markdown."""
    joined = " ".join(text) if isinstance(text, list) else text
    return re.sub(r"[COMPV]\(([^)]*)\)", r"`\1`", " ".join(joined.split())).replace("|", "\\|")


def row(name: str, option: dict[str, Any]) -> str:
    """One line of the table."""
    default = "required" if option.get("required") else f"`{option.get('default')!r}`"
    return f"| `{name}` | {option['type']} | {default} | {plain(option['description'])} |"


def readme(role: Path) -> str:
    """The README of a role."""
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    lines = ["<!-- Written by ansible/role_readmes.py from meta/argument_specs.yml. -->", f"# Role `{role.name}`"]
    seen: set[str] = set()
    for entry, spec in specs.items():
        lines += ["", f"## `{entry}`", "", spec["short_description"]]
        lines += ["", plain(spec["description"])] if "description" in spec else []
        new = {name: option for name, option in spec["options"].items() if name not in seen}
        seen |= set(new)
        lines += ["", "| variable | type | default | meaning |", "|---|---|---|---|"]
        lines += [row(name, option) for name, option in new.items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write or check all; 1 when a check finds a difference."""
    stale = [role for role in sorted(ROLES.iterdir()) if _text(role) != readme(role)]
    if "--check" in sys.argv:
        for role in stale:
            print(f"{role.name}/README.md is out of date: run ansible/role_readmes.py", file=sys.stderr)
        return bool(stale)
    for role in stale:
        (role / "README.md").write_text(readme(role))
    return 0


def _text(role: Path) -> str:
    path = role / "README.md"
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
