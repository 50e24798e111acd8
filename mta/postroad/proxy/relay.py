"""The relay: two connections joined, octet for octet."""

import asyncio
from collections.abc import Callable
from typing import cast


class RelayEnd(asyncio.Protocol):
    """One end of a relayed session; what it receives goes to `other`.

    Half-close is kept: the end of one direction is passed on, the other direction stays open. A slow reader stops
    the reading at the other end, so that no more than the transports' buffers is ever held.
    """

    __slots__ = ("_count", "_eof", "_over", "other", "transport")

    def __init__(self, count: Callable[[int], None], over: "Callable[[RelayEnd], None]") -> None:
        self._count = count
        self._over = over
        self._eof = False
        self.transport: asyncio.Transport | None = None
        self.other: RelayEnd | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Pass octets on."""
        other = self.other
        if other is not None and other.transport is not None:
            self._count(len(data))
            other.transport.write(data)

    def eof_received(self) -> bool:
        """Pass the end of this direction on; the connection stays open while the other direction does."""
        self._eof = True
        other = self.other
        if other is None or other.transport is None or other._eof:
            return False
        if other.transport.can_write_eof():
            other.transport.write_eof()
        return True

    def connection_lost(self, _exc: Exception | None) -> None:
        """The connection is gone: so is the session."""
        self.transport = None
        other, self.other = self.other, None
        if other is not None and other.transport is not None:
            # What is buffered for it is still sent.
            other.transport.close()
        self._over(self)

    def pause_writing(self) -> None:
        """The peer here reads slowly: stop reading at the other end."""
        if self.other is not None and self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """The peer here has caught up."""
        if self.other is not None and self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.resume_reading()


def join(first: RelayEnd, second: RelayEnd) -> None:
    """Make one session of two ends."""
    first.other = second
    second.other = first
