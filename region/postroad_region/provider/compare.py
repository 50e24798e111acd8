"""What differs between what a program wants and what the state holds: a pure decision."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .schema import Kind, Property, is_empty
from .wire import has_unknown, is_unknown


class Change(Enum):
    """How a property differs."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Difference:
    """One property path that differs, and whether that takes a new resource."""

    path: str
    change: Change
    replaces: bool

    @property
    def top(self) -> str:
        """The property of the resource that the path lies in."""
        return self.path.split(".")[0].split("[")[0]


def differences(
    properties: Sequence[Property], wanted: Mapping[str, Any], state: Mapping[str, Any], *, ignore: Iterable[str] = ()
) -> list[Difference]:
    """Each path at which `wanted` asks for something else than `state`; paths in `ignore` and below are skipped."""
    ignored = tuple(ignore)
    found: list[Difference] = []
    for prop in properties:
        found += _property(prop, prop.name, wanted.get(prop.name), state.get(prop.name), replaces=prop.replaces)
    return [difference for difference in found if not any(_within(difference.path, path) for path in ignored)]


def _within(path: str, ancestor: str) -> bool:
    return path == ancestor or path.startswith((ancestor + ".", ancestor + "["))


def _property(prop: Property, path: str, wanted: Any, old: Any, *, replaces: bool) -> list[Difference]:
    replaces = replaces or prop.replaces
    if wanted is None:
        wanted = prop.default
    if is_unknown(wanted):
        return [Difference(path, Change.ADD if is_empty(old) else Change.UPDATE, replaces)]
    if is_empty(wanted):
        if is_empty(old) or prop.computed or (prop.kind is Kind.BOOLEAN and old is False):
            return []
        if prop.kind is Kind.BLOCK and all(_quiet(field, old.get(field.name)) for field in prop.fields):
            return []
        return [Difference(path, Change.DELETE, replaces)]
    if is_empty(old):
        if prop.kind is Kind.BOOLEAN and wanted is False:
            return []
        return [Difference(path, Change.ADD, replaces)]
    if prop.kind is Kind.BLOCK:
        return _block(prop, path, wanted, old, replaces=replaces)
    if prop.kind is Kind.BLOCKS:
        return _blocks(prop, path, wanted, old, replaces=replaces)
    if prop.kind is Kind.MAP:
        return _map(path, wanted, old, replaces=replaces)
    if has_unknown(wanted) or not equal(prop, wanted, old):
        return [Difference(path, Change.UPDATE, replaces)]
    return []


def _quiet(field: Property, old: Any) -> bool:
    """Whether a block's field may hold `old` although the program doesn't mention the block."""
    return is_empty(old) or field.computed or old == field.default or old is False


def _block(
    prop: Property, path: str, wanted: Mapping[str, Any], old: Mapping[str, Any], *, replaces: bool
) -> list[Difference]:
    found: list[Difference] = []
    for field in prop.fields:
        where = f"{path}.{field.name}"
        found += _property(field, where, wanted.get(field.name), old.get(field.name), replaces=replaces)
    return found


def _blocks(prop: Property, path: str, wanted: list[Any], old: list[Any], *, replaces: bool) -> list[Difference]:
    found: list[Difference] = []
    for index in range(max(len(wanted), len(old))):
        where = f"{path}[{index}]"
        if index >= len(old):
            found.append(Difference(where, Change.ADD, replaces))
        elif index >= len(wanted):
            found.append(Difference(where, Change.DELETE, replaces))
        elif is_unknown(wanted[index]):
            found.append(Difference(where, Change.UPDATE, replaces))
        else:
            found += _block(prop, where, wanted[index], old[index], replaces=replaces)
    return found


def _map(path: str, wanted: Mapping[str, Any], old: Mapping[str, Any], *, replaces: bool) -> list[Difference]:
    found = []
    for key in sorted({*wanted, *old}):
        where = f"{path}.{key}" if key.isidentifier() else f"{path}[{json.dumps(key)}]"
        if key not in old:
            found.append(Difference(where, Change.ADD, replaces))
        elif key not in wanted:
            found.append(Difference(where, Change.DELETE, replaces))
        elif wanted[key] != old[key]:
            found.append(Difference(where, Change.UPDATE, replaces))
    return found


def equal(prop: Property, left: Any, right: Any) -> bool:
    """Whether two known values of a property mean the same."""
    if prop.same is not None:
        return prop.same(left, right)
    match prop.kind:
        case Kind.DOCUMENT:
            return same_document(left, right)
        case Kind.SET:
            return sorted(left) == sorted(right)
        case Kind.BLOCK_SET:
            return _same_blocks(prop, left, right)
        case Kind.BLOCK | Kind.BLOCKS | Kind.MAP:
            return not _property(prop, "", left, right, replaces=False)
        case Kind.FLAG:
            return str(left).lower() == str(right).lower()
        case Kind.NUMBER | Kind.INTEGER:
            return float(left) == float(right)
        case _:
            return bool(left == right)


def _same_blocks(prop: Property, wanted: list[Any], old: list[Any]) -> bool:
    """Whether each wanted block has its own match among the old ones, in any order."""
    rest = list(old)
    for item in wanted:
        match = next((other for other in rest if not _block(prop, "", item, other, replaces=False)), None)
        if match is None:
            return False
        rest.remove(match)
    return not rest


def same_document(left: str, right: str) -> bool:
    """Whether two JSON documents say the same, as AWS reads policies: a single value and a list of it are one."""
    try:
        return bool(_loosened(json.loads(left)) == _loosened(json.loads(right)))
    except ValueError:
        return left == right


def _loosened(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _loosened(item) for key, item in value.items()}
    if isinstance(value, list):
        items = sorted((_loosened(item) for item in value), key=repr)
        return items[0] if len(items) == 1 else items
    return value
