"""Reception: from a received message to one on disk and in the queue."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from postroad.content.authors import AuthorsError, author_domains
from postroad.content.dkim import Canonical, Unsigned
from postroad.content.headers import (
    MAX_HOPS,
    CampaignError,
    DateStamp,
    HeaderFacts,
    campaign_of,
    inspect,
    plain_header,
    received_field,
    without_fields,
)
from postroad.content.key_ring import KeyRing
from postroad.content.signer import Signer
from postroad.ingress.draft import Draft
from postroad.metrics import MtaMetrics
from postroad.smtp.content import dot_unstuff
from postroad.smtp.events import CommandRefused, MessageReceived
from postroad.smtp.server import ServerProtocol
from postroad.spool.errors import SpoolError, SpoolFullError
from postroad.spool.log import Spool
from postroad.spool.message import Message
from postroad.tenants.tenant import Tenant


class Submitter(Protocol):
    """A session that waits for an answer."""

    peer: str
    protocol: ServerProtocol

    def accept(self, queue_id: str) -> None:
        """Answer 250."""

    def refuse(self, reply: bytes) -> None:
        """Answer something else."""


class ContentRefused(Exception):  # noqa: N818  named for what happened, as the events are
    """A message isn't taken for what it says; the reply tells why."""

    def __init__(self, reason: str, reply: bytes) -> None:
        super().__init__(reply.decode("ascii"))
        self.reason = reason
        self.reply = reply


