"""What the region knows of instance types, and the refusal of those that don't exist.

The facts are in `data/instance_types.json`, which says where they are from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import InstanceBackend

_FACTS = Path(__file__).parent / "data" / "instance_types.json"


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


def _run_instances(backend: Any, image_id: str, count: int, *args: Any, **kwargs: Any) -> Any:
    given = kwargs.get("instance_type")
    if kwargs.get("is_instance_type_default") and kwargs.get("launch_template"):
        given = backend._get_template_from_args(kwargs["launch_template"]).data.get("InstanceType") or given
    if given and find(str(given)) is None:
        raise EC2ClientError("InvalidParameterValue", f"Invalid value '{given}' for InstanceType.")
    return _original_run(backend, image_id, count, *args, **kwargs)


_original_run = InstanceBackend.run_instances
InstanceBackend.run_instances = _run_instances
