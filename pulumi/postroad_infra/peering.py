"""A peering between two VPCs of this account and region, with routes both ways."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from postroad_infra.tags import Tags
from postroad_infra.vpc import Vpc


@dataclass(frozen=True, kw_only=True, slots=True)
class PeeringArgs:
    """The two VPCs; every route table of the one gets a route to the other."""

    requester: Vpc
    accepter: Vpc
    tags: Tags


class Peering(pulumi.ComponentResource):
    """A peering; unlike a transit gateway it neither tracks connections nor costs by the hour."""

    def __init__(self, name: str, args: PeeringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:network:Peering", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        connection = aws.ec2.VpcPeeringConnection(
            name,
            vpc_id=args.requester.id,
            peer_vpc_id=args.accepter.id,
            auto_accept=True,
            tags=args.tags.of(tier="network", name=name),
            opts=mine,
        )
        for near, far in ((args.requester, args.accepter), (args.accepter, args.requester)):
            for table_name, table_id in near.route_tables.items():
                aws.ec2.Route(
                    f"{table_name}-to-{far.name}",
                    route_table_id=table_id,
                    destination_cidr_block=far.cidr,
                    vpc_peering_connection_id=connection.id,
                    opts=mine,
                )
        self.register_outputs({"id": connection.id})
