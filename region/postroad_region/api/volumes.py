"""EBS volumes where moto falls short, and which of them were deleted."""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError, VolumeInUseError
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.models.instances import Instance
from moto.kms.models import kms_backends

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


class ZoneMismatchError(EC2ClientError):
    """A volume serves instances of its own zone only, in AWS's words."""

    def __init__(self, volume_id: str, instance_id: str) -> None:
        told = f"The volume '{volume_id}' is not in the same availability zone as instance '{instance_id}'"
        super().__init__("InvalidVolume.ZoneMismatch", told)


class DeviceInUseError(EC2ClientError):
    """An instance has one volume at a device name, in AWS's words."""

    def __init__(self, device: str) -> None:
        told = f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
        super().__init__("InvalidParameterValue", told)


class NotAttachedError(EC2ClientError):
    """A volume that is free can't be detached, in AWS's words."""

    def __init__(self, volume_id: str) -> None:
        super().__init__("IncorrectState", f"Volume '{volume_id}' is in the 'available' state.")


def _attach(backend: Any, volume_id: str, instance_id: str, device_path: str, *args: Any, **kwargs: Any) -> Any:
    """A volume has one instance, of its own zone (AttachVolume, EC2 API reference)."""
    volume, instance = backend.get_volume(volume_id), backend.get_instance(instance_id)
    if volume.attachment:
        raise VolumeInUseError(volume_id, volume.attachment.instance.id)
    if volume.zone.name != instance.availability_zone:
        raise ZoneMismatchError(volume_id, instance_id)
    if device_path in instance.block_device_mapping:
        raise DeviceInUseError(device_path)
    return _original_attach(backend, volume_id, instance_id, device_path, *args, **kwargs)


def _detach(backend: Any, volume_id: str, instance_id: str | None, device_path: str | None) -> Any:
    """The instance may be left out: a volume has one (DetachVolume, EC2 API reference)."""
    attachment = backend.get_volume(volume_id).attachment
    if not attachment:
        raise NotAttachedError(volume_id)
    return _original_detach(backend, volume_id, instance_id or attachment.instance.id, device_path or attachment.device)


def _default_key(backend: Any) -> str:
    """The key of encrypted volumes that name none is AWS's own, not the account's."""
    arn: str = _original_default_key(backend)
    kms_backends[backend.account_id][backend.region_name].describe_key(arn).key_manager = "AWS"
    return arn


def _root_volume(instance: Any) -> None:
    """The root volume at the name that the image gives it, by which clients tell it from the others."""
    backend = instance.ec2_backend
    volume = backend.create_volume(size=8, zone_name=instance._placement.zone)
    backend.attach_volume(volume.id, instance.id, instance.root_device_name, True)


def _add_block_device(instance: Any, size: int, device_path: str, *args: Any, **kwargs: Any) -> None:
    """A mapping of the root device is the root volume, in the place of the default one."""
    default = instance.block_device_mapping.get(device_path)
    if default is not None and device_path == instance.root_device_name:
        _original_detach(instance.ec2_backend, default.volume_id, instance.id, device_path)
        _original_delete(instance.ec2_backend, default.volume_id)
    _original_add_block_device(instance, size, device_path, *args, **kwargs)


_original_add_block_device = Instance.add_block_device
Instance.setup_defaults = _root_volume
Instance.add_block_device = _add_block_device
_original_default_key = EBSBackend._create_default_encryption_key
EBSBackend._create_default_encryption_key = _default_key
_original_attach = EBSBackend.attach_volume
_original_detach = EBSBackend.detach_volume
EBSBackend.attach_volume = _attach
EBSBackend.detach_volume = _detach
_original_create = EBSBackend.create_volume
_original_delete = EBSBackend.delete_volume
EBSBackend.create_volume = _create
EBSBackend.delete_volume = _delete
