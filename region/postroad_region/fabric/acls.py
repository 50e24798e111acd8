"""Network ACLs as nftables chains: stateless, in the order of their numbers, at the boundary of a subnet only.

They come before the security groups, hold for replies too, and not between hosts of one subnet. Traffic to the VPC
resolver and to instance metadata isn't filtered; that to S3's gateway endpoint is.
https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html
https://docs.aws.amazon.com/vpc/latest/userguide/nacl-basics.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from postroad_region import addresses
from postroad_region.fabric.chains import chain, dispatch, identifier
from postroad_region.fabric.model import AclEntry, Fabric, Interface
from postroad_region.fabric.security import protocol_match
from postroad_region.fabric.tracking import ANYWHERE

PRIORITY = "filter - 10"


def acl_chains(fabric: Fabric) -> Iterator[str]:
    """The chains of all ACLs that can deny something; a subnet whose ACL lets all through costs no rule."""
    acls = {acl.id: acl for acl in fabric.acls}
    leaving = {acl.id for acl in fabric.acls if not lets_all(acl.egress)}
    entering = {acl.id for acl in fabric.acls if not lets_all(acl.ingress)}
    for name in sorted(leaving):
        yield from chain(f"acl_out_{identifier(name)}", _entries(acls[name].egress, "daddr"))
    for name in sorted(entering):
        yield from chain(f"acl_in_{identifier(name)}", _entries(acls[name].ingress, "saddr"))
    for subnet in fabric.subnets:
        if subnet.acl in leaving:
            inside = f"ip daddr {subnet.network} return"
            yield from chain(f"leaves_{identifier(subnet.id)}", [inside, f"goto acl_out_{identifier(subnet.acl)}"])
        if subnet.acl in entering:
            inside = f"ip saddr {subnet.network} return"
            yield from chain(f"enters_{identifier(subnet.id)}", [inside, f"goto acl_in_{identifier(subnet.acl)}"])
    outward = dispatch("iifname", _boundary(fabric.interfaces, leaving, "leaves"))
    inward = dispatch("oifname", _boundary(fabric.interfaces, entering, "enters"))
    services = addresses.SERVICES
    if outward or inward:
        yield from chain("acl_forward", [*outward, *inward], hook=_hook("forward"))
        yield from chain("acl_input", [f"ip daddr {services} {rule}" for rule in outward], hook=_hook("input"))
        yield from chain("acl_output", [f"ip saddr {services} {rule}" for rule in inward], hook=_hook("output"))


def lets_all(entries: Iterable[AclEntry]) -> bool:
    """Whether the first rule already lets everything through, as in a default ACL."""
    first = min(entries, key=lambda entry: entry.number, default=None)
    return first is not None and first.allow and first.network == ANYWHERE and first.protocol == "all"


def _hook(name: str) -> str:
    return f"type filter hook {name} priority {PRIORITY}; policy accept;"


def _boundary(interfaces: Iterable[Interface], acls: set[str], prefix: str) -> Iterator[tuple[str, str]]:
    for interface in interfaces:
        if interface.subnet.acl in acls:
            yield f'"{interface.link}"', f"jump {prefix}_{identifier(interface.subnet.id)}"


def _entries(entries: Iterable[AclEntry], field: str) -> Iterator[str]:
    for entry in sorted(entries, key=lambda entry: entry.number):
        side = "" if entry.network == ANYWHERE else f"ip {field} {entry.network} "
        kind, code = entry.icmp
        ports = (kind, code) if entry.protocol == "icmp" and kind >= 0 else entry.ports
        yield f"{side}{protocol_match(entry.protocol, ports)}{'return' if entry.allow else 'counter drop'}"
    # The rule `*`, which can't be removed.
    yield "counter drop"
