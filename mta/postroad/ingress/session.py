"""One client's connection: octets between the socket and the state machine."""

import asyncio
from typing import TYPE_CHECKING, cast

from postroad.smtp.events import CommandRefused, MessageReceived, ServerEvent, SessionEnded
from postroad.smtp.server import ServerProtocol
from postroad.wire.proxy_protocol import HeaderError, parse_header

if TYPE_CHECKING:
    from postroad.ingress.listener import Listener

_BUFFER_LIMIT = 1 << 18
_HEADER_SECONDS = 10.0


class IngressSession(asyncio.Protocol):
    """The shell of a `ServerProtocol`; what is done with messages is the listener's."""

    __slots__ = ("_deadline", "_header", "_listener", "_paused", "_timer", "_transport", "peer", "protocol")

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._paused = False
        # What came of a load balancer's PROXY header so far; None once the client is known.
        self._header: bytes | None = None
        self.peer = ""
        self.protocol: ServerProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast(asyncio.Transport, transport)
        self.peer = str(transport.get_extra_info("peername")[0])
        refusal = self._listener.admit(self)
        if refusal is not None:
            self._transport.write(refusal)
            self._transport.close()
            return
        if self._listener.is_balancer(self.peer):
            self._header = b""
            self._deadline = self._listener.loop.time() + _HEADER_SECONDS
            self._timer = self._listener.loop.call_later(_HEADER_SECONDS, self._look_at_clock)
            return
        self._timer = self._listener.loop.call_later(self._listener.timeout, self._look_at_clock)
        self._begin(probe=False)

    def _begin(self, *, probe: bool) -> None:
        """Greet the client, whose address is known now."""
        self._touch()
        self.protocol = self._listener.new_protocol(self.peer, probe=probe)
        self._flush()

    def _take_header(self, data: bytes) -> bytes:
        """What the client sent after the load balancer's header; empty while that isn't whole."""
        self._header = (self._header or b"") + data
        try:
            parsed = parse_header(self._header)
        except HeaderError as error:
            self._listener.header_refused(self.peer, str(error))
            self.abort()
            return b""
        if parsed is None:
            return b""
        header, length = parsed
        rest, self._header = self._header[length:], None
        # Without an address the balancer speaks for itself: a probe.
        if header.source is not None:
            self.peer = str(header.source)
        self._begin(probe=header.source is None)
        return rest

    def data_received(self, data: bytes) -> None:
        """The client sent something."""
        if self._header is not None:
            data = self._take_header(data)
            if not data:
                return
        self._touch()
        self.handle(self.protocol.receive(data))
        if self.protocol.receiving and self.protocol.buffered > _BUFFER_LIMIT and not self._paused:
            self.pause_writing()

    def eof_received(self) -> bool:
        """The client has nothing more to say; a message that awaits its answer still gets it."""
        return self._header is None and self.protocol.receiving

    def connection_lost(self, _exc: Exception | None) -> None:
        """The connection is gone."""
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self._listener.forget(self)

    def pause_writing(self) -> None:
        """The client doesn't read its replies (or sends too far ahead): take no more commands from it."""
        if self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on reading."""
        if self._transport is not None and self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def handle(self, events: list[ServerEvent]) -> None:
        """Act on events and send what there is to send."""
        for event in events:
            match event:
                case MessageReceived():
                    self._listener.message_received(self, event)
                case CommandRefused():
                    self._listener.command_refused(self, event)
                case SessionEnded():
                    self._flush()
                    if self._transport is not None:
                        self._transport.close()
                    return
        self._flush()

    def accept(self, queue_id: str) -> None:
        """Tell the client that its message is on disk."""
        if self._transport is not None:
            self._touch()
            self.handle(self.protocol.accept(queue_id))
            self.resume_writing()

    def refuse(self, reply: bytes) -> None:
        """Tell the client that its message isn't taken."""
        if self._transport is not None:
            self._touch()
            self.handle(self.protocol.refuse(reply))
            self.resume_writing()

    def drain(self) -> None:
        """Say 421, now or after the message that is on its way."""
        if self._header is not None:
            self.abort()
            return
        self.handle(self.protocol.drain())

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        if self._transport is not None and (data := self.protocol.data_to_send()):
            self._transport.write(data)

    def _touch(self) -> None:
        self._deadline = self._listener.loop.time() + self._listener.timeout

    def _look_at_clock(self) -> None:
        wait = self._deadline - self._listener.loop.time()
        if wait <= 0 and self._header is not None:
            self._listener.header_refused(self.peer, "no PROXY header in time")
            self.abort()
            return
        if wait <= 0:
            self.handle(self.protocol.timeout())
            return
        self._timer = self._listener.loop.call_later(wait, self._look_at_clock)
