"""A hosted zone that only the VPCs see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from postroad_infra.settings.project import Protection
from postroad_infra.tags import Tags


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivateZoneArgs:
    """The zone's name and the VPCs whose resolver answers for it."""

    domain: str
    vpc_ids: Sequence[pulumi.Input[str]]
    protection: Protection
    tags: Tags


class PrivateZone(pulumi.ComponentResource):
    """A private zone.

    It holds no names of hosts: groups choose their addresses, and the inventory is where they are found.
    """

    def __init__(self, name: str, args: PrivateZoneArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:dns:PrivateZone", name, None, opts)
        zone = aws.route53.Zone(
            name,
            name=args.domain,
            comment="Names inside the VPCs",
            vpcs=[{"vpc_id": vpc_id} for vpc_id in args.vpc_ids],
            force_destroy=not args.protection.protect,
            tags=args.tags.of(tier="network", name=args.domain),
            opts=args.protection.options(self),
        )
        self.zone_id: pulumi.Output[str] = zone.zone_id
        self.register_outputs({"zone_id": self.zone_id})
