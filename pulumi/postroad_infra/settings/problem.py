"""What is wrong with a stack's settings, one line each: file, key, value, reason, what would be right."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

LONGEST_VALUE = 60

Path = Sequence[str | int]

# These come from elsewhere than the project's own object.
FOREIGN_KEYS = {"region": "aws:region", "accounts": "aws:allowedAccountIds", "stack": "the stack's name"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; its text is one line."""

    file: str
    key: str
    reason: str
    value: object = None
    right: str = ""

    def __str__(self) -> str:
        """The line for people."""
        value = "" if self.value is None else f" = {shown(self.value)}"
        right = f"; right is: {self.right}" if self.right else ""
        return " ".join(f"{self.file}: {self.key}{value}: {self.reason}{right}".split())


class SettingsError(Exception):
    """The settings of a stack are wrong; `problems` holds all that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def shown(value: object) -> str:
    """A value as an error line shows it: short, and without what a nested object holds."""
    if isinstance(value, dict):
        return "{" + ", ".join(str(key) for key in value) + "}"
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def key_of(project: str, path: Path) -> str:
    """The key as `pulumi config set --path` takes it: `network:settings.zones[0]`."""
    if path and path[0] in FOREIGN_KEYS:
        head, rest = FOREIGN_KEYS[str(path[0])], path[1:]
    else:
        head, rest = f"{project}:settings", path
    return head + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)


def _models(annotation: object) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is not None:
        for argument in typing.get_args(annotation):
            yield from _models(argument)


def field_at(model: type[BaseModel], path: Path) -> tuple[type[BaseModel] | None, FieldInfo | None]:
    """The innermost model on the way to `path` and the field it names there, as far as they are known."""
    owner: type[BaseModel] | None = model
    field: FieldInfo | None = None
    for part in path:
        if isinstance(part, int):
            continue
        if owner is None or part not in owner.model_fields:
            return owner, None
        field = owner.model_fields[part]
        inner = next(iter(_models(field.annotation)), None)
        owner = inner
    return owner, field


def _right(field: FieldInfo | None) -> str:
    if field is None or not field.description:
        return ""
    examples = f", e.g. {field.examples[0]}" if field.examples else ""
    return field.description + examples


def _unknown_key(model: type[BaseModel], path: Path) -> str:
    owner, _ = field_at(model, path[:-1])
    known = [name for name in (owner or model).model_fields if len(path) > 1 or name not in FOREIGN_KEYS]
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    return near[0] if near else "one of " + ", ".join(known)


def problems_of(error: ValidationError, *, file: str, project: str, model: type[BaseModel]) -> list[Problem]:
    """A validation's errors as problems, in the order of the model's fields."""
    problems = []
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        key = key_of(project, path)
        kind = detail["type"]
        _, field = field_at(model, path)
        if kind == "missing":
            problems.append(Problem(file, key, "it is missing", right=_right(field)))
        elif kind == "extra_forbidden":
            problems.append(Problem(file, key, "no such key", value=detail["input"], right=_unknown_key(model, path)))
        else:
            # A message of our own says what is wrong; the object that a model validator saw would only repeat the file.
            message = detail["msg"].removeprefix("Value error, ")
            message = (
                "not of the right form"
                if kind == "string_pattern_mismatch"
                else message
                if message[:2].isupper()
                else message[:1].lower() + message[1:]
            )
            value = None if isinstance(detail["input"], dict | BaseModel) and kind == "value_error" else detail["input"]
            problems.append(Problem(file, key, message, value=value, right=_right(field)))
    return problems
