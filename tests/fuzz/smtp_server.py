"""What any client may say to the SMTP server.

Always: however a stream is cut, the same replies and messages come of it, also if messages are answered late; replies
are lines that a client can parse; no message holds what a second server would take for its end; and our client hands
exactly that message, and nothing else, to a second server.
"""

from dataclasses import dataclass, field

from cuts import ways
from postroad.content.headers import received_field
from postroad.smtp.client import ClientProtocol
from postroad.smtp.content import dot_unstuff
from postroad.smtp.envelope import Envelope
from postroad.smtp.events import (
    AuthAttempt,
    MessageReceived,
    NextWanted,
    ServerEvent,
    SessionEnded,
    SessionReady,
    TlsBegins,
    TransactionDone,
)
from postroad.smtp.limits import Offers, ServerLimits
from postroad.smtp.replies import ReplyParser
from postroad.smtp.server import ServerProtocol
from postroad.smtp.transaction import Transaction
from postroad.tenants.tenant import Tenant

LIMITS = ServerLimits(message_size=600, recipients=5, line=300, errors=8, junk=12, auth_failures=2)
MAX_REPLY_LINE = 512
"""Octets with CRLF (RFC 5321 4.5.3.1.5)."""
ACME = Tenant.of("acme", ["acme.test", "*.acme.test"])


@dataclass
class Outcome:
    """What came of a stream."""

    said: bytes = b""
    messages: list[tuple[Envelope, bytes, bytes]] = field(default_factory=list)
    """Envelope, content, and the name that the client had given itself."""
    ended: bool = False


class Run:
    """One server that is fed a stream, and a shell that answers its events."""

    def __init__(self, options: int, *, late: bool) -> None:
        self._refuses = bool(options & 1)
        self._late = late
        secured = bool(options & 2)
        # Where STARTTLS is offered the cut matters, and must: what came with it in one flight isn't under TLS.
        self.protocol = ServerProtocol(
            hostname="mx.test",
            may_relay=not options & 4,
            limits=LIMITS,
            tenant=ACME if options & 8 else None,
            offers=Offers(starttls=bool(options & 16), auth=secured, auth_required=bool(options & 32)),
            secured=secured,
        )
        self.outcome = Outcome()
        self._waiting: list[ServerEvent] = []

    def feed(self, parts: list[bytes]) -> Outcome:
        for part in parts:
            if self.outcome.ended:
                break
            self._act(self.protocol.receive(part))
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            for event in waiting:
                self._act(self._answer(event))
        self._hear()
        return self.outcome

    def _act(self, events: list[ServerEvent]) -> None:
        self._hear()
        for event in events:
            if isinstance(event, SessionEnded):
                assert not self.outcome.ended, "ended twice"
                self.outcome.ended = True
            elif isinstance(event, MessageReceived):
                self.outcome.messages.append((event.envelope, event.content, self.protocol.helo))
            if isinstance(event, (MessageReceived, AuthAttempt, TlsBegins)):
                assert event is events[-1], "something was said before an answer"
                if self._late and not isinstance(event, TlsBegins):
                    self._waiting.append(event)
                else:
                    self._act(self._answer(event))

    def _answer(self, event: ServerEvent) -> list[ServerEvent]:
        if isinstance(event, TlsBegins):
            return self.protocol.tls_established()
        if isinstance(event, AuthAttempt):
            if event.credentials.password.startswith("right"):
                return self.protocol.authenticated(event.credentials.identity, ACME)
            return self.protocol.auth_refused(b"535 5.7.8 wrong")
        if self._refuses:
            return self.protocol.refuse(b"452 4.3.1 no room")
        return self.protocol.accept("1f")

    def _hear(self) -> None:
        self.outcome.said += self.protocol.data_to_send()


