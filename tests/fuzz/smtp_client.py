"""What any server may say to the SMTP client.

Always: however its octets are cut, the client says and concludes the same; every transaction ends once, and as
delivered only if its content was sent; it says commands and its messages, and nothing that the server said; an
unfinished reply's memory is bounded.
"""

from cuts import lines, octets, pieces
from postroad.smtp.client import ClientProtocol
from postroad.smtp.envelope import DsnRequest
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
from postroad.smtp.replies import MAX_LINE, MAX_LINES, ReplyError, ReplyParser
from postroad.smtp.transaction import Transaction

MESSAGES = 4
MAX_COMMAND = 512 + 320
"""Octets of a command with its parameters (RFC 5321 4.5.3.1.4, RFC 3461 4: ENVID 100, ORCPT 500 are ours to send)."""


def _transaction(number: int, recipients: int) -> Transaction:
    content = b"X-Id: %d\r\n\r\n..MAIL FROM:<evil@x.test>\r\nQUIT\r\n" % number
    named = tuple(b"r%d@y.test" % place for place in range(recipients))
    dsn = DsnRequest("HDRS", b"id%d" % number, (4,) * recipients, (b"rfc822;a",) * recipients) if number % 2 else None
    return Transaction(b"a@x.test", named, (content[:9], content[9:]), len(content), dsn=dsn, about=number)


class Run:
    """One client that is told replies, and a shell that gives it mail whenever it takes some."""

    def __init__(self, options: int) -> None:
        self.client = ClientProtocol(
            ehlo="mta.test",
            starttls=bool(options & 1),
            overlap=bool(options & 2),
            chunk_limit=1 << 20 if options & 4 else 0,
        )
        self.client.chunking = bool(options & 4)
        self._queue = [_transaction(number, 1 + (options >> 3 & 1)) for number in range(MESSAGES)]
        self.sent: list[int] = []
        self.said: list[bytes] = []
        self.concluded: list[object] = []
        self.over = False

    def feed(self, parts: list[bytes]) -> None:
        for part in parts:
            if self.over:
                break
            self._act(self.client.receive(part))
        if not self.over:
            self._act(self.client.connection_lost())

    def _act(self, events: list[ClientEvent]) -> None:
        events = list(events)
        while events:
            self._hear()
            match event := events.pop(0):
                case SessionReady() | NextWanted():
                    events += self._send()
                case TlsWanted():
                    self.client.tls_established()
                case TransactionDone(transaction, replies):
                    self._check_done(transaction, replies)
                    self.concluded.append((transaction.about, [str(reply) for reply in replies]))
                    events += self._send()
                case TransactionNotBegun(transaction):
                    self.concluded.append((transaction.about, None))
                case SessionClosed() | SessionRefused():
                    assert not self.over, "closed twice"
                    self.over = True
                    self.concluded.append(str(event.reply))
        self._hear()

    def _send(self) -> list[ClientEvent]:
        if not self._queue or not self.client.ready:
            return []
        transaction = self._queue.pop(0)
        self.sent.append(int(str(transaction.about)))
        return self.client.send(transaction)

    def _hear(self) -> None:
        octets = b"".join(self.client.data_to_send())
        if octets:
            self.said.append(octets)

    def _check_done(self, transaction: Transaction, replies: tuple[object, ...]) -> None:
        assert len(replies) == len(transaction.recipients)
        if any(reply.positive for reply in replies):  # type: ignore[attr-defined]
            assert b"X-Id: %d\r\n" % int(str(transaction.about)) in b"".join(self.said), "delivered, and never sent"


def check(data: bytes) -> None:
    if len(data) < 2:
        return
    options, seed, stream = data[0], data[1], data[2:]
    # A server that answers before it is asked is cut off, so it matters how many replies come at once; within a line
    # the cut must not matter.
    by_line = _told(options, lines(stream))
    by_octet = _told(options, octets(stream))
    assert by_line.concluded == by_octet.concluded
    assert b"".join(by_line.said) == b"".join(by_octet.said)
    for parts in ([stream], pieces(stream, seed)):
        _told(options, parts)
    _check_parser(stream, seed)


def _told(options: int, parts: list[bytes]) -> Run:
    run = Run(options)
    run.feed(parts)
    ended = [item[0] for item in run.concluded if isinstance(item, tuple)]
    assert sorted(ended) == sorted(run.sent), "each transaction ends once"
    assert run.over
    _check_said(b"".join(run.said))
    return run


def _check_said(said: bytes) -> None:
    """Lines of commands and of known messages; nothing that a server said is ever said back."""
    assert said == b"" or said.endswith(b"\r\n")
    assert not set(said.replace(b"\r\n", b"")) & set(b"\r\n")
    for line in said.split(b"\r\n"):
        assert len(line) <= MAX_COMMAND
        assert line == b"" or line.split(b" ")[0] in {
            b"EHLO", b"HELO", b"STARTTLS", b"MAIL", b"RCPT", b"DATA", b"BDAT", b"RSET", b"QUIT", b".",
            b"X-Id:", b"..MAIL", b".MAIL",
        }  # fmt: skip


def _check_parser(stream: bytes, seed: int) -> None:
    whole, cut = _parsed([stream]), _parsed(pieces(stream, seed))
    # Of what is wrong, which fault is found first may depend on the cut.
    assert whole == cut


def _parsed(parts: list[bytes]) -> list[tuple[int, tuple[str, ...]]]:
    parser = ReplyParser()
    found = []
    for part in parts:
        parser.feed(part)
        try:
            while (reply := parser.next_reply()) is not None:
                assert 200 <= reply.code <= 599
                assert 1 <= len(reply.lines) <= MAX_LINES + 1
                assert not set("".join(reply.lines)) & set("\r\n")
                assert reply.enhanced.count(".") == 2
                found.append((reply.code, reply.lines))
        except ReplyError:
            break
        assert len(parser._lines) <= MAX_LINE + len(part)
    return found
