"""A tier's security group, from a table of what may come in and go out; what isn't in the table is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
import pulumi_aws as aws

from postroad_infra.tags import Tags

Protocol = Literal["tcp", "udp", "all"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Who may be talked with, in one direction: a port of a range, of another group's members, or of a prefix list.

    `name` is part of the rule's logical name: unique for the direction, and stable. Exactly one of `cidr`, `group_id`
    and `prefix_list_id` names the other side. The protocol `all` has no port.
    """

    name: str
    protocol: Protocol = "tcp"
    port: int | None = None
    cidr: pulumi.Input[str] | None = None
    group_id: pulumi.Input[str] | None = None
    prefix_list_id: pulumi.Input[str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FirewallArgs:
    """The VPC, the tier, and the two tables."""

    vpc_id: pulumi.Input[str]
    tier: str
    description: str
    ingress: Sequence[Rule]
    egress: Sequence[Rule]
    tags: Tags


class Firewall(pulumi.ComponentResource):
    """A security group with one resource for each rule.

    Its physical name is left to the provider: a group that must be replaced (another description, another VPC) exists
    beside its successor until no interface uses it.
    """

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:security:Firewall", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        group = aws.ec2.SecurityGroup(
            name,
            vpc_id=args.vpc_id,
            description=args.description,
            tags=args.tags.of(tier=args.tier, name=name),
            opts=mine,
        )
        self.group_id: pulumi.Output[str] = group.id
        self._name, self._tier, self._tags = name, args.tier, args.tags
        for rule in args.ingress:
            self.allow_ingress(rule)
        for rule in args.egress:
            self.allow_egress(rule)
        self.register_outputs({"group_id": self.group_id})

    def allow_ingress(self, rule: Rule) -> None:
        """Let the other side of the rule talk with the group's members."""
        self._allow(aws.vpc.SecurityGroupIngressRule, f"{self._name}-ingress-{rule.name}", rule)

    def allow_egress(self, rule: Rule) -> None:
        """Let the group's members talk with the other side of the rule."""
        self._allow(aws.vpc.SecurityGroupEgressRule, f"{self._name}-egress-{rule.name}", rule)

    def _allow(self, kind: Any, name: str, rule: Rule) -> None:
        kind(
            name,
            security_group_id=self.group_id,
            description=rule.name,
            ip_protocol="-1" if rule.protocol == "all" else rule.protocol,
            from_port=rule.port,
            to_port=rule.port,
            cidr_ipv4=rule.cidr,
            referenced_security_group_id=rule.group_id,
            prefix_list_id=rule.prefix_list_id,
            tags=self._tags.of(tier=self._tier, name=name),
            opts=pulumi.ResourceOptions(parent=self),
        )


def dns_to(name: str, cidr: pulumi.Input[str]) -> list[Rule]:
    """Queries to a range: UDP, and TCP for answers that don't fit (RFC 7766)."""
    return [Rule(name=f"{name}-udp", protocol="udp", port=53, cidr=cidr), Rule(name=f"{name}-tcp", port=53, cidr=cidr)]


def artifacts_from(prefix_list_id: pulumi.Input[str]) -> list[Rule]:
    """S3 through the gateway endpoint: plain HTTP for apt, TLS for the rest."""
    return [
        Rule(name="s3-http", port=80, prefix_list_id=prefix_list_id),
        Rule(name="s3-https", port=443, prefix_list_id=prefix_list_id),
    ]
