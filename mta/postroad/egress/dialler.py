"""Dialling: a TCP connection to a mail host, directly or through an outbound proxy."""

import asyncio
import ipaddress
import itertools
import socket
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from postroad.egress.source import Source
from postroad.settings.units import Endpoint
from postroad.wire.socks5 import Connected, ProxyRefusedError, SocksClient, SocksError

Factory = Callable[[Source], asyncio.Protocol]
"""Makes what speaks on a connection; it gets the source that the connection has."""
Way = tuple[Source, Endpoint]


class DialError(Exception):
    """The mail host can't be reached; another may."""


class ProxyError(Exception):
    """No proxy can be used: a fault on this side, that says nothing of the mail host."""


class Dialler(Protocol):
    """Opens connections to mail hosts."""

    def reaches(self, address: str) -> bool:
        """Whether a source can connect to this address: one of its family, or without an address of its own."""

    async def dial(self, address: str, port: int, factory: Factory) -> str:
        """Connect, give the connection to the factory's protocol, and return the source address.

        Raises:
            DialError: the host can't be reached.
            ProxyError: no proxy can be used.
        """


class DirectDialler:
    """Connects from this host, from each source in turn."""

    def __init__(self, sources: Sequence[Source], *, timeout: float) -> None:
        self._sources = {version: itertools.cycle(_of_version(sources, version)) for version in (4, 6)}
        self._reached = {version for version in (4, 6) if _of_version(sources, version)}
        self._timeout = timeout

    def reaches(self, address: str) -> bool:
        """Whether a source has an address of this family, or none of its own."""
        return _version(address) in self._reached

    async def dial(self, address: str, port: int, factory: Factory) -> str:
        """Connect directly."""
        loop = asyncio.get_running_loop()
        source = next(self._sources[_version(address)])
        local = (str(source.address), 0) if source.address is not None else None
        try:
            async with asyncio.timeout(self._timeout):
                transport, _ = await loop.create_connection(lambda: factory(source), address, port, local_addr=local)
        except TimeoutError:
            raise DialError(f"connect to {address}:{port} timed out") from None
        except OSError as error:
            raise DialError(f"connect to {address}:{port}: {_why(error)}") from None
        name = transport.get_extra_info("sockname")
        return str(name[0]) if name else ""


class ProxyDialler:
    """Connects from each source in turn, through the first of its proxies that works.

    A way that fails, a source through a proxy, is tried last for `penalty` seconds. Handshakes go in one segment; a
    proxy that closes without a word to that is spoken to turn by turn from then on.

    Args:
        sources: each with at least one proxy.
        proxy_timeout: seconds for TCP to the proxy and for its first octet.
        timeout: seconds for the rest of the handshake, the destination's connection included.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        proxy_timeout: float,
        timeout: float,
        penalty: float = 10.0,
    ) -> None:
        # The first proxy of every source comes before the second of any: sources take turns, proxies stand in.
        spare = max(len(source.proxies) for source in sources)
        ways = [(s, s.proxies[place]) for place in range(spare) for s in sources if place < len(s.proxies)]
        self._ways = {v: [way for way in ways if _of_version([way[0]], v)] for v in (4, 6)}
        self._proxy_timeout = proxy_timeout
        self._timeout = timeout
        self._penalty = penalty
        self._failed: dict[Way, float] = {}
        self._turn_by_turn: set[Endpoint] = set()
        self._turn = 0

    def reaches(self, address: str) -> bool:
        """Whether a source has an address of this family, or none of its own."""
        return bool(self._ways[_version(address)])

    async def dial(self, address: str, port: int, factory: Factory) -> str:
        """Connect through a proxy."""
        loop = asyncio.get_running_loop()
        problems = []
        for way in self._order(self._ways[_version(address)], loop.time()):
            source, proxy = way
            try:
                bound = await self._through(way, address, port, factory)
            except ProxyRefusedError as error:
                if error.at_connect:
                    raise DialError(f"connect to {address}:{port} through {proxy}: {error}") from None
                problems.append(f"{_named(source)}{proxy}: {error}")
            except (OSError, SocksError, TimeoutError) as error:
                problems.append(f"{_named(source)}{proxy}: {_why(error)}")
            else:
                self._failed.pop(way, None)
                return bound
            self._failed[way] = loop.time() + self._penalty
        raise ProxyError("; ".join(problems))

    def _order(self, ways: list[Way], now: float) -> list[Way]:
        self._turn += 1
        start = self._turn % len(ways)
        rotated = ways[start:] + ways[:start]
        return sorted(rotated, key=lambda way: self._failed.get(way, 0.0) > now)

    async def _through(self, way: Way, address: str, port: int, factory: Factory) -> str:
        _, proxy = way
        at_once = proxy not in self._turn_by_turn
        try:
            return await self._handshake(way, address, port, factory, at_once)
        except _SilentCloseError:
            if not at_once:
                raise SocksError("closed the connection during the handshake") from None
            bound = await self._handshake(way, address, port, factory, False)
            self._turn_by_turn.add(proxy)
            return bound

    async def _handshake(self, way: Way, address: str, port: int, factory: Factory, at_once: bool) -> str:
        loop = asyncio.get_running_loop()
        source, proxy = way
        destination = ipaddress.ip_address(address)
        client = SocksClient(source=source.address, destination=destination, port=port, at_once=at_once)
        try:
            async with asyncio.timeout(self._proxy_timeout):
                _, handshake = await loop.create_connection(
                    lambda: _Handshake(client, lambda: factory(source)), proxy.host, proxy.port, family=socket.AF_UNSPEC
                )
                await handshake.answered.wait()
        except TimeoutError:
            raise SocksError("no answer") from None
        try:
            async with asyncio.timeout(self._timeout):
                return str((await handshake.connected).source)
        except TimeoutError:
            handshake.abort()
            raise DialError(f"connect to {address}:{port} through {proxy} timed out") from None


class _SilentCloseError(SocksError):
    """The proxy closed before the handshake was over, without an error reply."""


class _Handshake(asyncio.Protocol):
    """The shell of a `SocksClient`; gives the transport to the real protocol afterwards."""

    def __init__(self, client: SocksClient, factory: Callable[[], asyncio.Protocol]) -> None:
        self._client = client
        self._factory = factory
        self.connected: asyncio.Future[Connected] = asyncio.get_running_loop().create_future()
        self.answered = asyncio.Event()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._client.data_to_send())

    def data_received(self, data: bytes) -> None:
        self.answered.set()
        if self.connected.done():
            return
        try:
            connected = self._client.receive(data)
        except (SocksError, ProxyRefusedError) as error:
            self.connected.set_exception(error)
            self._transport.abort()
            return
        if more := self._client.data_to_send():
            self._transport.write(more)
        if connected is not None:
            protocol = self._factory()
            self._transport.set_protocol(protocol)
            self.connected.set_result(connected)
            protocol.connection_made(self._transport)
            if rest := self._client.rest():
                protocol.data_received(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.connected.done():
            self.connected.set_exception(_SilentCloseError(f"closed the connection: {exc or 'without a reply'}"))
        self.answered.set()

    def abort(self) -> None:
        self._transport.abort()


def _version(address: str) -> int:
    return 6 if ":" in address else 4


def _of_version(sources: Sequence[Source], version: int) -> list[Source]:
    return [source for source in sources if source.address is None or source.address.version == version]


def _named(source: Source) -> str:
    return f"{source.name} by " if source.name else ""


def _why(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
