"""A launch that is refused half way leaves nothing: moto keeps the instances that it had made by then."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.instances import InstanceBackend

# These check launches too: what they refuse is undone as well.
from postroad_region.api import images, instance_types, private_addresses  # noqa: F401


def _run_instances(backend: Any, image_id: str, count: int, *args: Any, **kwargs: Any) -> Any:
    before, volumes = set(backend.reservations), set(backend.volumes)
    try:
        return _original_run(backend, image_id, count, *args, **kwargs)
    except Exception:
        for identifier in set(backend.reservations) - before:
            for instance in backend.reservations[identifier].instances:
                # Its interfaces go with it.
                instance.terminate()
            del backend.reservations[identifier]
        for volume in set(backend.volumes) - volumes:
            del backend.volumes[volume]
        raise


_original_run = InstanceBackend.run_instances
InstanceBackend.run_instances = _run_instances
