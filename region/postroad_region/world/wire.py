"""A TCP connection as a coroutine sees it: read what came, write, upgrade to TLS, close or cut."""

import asyncio
import contextlib
import os
import socket
import ssl
import struct
from typing import Any, cast

_UNREAD_LIMIT = 1_048_576
_HANDSHAKE_SECONDS = 15.0
# handshake_failure, fatal (RFC 8446 6): what a server says whose TLS is broken.
_ALERT = bytes.fromhex("15030300020228")
_RESET = struct.pack("ii", 1, 0)


class Wire(asyncio.Protocol):
    """See the module; thinner than asyncio's streams, and what it upgrades to TLS keeps its flow control.

    Args:
        idle: seconds without a word from the other side after which `read` raises TimeoutError.
    """

    def __init__(self, idle: float) -> None:
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._drained = asyncio.Event()
        self._drained.set()
        self._paused = False
        self._ended = False
        self._heard = self._loop.time()
        self._watch: asyncio.TimerHandle | None = None
        self.peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if peer else ""

    def data_received(self, octets: bytes) -> None:
        """Octets came."""
        self._unread += octets
        self._heard = self._loop.time()
        if len(self._unread) > _UNREAD_LIMIT and self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """The other side sends nothing more; SMTP has no use for half a connection."""
        self._ended = True
        self._wake()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        self._ended = True
        self._drained.set()
        self._wake()

    def pause_writing(self) -> None:
        """The other side reads slower than we write."""
        self._drained.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._drained.set()

    async def read(self) -> bytes:
        """What came since; empty when nothing more will come.

        Raises:
            TimeoutError: nothing came for too long.
        """
        while not self._unread and not self._ended:
            if self._loop.time() - self._heard >= self._idle:
                raise TimeoutError
            self._waiter = self._loop.create_future()
            if self._watch is None:
                self._watch_from(self._heard)
            try:
                await self._waiter
            finally:
                self._waiter = None
        octets = bytes(self._unread)
        self._unread.clear()
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return octets

    async def write(self, octets: bytes) -> None:
        """Send octets, as fast as the other side takes them.

        Raises:
            TimeoutError: it takes none for too long.
        """
        if octets and self._transport is not None and not self._ended:
            self._transport.write(octets)
            if not self._drained.is_set():
                async with asyncio.timeout(self._idle):
                    await self._drained.wait()

    async def secure(self, context: ssl.SSLContext) -> None:
        """Do the server's side of a TLS handshake; what was sent in clear after STARTTLS is thrown away.

        Raises:
            OSError: it failed.
        """
        assert self._transport is not None
        self._unread.clear()
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        try:
            secured = await self._loop.start_tls(
                self._transport, self, context, server_side=True, ssl_handshake_timeout=_HANDSHAKE_SECONDS
            )
        except (ssl.SSLError, ConnectionError, TimeoutError) as error:
            raise ConnectionError(f"TLS handshake: {error}") from error
        if secured is None:
            raise ConnectionError("TLS handshake: the client is gone")
        self._transport = secured
        self.heard()

    async def fail_handshake(self) -> None:
        """Answer a ClientHello with an alert."""
        await self.read()
        await self.write(_ALERT)
        self.close()

    def heard(self) -> None:
        """Begin to count the idle time anew: what passed was ours."""
        self._heard = self._loop.time()

    def close(self) -> None:
        """Send what is to be sent, and end."""
        self._unwatch()
        if self._transport is not None:
            self._transport.close()

    def cut(self) -> None:
        """End at once with a reset, as a host does that dies."""
        self._unwatch()
        if self._transport is not None:
            raw: Any = self._transport.get_extra_info("socket")
            # uvloop's socket objects set no options; the option belongs to the socket, whoever's descriptor sets it.
            with contextlib.suppress(OSError, ValueError), socket.socket(fileno=os.dup(raw.fileno())) as same:
                same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _watch_from(self, moment: float) -> None:
        # One timer a connection that looks again, instead of one a read.
        self._watch = self._loop.call_at(moment + self._idle + 0.01, self._look)

    def _look(self) -> None:
        self._watch = None
        if self._loop.time() - self._heard >= self._idle:
            self._wake()
        elif not self._ended:
            self._watch_from(self._heard)

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
