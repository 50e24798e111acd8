"""A source: an address that mail leaves from, and the name that goes with it."""

from dataclasses import dataclass

from postroad.settings.units import Endpoint
from postroad.wire.socks5 import IpAddress


@dataclass(frozen=True, slots=True)
class Source:
    """Where mail leaves from.

    Args:
        name: what operators call it.
        ehlo: the name given to mail hosts; the address's PTR record leads to it (RFC 5321 4.1.4, 4.1.1.1).
        address: what is bound, here or by the proxy; None leaves the choice to the host or the proxy.
        proxies: the outbound proxies that have the address, all alike; none: this host has it.
    """

    name: str
    ehlo: str
    address: IpAddress | None = None
    proxies: tuple[Endpoint, ...] = ()
