"""The refusal of instance types that don't exist."""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import InstanceBackend
from postroad_infra.instance_types import find


def _run_instances(backend: Any, image_id: str, count: int, *args: Any, **kwargs: Any) -> Any:
    given = kwargs.get("instance_type")
    if kwargs.get("is_instance_type_default") and kwargs.get("launch_template"):
        given = backend._get_template_from_args(kwargs["launch_template"]).data.get("InstanceType") or given
    if given and find(str(given)) is None:
        raise EC2ClientError("InvalidParameterValue", f"Invalid value '{given}' for InstanceType.")
    return _original_run(backend, image_id, count, *args, **kwargs)


_original_run = InstanceBackend.run_instances
InstanceBackend.run_instances = _run_instances
