"""A subnet of one zone and its route table: a zone's routes can be changed, or cut, without touching another's."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from postroad_infra.address_plan import PlannedSubnet
from postroad_infra.tags import Tags


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutedSubnetArgs:
    """A subnet as planned; with a gateway it has a route to the internet.

    Args:
        public_hosts: its hosts get public addresses at launch. Where not, its upper half is kept for interfaces that
            bring Elastic IPs, and nothing else of it is seen on the internet.
    """

    vpc_id: pulumi.Input[str]
    planned: PlannedSubnet
    gateway_id: pulumi.Input[str] | None
    public_hosts: bool
    tags: Tags


class RoutedSubnet(pulumi.ComponentResource):
    """A subnet with a route table of its own."""

    def __init__(self, name: str, args: RoutedSubnetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:network:RoutedSubnet", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        tags = args.tags.of(tier="network", name=name, zone=args.planned.zone)
        self.name = name
        self.cidr = str(args.planned.cidr)
        subnet = aws.ec2.Subnet(
            name,
            vpc_id=args.vpc_id,
            cidr_block=self.cidr,
            availability_zone=args.planned.zone,
            map_public_ip_on_launch=args.gateway_id is not None and args.public_hosts,
            tags=tags,
            opts=mine,
        )
        table = aws.ec2.RouteTable(name, vpc_id=args.vpc_id, tags=tags, opts=mine)
        if args.gateway_id is not None:
            aws.ec2.Route(
                f"{name}-internet",
                route_table_id=table.id,
                destination_cidr_block="0.0.0.0/0",
                gateway_id=args.gateway_id,
                opts=mine,
            )
        association = aws.ec2.RouteTableAssociation(name, subnet_id=subnet.id, route_table_id=table.id, opts=mine)
        if args.gateway_id is not None and not args.public_hosts:
            aws.ec2.SubnetCidrReservation(
                name,
                subnet_id=subnet.id,
                cidr_block=str(args.planned.kept),
                reservation_type="explicit",
                description="Addresses of interfaces with Elastic IPs",
                opts=mine,
            )
        # Whoever puts a host into the subnet shall find its routes in place.
        self.id: pulumi.Output[str] = pulumi.Output.all(subnet.id, association.id).apply(lambda ids: str(ids[0]))
        self.route_table_id: pulumi.Output[str] = table.id
        self.register_outputs({"id": self.id, "route_table_id": self.route_table_id})