def check(data: bytes) -> None:
    if len(data) < 2:
        return
    options, seed, stream = data[0], data[1], data[2:]
    first: Outcome | None = None
    for number, parts in enumerate(ways(stream, seed)):
        late = bool(number and seed & 1 << number)
        run = Run(options, late=late)
        found = run.feed(parts)
        _check_replies(found.said)
        assert run.protocol.buffered <= len(stream)
        if first is None:
            first = found
        elif not options & 16:
            assert _plain(found) == _plain(first), f"{len(parts)} pieces, late: {late}"
    assert first is not None
    for envelope, content, helo in first.messages:
        _check_message(envelope, content, helo)


def _plain(outcome: Outcome) -> Outcome:
    """Which of a wrong line's faults is found first may depend on the cut."""
    said = outcome.said.replace(b"421 4.5.2 line too long\r\n", b"421 4.5.2 bare CR or LF\r\n")
    said = said.replace(b"500 5.5.6 line too long\r\n", b"421 4.5.2 bare CR or LF\r\n")
    return Outcome(said, outcome.messages, outcome.ended)


def _check_replies(said: bytes) -> None:
    assert said.endswith(b"\r\n")
    for line in said[:-2].split(b"\r\n"):
        assert len(line) + 2 <= MAX_REPLY_LINE, f"a reply line of {len(line) + 2} octets"
        assert line.isascii(), f"reply {line!r}"
    parser = ReplyParser()
    parser.feed(said)
    while parser.next_reply() is not None:
        pass
    assert not parser.pending


def _check_message(envelope: Envelope, content: bytes, helo: bytes) -> None:
    assert len(content) <= LIMITS.message_size * 2
    assert 1 <= len(envelope.recipients) <= LIMITS.recipients
    # With CR and LF only in pairs there is but one way to see lines, so also but one to see an end.
    assert content == b"" or content.endswith(b"\r\n")
    assert not set(content.replace(b"\r\n", b"")) & set(b"\r\n")
    assert b"\r\n.\r\n" not in b"\r\n" + content
    for recipient in envelope.recipients:
        field = received_field(
            helo=helo, peer="::1", hostname="mx.test", protocol="ESMTP", queue_id="1f", recipient=recipient, date=b"now"
        )
        first, *more = field[:-2].split(b"\r\n")
        assert field.endswith(b"\r\n")
        assert first.startswith(b"Received: ")
        assert all(line.startswith(b"\t") and len(line) <= 998 for line in more)
        assert not set(field.replace(b"\r\n", b"")) & set(b"\r\n\0")
    for chunked in (False, True):
        _check_handed_on(envelope, content, chunked=chunked)


def _check_handed_on(envelope: Envelope, content: bytes, *, chunked: bool) -> None:
    """Our client gives the message to a second server, which takes exactly that."""
    server = ServerProtocol(hostname="next.test", may_relay=True, limits=ServerLimits())
    client = ClientProtocol(ehlo="mx.test", starttls=False, chunk_limit=1 << 20 if chunked else 0)
    client.chunking = chunked
    transaction = Transaction(
        envelope.sender,
        envelope.recipients,
        (content,),
        len(content),
        envelope.eight_bit,
        envelope.smtputf8,
        envelope.dsn,
    )
    taken: list[MessageReceived] = []
    done: TransactionDone | None = None
    while said := server.data_to_send():
        events = client.receive(said)
        for event in events:
            if isinstance(event, SessionReady):
                events += client.send(transaction)
            elif isinstance(event, TransactionDone):
                done = event
                client.quit()
            else:
                assert isinstance(event, NextWanted) or done is not None, event
        heard = server.receive(b"".join(client.data_to_send()))
        while heard:
            event = heard.pop(0)
            if isinstance(event, MessageReceived):
                taken.append(event)
                heard += server.accept("2f")
            else:
                assert isinstance(event, SessionEnded), event
    assert done is not None
    assert all(reply.positive for reply in done.replies), done.replies
    (message,) = taken
    assert message.envelope == envelope
    assert dot_unstuff(message.content) == dot_unstuff(content)
