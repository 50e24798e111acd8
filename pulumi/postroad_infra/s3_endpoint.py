"""A gateway endpoint: hosts reach S3 without the internet, and S3 sees which VPC they are in."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from postroad_infra.tags import Tags
from postroad_infra.vpc import Vpc


@dataclass(frozen=True, kw_only=True, slots=True)
class S3EndpointArgs:
    """The VPC and the region it lies in."""

    vpc: Vpc
    region: str
    tags: Tags


class S3Endpoint(pulumi.ComponentResource):
    """An S3 gateway endpoint in every route table of a VPC."""

    def __init__(self, name: str, args: S3EndpointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:network:S3Endpoint", name, None, opts)
        endpoint = aws.ec2.VpcEndpoint(
            name,
            vpc_id=args.vpc.id,
            service_name=f"com.amazonaws.{args.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=list(args.vpc.route_tables.values()),
            tags=args.tags.of(tier="network", name=name),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.id: pulumi.Output[str] = endpoint.id
        self.prefix_list_id: pulumi.Output[str] = endpoint.prefix_list_id
        self.register_outputs({"id": self.id, "prefix_list_id": self.prefix_list_id})
