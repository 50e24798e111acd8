"""EBS volumes where moto falls short, and which of them were deleted."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.elastic_block_store import EBSBackend

# Volumes whose deletion was answered; the hypervisor drops their data, and no others'.
DELETED_VOLUMES = "postroad_deleted_volumes"


def _create(backend: Any, *args: Any, **kwargs: Any) -> Any:
    """A volume that was made empty has an empty snapshot id, not none: clients read the field."""
    volume = _original_create(backend, *args, **kwargs)
    volume.snapshot_id = volume.snapshot_id or ""
    return volume


def _delete(backend: Any, volume_id: str) -> Any:
    deleted = _original_delete(backend, volume_id)
    backend.__dict__.setdefault(DELETED_VOLUMES, []).append(volume_id)
    return deleted


_original_create = EBSBackend.create_volume
_original_delete = EBSBackend.delete_volume
EBSBackend.create_volume = _create
EBSBackend.delete_volume = _delete
