"""`python -m postroad_infra.settings check <project> <stack>`: a stack's settings, checked without the engine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from postroad_infra.settings.agreement import disagreements
from postroad_infra.settings.problem import Problem, SettingsError
from postroad_infra.settings.project import ProjectSettings
from postroad_infra.settings.stack_file import FOLDER, PROJECTS, read_stack_file

ALL = "all"


def check(project: str, stack: str, *, folder: Path = FOLDER, read_files: bool = False) -> list[Problem]:
    """Every problem of one project's settings, or of all projects' and what they must agree on.

    Args:
        project: a project's name, or `all`.
        stack: the stack's name.
        folder: holds the projects' folders.
        read_files: read the key files that the settings name, too.
    """
    problems: list[Problem] = []
    projects: dict[str, ProjectSettings] = {}
    for name in PROJECTS if project == ALL else [project]:
        try:
            projects[name] = read_stack_file(name, stack, folder=folder, read_files=read_files)
        except SettingsError as error:
            problems.extend(error.problems)
    return problems + disagreements(projects)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line for each problem to standard error; 0 if there is none, 1 if there is, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m postroad_infra.settings", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("check", help="check the settings in Pulumi.<stack>.yaml")
    command.add_argument("project", help=f"{', '.join(PROJECTS)} or {ALL}")
    command.add_argument("stack", help="a stack's name, e.g. local")
    command.add_argument("--files", action="store_true", help="read the key files that the settings name, too")
    options = parser.parse_args(arguments)
    problems = check(options.project, options.stack, read_files=options.files)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
