"""Reception: from a received message to one on disk and in the queue."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from postroad.content.dkim import DkimKey
from postroad.content.headers import MAX_HOPS, DateStamp, HeaderFacts, from_domain, inspect, received_field
from postroad.metrics import MtaMetrics
from postroad.smtp.content import dot_unstuff
from postroad.smtp.events import CommandRefused, MessageReceived
from postroad.smtp.server import ServerProtocol
from postroad.spool.errors import SpoolError, SpoolFullError
from postroad.spool.log import Spool
from postroad.spool.message import Delivery, Message, group_recipients


class Submitter(Protocol):
    """A session that waits for an answer."""

    peer: str
    protocol: ServerProtocol

    def accept(self, queue_id: str) -> None:
        """Answer 250."""

    def refuse(self, reply: bytes) -> None:
        """Answer something else."""


class Reception:
    """Adds what a submission server adds, stores, and only then accepts.

    Whoever `relay_from` lists is trusted with every sender address, and a message is signed for the domain of its
    From if there is a key for it. (Named limit: there are no tenants yet.)

    Args:
        submit: takes a message that is on disk.
    """

    def __init__(
        self,
        spool: Spool,
        submit: Callable[[Message], None],
        *,
        keys: Mapping[bytes, Sequence[DkimKey]],
        metrics: MtaMetrics,
        log: Any,
    ) -> None:
        self._spool = spool
        self._submit = submit
        self._keys = keys
        self._metrics = metrics
        self._log = log
        self._date = DateStamp()
        self._loop = asyncio.get_running_loop()

    def receive(self, session: Submitter, event: MessageReceived, hostname: str) -> None:
        """Take a message; the session gets its answer once the message is durable, or at once if it is refused."""
        began = self._loop.time()
        content = event.content
        facts = inspect(content)
        if facts.hops > MAX_HOPS:
            self._refuse(session, "loop", b"554 5.4.6 too many hops: the message is in a loop")
            return
        message = self._message(event, session, facts, hostname)

        def stored(error: SpoolError | None) -> None:
            if error is None:
                self._stored(session, message, began)
            elif isinstance(error, SpoolFullError):
                self._refuse(session, "full", b"452 4.3.1 no room to store the message, try again later")
            else:
                self._refuse(session, "spool", b"451 4.3.0 the message could not be stored, try again later")

        self._spool.append(message, stored)

    def command_refused(self, session: Submitter, event: CommandRefused) -> None:
        """Note that a command got a 4yz or 5yz."""
        self._metrics.refused_commands.labels(event.reply[:1] + "yz").inc()
        if event.verb != "DATA":
            self._log.info("rejection", peer=session.peer, verb=event.verb, reply=event.reply)

    def header_refused(self, peer: str, reason: str) -> None:
        """Note that a load balancer's connection was closed for want of a PROXY header."""
        self._log.warning("proxy_header", peer=peer, reason=reason)

    def _message(self, event: MessageReceived, session: Submitter, facts: HeaderFacts, hostname: str) -> Message:
        now = time.time()
        envelope = event.envelope
        id = self._spool.next_id()
        queue_id = f"{id:x}"
        pieces = self._added_fields(event.content, facts, queue_id, hostname, now)
        recipients = envelope.recipients
        protocol = session.protocol
        pieces.insert(
            0,
            received_field(
                helo=protocol.helo,
                peer=session.peer,
                hostname=hostname,
                protocol="ESMTP" if protocol.extended else "SMTP",
                queue_id=queue_id,
                recipient=recipients[0] if len(recipients) == 1 else None,
                date=self._date(now),
            ),
        )
        prefix = b"".join(pieces)
        message = Message(
            id,
            now,
            envelope.sender,
            recipients,
            len(prefix) + len(event.content),
            envelope.eight_bit,
            envelope.smtputf8,
            content=(prefix, event.content),
            dsn=envelope.dsn,
        )
        message.deliveries = [
            Delivery(message, domain, indexes, due=now) for domain, indexes in group_recipients(recipients)
        ]
        return message

    def _added_fields(
        self, content: bytes, facts: HeaderFacts, queue_id: str, hostname: str, now: float
    ) -> list[bytes]:
        """Fields that a submission server adds where they are missing (RFC 6409 8.2, 8.3), and signatures."""
        added: list[bytes] = []
        if not facts.has_message_id:
            added.append(b"Message-ID: <%s@%s>\r\n" % (queue_id.encode(), hostname.encode()))
        if not facts.has_date:
            added.append(b"Date: %s\r\n" % self._date(now))
        if not facts.begins_with_field and not content.startswith(b"\r\n"):
            added.append(b"\r\n")  # a message without a header: what came is all body
        if self._keys:
            whole = b"".join((*added, dot_unstuff(content)))
            domain = from_domain(whole)
            for key in self._keys.get(domain, ()) if domain else ():
                added.insert(0, key.sign(whole, now=now))
        return added

    def _stored(self, session: Submitter, message: Message, began: float) -> None:
        session.accept(message.queue_id)
        self._metrics.received.inc()
        self._metrics.received_octets.inc(message.size)
        self._metrics.commit_seconds.observe(self._loop.time() - began)
        self._log.info(
            "reception",
            queue_id=message.queue_id,
            peer=session.peer,
            sender=message.sender.decode("utf-8", "replace"),
            recipients=[recipient.decode("utf-8", "replace") for recipient in message.recipients],
            size=message.size,
        )
        self._submit(message)

    def _refuse(self, session: Submitter, reason: str, reply: bytes) -> None:
        self._metrics.refused.labels(reason).inc()
        self._log.warning("refusal", peer=session.peer, reason=reason, reply=reply.decode())
        session.refuse(reply)
