"""One connection to a mail host: octets between the socket and the state machine."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from postroad.smtp.client import ClientProtocol
from postroad.smtp.events import (
    ClientEvent,
    NextWanted,
    SessionClosed,
    SessionReady,
    SessionRefused,
    TlsWanted,
    TransactionDone,
    TransactionNotBegun,
)
from postroad.smtp.replies import Reply
from postroad.smtp.transaction import Transaction
from postroad.spool.message import Delivery


@dataclass(slots=True)
class Peer:
    """The other end, for logs."""

    host: str
    address: str
    port: int
    source: str = ""


Load = tuple[Delivery, ...]
"""Deliveries of one message that go in one transaction."""
_BLOCK = 64 << 10
_BLOCK_TIMEOUT = 180.0
"""Seconds in which a peer must take another `_BLOCK` octets of a message (RFC 5321 4.5.3.2.5)."""


class SessionOwner(Protocol):
    """Who is told what happens on a session."""

    def session_wants_next(self, session: "EgressSession") -> None:
        """A message's content is about to go: a load that is started now goes in the same flight."""

    def session_done(self, session: "EgressSession", load: Load, replies: tuple[Reply, ...]) -> None:
        """A load has its replies, one per recipient."""

    def session_not_begun(self, session: "EgressSession", load: Load) -> None:
        """The host never looked at a load; `session_over` follows."""

    def session_over(self, session: "EgressSession", reply: Reply) -> None:
        """The connection is of no more use."""


class EgressSession(asyncio.Protocol):
    """The shell of a `ClientProtocol`.

    `opened` resolves once, when the session is ready (None) or has failed before that (the reply). TLS is
    opportunistic and not verified: it hides mail from those who only listen. (Named limit: no MTA-STS, no DANE yet.)

    Args:
        overlap, chunk_limit: as `ClientProtocol` has them.
        chunking: whether BDAT may be used from the first message on.
    """

    def __init__(
        self,
        owner: SessionOwner,
        peer: Peer,
        *,
        ehlo: str,
        tls: ssl.SSLContext | None,
        overlap: bool = True,
        chunk_limit: int = 0,
        chunking: bool = False,
    ) -> None:
        self._owner = owner
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._protocol = ClientProtocol(ehlo=ehlo, starttls=tls is not None, overlap=overlap, chunk_limit=chunk_limit)
        self._protocol.chunking = chunking
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._replies = 0
        self._unsent = 0
        self._over = self._leaving = self._forsaken = False
        self._tls_task: asyncio.Task[None] | None = None
        self.peer = peer
        self.opened: asyncio.Future[Reply | None] = self._loop.create_future()
        self.tls_broken = False
        self.loads: dict[Load, float] = {}
        """What is being delivered, at most two, with the loop's time at which each was begun."""
        self.started = 0.0
        """When the load that ended last was begun."""
        self.ended_content: Sequence[bytes] = ()
        """Its message, as it was sent."""
        self.fetching = False
        """Its next load is being read from disk; to be set by the owner."""
        self.last_progress = self._loop.time()
        """When the host last answered, or was last asked something."""
        self.messages = 0
        """Transactions begun."""

    @property
    def usable(self) -> bool:
        """Whether another load may be started."""
        transport = self._transport
        return not self._over and self._protocol.ready and transport is not None and not transport.is_closing()

    @property
    def protocol(self) -> ClientProtocol:
        """What was learnt of the host on this connection."""
        return self._protocol

    @property
    def secured(self) -> bool:
        """Whether TLS protects it."""
        return self._protocol.secured

    @property
    def awaiting_dot(self) -> bool:
        """A message is sent and its reply isn't here: cutting now may make a duplicate."""
        return self._protocol.body_sent

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

    def start(self, load: Load, content: tuple[bytes, ...]) -> None:
        """Send the message of a load."""
        self.messages += 1
        self.loads[load] = self._loop.time()
        self._handle(self._protocol.send(_transaction(load, content)))

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

    def give_up(self, why: str) -> None:
        """Cut the connection; a message that isn't sent is not begun."""
        transport = self._transport
        self._handle(self._protocol.give_up(why))
        if transport is not None:
            transport.abort()

    def forsake(self) -> None:
        """Cut the connection and tell nobody: the owner has given it up."""
        self._over = self._forsaken = True
        self._deadline = None
        self.loads.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()

    def leave(self) -> None:
        """Cut the connection when the reply to the message that is sent is here."""
        self._leaving = True

    def _handle(self, events: list[ClientEvent]) -> None:
        if self._forsaken:
            return
        for event in events:
            match event:
                case SessionReady():
                    if not self.opened.done():
                        self.opened.set_result(None)
                case NextWanted():
                    self._owner.session_wants_next(self)
                case TransactionDone(transaction, replies):
                    load = cast(Load, transaction.about)
                    self.started = self.loads.pop(load)
                    self.ended_content = transaction.content
                    self._owner.session_done(self, load, replies)
                case TransactionNotBegun(transaction):
                    load = cast(Load, transaction.about)
                    del self.loads[load]
                    self._owner.session_not_begun(self, load)
                case TlsWanted():
                    self._tls_task = self._loop.create_task(self._start_tls())
                case SessionRefused(reply) | SessionClosed(reply):
                    self._end(reply)
        if self._leaving and events and not self._over and not self._protocol.body_sent:
            self.give_up("shutting down")
            return
        self._after()

    def _end(self, reply: Reply) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._deadline = None
        if not self.opened.done():
            # A host whose TLS breaks right behind the handshake is no better than one that fails in it.
            self.tls_broken = self.tls_broken or (self.secured and reply.local)
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
        protocol = self._protocol
        wrote = self._flush()
        timeout = protocol.timeout
        if timeout is None or self._over:
            self._deadline = None
            return
        if not wrote and protocol.replies == self._replies and self._deadline is not None:
            return  # part of a reply is no progress: who sends an octet a minute has no longer than who sends none
        self._replies = protocol.replies
        self.last_progress = now = self._loop.time()
        self._deadline = now + timeout
        self._unsent = 1 << 62
        # Moving a timer for every reply would cost more than looking twice; it is late by a minute at most.
        if self._timer is not None and self._timer.when() > self._deadline + min(timeout, 60.0):
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_later(timeout, self._look_at_clock)

    def _flush(self) -> bool:
        if (data := self._protocol.data_to_send()) and self._transport is not None:
            self._transport.writelines(data)
            return True
        return False

    def _look_at_clock(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        now = self._loop.time()
        if now >= self._deadline:
            if not self._still_taking():
                self.abort("timed out")
                return
            self._deadline = now + _BLOCK_TIMEOUT
        self._timer = self._loop.call_later(self._deadline - now, self._look_at_clock)

    def _still_taking(self) -> bool:
        """Whether the host is slow to take a message, but takes it."""
        unsent = self._transport.get_write_buffer_size() if self._transport is not None else 0
        taking = 0 < unsent <= self._unsent - _BLOCK
        self._unsent = unsent
        if taking:
            self.last_progress = self._loop.time()
        return taking


def _transaction(load: Load, content: tuple[bytes, ...]) -> Transaction:
    message = load[0].message
    indexes = load[0].recipients if len(load) == 1 else [index for delivery in load for index in delivery.recipients]
    recipients = message.recipients
    return Transaction(
        message.sender,
        [recipients[index] for index in indexes],
        content,
        message.size,
        message.eight_bit,
        message.smtputf8,
        message.dsn.of(indexes) if message.dsn is not None else None,
        load,
    )
