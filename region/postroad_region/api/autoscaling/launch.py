"""Launching a group's instances as its launch template says."""

from __future__ import annotations

from collections import Counter
from typing import Any

from moto.autoscaling.models import ASG_NAME_TAG, InstanceState
from moto.autoscaling.models import ValidationError as GroupInvalid
from postroad_infra import instance_types

from postroad_region.api.autoscaling.record import COUNTED, PENDING, Member, of_group, remember


def template_of(group: Any) -> tuple[str, str]:
    """The template id and version text that new instances get: those of a refresh under way before the group's own."""
    refresh = of_group(group).refresh
    if refresh is not None and refresh.rollback and refresh.previous is not None:
        return refresh.previous
    if refresh is not None and refresh.desired is not None:
        return refresh.desired
    if group.ec2_launch_template is None:
        return ("", "")
    return (str(group.ec2_launch_template.id), str(group.launch_template_version))


def current(group: Any) -> tuple[str, int]:
    """The same with the version's number."""
    identifier, version = template_of(group)
    return (identifier, number(group.ec2_backend, identifier, version)) if identifier else ("", 0)


def number(ec2: Any, identifier: str, version: str) -> int:
    """The number of a template version given as one, `$Latest` or `$Default`."""
    return int(ec2.get_launch_template(identifier).get_version(version).number)


def check(ec2: Any, identifier: str, version: str) -> None:
    """Refuse a template that nothing can be launched from.

    Raises:
        GroupInvalid: as CreateAutoScalingGroup words it.
    """
    found = ec2.get_launch_template(identifier).get_version(version)
    if not found.image_id:
        raise GroupInvalid(
            "You must use a valid fully-formed launch template. The request must contain the parameter ImageId"
        )
    if found.instance_type and instance_types.find(found.instance_type) is None:
        raise GroupInvalid(
            "You must use a valid fully-formed launch template. "
            f"Invalid value '{found.instance_type}' for InstanceType."
        )
    if found.image_id not in ec2.amis:
        raise GroupInvalid(
            f"You must use a valid fully-formed launch template. The image id '[{found.image_id}]' does not exist"
        )


def launch(group: Any, now: float) -> InstanceState:
    """One new member, `Pending`, in the subnet whose zone has fewest of them.

    Raises:
        ServiceException: EC2 refuses.
    """
    identifier, wanted = template_of(group)
    if not identifier:
        raise GroupInvalid("The group has no launch template.")
    ec2 = group.ec2_backend
    version = ec2.get_launch_template(identifier).get_version(wanted)
    data: dict[str, Any] = version.data
    interface: dict[str, Any] = (data.get("NetworkInterfaces") or [{}])[0]
    public = interface.get("AssociatePublicIpAddress")
    reservation = ec2.run_instances(
        version.image_id,
        1,
        version.user_data,
        [],
        security_group_ids=interface.get("Groups") or data.get("SecurityGroupIds") or [],
        instance_type=version.instance_type,
        key_name=data.get("KeyName"),
        tags={"instance": {**version.instance_tags, **group.get_propagated_tags(), ASG_NAME_TAG: group.name}},
        launch_template={"LaunchTemplateId": identifier, "Version": str(version.number)},
        is_instance_type_default=False,
        associate_public_ip=None if public is None else str(public).lower() == "true",
        subnet_id=_subnet(group),
        metadata_options=data.get("MetadataOptions") or {},
        iam_instance_profile=data.get("IamInstanceProfile"),
    )
    instance = reservation.instances[0]
    instance.autoscaling_group = group
    protected = bool(group.new_instances_protected_from_scale_in)
    state = InstanceState(instance, lifecycle_state=PENDING, protected_from_scale_in=protected)
    remember(state, Member(launched=now, template=(identifier, int(version.number))))
    group.instance_states.append(state)
    return state


def _subnet(group: Any) -> str | None:
    if not group.vpc_zone_identifier:
        return None
    subnets: list[str] = group.vpc_zone_identifier.split(",")
    held = Counter(state.instance.subnet_id for state in group.instance_states if state.lifecycle_state in COUNTED)
    return min(subnets, key=lambda subnet: (held[subnet], subnets.index(subnet)))
