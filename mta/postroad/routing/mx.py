"""The way by MX records (RFC 5321 5.1, RFC 7505)."""

import asyncio
import hashlib
from collections.abc import Callable

from postroad.routing.cache import TtlCache
from postroad.routing.dns import Absent, Answer, DnsFailure, Exchange, Lookup
from postroad.routing.route import Host, NoRoute, Route
from postroad.smtp.replies import local_reply

_FAILURE_TTL = 30.0
"""Seconds for which a DNS failure is believed, so that a dead resolver isn't asked once per message."""
_MAX_EXCHANGES = 20
_LIMIT = 60.0
"""Seconds for all questions about a domain; each one has a limit of its own, which should come first."""


class MxRouter:
    """Routes by MX, else by the domain's own address (implicit MX); a null MX takes no mail.

    That a domain doesn't exist is an answer and permanent; that nobody answered is not, and defers.

    Args:
        lookup: where to ask.
        port: port of all mail hosts.
        concurrency: domains looked up at a time.
    """

    def __init__(
        self, lookup: Lookup, *, clock: Callable[[], float], port: int = 25, concurrency: int = 64, size: int = 100_000
    ) -> None:
        self._lookup = lookup
        self._port = port
        self._cache: TtlCache[bytes, Route | NoRoute] = TtlCache(size=size, clock=clock, floor=5.0, ceiling=3600.0)
        self._addresses: TtlCache[str, Answer[str]] = TtlCache(size=size, clock=clock, floor=5.0, ceiling=3600.0)
        self._slots = asyncio.Semaphore(concurrency)

    def known(self, domain: bytes) -> Route | NoRoute | None:
        """The route if the cache has it."""
        return self._cache.get(domain)

    async def find(self, domain: bytes) -> Route | NoRoute:
        """The route, from the cache or from DNS."""
        async with self._slots:
            known = self._cache.get(domain)
            if known is not None:
                return known
            try:
                async with asyncio.timeout(_LIMIT):
                    route, ttl = await self._resolve(domain)
            except TimeoutError:
                route, ttl = NoRoute(local_reply(451, "4.4.3", f"DNS lookup took over {_LIMIT:.0f} s")), _FAILURE_TTL
            except DnsFailure as error:
                route, ttl = NoRoute(local_reply(451, "4.4.3", f"DNS lookup failed: {error}")), _FAILURE_TTL
            self._cache.put(domain, route, ttl)
            return route

    async def _resolve(self, domain: bytes) -> tuple[Route | NoRoute, float]:
        if domain.startswith(b"["):
            # Named limit: an address literal would let the sender choose any host.
            return NoRoute(local_reply(550, "5.1.2", "address literals are not delivered to")), _FAILURE_TTL
        try:
            name = domain.decode("ascii") if domain.isascii() else domain.decode("utf-8").encode("idna").decode("ascii")
        except UnicodeError:
            return NoRoute(local_reply(550, "5.1.2", "not a domain name")), _FAILURE_TTL
        answer = await self._lookup.mx(name)
        if answer.absent is Absent.NO_DOMAIN:
            return NoRoute(local_reply(550, "5.1.2", f"domain {name} does not exist")), answer.ttl
        exchanges = sorted(answer.records, key=lambda record: record.preference)[:_MAX_EXCHANGES]
        if any(not record.host for record in exchanges):
            return NoRoute(local_reply(556, "5.1.10", f"domain {name} takes no mail (null MX)")), answer.ttl
        if not exchanges:
            exchanges = [Exchange(0, name)]
        return await self._hosts(name, exchanges, answer.ttl)

    async def _hosts(self, name: str, exchanges: list[Exchange], ttl: float) -> tuple[Route | NoRoute, float]:
        """Turn exchanges into hosts with addresses; one that can't be looked up is left out while others can."""
        answers = await asyncio.gather(
            *(self._host_addresses(record.host) for record in exchanges), return_exceptions=True
        )
        groups: dict[int, list[Host]] = {}
        failure: DnsFailure | None = None
        for record, answer in zip(exchanges, answers, strict=True):
            if isinstance(answer, DnsFailure):
                failure = answer
            elif isinstance(answer, BaseException):
                raise answer
            elif answer.records:
                groups.setdefault(record.preference, []).append(Host(record.host, answer.records))
                ttl = min(ttl, answer.ttl)
        if not groups:
            if failure is not None:
                raise failure
            hosts = ", ".join(record.host for record in exchanges[:3])
            return NoRoute(local_reply(550, "5.4.4", f"no mail host of {name} has an address ({hosts})")), ttl
        if failure is not None:
            ttl = min(ttl, _FAILURE_TTL)
        ordered = tuple(tuple(groups[preference]) for preference in sorted(groups))
        return Route(site_of(exchanges, self._port), ordered, self._port), ttl

    async def _host_addresses(self, host: str) -> Answer[str]:
        known = self._addresses.get(host)
        if known is None:
            known = await self._lookup.addresses(host)
            self._addresses.put(host, known, known.ttl)
        return known


def site_of(exchanges: list[Exchange], port: int) -> str:
    """The site that a set of exchanges forms: equal for equal sets, and readable."""
    hosts = sorted(record.host for record in exchanges)
    best = min(exchanges, key=lambda record: (record.preference, record.host)).host
    if len(hosts) == 1:
        return f"{best}:{port}"
    return f"{best}+{hashlib.sha256(' '.join(hosts).encode()).hexdigest()[:8]}:{port}"
