"""A TOML file as a typed model; everything that is wrong with it in one report."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import pydantic


class SettingsError(ValueError):
    """A configuration file can't be used; one line for each thing wrong: file, key, value, what would be right."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(pydantic.BaseModel):
    """Base of all settings: immutable, and strict about keys that it doesn't know."""

    model_config = pydantic.ConfigDict(
        extra="forbid", frozen=True, validate_default=True, arbitrary_types_allowed=True, hide_input_in_errors=True
    )


def option(default: Any, **bounds: Any) -> Any:
    """A field whose default is written as in the file ("20m"), not as the type that it becomes."""
    return pydantic.Field(default, **bounds)


S = TypeVar("S", bound=Settings)


def load(model: type[S], path: Path) -> S:
    """Read settings from a file.

    Raises:
        SettingsError: the file can't be read, isn't TOML, or holds wrong values.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: not TOML: {error}"]) from None
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        raise SettingsError([_problem(path, item, model) for item in error.errors()]) from None


def _problem(path: Path, item: Any, model: type[pydantic.BaseModel]) -> str:
    where = ""
    for part in item["loc"]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    match item["type"]:
        case "extra_forbidden":
            return f"{path}: {where}: unknown key; known here: {', '.join(_known(model, item['loc'][:-1]))}"
        case "missing":
            return f"{path}: {where}: missing; {_description(model, item['loc'])}"
        case "value_error":
            wanted = str(item["ctx"]["error"])
        case _:
            wanted = str(item["msg"]).removeprefix("Input ").removeprefix("should be ")
    if not where:
        return f"{path}: {wanted}"
    if item["type"] == "value_error" and isinstance(item["input"], dict):
        return f"{path}: {where}: {wanted}"  # of several keys together
    return f"{path}: {where} = {_shown(item['input'])}: must be {wanted.removeprefix('must be ')}"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 80 else f'"{value[:77]}…"'
    return repr(value) if len(repr(value)) <= 80 else f"a {type(value).__name__}"


def _model_at(model: Any, loc: tuple[Any, ...]) -> Any:
    """The model class at a place in the tree; None if there is none."""
    for part in loc:
        if isinstance(model, type) and issubclass(model, pydantic.BaseModel):
            field = model.model_fields.get(str(part))
            if field is None:
                return None
            model = field.annotation
        else:  # a dict, list or tuple of models: its last argument is what it holds
            held = [item for item in getattr(model, "__args__", (None,)) if item is not Ellipsis]
            model = held[-1]
        if get_origin(model) is Annotated:
            model = get_args(model)[0]
    return model if isinstance(model, type) and issubclass(model, pydantic.BaseModel) else _optional(model)


def _optional(model: Any) -> Any:
    found = (arg for arg in getattr(model, "__args__", ()) if isinstance(arg, type))
    return next((arg for arg in found if issubclass(arg, pydantic.BaseModel)), None)


def _known(model: type[pydantic.BaseModel], loc: tuple[Any, ...]) -> list[str]:
    at = _model_at(model, loc)
    return sorted(at.model_fields) if at is not None else []


def _description(model: type[pydantic.BaseModel], loc: tuple[Any, ...]) -> str:
    at = _model_at(model, loc[:-1])
    field = at.model_fields.get(str(loc[-1])) if at is not None else None
    return (field.description if field is not None else None) or "it is needed"
