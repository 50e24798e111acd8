"""The fabric's nftables rule set: source checks, route tables, network ACLs, security groups and 1:1 NAT.

A new flow passes when the sender's address is its own, the sender's route table leads to the receiver and the
receiver's leads back, the ACLs of both subnets let it over their boundary, the sender's groups let it out and the
receiver's groups let it in. What follows of a flow passes by its tracking, or by the rules again.
https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from postroad_region import addresses
from postroad_region.fabric.acls import acl_chains
from postroad_region.fabric.chains import chain, identifier, table
from postroad_region.fabric.model import Fabric, Interface, Route
from postroad_region.fabric.security import BOTH, INTERNET, ORIGINATOR, UPLINK, security_chains
from postroad_region.fabric.tracking import ANYWHERE

TABLE = "postroad"


def ruleset(fabric: Fabric) -> str:
    """The script for `nft -f`, which replaces the table as a whole; the same fabric gives the same text."""
    return table(TABLE, _body(fabric))


def _body(fabric: Fabric) -> Iterator[str]:
    yield from _nat(fabric.interfaces)
    yield from acl_chains(fabric)
    yield from security_chains(fabric)
    for routes in fabric.route_tables:
        yield from chain(f"to_{identifier(routes.id)}", _routes(routes.routes, "daddr", "oifname"))
        yield from chain(f"back_{identifier(routes.id)}", _routes(routes.routes, "saddr", "iifname"))
    yield from chain("services", _services(fabric))
    yield from chain("forward", _forward(fabric), hook="type filter hook forward priority filter; policy drop;")
    yield from chain("input", _input(fabric), hook="type filter hook input priority filter; policy drop;")
    yield from chain("output", _output(), hook="type filter hook output priority filter; policy accept;")


def _nat(interfaces: Iterable[Interface]) -> Iterator[str]:
    pairs = [pair for interface in interfaces for pair in interface.public]
    inward = ", ".join(f"{public} : {private}" for private, public in pairs)
    outward = ", ".join(f"{private} : {public}" for private, public in pairs)
    dnat = [f'iifname "{INTERNET}" dnat to ip daddr map {{ {inward} }}'] if pairs else []
    snat = [f'oifname "{INTERNET}" snat to ip saddr map {{ {outward} }}'] if pairs else []
    yield from chain("prerouting", dnat, hook="type nat hook prerouting priority dstnat; policy accept;")
    yield from chain("postrouting", snat, hook="type nat hook postrouting priority srcnat; policy accept;")


def _forward(fabric: Fabric) -> Iterator[str]:
    yield f"ct mark and {BOTH:#x} == {BOTH:#x} accept"
    yield "ct state invalid drop"
    yield "ct state established,related goto again"
    yield f"ct mark and {BOTH:#x} != 0x0 goto again"
    if fabric.interfaces:
        own = ", ".join(f'"{i.link}" . {address}' for i in fabric.interfaces for address in i.addresses)
        yield f'iifname != {{ "{UPLINK}", "{INTERNET}" }} iifname . ip saddr != {{ {own} }} counter drop'
    yield f'iifname "{UPLINK}" ip saddr != {addresses.CONTROLLER} counter drop'
    # What an internet gateway lets through has a public address on both ways.
    publics = ", ".join(str(private) for i in fabric.interfaces for private, _ in i.public)
    yield f'oifname "{INTERNET}" ip saddr != {{ {publics} }} counter drop' if publics else f'oifname "{INTERNET}" drop'
    if fabric.subnets:
        to = ", ".join(f"{s.network} : jump to_{identifier(s.route_table)}" for s in fabric.subnets)
        back = ", ".join(f"{s.network} : jump back_{identifier(s.route_table)}" for s in fabric.subnets)
        yield f"ip saddr vmap {{ {to} }}"
        yield f"ip daddr vmap {{ {back} }}"
    yield "goto leave"


def _services(fabric: Fabric) -> Iterator[str]:
    """S3: where a route leads to it and the sender's groups let it out."""
    yield f"ct state established,related ct mark and {ORIGINATOR:#x} == {ORIGINATOR:#x} accept"
    served = {routes.id for routes in fabric.route_tables if routes.services}
    networks = ", ".join(str(s.network) for s in fabric.subnets if s.route_table in served)
    if networks:
        yield f"ip saddr {{ {networks} }} tcp dport {{ 80, 443 }} goto leave"
    yield "counter drop"


def _input(fabric: Fabric) -> Iterator[str]:
    """What the fabric itself answers: instance metadata, VPC resolvers, service endpoints, ping."""
    yield 'iifname "lo" accept'
    yield f"ip daddr {addresses.SERVICES} goto services"
    yield "ct state established,related accept"
    yield f'iifname != {{ "{UPLINK}", "{INTERNET}" }} ip daddr {addresses.METADATA} tcp dport 80 accept'
    resolvers = ", ".join(str(addresses.resolver_of(network)) for _, network in fabric.vpcs)
    if resolvers:
        yield f'iifname != "{INTERNET}" ip daddr {{ {resolvers} }} meta l4proto {{ tcp, udp }} th dport 53 accept'
    yield "ip protocol icmp icmp type echo-request accept"


def _output() -> Iterator[str]:
    """Replies of S3 to flows that the receiver doesn't track."""
    yield f"ip saddr {addresses.SERVICES} ct mark and {ORIGINATOR:#x} == 0x0 goto enter"


def _routes(routes: Iterable[Route], field: str, side: str) -> Iterator[str]:
    """The longest prefix decides, so the most specific comes first."""
    for route in sorted(routes, key=lambda r: (-r.destination.prefixlen, int(r.destination.network_address))):
        match = "" if route.destination == ANYWHERE else f"ip {field} {route.destination} "
        if route.target == "internet":
            yield f'{match}{side} "{INTERNET}" return'
        elif route.target != "blackhole":
            yield f'{match}{side} != "{INTERNET}" return'
        yield f"{match}counter drop"
    yield "counter drop"
