"""What Postroad knows of EC2's instance types, from `instance_types.json`, which says where the facts are from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FACTS = Path(__file__).with_name("instance_types.json")


@dataclass(frozen=True, slots=True)
class InstanceType:
    """An instance type's network limits.

    Args:
        interfaces: how many network interfaces an instance may have.
        addresses_per_interface: how many private IPv4 addresses each may hold, the primary one included.
    """

    interfaces: int
    addresses_per_interface: int


@cache
def _known() -> dict[str, InstanceType]:
    return {name: InstanceType(*limits) for name, limits in json.loads(_FACTS.read_text())["types"].items()}


def find(name: str) -> InstanceType | None:
    """A type's facts, or None where AWS has no such type."""
    return _known().get(name)
