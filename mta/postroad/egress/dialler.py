"""Dialling: a TCP connection to a mail host, directly or through an outbound proxy."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from postroad.settings.units import Endpoint
from postroad.wire.socks5 import Connected, IpAddress, ProxyRefusedError, SocksClient, SocksError

Factory = Callable[[], asyncio.Protocol]


class DialError(Exception):
    """The mail host can't be reached; another may."""


class ProxyError(Exception):
    """No proxy can be used: a fault on this side, that says nothing of the mail host."""


class Dialler(Protocol):
    """Opens connections to mail hosts."""

    async def dial(self, address: str, port: int, factory: Factory) -> str:
        """Connect, give the connection to the factory's protocol, and return the source address.

        Raises:
            DialError: the host can't be reached.
            ProxyError: no proxy can be used.
        """


class DirectDialler:
    """Connects from this host."""

    def __init__(self, *, source: IpAddress | None, timeout: float) -> None:
        self._source = (str(source), 0) if source is not None else None
        self._timeout = timeout

    async def dial(self, address: str, port: int, factory: Factory) -> str:
        """Connect directly."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                transport, _ = await loop.create_connection(factory, address, port, local_addr=self._source)
        except TimeoutError:
            raise DialError(f"connect to {address}:{port} timed out") from None
        except OSError as error:
            raise DialError(f"connect to {address}:{port}: {_why(error)}") from None
        name = transport.get_extra_info("sockname")
        return str(name[0]) if name else ""


class ProxyDialler:
    """Connects through the first proxy that works, starting with another one each time.

    A proxy that fails is asked last for `penalty` seconds. Handshakes go in one segment; a proxy that closes
    without a word to that is spoken to turn by turn from then on.

    Args:
        source: the address that the proxy is to bind.
        proxy_timeout: seconds for TCP to the proxy and for its first octet.
        timeout: seconds for the rest of the handshake, the destination's connection included.
    """

    def __init__(
        self,
        proxies: Sequence[Endpoint],
        *,
        source: IpAddress | None,
        proxy_timeout: float,
        timeout: float,
        penalty: float = 10.0,
    ) -> None:
        self._proxies = list(proxies)
        self._source = source
        self._proxy_timeout = proxy_timeout
        self._timeout = timeout
        self._penalty = penalty
        self._failed: dict[Endpoint, float] = {}
        self._turn_by_turn: set[Endpoint] = set()
        self._turn = 0

    async def dial(self, address: str, port: int, factory: Factory) -> str:
        """Connect through a proxy."""
        loop = asyncio.get_running_loop()
        problems = []
        for proxy in self._order(loop.time()):
            try:
                source = await self._through(proxy, address, port, factory)
            except ProxyRefusedError as error:
                if error.at_connect:
                    raise DialError(f"connect to {address}:{port} through {proxy}: {error}") from None
                problems.append(f"{proxy}: {error}")
            except (OSError, SocksError, TimeoutError) as error:
                problems.append(f"{proxy}: {_why(error)}")
            else:
                self._failed.pop(proxy, None)
                return source
            self._failed[proxy] = loop.time() + self._penalty
        raise ProxyError("; ".join(problems))

    def _order(self, now: float) -> list[Endpoint]:
        self._turn += 1
        start = self._turn % len(self._proxies)
        rotated = self._proxies[start:] + self._proxies[:start]
        return sorted(rotated, key=lambda proxy: self._failed.get(proxy, 0.0) > now)

    async def _through(self, proxy: Endpoint, address: str, port: int, factory: Factory) -> str:
        at_once = proxy not in self._turn_by_turn
        try:
            return await self._handshake(proxy, address, port, factory, at_once)
        except _SilentCloseError:
            if not at_once:
                raise SocksError("closed the connection during the handshake") from None
            source = await self._handshake(proxy, address, port, factory, False)
            self._turn_by_turn.add(proxy)
            return source

    async def _handshake(self, proxy: Endpoint, address: str, port: int, factory: Factory, at_once: bool) -> str:
        loop = asyncio.get_running_loop()
        client = SocksClient(source=self._source, destination=ipaddress.ip_address(address), port=port, at_once=at_once)
        try:
            async with asyncio.timeout(self._proxy_timeout):
                _, handshake = await loop.create_connection(
                    lambda: _Handshake(client, factory), proxy.host, proxy.port, family=socket.AF_UNSPEC
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

    def __init__(self, client: SocksClient, factory: Factory) -> None:
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


def _why(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
