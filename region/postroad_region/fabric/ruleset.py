"""The fabric's nftables rule set: source checks, route tables, security groups and 1:1 NAT, replaced as a whole.

A new flow passes when the sender's address is its own, the sender's route table leads to the receiver and the
receiver's leads back, the sender's groups let it out and the receiver's groups let it in. Replies of a tracked flow
pass.
https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from postroad_region import addresses
from postroad_region.fabric.model import Fabric, Interface, Route, Rule, SecurityGroup

TABLE = "postroad"
UPLINK = "uplink"
INTERNET = "internet0"
ANYWHERE = IPv4Network("0.0.0.0/0")


def ruleset(fabric: Fabric) -> str:
    """The script for `nft -f`; the same fabric gives the same text."""
    return "\n".join([f"table ip {TABLE}", f"delete table ip {TABLE}", f"table ip {TABLE} {{", *_body(fabric), "}", ""])


def _body(fabric: Fabric) -> Iterator[str]:
    yield from _nat(fabric.interfaces)
    for group in fabric.groups:
        yield from _group_set(group, fabric.interfaces)
    for group in fabric.groups:
        yield from _chain(f"in_{_name(group.id)}", _group_rules(group.ingress, "saddr", "accept"))
    yield from _chain("ingress", _ingress(fabric))
    for group in fabric.groups:
        yield from _chain(f"out_{_name(group.id)}", _group_rules(group.egress, "daddr", "goto ingress"))
    for interface in fabric.interfaces:
        jumps = [f"jump out_{_name(group)}" for group in interface.groups]
        yield from _chain(f"egress_{interface.link}", [*jumps, "counter drop"])
    for table in fabric.route_tables:
        yield from _chain(f"to_{_name(table.id)}", _routes(table.routes, "daddr", INTERNET))
        yield from _chain(f"back_{_name(table.id)}", _routes(table.routes, "saddr", INTERNET))
    yield from _chain("forward", _forward(fabric), hook="type filter hook forward priority filter; policy drop;")
    yield from _chain("input", _input(fabric), hook="type filter hook input priority filter; policy drop;")


def _nat(interfaces: Iterable[Interface]) -> Iterator[str]:
    pairs = [pair for interface in interfaces for pair in interface.public]
    inward = ", ".join(f"{public} : {private}" for private, public in pairs)
    outward = ", ".join(f"{private} : {public}" for private, public in pairs)
    dnat = [f'iifname "{INTERNET}" dnat to ip daddr map {{ {inward} }}'] if pairs else []
    snat = [f'oifname "{INTERNET}" snat to ip saddr map {{ {outward} }}'] if pairs else []
    yield from _chain("prerouting", dnat, hook="type nat hook prerouting priority dstnat; policy accept;")
    yield from _chain("postrouting", snat, hook="type nat hook postrouting priority srcnat; policy accept;")


def _forward(fabric: Fabric) -> Iterator[str]:
    yield "ct state established,related accept"
    yield "ct state invalid drop"
    if fabric.interfaces:
        own = ", ".join(f'"{i.link}" . {address}' for i in fabric.interfaces for address in i.addresses)
        yield f'iifname != {{ "{UPLINK}", "{INTERNET}" }} iifname . ip saddr != {{ {own} }} counter drop'
    yield f'iifname "{UPLINK}" ip saddr != {addresses.CONTROLLER} counter drop'
    # What an internet gateway lets through has a public address on both ways.
    publics = ", ".join(str(private) for i in fabric.interfaces for private, _ in i.public)
    yield f'oifname "{INTERNET}" ip saddr != {{ {publics} }} counter drop' if publics else f'oifname "{INTERNET}" drop'
    if fabric.subnets:
        to = ", ".join(f"{s.network} : jump to_{_name(s.route_table)}" for s in fabric.subnets)
        back = ", ".join(f"{s.network} : jump back_{_name(s.route_table)}" for s in fabric.subnets)
        yield f"ip saddr vmap {{ {to} }}"
        yield f"ip daddr vmap {{ {back} }}"
    if fabric.interfaces:
        egress = ", ".join(f'"{i.link}" : goto egress_{i.link}' for i in fabric.interfaces)
        yield f"iifname vmap {{ {egress} }}"
    yield f'iifname {{ "{UPLINK}", "{INTERNET}" }} goto ingress'


def _ingress(fabric: Fabric) -> Iterator[str]:
    yield f'oifname "{INTERNET}" accept'
    for interface in fabric.interfaces:
        for group in interface.groups:
            yield f'oifname "{interface.link}" jump in_{_name(group)}'
    yield "counter drop"


def _input(fabric: Fabric) -> Iterator[str]:
    """What the fabric itself answers: instance metadata, VPC resolvers, service endpoints, ping."""
    yield 'iifname "lo" accept'
    yield "ct state established,related accept"
    yield f'iifname != {{ "{UPLINK}", "{INTERNET}" }} ip daddr {addresses.METADATA} tcp dport 80 accept'
    resolvers = ", ".join(str(addresses.resolver_of(network)) for _, network in fabric.vpcs)
    if resolvers:
        yield f'iifname != "{INTERNET}" ip daddr {{ {resolvers} }} meta l4proto {{ tcp, udp }} th dport 53 accept'
    served = {table.id for table in fabric.route_tables if table.services}
    networks = ", ".join(str(s.network) for s in fabric.subnets if s.route_table in served)
    if networks:
        yield f"ip saddr {{ {networks} }} ip daddr {addresses.SERVICES} tcp dport {{ 80, 443 }} accept"
    yield "ip protocol icmp icmp type echo-request accept"


def _routes(routes: Iterable[Route], field: str, internet: str) -> Iterator[str]:
    """The longest prefix decides, so the most specific comes first."""
    for route in sorted(routes, key=lambda r: (-r.destination.prefixlen, int(r.destination.network_address))):
        match = "" if route.destination == ANYWHERE else f"ip {field} {route.destination} "
        if route.target == "internet":
            side = "oifname" if field == "daddr" else "iifname"
            yield f'{match}{side} "{internet}" return'
            yield f"{match}counter drop"
        elif route.target == "blackhole":
            yield f"{match}counter drop"
        else:
            side = "oifname" if field == "daddr" else "iifname"
            yield f'{match}{side} != "{internet}" return'
            yield f"{match}counter drop"
    yield "counter drop"


def _group_set(group: SecurityGroup, interfaces: Iterable[Interface]) -> Iterator[str]:
    members = sorted(str(address) for i in interfaces if group.id in i.groups for address in i.addresses)
    elements = f" elements = {{ {', '.join(members)} }};" if members else ""
    yield f"    set {_name(group.id)} {{ type ipv4_addr;{elements} }}"


def _group_rules(rules: Iterable[Rule], field: str, verdict: str) -> Iterator[str]:
    for rule in rules:
        match = _protocol(rule)
        for network in rule.networks:
            yield f"{match}{verdict}" if network == ANYWHERE else f"ip {field} {network} {match}{verdict}"
        for group in rule.groups:
            yield f"ip {field} @{_name(group)} {match}{verdict}"


def _protocol(rule: Rule) -> str:
    if rule.protocol == "all":
        return ""
    if rule.ports is None or rule.protocol == "icmp":
        return f"meta l4proto {rule.protocol} "
    first, last = rule.ports
    return f"{rule.protocol} dport {first} " if first == last else f"{rule.protocol} dport {first}-{last} "


def _chain(name: str, rules: Iterable[str], *, hook: str = "") -> Iterator[str]:
    yield f"    chain {name} {{"
    if hook:
        yield f"        {hook}"
    yield from (f"        {rule}" for rule in rules)
    yield "    }"


def _name(aws_id: str) -> str:
    return aws_id.replace("-", "_")
