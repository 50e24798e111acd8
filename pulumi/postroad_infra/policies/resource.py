"""A resource as a policy sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final


class Unknown:
    """A value that exists only after an update: a policy can't judge it in a preview, and judges it in the update."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that a provider shall make.

    `props` are its inputs in the provider's spelling (camelCase), with `UNKNOWN` for what isn't known yet. `key`
    tells it from every other; `references` names, by property, the keys of the resources that the property's value
    comes from.
    """

    type: str
    name: str
    props: Mapping[str, Any]
    key: str = ""
    references: Mapping[str, frozenset[str]] = field(default_factory=dict)


Violation = tuple[Resource, str]
"""A resource and one line: what is wrong and what would be right."""


def block(value: Any) -> Mapping[str, Any]:
    """A block of properties, empty if there is none."""
    return value if isinstance(value, Mapping) else {}


def blocks(value: Any) -> Iterator[Mapping[str, Any]]:
    """A list of blocks; what isn't known yet is left out."""
    if isinstance(value, list | tuple):
        yield from (inner for inner in value if isinstance(inner, Mapping))


def is_yes(value: Any) -> bool:
    """Whether a flag, a boolean or its text, is set; what isn't known yet isn't held against a resource."""
    return value is UNKNOWN or value is True or value == "true"
