"""Nothing is open to the internet unless it is listed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Network, ip_network
from typing import Any

from postroad_infra.policies.resource import UNKNOWN, Resource, block
from postroad_infra.settings.base import is_private

INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
OLD_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
GROUP = "aws:ec2/securityGroup:SecurityGroup"

# RFC 4193.
UNIQUE_LOCAL = IPv6Network("fc00::/7")


@dataclass(frozen=True, slots=True)
class PublicIngress:
    """A port that a tier opens to public addresses."""

    tier: str
    protocol: str
    port: int


LISTED: frozenset[PublicIngress] = frozenset({PublicIngress("front-door", "tcp", 25)})
"""All that is open to public addresses: returning mail, where a stack has a port for it.

Submission isn't: as long as MTAs know clients by their address alone, it is for ranges inside. Resolvers answer the
VPCs.
"""


def public_ingress(resource: Resource, listed: Collection[PublicIngress] = LISTED) -> Iterator[str]:
    """A rule that lets public addresses in is on the list, port for port."""
    if resource.type == GROUP and (resource.props.get("ingress") or resource.props.get("egress")):
        yield "the group has rules inside; make each a resource of its own (Firewall), so that each is judged"
    if resource.type == OLD_RULE:
        yield "write it as a SecurityGroupIngressRule or SecurityGroupEgressRule (Firewall)"
    if resource.type != INGRESS_RULE:
        return
    source = _public_source(resource)
    if source is None:
        return
    props = resource.props
    tier, protocol = str(block(props.get("tags")).get("Tier")), str(props.get("ipProtocol"))
    ports = (props.get("fromPort"), props.get("toPort"))
    if not any((entry.tier, entry.protocol, entry.port, entry.port) == (tier, protocol, *ports) for entry in listed):
        yield (
            f"{source} may reach {_shown(protocol, *ports)} of {tier}; "
            "narrow it, or list it in postroad_infra/policies/public_ingress.py"
        )


def _public_source(resource: Resource) -> str | None:
    """The source of a rule if it has public addresses, or might have."""
    for key in ("cidrIpv4", "cidrIpv6"):
        text = resource.props.get(key)
        if text is None or text is UNKNOWN:
            continue
        network = ip_network(str(text), strict=False)
        inside = network.subnet_of(UNIQUE_LOCAL) if isinstance(network, IPv6Network) else is_private(network)
        return None if inside else str(network)
    prefix_list = resource.props.get("prefixListId")
    return None if prefix_list in (None, UNKNOWN) else f"prefix list {prefix_list}"


def _shown(protocol: str, first: Any, last: Any) -> str:
    if protocol == "-1":
        return "every port"
    ports = str(int(first)) if first == last else f"{first} to {last}"
    return f"{protocol} {ports}"
