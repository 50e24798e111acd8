"""Where moto isn't EC2 enough: each change names what AWS does.

Applied once, by importing this module, before the backends are used.
"""

from __future__ import annotations

import secrets
from collections.abc import Set
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from moto.autoscaling.models import ASG_NAME_TAG, FakeAutoScalingGroup, InstanceState
from moto.ec2 import models as ec2_models
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import elastic_ip_addresses, elastic_network_interfaces, instances
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.models.subnets import Subnet

from postroad_region import addresses

# Volumes whose deletion was answered; the hypervisor drops their data, and no others'.
DELETED_VOLUMES = "postroad_deleted_volumes"

# .0, .1 (the fabric's own) and .255 aren't given out.
_ASSIGNABLE = [str(address) for address in list(addresses.PUBLIC_RANGE.hosts())[1:]]


class AddressLimitExceededError(EC2ClientError):
    """No public address is left, in AWS's words."""

    def __init__(self) -> None:
        super().__init__("AddressLimitExceeded", "The maximum number of addresses has been reached.")


def _public_address() -> str:
    """A public address that nothing holds: EIPs and auto-assigned ones come from the box's range."""
    taken: set[str] = set()
    for regions in ec2_models.ec2_backends.values():
        for backend in regions.values():
            taken |= {address.public_ip for address in backend.addresses}
            taken |= {eni.public_ip for eni in backend.enis.values() if eni.public_ip}
    free = [address for address in _ASSIGNABLE if address not in taken]
    if not free:
        raise AddressLimitExceededError
    return secrets.choice(free)


def _private_address(cidr: str | None = None, ipv6: bool = False, also_taken: Set[str] = frozenset()) -> str:
    """A free private address of a subnet; AWS keeps the first four and the last (VPC user guide, subnet sizing)."""
    if cidr is None or ipv6:
        raise EC2ClientError("InvalidParameterValue", "An IPv4 subnet is needed.")
    network = IPv4Network(cidr)
    taken = set(also_taken)
    for regions in ec2_models.ec2_backends.values():
        for backend in regions.values():
            for eni in backend.enis.values():
                taken |= {str(entry["PrivateIpAddress"]) for entry in eni.private_ip_addresses}
    for number in range(4, network.num_addresses - 1):
        candidate = str(IPv4Address(int(network.network_address) + number))
        if candidate not in taken:
            return candidate
    raise EC2ClientError("InsufficientFreeAddressesInSubnet", "There are not enough free addresses in the subnet.")


def _subnet_address(subnet: Any, instance: Any) -> str:
    """The lowest free address of a subnet; moto's own generator starts over when the state is loaded."""
    address = _private_address(str(subnet.cidr), also_taken=set(subnet._subnet_ips))
    subnet._subnet_ips[address] = instance
    return address


def _launch(group: FakeAutoScalingGroup, count: int, propagated_tags: dict[str, str]) -> None:
    """Launch instances as the group's launch template version says, its interface's groups and public address
    included.
    """
    version = group.ec2_launch_template.get_version(group.launch_template_version)
    data: dict[str, Any] = version.data
    interface: dict[str, Any] = (data.get("NetworkInterfaces") or [{}])[0]
    group_ids = interface.get("Groups") or data.get("SecurityGroupIds") or []
    public = interface.get("AssociatePublicIpAddress")
    tags = {**version.instance_tags, **propagated_tags, ASG_NAME_TAG: group.name}
    reservation = group.autoscaling_backend.ec2_backend.run_instances(
        version.image_id,
        count,
        version.user_data,
        [],
        security_group_ids=group_ids,
        instance_type=version.instance_type,
        key_name=data.get("KeyName"),
        tags={"instance": tags},
        launch_template={
            "LaunchTemplateId": group.ec2_launch_template.id,
            "Version": str(version.number),
        },
        is_instance_type_default=False,
        associate_public_ip=None if public is None else str(public).lower() == "true",
        subnet_id=group.vpc_zone_identifier.split(",")[0] if group.vpc_zone_identifier else None,
        metadata_options=data.get("MetadataOptions") or {},
        iam_instance_profile=data.get("IamInstanceProfile"),
    )
    for instance in reservation.instances:
        instance.autoscaling_group = group
        # An instance's own interface goes with it (AWS sets DeleteOnTermination on the primary one).
        for nic in instance.nics.values():
            nic.delete_on_termination = True
        group.instance_states.append(
            InstanceState(instance, protected_from_scale_in=group.new_instances_protected_from_scale_in)
        )


def _create_volume(backend: EBSBackend, *args: Any, **kwargs: Any) -> Any:
    """A volume that was made empty has an empty snapshot id, not none: clients read the field."""
    volume = _original_create_volume(backend, *args, **kwargs)
    volume.snapshot_id = volume.snapshot_id or ""
    return volume


def _delete_volume(backend: EBSBackend, volume_id: str) -> Any:
    deleted = _original_delete_volume(backend, volume_id)
    backend.__dict__.setdefault(DELETED_VOLUMES, []).append(volume_id)
    return deleted


_original_create_volume = EBSBackend.create_volume
_original_delete_volume = EBSBackend.delete_volume

elastic_ip_addresses.random_ip = _public_address
elastic_network_interfaces.random_public_ip = _public_address
elastic_network_interfaces.random_private_ip = _private_address
instances.random_private_ip = _private_address
Subnet.get_available_subnet_ip = _subnet_address
FakeAutoScalingGroup.replace_autoscaling_group_instances = _launch
EBSBackend.create_volume = _create_volume
EBSBackend.delete_volume = _delete_volume
