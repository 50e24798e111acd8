"""One client's connection: octets between the socket and the state machine."""

import asyncio
import ssl
from typing import TYPE_CHECKING, cast

from postroad.ingress.tls import TlsChannel, TlsError
from postroad.smtp.events import AuthAttempt, CommandRefused, MessageReceived, ServerEvent, SessionEnded, TlsBegins
from postroad.smtp.server import ServerProtocol
from postroad.tenants.tenant import Tenant
from postroad.wire.proxy_protocol import HeaderError, parse_header

if TYPE_CHECKING:
    from postroad.ingress.listener import Listener

_BUFFER_LIMIT = 1 << 18
_HEADER_SECONDS = 10.0
_HANDSHAKE_SECONDS = 30.0
_LINGER_SECONDS = 10.0
"""For a client to read the last words."""


class IngressSession(asyncio.Protocol):
    """The shell of a `ServerProtocol`; what is done with messages is the listener's."""

    __slots__ = (
        "_ahead",
        "_commands",
        "_content_since",
        "_deadline",
        "_header",
        "_listener",
        "_stalled",
        "_tls",
        "_transport",
        "client",
        "peer",
        "protocol",
    )

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._deadline = 0.0
        self._commands = 0
        # When the message that is coming began; 0 while none is.
        self._content_since = 0.0
        # Why nothing is read: the client doesn't read its replies; it sends too far ahead of an answer.
        self._stalled = self._ahead = False
        self._tls: TlsChannel | None = None
        # What came of a load balancer's PROXY header so far; None once the client is known.
        self._header: bytes | None = None
        self.peer = ""
        self.client = ""
        """What its sessions are counted by; empty before they are."""
        self.protocol: ServerProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast(asyncio.Transport, transport)
        self.peer = str(transport.get_extra_info("peername")[0])
        refusal = self._listener.admit(self)
        if refusal is not None:
            self._turn_away(refusal)
            return
        if self._listener.is_balancer(self.peer):
            self._header = b""
            self._deadline = self._listener.loop.time() + _HEADER_SECONDS
            return
        self._begin(probe=False)

    def _begin(self, *, probe: bool) -> None:
        """Greet the client, whose address is known now."""
        self.protocol = self._listener.new_protocol(self.peer, probe=probe)
        # A balancer probes for all its clients.
        refusal = None if probe else self._listener.admit_client(self)
        if refusal is not None:
            self._turn_away(refusal)
            return
        if self._listener.implicit_tls is not None:
            self._begin_tls(self._listener.implicit_tls)
        else:
            self._touch()
        self._flush()

    def _begin_tls(self, context: ssl.SSLContext) -> None:
        self._tls = TlsChannel(context)
        self._deadline = self._listener.loop.time() + _HANDSHAKE_SECONDS

    def _turn_away(self, refusal: bytes) -> None:
        """Say why, where the client can read it, and close."""
        if self._transport is not None:
            if self._listener.implicit_tls is None:
                self._transport.write(refusal)
            self._close_transport()

    def _close_transport(self) -> None:
        if self._transport is not None:
            self._deadline = self._listener.loop.time() + _LINGER_SECONDS
            self._transport.close()

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
        return rest if self._transport is not None and not self._transport.is_closing() else b""

    def data_received(self, data: bytes) -> None:
        """The client sent something."""
        if self._header is not None:
            data = self._take_header(data)
            if not data:
                return
        if self._tls is not None:
            data = self._decrypt(self._tls, data)
            if not data:
                return
        protocol = self.protocol
        if events := protocol.receive(data):
            self.handle(events)
        else:
            self._flush()
        self._look_at_progress()
        if protocol.awaits_answer and protocol.buffered > _BUFFER_LIMIT:
            self._ahead = True
            self._look_at_reading()

    def _decrypt(self, tls: TlsChannel, data: bytes) -> bytes:
        """What the client said under TLS; empty while there is nothing whole."""
        began = tls.established
        try:
            said = tls.receive(data)
        except TlsError as error:
            if self._transport is not None:
                self._transport.write(tls.data_to_send())
            self._close_transport()
            if not began:
                self._listener.tls_failed(self.peer, str(error))
            return b""
        if tls.established and not began:
            self._touch()
            if not self.protocol.secured:
                self.handle(self.protocol.tls_established())
        self._flush()
        if tls.closed and not said:
            self._close_transport()
        return said

    def eof_received(self) -> bool:
        """The client has nothing more to say; a message that awaits its answer still gets it."""
        return self._header is None and self._tls is None and self.protocol.receiving

    def connection_lost(self, _exc: Exception | None) -> None:
        """The connection is gone."""
        self._transport = None
        if self._header is None and hasattr(self, "protocol"):
            self.protocol.closed()
        self._listener.forget(self)

    def pause_writing(self) -> None:
        """The client doesn't read its replies: take no more commands from it."""
        self._stalled = True
        self._look_at_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._stalled = False
        self._look_at_reading()

    def _look_at_reading(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._stalled or self._ahead:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def handle(self, events: list[ServerEvent]) -> None:
        """Act on events and send what there is to send."""
        for event in events:
            match event:
                case MessageReceived():
                    self._listener.message_received(self, event)
                case CommandRefused():
                    self._listener.command_refused(self, event)
                case AuthAttempt():
                    self._listener.authenticate(self, event.credentials)
                case TlsBegins():
                    self._flush()
                    assert self._listener.starttls is not None
                    self._begin_tls(self._listener.starttls)
                case SessionEnded():
                    self._close()
                    return
        self._flush()

    def _close(self) -> None:
        self._flush()
        if self._transport is None:
            return
        if self._tls is not None:
            self._tls.close()
            self._transport.write(self._tls.data_to_send())
        self._close_transport()

    def accept(self, queue_id: str) -> None:
        """Tell the client that its message is on disk."""
        if self._transport is not None:
            self._go_on(self.protocol.accept(queue_id))

    def refuse(self, reply: bytes) -> None:
        """Tell the client that its message isn't taken."""
        if self._transport is not None:
            self._go_on(self.protocol.refuse(reply))

    def auth_done(self, identity: str, answer: Tenant | bytes) -> None:
        """Tell the client whether it is who it says: the tenant whose mail it sends, or a reply that refuses it."""
        if self._transport is None:
            return
        if isinstance(answer, Tenant):
            self._go_on(self.protocol.authenticated(identity, answer))
        else:
            self._go_on(self.protocol.auth_refused(answer))

    def _go_on(self, events: list[ServerEvent]) -> None:
        self._touch()
        self.handle(events)
        if self._ahead and not (self.protocol.awaits_answer and self.protocol.buffered > _BUFFER_LIMIT):
            self._ahead = False
            self._look_at_reading()

    def drain(self) -> None:
        """Say 421, now or after the message that is on its way."""
        if self._header is not None:
            self.abort()
            return
        self.handle(self.protocol.drain())
        if self._tls is not None and not self._tls.established:
            self.abort()

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        tls, transport = self._tls, self._transport
        if transport is None:
            return
        if tls is None:
            if data := self.protocol.data_to_send():
                transport.write(data)
            return
        if tls.established and (data := self.protocol.data_to_send()):
            tls.send(data)
        if data := tls.data_to_send():
            transport.write(data)

    def _touch(self) -> None:
        self._deadline = self._listener.loop.time() + self._listener.timeout

    def _look_at_progress(self) -> None:
        """Whole commands, and octets of a message, are progress; octets of a command alone are none."""
        protocol = self.protocol
        in_content = protocol.in_content
        if in_content or protocol.commands != self._commands:
            self._commands = protocol.commands
            self._touch()
        if not in_content and not protocol.content_octets:
            self._content_since = 0.0
        elif not self._content_since:
            self._content_since = self._listener.loop.time()

    def look_at_clock(self, now: float) -> None:
        """End what takes too long."""
        transport = self._transport
        if transport is None or transport.is_closing():
            if now >= self._deadline:
                self.abort()
            return
        if now >= self._deadline:
            if self._header is not None:
                self._listener.header_refused(self.peer, "no PROXY header in time")
                self.abort()
            elif self._tls is not None and not self._tls.established:
                self._listener.tls_failed(self.peer, "no handshake in time")
                self.abort()
            elif not self.protocol.awaits_answer:
                self.handle(self.protocol.timeout())
        elif self._content_since and not self.protocol.awaits_answer:
            taken = now - self._content_since
            slow = self.protocol.content_octets < taken * self._listener.min_rate
            if taken >= self._listener.message_timeout and slow:
                self.handle(self.protocol.timeout())
