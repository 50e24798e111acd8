"""Where moto isn't AWS enough: each module of this list changes one noun, and says what AWS does.

Applied once, by importing this module, before the backends are used.
"""

from __future__ import annotations

from typing import Any

from moto.autoscaling.models import ASG_NAME_TAG, FakeAutoScalingGroup, InstanceState

from postroad_region.api import (  # noqa: F401
    instance_types,
    launch_templates,
    load_balancer_names,
    network_acls,
    private_addresses,
    public_addresses,
    queues,
    quotas,
    route_tables,
    security_rules,
    subnets,
)
from postroad_region.api.volumes import DELETED_VOLUMES

__all__ = ["DELETED_VOLUMES"]


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


FakeAutoScalingGroup.replace_autoscaling_group_instances = _launch
