"""Where a stack's settings come from: the engine's configuration, or the file `Pulumi.<stack>.yaml` itself."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import pulumi
import yaml
from pydantic import ValidationError

from postroad_infra.settings.dns import DnsSettings
from postroad_infra.settings.mail import MailSettings
from postroad_infra.settings.network import NetworkSettings
from postroad_infra.settings.placeholder import placeholders
from postroad_infra.settings.problem import Problem, SettingsError, key_of, problems_of
from postroad_infra.settings.project import ProjectSettings
from postroad_infra.settings.public_key import READ_FILES

PROJECTS: Mapping[str, type[ProjectSettings]] = {"network": NetworkSettings, "dns": DnsSettings, "mail": MailSettings}
"""The projects in the order in which a stack is built, and the model of each one's settings."""

FOLDER = Path(__file__).resolve().parents[2]
"""The folder that holds the projects."""

S = TypeVar("S", bound=ProjectSettings)


def file_name(project: str, stack: str) -> str:
    """The file that holds a stack's settings, as messages name it."""
    return f"pulumi/{project}/Pulumi.{stack}.yaml"


def validate(model: type[S], values: Mapping[str, Any], *, project: str, stack: str, read_files: bool) -> S:
    """Settings from plain values.

    Raises:
        SettingsError: with every problem found.
    """
    try:
        return model.model_validate(values, context={READ_FILES: read_files})
    except ValidationError as error:
        raise SettingsError(problems_of(error, file=file_name(project, stack), project=project, model=model)) from error


def refuse_placeholders(settings: ProjectSettings, *, project: str, stack: str) -> None:
    """Stop before anything is made from a value that stands for one only the operator knows.

    Raises:
        SettingsError: some are left.
    """
    found = [
        Problem(file_name(project, stack), key_of(project, path), "a placeholder, good for previews only", value=value)
        for path, value in placeholders(settings.model_dump(mode="python"))
    ]
    if found:
        raise SettingsError(found)


def load_settings(model: type[S]) -> S:
    """The settings of the stack that the engine runs; call it before the first resource.

    Raises:
        pulumi.RunError: something is wrong with them; it holds one line for each problem.
    """
    project, stack = pulumi.get_project(), pulumi.get_stack()
    aws = pulumi.Config("aws")
    try:
        values = _object(pulumi.Config(project).get("settings"), project, stack)
        foreign = {"stack": stack, "region": aws.get("region"), "accounts": aws.get_object("allowedAccountIds")}
        known = {key: value for key, value in foreign.items() if value is not None}
        settings = validate(model, {**values, **known}, project=project, stack=stack, read_files=True)
        if not pulumi.runtime.is_dry_run():
            refuse_placeholders(settings, project=project, stack=stack)
    except SettingsError as error:
        raise pulumi.RunError(f"the settings of stack {stack} are wrong\n{error}") from error
    return settings


def read_stack_file(project: str, stack: str, *, folder: Path = FOLDER, read_files: bool = False) -> ProjectSettings:
    """The settings in a stack's file, checked without the engine; secrets can't be part of them.

    Args:
        project: one of `PROJECTS`.
        stack: the stack's name.
        folder: holds the projects' folders.
        read_files: read the key files that it names, too.

    Raises:
        SettingsError: with every problem found.
    """
    name = file_name(project, stack)
    if project not in PROJECTS:
        raise SettingsError([Problem(f"pulumi/{project}", "project", "no such project", right=", ".join(PROJECTS))])
    path = folder / project / f"Pulumi.{stack}.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        stacks = sorted(file.name.split(".")[1] for file in path.parent.glob("Pulumi.*.yaml"))
        raise SettingsError([Problem(name, "stack", "no such stack", value=stack, right=", ".join(stacks))]) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).replace(str(path), "the file")
        raise SettingsError([Problem(name, "the file", f"it can't be read as YAML: {reason}")]) from error
    config = content.get("config") if isinstance(content, dict) else None
    if not isinstance(config, dict):
        raise SettingsError(
            [Problem(name, "config", "it is missing", right=f"a mapping with aws:region and {project}:settings")]
        )
    values = _object(config.get(f"{project}:settings"), project, stack)
    foreign = {"stack": stack, "region": config.get("aws:region"), "accounts": config.get("aws:allowedAccountIds")}
    known = {key: value for key, value in foreign.items() if value is not None}
    with contextlib.chdir(path.parent):
        return validate(PROJECTS[project], {**values, **known}, project=project, stack=stack, read_files=read_files)


def _object(value: Any, project: str, stack: str) -> dict[str, Any]:
    """The settings as a mapping; the engine hands an object over as JSON, which is YAML."""
    if isinstance(value, str):
        with contextlib.suppress(yaml.YAMLError):
            value = yaml.safe_load(value)
    if isinstance(value, dict):
        return value
    reason = "it is missing" if value is None else "it isn't a mapping"
    raise SettingsError(
        [
            Problem(
                file_name(project, stack), f"{project}:settings", reason, right="the keys that another stack's file has"
            )
        ]
    )
