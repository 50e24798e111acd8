"""Judge a program's inputs before anything is done: unknown, missing and mistyped properties, defaults, names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .naming import physical_name
from .resource import Resource
from .schema import Kind, Property, State, is_empty
from .wire import is_unknown

DEFAULTS = "__defaults"
"""Where pulumi-aws notes which inputs it filled in itself."""


@dataclass(slots=True)
class Verdict:
    """The inputs to work with, and what is wrong with them: (property, reason) pairs."""

    inputs: State
    failures: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Naming:
    """What the engine says about the resource's name: the logical name, a seed, its own proposal."""

    logical: str
    seed: bytes = b""
    proposed: str = ""
    disabled: bool = False


def check(resource: Resource, olds: Mapping[str, Any], news: Mapping[str, Any], naming: Naming) -> Verdict:
    """The inputs with types put right, defaults and names filled in; every fault is reported, not only the first."""
    verdict = Verdict({})
    given = {name: value for name, value in news.items() if value is not None and not name.startswith("__")}
    known = {prop.name: prop for prop in resource.inputs}
    for name in sorted(given):
        if name == "tags" and resource.tagged:
            verdict.inputs["tags"] = _tags(given["tags"], verdict)
        elif name in known:
            verdict.inputs[name] = _coerce(known[name], name, given[name], verdict)
        else:
            verdict.failures.append((name, f"{resource.type} has no property {name!r} that this provider knows"))
    _require(resource.inputs, "", verdict.inputs, verdict, resource.type)
    for group in resource.one_of:
        count = sum(name in verdict.inputs for name in group)
        if count != 1:
            verdict.failures.append((group[0], f"{resource.type} takes exactly one of {', '.join(group)}; got {count}"))
    if not verdict.failures:
        _fill(resource, olds, verdict.inputs, naming)
    return verdict


def _fill(resource: Resource, olds: Mapping[str, Any], inputs: State, naming: Naming) -> None:
    filled = []
    for prop in resource.properties:
        if prop.default is not None and prop.name not in inputs:
            inputs[prop.name] = prop.default
            filled.append(prop.name)
    rule = resource.autoname
    if rule and rule.property not in inputs:
        automatic = rule.property in (olds.get(DEFAULTS) or ())
        same_prefix = rule.prefix is None or olds.get(rule.prefix) == inputs.get(rule.prefix)
        if automatic and same_prefix and not is_empty(olds.get(rule.property)):
            inputs[rule.property] = olds[rule.property]
            filled.append(rule.property)
        elif not naming.disabled:
            inputs[rule.property] = physical_name(
                rule, naming.logical, inputs, seed=naming.seed, proposed=naming.proposed
            )
            filled.append(rule.property)
    inputs[DEFAULTS] = sorted(filled)


def _tags(value: Any, verdict: Verdict) -> Any:
    if is_unknown(value):
        return value
    if not isinstance(value, Mapping):
        verdict.failures.append(("tags", f"expected map of strings, got {_describe(value)}"))
        return {}
    return {key: item if isinstance(item, str) else str(item) for key, item in value.items() if item is not None}


def _require(
    properties: Sequence[Property], path: str, values: Mapping[str, Any], verdict: Verdict, token: str
) -> None:
    for prop in properties:
        where = f"{path}{prop.name}"
        value = values.get(prop.name)
        if prop.required and value is None:
            verdict.failures.append((where, f"{token} needs property {where!r}"))
        if prop.fields and isinstance(value, Mapping):
            _require(prop.fields, f"{where}.", value, verdict, token)
        elif prop.fields and isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Mapping):
                    _require(prop.fields, f"{where}[{index}].", item, verdict, token)


def _coerce(prop: Property, path: str, value: Any, verdict: Verdict) -> Any:
    """The value in the property's type; like pulumi-aws, takes a text that says a number or a truth value."""
    if value is None or is_unknown(value):
        return value
    match prop.kind:
        case Kind.STRING | Kind.DOCUMENT | Kind.FLAG if isinstance(value, bool):
            return "true" if value else "false"
        case Kind.STRING | Kind.DOCUMENT | Kind.FLAG if isinstance(value, str | int | float):
            return str(value)
        case Kind.BOOLEAN if isinstance(value, bool) or value in ("true", "false"):
            return value in (True, "true")
        case Kind.INTEGER | Kind.NUMBER if not isinstance(value, bool) and _is_number(
            value, whole=prop.kind is Kind.INTEGER
        ):
            return int(value) if prop.kind is Kind.INTEGER else float(value)
        case Kind.LIST | Kind.SET if isinstance(value, list):
            return [_coerce(Property(prop.name, Kind.STRING), f"{path}[{i}]", v, verdict) for i, v in enumerate(value)]
        case Kind.INTEGERS if isinstance(value, list):
            return [_coerce(Property(prop.name, Kind.INTEGER), f"{path}[{i}]", v, verdict) for i, v in enumerate(value)]
        case Kind.MAP if isinstance(value, Mapping):
            return {
                k: _coerce(Property(prop.name, Kind.STRING), f"{path}.{k}", v, verdict)
                for k, v in value.items()
                if v is not None
            }
        case Kind.BLOCK if isinstance(value, Mapping):
            return _coerce_block(prop, path, value, verdict)
        case Kind.BLOCKS | Kind.BLOCK_SET if isinstance(value, list):
            return [
                _coerce_block(prop, f"{path}[{i}]", v, verdict) if isinstance(v, Mapping) else v
                for i, v in enumerate(value)
            ]
    verdict.failures.append((path, f"expected {prop.kind.value}, got {_describe(value)}"))
    return value


def _coerce_block(prop: Property, path: str, value: Mapping[str, Any], verdict: Verdict) -> State:
    fields = {field.name: field for field in prop.fields}
    result: State = {}
    for name, item in value.items():
        if name.startswith("__") or item is None:
            continue
        if name not in fields:
            known = ", ".join(sorted(fields))
            verdict.failures.append((f"{path}.{name}", f"{path} has no property {name!r}; it has {known}"))
            continue
        result[name] = _coerce(fields[name], f"{path}.{name}", item, verdict)
    return result


def _is_number(value: Any, *, whole: bool) -> bool:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    return number.is_integer() or not whole


def _describe(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"
