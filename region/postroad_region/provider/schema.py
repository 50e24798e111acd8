"""What a resource type is made of: its properties, as pulumi-aws names them, and how AWS names them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

State = dict[str, Any]


class Kind(Enum):
    """The shape of a property's value."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    FLAG = "boolean as a string"
    DOCUMENT = "JSON document"
    LIST = "list of strings"
    INTEGERS = "list of integers"
    SET = "set of strings"
    MAP = "map of strings"
    BLOCK = "block"
    BLOCKS = "list of blocks"
    BLOCK_SET = "set of blocks"


@dataclass(frozen=True, slots=True)
class Property:
    """An input property of a resource type or of a block in it.

    Args:
        name: pulumi-aws's name, camelCase.
        aws: AWS's name of the same thing; None if the mapping is written by hand or AWS doesn't hold it.
        required: a program must give it.
        default: what the provider's schema fills in.
        computed: AWS chooses when the program gives nothing, so its absence is no difference.
        replaces: a change needs a new resource.
        kept: AWS doesn't hold it; it lives in the stack's state only.
        fields: the properties of a block.
        same: whether two values mean the same; None compares by kind.
        imported: `read` puts it among the inputs of an imported resource.
    """

    name: str
    kind: Kind
    aws: str | None = None
    required: bool = False
    default: Any = None
    computed: bool = False
    replaces: bool = False
    kept: bool = False
    fields: tuple["Property", ...] = ()
    same: Callable[[Any, Any], bool] | None = None
    imported: bool = True


def aws_name(name: str) -> str:
    """AWS's usual spelling of a camelCase name: the first letter in upper case."""
    return name[:1].upper() + name[1:]


def _maker(kind: Kind) -> Callable[..., Property]:
    def make(name: str, aws: str | None = "", **options: Any) -> Property:
        if options.get("kept"):
            aws = None
        return Property(name, kind, aws_name(name) if aws == "" else aws, **options)

    return make


string = _maker(Kind.STRING)
integer = _maker(Kind.INTEGER)
number = _maker(Kind.NUMBER)
boolean = _maker(Kind.BOOLEAN)
flag = _maker(Kind.FLAG)
document = _maker(Kind.DOCUMENT)
listed = _maker(Kind.LIST)
integers = _maker(Kind.INTEGERS)
strings = _maker(Kind.SET)
mapping = _maker(Kind.MAP)
block = _maker(Kind.BLOCK)
blocks = _maker(Kind.BLOCKS)
block_set = _maker(Kind.BLOCK_SET)


def is_empty(value: Any) -> bool:
    """Whether a value says nothing: absent, or an empty text, list or map."""
    return value is None or (isinstance(value, str | list | dict) and not value)


def from_aws(fields: Sequence[Property], document: Mapping[str, Any]) -> State:
    """The properties that an AWS reply holds, in pulumi-aws's names and shapes; absent members are left out."""
    state: State = {}
    for field in fields:
        if field.aws is None or (value := document.get(field.aws)) is None:
            continue
        state[field.name] = _value_from_aws(field, value)
    return state


def _value_from_aws(field: Property, value: Any) -> Any:
    match field.kind:
        case Kind.BLOCK:
            return from_aws(field.fields, value)
        case Kind.BLOCKS | Kind.BLOCK_SET:
            return [from_aws(field.fields, item) for item in value]
        case Kind.FLAG:
            return "true" if value is True or value == "true" else "false"
        case Kind.SET:
            return sorted(value)
        case Kind.STRING:
            return str(value)
        case Kind.INTEGER:
            return int(value)
        case _:
            return value


def to_aws(fields: Sequence[Property], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The API parameters for the properties that are given, defaults filled in."""
    parameters: dict[str, Any] = {}
    for field in fields:
        value = inputs.get(field.name)
        if value is None:
            value = field.default
        if value is None or field.aws is None:
            continue
        parameters[field.aws] = _value_to_aws(field, value)
    return parameters


def _value_to_aws(field: Property, value: Any) -> Any:
    match field.kind:
        case Kind.BLOCK:
            return to_aws(field.fields, value)
        case Kind.BLOCKS | Kind.BLOCK_SET:
            return [to_aws(field.fields, item) for item in value]
        case Kind.FLAG:
            return value in (True, "true")
        case Kind.INTEGER:
            return int(value)
        case _:
            return value
