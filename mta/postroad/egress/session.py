"""One connection to a mail host: octets between the socket and the state machine."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Protocol, cast

from postroad.smtp.client import ClientProtocol, Transaction
from postroad.smtp.events import (
    ClientEvent,
    SessionClosed,
    SessionReady,
    SessionRefused,
    TlsWanted,
    TransactionDone,
)
from postroad.smtp.replies import Reply
from postroad.spool.message import Delivery


@dataclass(slots=True)
class Peer:
    """The other end, for logs."""

    host: str
    address: str
    port: int
    source: str = ""


class SessionOwner(Protocol):
    """Who is told what happens on a session."""

    def session_ready(self, session: "EgressSession") -> None:
        """It can take a delivery: call `start`, or keep it for later."""

    def session_done(self, session: "EgressSession", delivery: Delivery, replies: tuple[Reply, ...]) -> None:
        """A delivery has its replies, one per recipient."""

    def session_over(self, session: "EgressSession", reply: Reply) -> None:
        """The connection is of no more use."""


class EgressSession(asyncio.Protocol):
    """The shell of a `ClientProtocol`.

    `opened` resolves once, when the session is ready (None) or has failed before that (the reply). TLS is
    opportunistic and not verified: it hides mail from those who only listen. (Named limit: no MTA-STS, no DANE yet.)
    """

    def __init__(self, owner: SessionOwner, peer: Peer, *, ehlo: str, tls: ssl.SSLContext | None) -> None:
        self._owner = owner
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._protocol = ClientProtocol(ehlo=ehlo, starttls=tls is not None)
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._delivery: Delivery | None = None
        self._over = False
        self._tls_task: asyncio.Task[None] | None = None
        self.peer = peer
        self.opened: asyncio.Future[Reply | None] = self._loop.create_future()
        self.tls_broken = False
        self.started = 0.0
        self.messages = 0
        """Transactions begun."""

    @property
    def usable(self) -> bool:
        """Whether another delivery may be started."""
        transport = self._transport
        return not self._over and self._protocol.ready and transport is not None and not transport.is_closing()

    @property
    def secured(self) -> bool:
        """Whether TLS protects it."""
        return self._protocol.secured

    @property
    def awaiting_dot(self) -> bool:
        """The message is sent and its reply isn't here: cutting now may make a duplicate."""
        return self._protocol.stage == "dot"

    @property
    def delivery(self) -> Delivery | None:
        """What is being delivered."""
        return self._delivery

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast(asyncio.Transport, transport)
        self._after()

    def data_received(self, data: bytes) -> None:
        """The server said something."""
        self._handle(self._protocol.receive(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._transport = None
        self._handle(self._protocol.connection_lost(f"connection lost ({exc})" if exc else "connection lost"))

    def start(self, delivery: Delivery, content: tuple[bytes, ...]) -> None:
        """Send a delivery's message."""
        message = delivery.message
        self._delivery = delivery
        self.messages += 1
        self.started = self._loop.time()
        self._handle(
            self._protocol.send(
                Transaction(
                    message.sender,
                    delivery.addresses,
                    content,
                    message.size,
                    message.eight_bit,
                    message.smtputf8,
                )
            )
        )

    def quit(self) -> None:
        """Say goodbye and close."""
        if self._over:
            return
        self._over = True
        if self._transport is not None and not self._transport.is_closing():
            self._protocol.quit()
            self._flush()
            # The answer to QUIT changes nothing; a close with unread data would send a reset, which is harmless too.
            self._transport.close()

    def abort(self, why: str) -> None:
        """Cut the connection; what is under way is deferred."""
        transport = self._transport
        self._handle(self._protocol.connection_lost(why))
        if transport is not None:
            transport.abort()

    def _handle(self, events: list[ClientEvent]) -> None:
        for event in events:
            match event:
                case SessionReady():
                    if not self.opened.done():
                        self.opened.set_result(None)
                    self._after()
                    self._owner.session_ready(self)
                case TransactionDone(replies):
                    delivery, self._delivery = self._delivery, None
                    assert delivery is not None
                    self._owner.session_done(self, delivery, replies)
                case TlsWanted():
                    self._tls_task = self._loop.create_task(self._start_tls())
                case SessionRefused(reply) | SessionClosed(reply):
                    self._end(reply)
        self._after()

    def _end(self, reply: Reply) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._deadline = None
        if not self.opened.done():
            self.opened.set_result(reply)
        if not self._over:
            self._over = True
            self._owner.session_over(self, reply)
        if self._transport is not None:
            self._transport.close()

    async def _start_tls(self) -> None:
        assert self._tls is not None
        assert self._transport is not None
        try:
            transport = await self._loop.start_tls(
                self._transport, self, self._tls, server_hostname=self.peer.host, ssl_handshake_timeout=30.0
            )
        except (OSError, ssl.SSLError, ConnectionError) as error:
            self.tls_broken = True
            self.abort(f"TLS handshake failed ({error})")
            return
        if transport is None:
            self.tls_broken = True
            self.abort("TLS handshake failed")
            return
        self._transport = transport
        self._protocol.tls_established()
        self._after()

    def _after(self) -> None:
        """Write what there is to write, and watch the clock (RFC 5321 4.5.3.2)."""
        self._flush()
        timeout = self._protocol.timeout
        if timeout is None or self._over:
            self._deadline = None
            return
        self._deadline = self._loop.time() + timeout
        # Moving a timer for every reply would cost more than looking twice; it is never late by more than a minute.
        if self._timer is not None and self._timer.when() > self._deadline + 60.0:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_later(timeout, self._look_at_clock)

    def _flush(self) -> None:
        if (data := self._protocol.data_to_send()) and self._transport is not None:
            self._transport.writelines(data)

    def _look_at_clock(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        wait = self._deadline - self._loop.time()
        if wait > 0:
            self._timer = self._loop.call_later(wait, self._look_at_clock)
        else:
            self.abort("timed out")
