"""A VPC with its subnets, the way in and out of the internet, and its flow logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from postroad_infra.address_plan import PlannedSubnet, SubnetKind
from postroad_infra.flow_log import FlowLogDestination
from postroad_infra.tags import Tags
from postroad_infra.zone_network import RoutedSubnet, RoutedSubnetArgs

TIER = "network"


@dataclass(frozen=True, kw_only=True, slots=True)
class VpcArgs:
    """A VPC's range, its subnets (names unique within it), and where its flow logs go.

    Args:
        public_hosts: hosts of its public subnets get public addresses at launch.
    """

    cidr: str
    subnets: Sequence[PlannedSubnet]
    flow_logs: FlowLogDestination
    public_hosts: bool
    tags: Tags


class Vpc(pulumi.ComponentResource):
    """A VPC; what has a public address in its public subnets reaches the internet through a gateway, all else doesn't.

    The VPC's default security group stays as AWS makes it, open among its members, and no resource here is a member.
    """

    def __init__(self, name: str, args: VpcArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:network:Vpc", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        self.name = name
        self.cidr = args.cidr
        vpc = aws.ec2.Vpc(
            name,
            cidr_block=args.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=args.tags.of(tier=TIER, name=name),
            opts=mine,
        )
        self.id: pulumi.Output[str] = vpc.id
        gateway = aws.ec2.InternetGateway(name, vpc_id=vpc.id, tags=args.tags.of(tier=TIER, name=name), opts=mine)
        args.flow_logs.record(name, vpc.id, args.tags, mine)
        self.subnets: dict[tuple[SubnetKind, str], RoutedSubnet] = {
            (planned.kind, planned.zone): RoutedSubnet(
                f"{name}-{planned.name}",
                RoutedSubnetArgs(
                    vpc_id=vpc.id,
                    planned=planned,
                    gateway_id=gateway.id if planned.kind is SubnetKind.PUBLIC else None,
                    public_hosts=args.public_hosts,
                    tags=args.tags,
                ),
                opts=mine,
            )
            for planned in args.subnets
        }
        self.register_outputs({"id": self.id})

    @property
    def route_tables(self) -> dict[str, pulumi.Output[str]]:
        """The ids of all route tables, by the names of their subnets."""
        return {subnet.name: subnet.route_table_id for subnet in self.subnets.values()}
