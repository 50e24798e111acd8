"""The front door: a network load balancer over the zones, and the target groups that MTAs belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from postroad_infra.firewall import Firewall, FirewallArgs, Rule
from postroad_infra.mail_tiers import MTA, MTA_ADMIN, SUBMISSION, SUBMISSIONS, MailTiers
from postroad_infra.settings.front_door import FrontDoorSettings
from postroad_infra.settings.project import Protection
from postroad_infra.stack_outputs import NetworkOutputs
from postroad_infra.tags import Tags

FRONT_DOOR = "front-door"
RETURNS = 25


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontDoorArgs:
    """The network, the MTAs' security group, and the ranges that may submit mail."""

    network: NetworkOutputs
    tiers: MailTiers
    settings: FrontDoorSettings
    submission_clients: Sequence[str]
    protection: Protection
    tags: Tags


class FrontDoor(pulumi.ComponentResource):
    """A balancer with a node in every zone's public subnet, which alone it takes to MTAs.

    MTAs see the balancer's address and learn the client's from the PROXY header. Health is their readiness, which says
    no when draining; sessions with an MTA that isn't ready any more go on to their end.
    """

    def __init__(self, name: str, args: FrontDoorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:mail:FrontDoor", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        settings, tags = args.settings, args.tags
        mta_group = args.tiers.security_group_ids[MTA]
        ports = {SUBMISSION} if set(settings.submission_ports) - set(settings.mta_tls_ports) else set()
        ports |= {SUBMISSIONS} if settings.mta_tls_ports else set()
        ports |= {settings.returns_port} if settings.returns_port else set()
        firewall = Firewall(
            name,
            FirewallArgs(
                vpc_id=args.network.mail_vpc_id,
                tier=FRONT_DOOR,
                description="Front door",
                ingress=[
                    *(
                        Rule(name=f"submission-{port}-from-{clients.replace('/', '_')}", port=port, cidr=clients)
                        for port in settings.submission_ports
                        for clients in args.submission_clients
                    ),
                    *(
                        [Rule(name="returns-from-anywhere", port=RETURNS, cidr="0.0.0.0/0")]
                        if settings.returns_port
                        else []
                    ),
                ],
                egress=[
                    *(Rule(name=f"mta-{port}", port=port, group_id=mta_group) for port in sorted(ports)),
                    Rule(name="mta-readiness", port=MTA_ADMIN, group_id=mta_group),
                ],
                tags=tags,
            ),
            opts=mine,
        )
        for port in sorted(ports):
            args.tiers.mta.allow_ingress(Rule(name=f"{port}-from-{name}", port=port, group_id=firewall.group_id))
        self.balancer = aws.lb.LoadBalancer(
            name,
            name=settings.name,
            load_balancer_type="network",
            internal=settings.internal,
            subnets=[zone.mail_public_subnet_id for zone in args.network.zones.values()],
            security_groups=[firewall.group_id],
            enable_cross_zone_load_balancing=settings.cross_zone,
            enable_deletion_protection=args.protection.protect,
            tags=tags.of(tier=FRONT_DOOR, name=settings.name),
            opts=args.protection.options(self),
        )
        self.target_groups = {port: self._targets(name, args, port) for port in sorted(ports)}
        self.target_group_arns: list[pulumi.Input[str]] = [group.arn for group in self.target_groups.values()]
        self.register_outputs({"dns_name": self.balancer.dns_name})

    def _targets(self, name: str, args: FrontDoorArgs, port: int) -> aws.lb.TargetGroup:
        settings, check = args.settings, args.settings.health_check
        # The port is part of the name: a group whose port changes is another, and stands beside the old one.
        physical = f"{settings.name}-{port}"
        return aws.lb.TargetGroup(
            f"{name}-{port}",
            name=physical,
            vpc_id=args.network.mail_vpc_id,
            protocol="TCP",
            port=port,
            target_type="instance",
            proxy_protocol_v2=True,
            preserve_client_ip="false",
            deregistration_delay=settings.deregistration_delay_s,
            # An SMTP transaction that is cut is sent again, maybe twice: the MTA ends its sessions itself.
            connection_termination=False,
            target_health_states=[{"enable_unhealthy_connection_termination": False}],
            health_check={
                "protocol": "HTTP",
                "port": str(MTA_ADMIN),
                "path": "/ready",
                "matcher": "200",
                "interval": check.interval_s,
                "timeout": check.timeout_s,
                "healthy_threshold": check.healthy_threshold,
                "unhealthy_threshold": check.unhealthy_threshold,
            },
            tags=args.tags.of(tier=FRONT_DOOR, name=physical),
            opts=pulumi.ResourceOptions(parent=self),
        )
