"""The way to one host for all mail."""

import ipaddress

from postroad.routing.dns import DnsFailure, Lookup
from postroad.routing.route import Host, NoRoute, Route
from postroad.smtp.replies import local_reply


class SmartHostRouter:
    """Routes every domain to one host; a name is looked up on each use (the resolver caches)."""

    def __init__(self, host: str, port: int, *, lookup: Lookup) -> None:
        self._host = host
        self._port = port
        self._lookup = lookup
        self._fixed: Route | None = None
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return
        self._fixed = self._route((host,))

    def known(self, domain: bytes) -> Route | NoRoute | None:
        """The route, if the smart host is an address."""
        return self._fixed

    async def find(self, domain: bytes) -> Route | NoRoute:
        """The route; what DNS says of a smart host never condemns a message."""
        if self._fixed is not None:
            return self._fixed
        try:
            answer = await self._lookup.addresses(self._host)
        except DnsFailure as error:
            return NoRoute(local_reply(451, "4.4.3", f"smart host: DNS lookup failed: {error}"))
        if not answer.records:
            return NoRoute(local_reply(451, "4.4.3", f"smart host {self._host} has no address"))
        return self._route(answer.records)

    def _route(self, addresses: tuple[str, ...]) -> Route:
        return Route(f"{self._host}:{self._port}", ((Host(self._host, addresses),),), self._port)
