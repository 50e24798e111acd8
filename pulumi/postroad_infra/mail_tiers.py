"""What MTAs share, and what proxies share, whatever the zone: who may talk with them, and their roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from postroad_infra.firewall import Firewall, FirewallArgs, Rule, artifacts_from, dns_to
from postroad_infra.host_role import HostRole, HostRoleArgs
from postroad_infra.stack_outputs import NetworkOutputs
from postroad_infra.tags import Tags

MTA, PROXY = "mta", "proxy"

SUBMISSION, SUBMISSIONS, MTA_ADMIN = 587, 465, 8025
PROXY_PORT, PROXY_ADMIN = 1080, 1081


@dataclass(frozen=True, kw_only=True, slots=True)
class TierArgs:
    """The network, and the ranges that may submit mail."""

    network: NetworkOutputs
    submission_clients: Sequence[str]
    tags: Tags


def _admin(network: NetworkOutputs, port: int) -> list[Rule]:
    """Readiness and metrics for the mail VPC, which the management subnet is part of; shells for the latter only."""
    return [
        Rule(name="admin-from-mail", port=port, cidr=network.mail_vpc_cidr),
        Rule(name="ssh-from-management", port=22, cidr=network.management_cidr),
    ]


class MailTiers(pulumi.ComponentResource):
    """The security groups and roles of MTAs and proxies.

    An MTA sends nothing to the internet itself; a proxy speaks SMTP to anybody and is spoken to by MTAs alone.
    """

    def __init__(self, name: str, args: TierArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:mail:MailTiers", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        network, tags = args.network, args.tags
        everyone = [*dns_to("dns-to-resolvers", network.dns_vpc_cidr), *artifacts_from(network.s3_prefix_list_id)]
        mta = Firewall(
            MTA,
            FirewallArgs(
                vpc_id=network.mail_vpc_id,
                tier=MTA,
                description="MTAs",
                ingress=[
                    *(
                        Rule(name=f"submission-from-{clients.replace('/', '_')}", port=SUBMISSION, cidr=clients)
                        for clients in args.submission_clients
                    ),
                    *_admin(network, MTA_ADMIN),
                ],
                egress=everyone,
                tags=tags,
            ),
            opts=mine,
        )
        proxy = Firewall(
            PROXY,
            FirewallArgs(
                vpc_id=network.mail_vpc_id,
                tier=PROXY,
                description="Outbound proxies",
                ingress=[
                    Rule(name="relay-from-mta", port=PROXY_PORT, group_id=mta.group_id),
                    *_admin(network, PROXY_ADMIN),
                ],
                egress=[Rule(name="smtp-anywhere", port=25, cidr="0.0.0.0/0"), *everyone],
                tags=tags,
            ),
            opts=mine,
        )
        # Apart from the table of the MTAs, which must exist before the proxies' group can name it.
        mta.allow_egress(Rule(name="relay-to-proxy", port=PROXY_PORT, group_id=proxy.group_id))
        # An MTA on its way out moves its spool to the others.
        mta.allow_egress(Rule(name="drain-to-mta", port=MTA_ADMIN, group_id=mta.group_id))
        self.mta = mta
        self.security_group_ids = {MTA: mta.group_id, PROXY: proxy.group_id}
        self.profile_arns = {
            tier: HostRole(tier, HostRoleArgs(tier=tier, tags=tags), opts=mine).profile_arn for tier in (MTA, PROXY)
        }
        self.register_outputs({"security_group_ids": self.security_group_ids})
