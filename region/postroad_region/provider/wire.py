"""Values as the engine sends them: protobuf structs with sentinels for what isn't known yet."""

from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine puts in place of a value that a preview can't know."""

SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key that marks an object as a secret, an asset, an archive or a resource reference."""

SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"


def to_python(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A struct as plain values; whole numbers as int, secrets unwrapped."""
    return {key: _value(value) for key, value in struct.fields.items()}


def _value(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "list_value":
            return [_value(item) for item in value.list_value.values]
        case "struct_value":
            plain = to_python(value.struct_value)
            if plain.get(SIGNATURE) == SECRET_SIGNATURE:
                return plain.get("value")
            return plain
        case _:
            return None


def to_struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Plain values as a struct; None is left out."""
    struct = struct_pb2.Struct()
    struct.update(_without_none(values))
    return struct


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value


def is_unknown(value: Any) -> bool:
    """Whether the value, as a whole, isn't known yet."""
    return isinstance(value, str) and value == UNKNOWN


def has_unknown(value: Any) -> bool:
    """Whether anything in the value isn't known yet."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return is_unknown(value)
