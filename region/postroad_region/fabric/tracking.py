"""Which flows a security group lets through without tracking them.

A flow is untracked when a rule permits TCP or UDP from or to 0.0.0.0/0 and the rules of the other direction permit all
its replies: 0.0.0.0/0, every port. An untracked flow lives only as long as its rules; a tracked one outlives them until
it is idle for its timeout, and counts against the instance's allowance. ICMP is always tracked, and so is what passes a
load balancer.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network

from postroad_region.fabric.model import Rule, SecurityGroup

ANYWHERE = IPv4Network("0.0.0.0/0")
ALL_PORTS = (None, (0, 65535))
UNTRACKABLE = ("tcp", "udp")


@dataclass(frozen=True, slots=True)
class Permission:
    """One rule for one far side, and whether flows that it begins are tracked.

    Args:
        network: the far side by range; None where `group` names it.
        protocol: as in `Rule`.
    """

    protocol: str
    ports: tuple[int, int] | None
    network: IPv4Network | None
    group: str
    tracked: bool


def permissions(rules: Iterable[Rule], replies: Iterable[Rule]) -> list[Permission]:
    """The rules of one direction, given those of the other; what isn't tracked comes first, each but once.

    Where a tracked and an untracked rule both match a flow, it is untracked: AWS's text leaves this open.
    """
    free = _free_replies(replies)
    found: dict[Permission, None] = {}
    for rule in rules:
        for network in rule.networks:
            untracked = _untracked(rule, free) if network == ANYWHERE else ()
            for protocol in untracked:
                found[Permission(protocol, rule.ports, network, "", tracked=False)] = None
            if rule.protocol not in untracked:
                found[Permission(rule.protocol, rule.ports, network, "", tracked=True)] = None
        for group in rule.groups:
            found[Permission(rule.protocol, rule.ports, None, group, tracked=True)] = None
    return sorted(found, key=lambda permission: permission.tracked)


def combined(groups: Iterable[SecurityGroup]) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """What several groups of one interface let in and out together: the union of their rules."""
    listed = list(groups)
    return (
        tuple(rule for group in listed for rule in group.ingress),
        tuple(rule for group in listed for rule in group.egress),
    )


def _free_replies(rules: Iterable[Rule]) -> frozenset[str]:
    """The protocols of which everything may pass in this direction."""
    return frozenset(
        protocol
        for rule in rules
        if ANYWHERE in rule.networks and rule.ports in ALL_PORTS
        for protocol in (UNTRACKABLE if rule.protocol == "all" else (rule.protocol,))
        if protocol in UNTRACKABLE
    )


def _untracked(rule: Rule, free: frozenset[str]) -> tuple[str, ...]:
    candidates = UNTRACKABLE if rule.protocol == "all" else (rule.protocol,)
    return tuple(protocol for protocol in candidates if protocol in free)
