"""One client's session: handshake, rules, connection, relay."""

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, cast

from postroad.proxy.handshake import Event, Handshake, HandshakeRefused, PathRequested
from postroad.proxy.outbound import bound_socket, connect, open_socket, tune
from postroad.proxy.relay import RelayEnd, join
from postroad.wire.socks5 import BindRequested, ConnectRequested, IpAddress, SocksReply, reply_of

if TYPE_CHECKING:
    from postroad.proxy.service import ProxyService

_MAX_EARLY = 1 << 16
"""Octets that a client may send before the destination is connected."""


class ProxySession(asyncio.Protocol):
    """The shell of a `Handshake`; afterwards it hands its transport to a `RelayEnd`."""

    def __init__(self, service: "ProxyService") -> None:
        self._service = service
        self._handshake = Handshake()
        self._transport: asyncio.Transport | None = None
        self._outbound: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._early: list[bytes] = []
        self._early_size = 0
        self._early_eof = False
        self._client = ""
        self._relaying = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._client = str(transport.get_extra_info("peername")[0]).partition("%")[0]
        service = self._service
        reason = service.admit(self, ipaddress.ip_address(self._client))
        if reason is not None:
            self._transport.abort()
            return
        tune(transport.get_extra_info("socket"))
        self._timer = service.loop.call_later(service.handshake_timeout, self._too_slow)

    def data_received(self, data: bytes) -> None:
        """The client sent something."""
        if self._task is not None:
            # pause_reading doesn't take effect at once everywhere: keep what comes, up to a bound.
            self._early.append(data)
            self._early_size += len(data)
            if self._early_size > _MAX_EARLY and self._transport is not None:
                self._transport.pause_reading()
            return
        self._act(self._handshake.receive(data))

    def eof_received(self) -> bool:
        """The client has nothing more to say; that is passed on once there is someone to pass it to."""
        self._early_eof = True
        return self._task is not None

    def connection_lost(self, _exc: Exception | None) -> None:
        """The client is gone before the relay began."""
        self._transport = None
        self._stop_clock()
        if self._task is not None:
            self._task.cancel()
        elif self._outbound is not None:
            self._outbound.close()
        if not self._relaying:
            self._service.forget(self)

    def _act(self, event: Event | None) -> None:
        while True:
            match event:
                case None:
                    self._flush()
                    return
                case BindRequested(source):
                    if not self._bind(source):
                        return
                    event = self._handshake.bound(source, 0)
                case ConnectRequested(destination, port):
                    self._start(destination, port)
                    return
                case PathRequested(source, destination, port):
                    if self._bind_path(source, destination):
                        self._start(destination, port)
                    return
                case HandshakeRefused(reason):
                    self._service.refused("handshake", self._client, reason)
                    self._close()
                    return

    def _bind(self, source: IpAddress) -> bool:
        """Bind the source if the rules allow it; on False the session is over."""
        reason = self._service.rules.refuse_source(source)
        if reason is not None:
            self._refuse("source", reason)
            return False
        try:
            self._outbound = bound_socket(source)
        except OSError as error:
            self._fail("bind", f"{source}: {error.strerror}", reply_of(error))
            return False
        return True

    def _bind_path(self, source: IpAddress | None, destination: IpAddress) -> bool:
        if source is None:
            return True
        if source.version != destination.version:
            self._refuse("handshake", "source and destination of different families")
            return False
        return self._bind(source)

    def _start(self, destination: IpAddress, port: int) -> None:
        reason = self._service.rules.refuse_destination(destination, port)
        if reason is not None:
            self._refuse("destination", reason)
            return
        self._flush()
        self._stop_clock()
        if rest := self._handshake.rest():
            self._early.append(rest)
        if self._outbound is None:
            self._outbound = open_socket(destination)
        self._task = self._service.loop.create_task(self._connect(self._outbound, destination, port))

    async def _connect(self, outbound: socket.socket, destination: IpAddress, port: int) -> None:
        try:
            address, local_port = await connect(outbound, destination, port, self._service.connect_timeout)
        except OSError as error:
            outbound.close()
            self._fail("connect", f"{destination}:{port}: {error.strerror or 'timed out'}", reply_of(error))
            return
        except asyncio.CancelledError:
            outbound.close()
            raise
        if self._transport is None:
            outbound.close()
            return
        # The reply goes first: the destination's banner may come as soon as its transport exists.
        self._handshake.connected(address, local_port)
        self._flush()
        near, far = self._service.new_end(to_client=False), self._service.new_end(to_client=True)
        near.connection_made(self._transport)
        join(near, far)
        await self._service.loop.create_connection(lambda: far, sock=outbound)
        self._relay(near, far)

    def _relay(self, near: RelayEnd, far: RelayEnd) -> None:
        """Both connections stand: from here on the ends of the relay are in charge."""
        transport = self._transport
        if transport is None or transport.is_closing() or far.transport is None:
            for gone in (transport, far.transport):
                if gone is not None:
                    gone.close()
            return
        self._relaying = True
        self._service.relaying(self, near, self._handshake.protocol)
        transport.set_protocol(near)
        transport.resume_reading()
        for data in self._early:
            near.data_received(data)
        if self._early_eof:
            near.eof_received()

    def _refuse(self, what: str, reason: str) -> None:
        self._service.refused(what, self._client, reason)
        self._handshake.fail(SocksReply.NOT_ALLOWED)
        self._close()

    def _fail(self, step: str, reason: str, reply: SocksReply) -> None:
        self._service.failed(step, self._client, reason)
        self._handshake.fail(reply)
        self._close()

    def _too_slow(self) -> None:
        self._service.refused("handshake", self._client, "the handshake took too long")
        if self._transport is not None:
            self._transport.abort()

    def _stop_clock(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush(self) -> None:
        if self._transport is not None and (data := self._handshake.data_to_send()):
            self._transport.write(data)

    def _close(self) -> None:
        self._flush()
        if self._transport is not None:
            self._transport.close()