class Reception:
    """Adds what a submission server adds, stores, and only then accepts.

    A tenant's mail must be from domains that it owns, by its From as by its MAIL FROM, and is signed with their
    keys. Mail of no tenant is relayed as it is.

    Args:
        signer: makes what the keys sign.
        submit: takes a message that is on disk.
    """

    def __init__(
        self,
        spool: Spool,
        submit: Callable[[Message], None],
        *,
        keys: KeyRing,
        signer: Signer,
        metrics: MtaMetrics,
        log: Any,
    ) -> None:
        self._spool = spool
        self._submit = submit
        self._keys = keys
        self._signer = signer
        self._metrics = metrics
        self._log = log
        self._date = DateStamp()
        self._loop = asyncio.get_running_loop()

    def receive(self, session: Submitter, event: MessageReceived, hostname: str) -> None:
        """Take a message; the session gets its answer once the message is durable, or at once if it is refused."""
        began = self._loop.time()
        try:
            draft = self._draft(event, session, hostname)
        except ContentRefused as refused:
            self.refuse(session, refused.reason, refused.reply)
            return
        if not draft.unsigned:
            self._store(session, draft.message(), began)
            return

        def signed(fields: list[bytes] | Exception) -> None:
            if isinstance(fields, Exception):
                self._log.error("signing_failed", queue_id=f"{draft.id:x}", error=repr(fields))
                self.refuse(session, "signature", b"451 4.3.0 the message could not be signed, try again later")
            else:
                self._store(session, draft.message(fields), began)

        self._signer.sign(draft.unsigned, signed)

    def _store(self, session: Submitter, message: Message, began: float) -> None:
        """Put a message into the spool, and then answer."""

        def stored(error: SpoolError | None) -> None:
            if error is None:
                self._stored(session, message, began)
            elif isinstance(error, SpoolFullError):
                self.refuse(session, "full", b"452 4.3.1 no room to store the message, try again later")
            else:
                self.refuse(session, "spool", b"451 4.3.0 the message could not be stored, try again later")

        self._spool.append(message, stored)

    def command_refused(self, session: Submitter, event: CommandRefused) -> None:
        """Note that a command got a 4yz or 5yz."""
        self._metrics.refused_commands.labels(event.reply[:1] + "yz").inc()
        if event.verb != "DATA":
            self._log.info("rejection", peer=session.peer, verb=event.verb, reply=event.reply)

    def header_refused(self, peer: str, reason: str) -> None:
        """Note that a load balancer's connection was closed for want of a PROXY header."""
        self._log.warning("proxy_header", peer=peer, reason=reason)

    def tls_failed(self, peer: str, reason: str) -> None:
        """Note that a TLS handshake came to nothing."""
        self._log.warning("tls_failed", peer=peer, reason=reason)

    def _draft(self, event: MessageReceived, session: Submitter, hostname: str) -> Draft:
        """The message as it is to be stored. Raises ContentRefused."""
        now = time.time()
        envelope = event.envelope
        protocol = session.protocol
        tenant = protocol.tenant
        content = plain_header(event.content)
        facts = inspect(content)
        if facts.hops > MAX_HOPS:
            raise ContentRefused("loop", b"554 5.4.6 too many hops: the message is in a loop")
        authors = _authors(tenant, facts) if tenant is not None else ()
        try:
            campaign = campaign_of(content, facts)
        except CampaignError as error:
            raise ContentRefused("campaign", b"550 5.6.0 %s" % str(error).encode("ascii")) from None
        if facts.campaigns:
            content = without_fields(content, facts.campaigns)
        id = self._spool.next_id()
        queue_id = f"{id:x}"
        recipients = envelope.recipients
        received = received_field(
            helo=protocol.helo,
            peer=session.peer,
            hostname=hostname,
            protocol=protocol.with_protocol(smtputf8=envelope.smtputf8),
            queue_id=queue_id,
            recipient=recipients[0] if len(recipients) == 1 else None,
            date=self._date(now),
        )
        added = self._missing_fields(content, facts, queue_id, hostname, now)
        tenant_name = tenant.name if tenant is not None else ""
        unsigned = self._unsigned(authors, added, content, now)
        return Draft(id, now, envelope, received, tuple(added), content, tenant_name, campaign, unsigned)

    def _missing_fields(
        self, content: bytes, facts: HeaderFacts, queue_id: str, hostname: str, now: float
    ) -> list[bytes]:
        """Fields that a submission server adds where they are missing (RFC 6409 8.2, 8.3)."""
        added: list[bytes] = []
        if not facts.has_message_id:
            added.append(b"Message-ID: <%s@%s>\r\n" % (queue_id.encode(), hostname.encode()))
        if not facts.has_date:
            added.append(b"Date: %s\r\n" % self._date(now))
        if not facts.begins_with_field and not content.startswith(b"\r\n"):
            added.append(b"\r\n")  # a message without a header: what came is all body
        return added

    def _unsigned(
        self, authors: tuple[bytes, ...], added: list[bytes], content: bytes, now: float
    ) -> Sequence[Unsigned]:
        """A signature to be made with each key of each author's domain."""
        keys = [key for domain in authors for key in self._keys.of(domain)]
        if not keys:
            return ()
        canonical = Canonical.of(b"".join((*added, dot_unstuff(content))))
        return [key.prepare(canonical, now=now) for key in keys]

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
            tenant=message.tenant,
            campaign=message.campaign,
            identity=session.protocol.identity,
            tls=session.protocol.secured,
        )
        self._submit(message)

    def refuse(self, session: Submitter, reason: str, reply: bytes) -> None:
        """Don't take a session's message; the reply is without CRLF."""
        self._metrics.refused.labels(reason).inc()
        self._log.warning("refusal", peer=session.peer, reason=reason, reply=reply.decode())
        session.refuse(reply)


def _authors(tenant: Tenant, facts: HeaderFacts) -> tuple[bytes, ...]:
    """The domains of From, in lower case. Raises ContentRefused unless they are all the tenant's own."""
    if len(facts.authors) != 1:
        found = b"several From fields" if facts.authors else b"no From field"
        raise ContentRefused("author", b"550 5.7.1 %s: a tenant's message has exactly one (RFC 5322 3.6)" % found)
    try:
        domains = author_domains(facts.authors[0])
    except AuthorsError as error:
        raise ContentRefused(
            "author", b"550 5.7.1 the From field doesn't say who wrote this: %s" % str(error).encode("ascii")
        ) from None
    for domain in domains:
        if not tenant.owns(domain):
            raise ContentRefused("author", tenant.refusal(domain))
    return tuple(dict.fromkeys(domain.lower() for domain in domains))
