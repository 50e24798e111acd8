"""The hosts of one tier in one zone: a launch template and an Auto Scaling group of fixed size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from postroad_infra.settings.fleet import Fleet
from postroad_infra.tags import Tags
from postroad_infra.zone import letter


@dataclass(frozen=True, kw_only=True, slots=True)
class HostGroupArgs:
    """Where the hosts are, who they are, what they boot, and the load balancers' groups that they belong to."""

    tier: str
    zone: str
    subnet_id: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    profile_arn: pulumi.Input[str]
    key_name: pulumi.Input[str]
    fleet: Fleet
    tags: Tags
    target_group_arns: Sequence[pulumi.Input[str]] = ()


class HostGroup(pulumi.ComponentResource):
    """A group `postroad-<stack>-<tier>-<letter>` whose hosts are tagged for the inventory.

    Hosts boot an image that Ansible configures afterwards: health is EC2's (a balancer's check would replace
    unconfigured hosts for ever), and nobody waits for capacity. A changed template concerns hosts launched from then
    on; those that run are replaced by a deliberate act, a zone at a time. Hosts have no names in the DNS from here:
    the group chooses their addresses, and the inventory is where they are found.
    """

    def __init__(self, name: str, args: HostGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:hosts:HostGroup", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        physical = f"postroad-{args.tags.environment}-{args.tier}-{letter(args.zone)}"
        tags = args.tags.of(tier=args.tier, name=name, zone=args.zone)
        root = args.fleet.root_volume
        template = aws.ec2.LaunchTemplate(
            name,
            name=physical,
            update_default_version=True,
            image_id=args.fleet.ami,
            instance_type=args.fleet.instance_type,
            key_name=args.key_name,
            iam_instance_profile={"arn": args.profile_arn},
            vpc_security_group_ids=[args.security_group_id],
            # A token for every request, and none for what comes through a container or a relay on the host.
            metadata_options={"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1},
            block_device_mappings=[
                {
                    "device_name": root.device,
                    "ebs": {
                        "volume_type": "gp3",
                        "volume_size": root.size_gib,
                        "encrypted": "true",
                        "delete_on_termination": "true",
                    },
                }
            ],
            # The group tags the hosts.
            tag_specifications=[{"resource_type": kind, "tags": tags} for kind in ("volume", "network-interface")],
            tags=tags,
            opts=mine,
        )
        group = aws.autoscaling.Group(
            name,
            name=physical,
            min_size=args.fleet.count_per_zone,
            max_size=args.fleet.count_per_zone,
            desired_capacity=args.fleet.count_per_zone,
            vpc_zone_identifiers=[args.subnet_id],
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            target_group_arns=list(args.target_group_arns) or None,
            health_check_type="EC2",
            wait_for_capacity_timeout="0",
            tags=[{"key": key, "value": value, "propagate_at_launch": True} for key, value in tags.items()],
            opts=mine,
        )
        self.group_name: pulumi.Output[str] = group.name
        self.register_outputs({"group_name": self.group_name})
