"""The tree above the zones: root, top-level domains, and the zones of addresses.

Top-level domains are those that something needs: `test.`, `arpa.`, and the ones in which Route 53's name servers or
public zones live. Such a domain holds nothing else, so every other name in it doesn't exist in the box.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

import dns.name
import dns.rdata

from postroad_region.addresses import INTERNET_RANGE, PUBLIC_RANGE
from postroad_region.dns.desired import AUTHORITY_ADDRESS, ROOT_ADDRESS, Problem
from postroad_region.dns.names import name_from_route53
from postroad_region.dns.zonefile import Zone, rdata

TEST = dns.name.from_text("test.")
ARPA = dns.name.from_text("arpa.")
IN_ADDR = dns.name.from_text("in-addr.arpa.")
ROOT_SERVER = dns.name.from_text("a.root-servers.test.")
REVERSE_SERVER = dns.name.from_text("ns.reverse.test.")
_TTL = 300
# What a resolver asked too early must not stand in the way of a zone made a moment later.
_NEGATIVE_TTL = 5

DsOf = Callable[[dns.name.Name], dns.rdata.Rdata]


@dataclass(frozen=True, slots=True)
class Delegation:
    """A zone's place under its top-level domain.

    Args:
        servers: addresses of its name servers by name.
        ds: published at the parent; none: insecure.
    """

    name: dns.name.Name
    servers: Mapping[dns.name.Name, str]
    ds: tuple[dns.rdata.Rdata, ...] = ()


def parent_zones(delegations: Iterable[Delegation], ds_of: DsOf) -> list[Zone]:
    """The root, `in-addr.arpa` and every top-level domain needed: all to be signed with the keys that `ds_of` knows."""
    delegations = [*delegations, *_reverse_delegations()]
    domains: dict[dns.name.Name, Zone] = {name: _parent(name) for name in (TEST, ARPA, IN_ADDR)}

    def domain_of(name: dns.name.Name) -> Zone:
        top = IN_ADDR if name.is_subdomain(IN_ADDR) else name.split(2)[1]
        if top not in domains:
            domains[top] = _parent(top)
        return domains[top]

    test = domains[TEST]
    test.add(ROOT_SERVER, _TTL, [rdata("A", ROOT_ADDRESS)])
    for delegation in delegations:
        parent = domain_of(delegation.name)
        servers = [rdata("NS", server.to_text()) for server in sorted(delegation.servers)]
        parent.add(delegation.name, _TTL, servers)
        if delegation.ds:
            parent.add(delegation.name, _TTL, delegation.ds)
        for server, address in delegation.servers.items():
            domain_of(server).add(server, _TTL, [rdata("A", address)])
    root = _parent(dns.name.root)
    root.add(ROOT_SERVER, _TTL, [rdata("A", ROOT_ADDRESS)])
    for name in sorted(domains):
        above = domains[ARPA] if name == IN_ADDR else root
        above.add(name, _TTL, [rdata("NS", ROOT_SERVER.to_text())])
        above.add(name, _TTL, [ds_of(name)])
    return [root, *(domains[name] for name in sorted(domains))]


def reverse_zones(reverse: Mapping[str, str]) -> tuple[list[Zone], list[Problem]]:
    """The zones of the internet's and the public addresses, unsigned; a PTR elsewhere is left out as a problem."""
    zones: dict[IPv4Network, Zone] = {}
    problems: list[Problem] = []
    for network in (INTERNET_RANGE, PUBLIC_RANGE):
        zones[network] = zone = Zone(reverse_name(network))
        _apex(zone, REVERSE_SERVER)
    for address, name in sorted(reverse.items()):
        try:
            home = next((each for network, each in zones.items() if IPv4Address(address) in network), None)
            if home is None:
                raise ValueError("is no address of the box's internet")
            owner = dns.name.from_text(".".join(reversed(address.split("."))), IN_ADDR)
            home.add(owner, _TTL, [rdata("PTR", name_from_route53(name).to_text())])
        except ValueError as error:
            problems.append(Problem("in-addr.arpa.", f"PTR of {address}", str(error)))
    return list(zones.values()), problems


def reverse_name(network: IPv4Network) -> dns.name.Name:
    """The `in-addr.arpa` zone of a /24."""
    return dns.name.from_text(".".join(reversed(str(network.network_address).split(".")[:3])), IN_ADDR)


def provider_zone(name: str, records: Sequence[str], address: str) -> tuple[Zone, dns.name.Name, list[Problem]]:
    """A provider's own zone, its name server, and the lines that had to be left out."""
    zone = Zone(dns.name.from_text(name))
    server = dns.name.from_text("ns1", zone.origin)
    _apex(zone, server)
    zone.add(server, _TTL, [rdata("A", address)])
    problems = []
    for line in records:
        try:
            owner, ttl, _, kind, value = line.split(None, 4)
            zone.add_text(owner, int(ttl), kind, value)
        except ValueError as error:
            problems.append(Problem(name, line, str(error)))
    return zone, server, problems


def _reverse_delegations() -> list[Delegation]:
    servers = {REVERSE_SERVER: AUTHORITY_ADDRESS}
    return [Delegation(reverse_name(network), servers) for network in (INTERNET_RANGE, PUBLIC_RANGE)]


def _parent(origin: dns.name.Name) -> Zone:
    zone = Zone(origin)
    _apex(zone, ROOT_SERVER)
    return zone


def _apex(zone: Zone, server: dns.name.Name) -> None:
    soa = f"{server.to_text()} hostmaster.test. 1 3600 600 604800 {_NEGATIVE_TTL}"
    zone.add(zone.origin, _TTL, [rdata("SOA", soa)])
    zone.add(zone.origin, _TTL, [rdata("NS", server.to_text())])
