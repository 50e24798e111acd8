"""Access rules: who may connect through the proxy, from which source, to where. What isn't allowed is refused."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from postroad.wire.socks5 import IpAddress

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Destinations that no mail host has. Documentation ranges are not among them: they are as good as public.
SPECIAL: tuple[IpNetwork, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::1/128",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
METADATA: frozenset[IpAddress] = frozenset(
    ipaddress.ip_address(address)
    for address in ("169.254.169.254", "169.254.169.253", "169.254.170.2", "fd00:ec2::254", "fd00:ec2::253")
)


@dataclass(frozen=True, slots=True)
class Destination:
    """A network and the ports in it that may be connected to."""

    network: IpNetwork
    first_port: int
    last_port: int

    @classmethod
    def parse(cls, text: str) -> "Destination":
        """From `network:port` or `network:first-last`; an IPv6 network stands in brackets.

        Raises:
            ValueError: the text is neither.
        """
        network, _, ports = text.rpartition(":")
        first, _, last = ports.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise ValueError(f"{text!r} has no port: write network:port or network:first-last, as 0.0.0.0/0:25")
        low, high = int(first), int(last or first)
        if not 1 <= low <= high <= 65535:
            raise ValueError(f"{text!r}: ports go from 1 to 65535, the lower first")
        return cls(ipaddress.ip_network(network.removeprefix("[").removesuffix("]")), low, high)

    def contains(self, address: IpAddress, port: int) -> bool:
        """Whether the address and port are meant."""
        return (
            self.first_port <= port <= self.last_port
            and address.version == self.network.version
            and address in self.network
        )


@dataclass(frozen=True, slots=True)
class AccessRules:
    """What the proxy does for whom; every method answers with why not, or None.

    Args:
        own: addresses and ports of the proxy's own listeners; an unspecified address stands for all of this host.
        is_local: whether an address is one of this host's; asked only for ports of `own`.
    """

    clients: tuple[IpNetwork, ...]
    sources: tuple[IpNetwork, ...]
    destinations: tuple[Destination, ...]
    own: frozenset[tuple[IpAddress, int]]
    is_local: Callable[[IpAddress], bool]

    def refuse_client(self, address: IpAddress) -> str | None:
        """Why this client may not use the proxy."""
        return None if _within(_plain(address), self.clients) else f"client {address} is not in [access] clients"

    def refuse_source(self, source: IpAddress) -> str | None:
        """Why this address may not be sent from."""
        return None if _within(source, self.sources) else f"source {source} is not in [access] sources"

    def refuse_destination(self, address: IpAddress, port: int) -> str | None:
        """Why this may not be connected to."""
        plain = _plain(address)
        matching = [entry for entry in self.destinations if entry.contains(plain, port)]
        if not matching:
            return f"destination {address}:{port} is not in [access] destinations"
        if plain in METADATA and not any(entry.network.num_addresses == 1 for entry in matching):
            return f"destination {address}:{port} is a metadata service; only an entry for it alone would allow it"
        special = next((net for net in SPECIAL if net.version == plain.version and plain in net), None)
        if special is not None and not any(_inside(entry.network, special) for entry in matching):
            return f"destination {address}:{port} is in {special}, which only an entry inside it would allow"
        if self._is_own(plain, port):
            return f"destination {address}:{port} is the proxy itself"
        return None

    def _is_own(self, address: IpAddress, port: int) -> bool:
        own = [host for host, own_port in self.own if own_port == port]
        if not own:
            return False
        return address in own or (any(host.is_unspecified for host in own) and self.is_local(address))


def _plain(address: IpAddress) -> IpAddress:
    """IPv4 in IPv6's clothes (::ffff:a.b.c.d) is judged as what it is."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _within(address: IpAddress, networks: tuple[IpNetwork, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _inside(network: IpNetwork, outer: IpNetwork) -> bool:
    if isinstance(network, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and network.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and network.subnet_of(outer)
