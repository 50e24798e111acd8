"""Values that stand where only the operator knows the right one: good for a preview, refused by an update."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

ACCOUNT = "000000000000"
AMI = "ami-00000000000000000"
MARK = "REPLACE-ME"
"""Contained in placeholder texts that have no all-zero form: the comment of an SSH key, a DKIM key."""


def is_placeholder(value: object) -> bool:
    """Whether a setting's value must be replaced before anything is made from it."""
    return isinstance(value, str) and (value in (ACCOUNT, AMI) or MARK in value)


def placeholders(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The paths and values of all placeholders in a tree of settings."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from placeholders(inner, (*path, key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, inner in enumerate(value):
            yield from placeholders(inner, (*path, index))
    elif isinstance(value, str) and is_placeholder(value):
        yield path, value
