"""Images where moto isn't EC2: they are made from the instance, take a while, and only then can be launched.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.responses.amis import AmisResponse

from postroad_region.hypervisor.model import Image

PENDING, AVAILABLE, FAILED = "pending", "available", "failed"
# Whether somebody makes what is asked for; else images are available at once, as in moto.
baked_by_the_region = False

# An attribute of those that were made from an instance: whether the instance is to be shut down for it.
_REBOOT = "postroad_reboot"


class UnavailableImageError(EC2ClientError):
    """An image can't be launched before it is made, nor once it is deregistered, in AWS's words."""

    def __init__(self, image_id: str) -> None:
        super().__init__("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is not available")


def wanted(account: str, region: str) -> tuple[Image, ...]:
    """The images that instances were made into."""
    return tuple(
        Image(ami.id, str(ami.instance_id), ami.state == PENDING, ami.__dict__[_REBOOT])
        for ami in ec2_backends[account][region].amis.values()
        if _REBOOT in ami.__dict__
    )


def settle(account: str, region: str, outcome: Mapping[str, str]) -> bool:
    """Note what became of images, state by id; whether that changed any."""
    amis, changed = ec2_backends[account][region].amis, False
    for image_id, state in outcome.items():
        if (ami := amis.get(image_id)) is not None and ami.state == PENDING:
            ami.state, changed = state, True
    return changed


def _create(self: AmisResponse) -> ActionResult:
    self.error_on_dryrun()
    backend, name = self.ec2_backend, str(self._get_param("Name"))
    taken = next((ami for ami in backend.amis.values() if ami.name == name and not ami.is_public), None)
    if taken is not None:
        told = f"AMI name {name} is already in use by AMI {taken.id}"
        raise EC2ClientError("InvalidAMIName.Duplicate", told)
    instance = backend.get_instance(self._get_param("InstanceId"))
    if instance.state not in ("running", "stopped"):
        told = f"Instance '{instance.id}' is not in state 'running' or 'stopped'"
        raise EC2ClientError("IncorrectState", told)
    asked = self._get_param("TagSpecifications", [])
    ami = backend.create_image(
        instance.id,
        name,
        self._get_param("Description", ""),
        tag_specifications=[item for item in asked if item["ResourceType"] != "snapshot"],
    )
    for item in asked:
        if item["ResourceType"] == "snapshot":
            ami.ebs_snapshot.add_tags({tag["Key"]: tag["Value"] for tag in item["Tags"]})
    ami.state = PENDING if baked_by_the_region else AVAILABLE
    ami.root_device_name, ami.root_device_type = instance.root_device_name, "ebs"
    ami.__dict__[_REBOOT] = not self._get_bool_param("NoReboot", False)
    return ActionResult({"ImageId": ami.id})


def _run_instances(backend: Any, image_id: str, count: int, *args: Any, **kwargs: Any) -> Any:
    """Instances of an image that is there and ready, no others."""
    chosen = image_id
    if not chosen and kwargs.get("launch_template"):
        chosen = str(backend._get_template_from_args(kwargs["launch_template"]).image_id or "")
    if chosen:
        ami = backend.amis.get(chosen)
        if ami is None and chosen not in backend.deleted_amis:
            raise InvalidAMIIdError(chosen)
        if ami is None or ami.state != AVAILABLE:
            raise UnavailableImageError(chosen)
    return _original_run(backend, image_id, count, *args, **kwargs)


_original_run = InstanceBackend.run_instances
AmisResponse.create_image = _create
InstanceBackend.run_instances = _run_instances
