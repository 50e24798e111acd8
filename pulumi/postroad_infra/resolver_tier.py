"""The resolver tier: recursive resolvers in a VPC of their own, a group in each zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from postroad_infra.firewall import Firewall, FirewallArgs, Rule, dns_to
from postroad_infra.host_group import HostGroup, HostGroupArgs
from postroad_infra.host_role import HostRole, HostRoleArgs
from postroad_infra.settings.fleet import Fleet
from postroad_infra.stack_outputs import NetworkOutputs
from postroad_infra.tags import Tags
from postroad_infra.zone import letter

TIER = "resolver"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolverTierArgs:
    """The network (a group is made in each of its zones) and the hosts."""

    network: NetworkOutputs
    fleet: Fleet
    tags: Tags


def rules(network: NetworkOutputs) -> tuple[list[Rule], list[Rule]]:
    """What resolvers take and send.

    Queries come from the two VPCs only, so these flows are tracked by AWS; recursion goes anywhere. Untracked rules
    (any source in the group, narrowed by network ACLs and the host's own filter) are the answer to the tracking
    table's limit.
    """
    ingress = [
        *dns_to("dns-from-mail", network.mail_vpc_cidr),
        *dns_to("dns-from-dns", network.dns_vpc_cidr),
        Rule(name="ssh-from-management", port=22, cidr=network.management_cidr),
    ]
    return ingress, [Rule(name="anywhere", protocol="all", cidr="0.0.0.0/0")]


class ResolverTier(pulumi.ComponentResource):
    """The resolvers of all zones; they have public addresses, for a NAT gateway would track every query."""

    def __init__(self, name: str, args: ResolverTierArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:dns:ResolverTier", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        ingress, egress = rules(args.network)
        firewall = Firewall(
            name,
            FirewallArgs(
                vpc_id=args.network.dns_vpc_id,
                tier=TIER,
                description="Recursive resolvers",
                ingress=ingress,
                egress=egress,
                tags=args.tags,
            ),
            opts=mine,
        )
        role = HostRole(name, HostRoleArgs(tier=TIER, tags=args.tags), opts=mine)
        self.groups: Mapping[str, pulumi.Output[str]] = {
            zone: HostGroup(
                f"{TIER}-{letter(zone)}",
                HostGroupArgs(
                    tier=TIER,
                    zone=zone,
                    subnet_id=subnets.dns_public_subnet_id,
                    security_group_id=firewall.group_id,
                    profile_arn=role.profile_arn,
                    key_name=args.network.key_name,
                    fleet=args.fleet,
                    tags=args.tags,
                ),
                opts=mine,
            ).group_name
            for zone, subnets in args.network.zones.items()
        }
        self.register_outputs({"groups": dict(self.groups)})
