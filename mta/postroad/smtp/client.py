"""The client's side of one SMTP connection, without I/O."""

from collections import deque
from collections.abc import Callable
from typing import ClassVar

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
from postroad.smtp.replies import Reply, ReplyError, ReplyParser, local_reply
from postroad.smtp.transaction import Transaction

# RFC 5321 4.5.3.2: seconds to wait for each reply, at least.
TIMEOUTS = {
    "banner": 300.0,
    "ehlo": 300.0,
    "helo": 300.0,
    "starttls": 300.0,
    "rset": 300.0,
    "mail": 300.0,
    "rcpt": 300.0,
    "data": 120.0,
    "dot": 600.0,
    "bdat": 600.0,
    "quit": 5.0,
}
FOLLOWER_TIMEOUT = 15.0
"""Seconds for the reply to a MAIL that went with the message before, once that has its own: who forgets such input
never answers, and nothing is lost by asking again on another connection."""
_NOT_UNDERSTOOD = frozenset((500, 501, 502, 503, 504))


class _Flight:
    """A transaction that has begun to be sent."""

    __slots__ = ("answered", "begun", "body_sent", "chunked", "follows", "replies", "transaction")

    def __init__(self, transaction: Transaction, *, begun: bool, follows: bool) -> None:
        self.transaction = transaction
        self.replies: list[Reply | None] = [None] * len(transaction.recipients)
        self.answered = 0
        self.begun = begun
        """Its end is the server's word on it."""
        self.follows = follows
        """It was sent before the one before had its reply."""
        self.chunked = self.body_sent = False

    @property
    def anyone(self) -> bool:
        """Whether a recipient was accepted."""
        return any(reply is not None and reply.positive for reply in self.replies)


class ClientProtocol:
    """An ESMTP client's side of one connection, without I/O (RFC 5321, 1870, 2920, 3030, 3207, 3461, 6152, 6531).

    MAIL, RCPT and DATA go in one flight where the server pipelines, and with the content of the message before where
    `overlap` allows (RFC 2920 3.1): one round trip a message. Feed it octets, write what `data_to_send` returns, act on
    the events; every transaction ends in exactly one `TransactionDone` or `TransactionNotBegun`, whatever happens.

    Args:
        ehlo: the name to give.
        starttls: ask for TLS if it is offered.
        overlap: ask for the next transaction while the content of one goes.
        chunk_limit: octets of the largest message that goes by BDAT, while `chunking` allows it.
    """

    __slots__ = (
        "_chunk_limit",
        "_closed",
        "_dirty",
        "_ehlo",
        "_events",
        "_expected",
        "_open",
        "_out",
        "_overlap",
        "_parser",
        "_pipelining",
        "_ready",
        "_starttls",
        "_used",
        "chunking",
        "chunking_broken",
        "extensions",
        "overlap_broken",
        "overlap_works",
        "replies",
        "secured",
    )

    def __init__(self, *, ehlo: str, starttls: bool, overlap: bool = True, chunk_limit: int = 0) -> None:
        self._ehlo = ehlo.encode("ascii")
        self._starttls = starttls
        self._overlap = overlap
        self._chunk_limit = chunk_limit
        self._parser = ReplyParser()
        self._expected: deque[str] = deque(("banner",))
        self._out: list[bytes] = []
        self._events: list[ClientEvent] = []
        # Replies come in order, so each is about the first of these; the second one waits behind its content.
        self._open: deque[_Flight] = deque()
        self._dirty = False  # the server may hold a sender or recipients of a transaction that is over
        self._ready = self._used = self._closed = self._pipelining = False
        self.chunking = False
        """Use BDAT where it is offered and saves a round trip; to be set by who knows that recipients are accepted."""
        self.chunking_broken = False
        """The server offered CHUNKING and didn't understand BDAT, or left at it."""
        self.overlap_works = False
        """A MAIL that went with the message before was accepted."""
        self.overlap_broken = False
        """The connection broke with such a MAIL in flight, or the server didn't understand it."""
        self.extensions: dict[str, str] = {}
        """What EHLO announced, keyword to parameters, upper case."""
        self.secured = False
        """TLS protects the connection."""
        self.replies = 0
        """Whole replies so far; what isn't one is no progress."""

    @property
    def stage(self) -> str:
        """The command whose reply is awaited; empty when none is."""
        return self._expected[0] if self._expected else ""

    @property
    def timeout(self) -> float | None:
        """Seconds to wait for the whole of the reply that is awaited (RFC 5321 4.5.3.2); None when none is."""
        if not self._expected:
            return None
        if self._open and self._open[0].follows and not self._open[0].begun:
            return FOLLOWER_TIMEOUT
        return TIMEOUTS[self._expected[0]]

    @property
    def ready(self) -> bool:
        """Whether `send` may be called."""
        if not self._ready or self._closed:
            return False
        opened = self._open
        return not opened or (self._overlap and self._pipelining and len(opened) == 1 and opened[0].body_sent)

    @property
    def body_sent(self) -> bool:
        """A message is sent and its reply isn't here: cutting now may make a duplicate."""
        return bool(self._open) and self._open[0].body_sent

    def data_to_send(self) -> list[bytes]:
        """What to write now, in pieces; given once."""
        out, self._out = self._out, []
        return out

    def receive(self, data: bytes) -> list[ClientEvent]:
        """Take octets from the server."""
        self._parser.feed(data)
        try:
            while not self._closed and (reply := self._parser.next_reply()) is not None:
                self.replies += 1
                self._take(reply)
        except ReplyError as error:
            self._close(local_reply(421, "4.5.0", f"peer broke the protocol: {error}"))
        return self._take_events()

    def connection_lost(self, why: str = "connection lost") -> list[ClientEvent]:
        """The connection ended, or waited too long: whatever is open is a deferral (RFC 5321 4.2.4.2)."""
        stage = self.stage
        self._close(local_reply(421, "4.4.2", f"{why} while waiting for {stage.upper()}" if stage else why))
        return self._take_events()

    def give_up(self, why: str) -> list[ClientEvent]:
        """Say no more: a message that isn't sent goes by another connection as if nothing had been."""
        for flight in self._open:
            flight.begun = flight.begun and flight.body_sent
        overlap, chunking = self.overlap_broken, self.chunking_broken
        self._close(local_reply(421, "4.4.2", why))
        # That it ended so says nothing of the server.
        self.overlap_broken, self.chunking_broken = overlap, chunking
        return self._take_events()

    def tls_established(self) -> None:
        """The handshake is done: begin again with EHLO, knowing nothing (RFC 3207 4.2)."""
        self.secured = True
        self.extensions = {}
        self._command(b"EHLO %s\r\n" % self._ehlo, "ehlo")

    def send(self, transaction: Transaction) -> list[ClientEvent]:
        """Begin a transaction; the server must be `ready`."""
        if not self.ready:
            raise RuntimeError("not ready for a transaction")
        if (refusal := transaction.impossible(self.extensions)) is not None:
            self._events.append(TransactionDone(transaction, (refusal,) * len(transaction.recipients)))
            return self._take_events()
        before = self._open[0] if self._open else None
        # RSET only where something is to be forgotten: it costs a reply, and Postfix counts it as a junk command
        # (smtpd_junk_command_limit). What a failed BDAT leaves behind is undefined (RFC 3030 2).
        reset = self._dirty if before is None else before.chunked
        flight = _Flight(transaction, begun=not self._used, follows=before is not None)
        self._used = True
        self._open.append(flight)
        if self._pipelining:
            self._send_flight(flight, reset)
        elif reset:
            self._command(b"RSET\r\n", "rset")
        else:
            self._command(transaction.mail_command(self.extensions), "mail")
        return self._take_events()

    def quit(self) -> None:
        """Say goodbye; the answer needn't be awaited."""
        self._ready = False
        self._command(b"QUIT\r\n", "quit")

    def _send_flight(self, flight: _Flight, reset: bool) -> None:
        transaction, expected = flight.transaction, self._expected
        commands = transaction.rcpt_commands(self.extensions)
        commands.insert(0, transaction.mail_command(self.extensions))
        if reset:
            commands.insert(0, b"RSET\r\n")
            expected.append("rset")
        expected.append("mail")
        expected.extend(["rcpt"] * len(transaction.recipients))
        if self._chunks(flight):
            # One round trip instead of two. Behind a message that is in flight DATA costs none, so it is asked there.
            flight.chunked = flight.body_sent = flight.begun = True
            command, content = transaction.chunk()
            commands.append(command)
            self._out += (b"".join(commands), content)
            expected.append("bdat")
            self._want_next()
        else:
            commands.append(b"DATA\r\n")
            self._out.append(b"".join(commands))
            expected.append("data")

    def _chunks(self, flight: _Flight) -> bool:
        return (
            self.chunking
            and not flight.follows
            and flight.transaction.size <= self._chunk_limit
            and "CHUNKING" in self.extensions
        )

    def _command(self, line: bytes, stage: str) -> None:
        self._out.append(line)
        self._expected.append(stage)

    def _take_events(self) -> list[ClientEvent]:
        events, self._events = self._events, []
        return events

    def _want_next(self) -> None:
        if self._overlap and self._pipelining:
            self._events.append(NextWanted())

    def _take(self, reply: Reply) -> None:
        if not self._expected:
            # An unasked reply is a 421 before closing (RFC 5321 3.8), or a peer that lost count.
            self._close(reply if reply.code == 421 else local_reply(421, "4.5.0", f"unexpected reply: {reply}"))
            return
        if reply.code == 421 and self._expected[0] != "quit":
            self._close(reply)
            return
        self._HANDLERS[self._expected.popleft()](self, reply)

    def _close(self, reply: Reply) -> None:
        if self._closed:
            return
        self._closed = True
        ready, self._ready = self._ready, False
        if self._open:
            first = self._open[0]
            if reply.local and (len(self._open) > 1 or (first.follows and not first.begun)):
                self.overlap_broken = True
            if reply.local and first.chunked:
                self.chunking_broken = True
            while self._open:
                # Before the reply to the dot nothing was delivered, also for recipients that RCPT accepted.
                if self._open[0].begun:
                    self._finish(reply, again=True)
                else:
                    self._events.append(TransactionNotBegun(self._open.popleft().transaction))
        self._expected.clear()
        self._events.append(SessionClosed(reply) if ready or self._used else SessionRefused(reply))

    def _finish(self, reply: Reply, *, again: bool = False) -> None:
        """End the first transaction: recipients without a final reply get this one."""
        flight = self._open.popleft()
        replies = tuple(reply if known is None or (again and known.positive) else known for known in flight.replies)
        self._events.append(TransactionDone(flight.transaction, replies))

    def _banner(self, reply: Reply) -> None:
        if reply.code != 220:
            self._close(reply)
            return
        self._command(b"EHLO %s\r\n" % self._ehlo, "ehlo")

    def _ehlo_reply(self, reply: Reply) -> None:
        if not reply.positive:
            self._command(b"HELO %s\r\n" % self._ehlo, "helo")
            return
        for line in reply.lines[1:]:
            keyword, _, parameters = line.partition(" ")
            self.extensions[keyword.upper()] = parameters.upper()
        if self._starttls and not self.secured and "STARTTLS" in self.extensions:
            self._command(b"STARTTLS\r\n", "starttls")
        else:
            self._become_ready()

    def _helo_reply(self, reply: Reply) -> None:
        if reply.positive:
            self._become_ready()
        else:
            self._close(reply)

    def _starttls_reply(self, reply: Reply) -> None:
        if reply.code != 220:
            self._become_ready()
        elif self._parser.pending:
            # Octets behind the 220 are not under TLS: someone injects (CVE-2011-0411).
            self._close(local_reply(421, "4.7.0", "octets injected behind STARTTLS"))
        else:
            self._events.append(TlsWanted())

    def _become_ready(self) -> None:
        self._ready = True
        self._pipelining = "PIPELINING" in self.extensions
        self._events.append(SessionReady())

    def _rset_reply(self, reply: Reply) -> None:
        if not reply.positive:
            self._close(local_reply(421, "4.5.0", f"peer refused RSET: {reply}"))
            return
        self._dirty = False
        if not self._pipelining:
            self._command(self._open[0].transaction.mail_command(self.extensions), "mail")

    def _mail_reply(self, reply: Reply) -> None:
        flight = self._open[0]
        if flight.follows and (reply.code in _NOT_UNDERSTOOD or 300 <= reply.code < 400):
            self._not_understood(flight, reply)
            return
        flight.begun = True
        if reply.positive:
            self._dirty = True
            self.overlap_works = self.overlap_works or flight.follows
            if not self._pipelining:
                self._command(flight.transaction.rcpt_command(0, self.extensions), "rcpt")
        else:
            flight.replies = [reply] * len(flight.replies)
            if not self._pipelining:
                self._finish(reply)

    def _rcpt_reply(self, reply: Reply) -> None:
        flight = self._open[0]
        if flight.follows and 300 <= reply.code < 400:
            self._not_understood(flight, reply)
            return
        index = flight.answered
        flight.answered += 1
        if flight.replies[index] is None:
            flight.replies[index] = reply
        if self._pipelining:
            return
        if flight.answered < len(flight.replies):
            self._command(flight.transaction.rcpt_command(flight.answered, self.extensions), "rcpt")
        elif flight.anyone:
            self._command(b"DATA\r\n", "data")
        else:
            self._finish(reply)

    def _data_reply(self, reply: Reply) -> None:
        flight = self._open[0]
        if flight.follows and reply.positive:
            self._not_understood(flight, reply)
        elif reply.code != 354:
            final = reply if reply.code >= 400 else local_reply(451, "4.5.0", f"peer answered DATA with {reply}")
            self._finish(final, again=True)
        elif flight.anyone:
            flight.body_sent = True
            self._out.extend(flight.transaction.content)
            self._command(b".\r\n", "dot")
            self._want_next()
        else:
            # 354 though nobody is to receive it; the dot alone ends it (RFC 2920 3.1).
            self._command(b".\r\n", "dot")

    def _not_understood(self, flight: _Flight, reply: Reply) -> None:
        """The server lost what came behind a message, or the order of its replies: it looked at nothing."""
        self.overlap_broken, flight.begun = True, False
        self._close(local_reply(421, "4.5.0", f"peer can't have a message begun behind another one: {reply}"))

    def _dot_reply(self, reply: Reply) -> None:
        # The server forgets the transaction, whatever it says of it (RFC 5321 4.1.1.4).
        self._dirty = False
        self._end_content(reply)

    def _bdat_reply(self, reply: Reply) -> None:
        if reply.code in _NOT_UNDERSTOOD and self._open[0].anyone:
            # It may take the message's lines for commands next: nothing more is said to it.
            self.chunking_broken, self.chunking = True, False
            self._open[0].begun = False
            self._close(reply)
            return
        self._dirty = self._dirty and not reply.positive
        if not self._open[0].anyone:
            self.chunking = False  # the body was sent in vain: ask first next time
        self._end_content(reply)

    def _end_content(self, reply: Reply) -> None:
        if reply.positive or reply.code >= 400:
            self._finish(reply, again=True)
        else:
            self._finish(local_reply(451, "4.5.0", f"peer answered the message with {reply}"), again=True)

    def _quit_reply(self, reply: Reply) -> None:
        self._close(reply)

    _HANDLERS: ClassVar[dict[str, Callable[["ClientProtocol", Reply], None]]] = {
        "banner": _banner,
        "ehlo": _ehlo_reply,
        "helo": _helo_reply,
        "starttls": _starttls_reply,
        "rset": _rset_reply,
        "mail": _mail_reply,
        "rcpt": _rcpt_reply,
        "data": _data_reply,
        "dot": _dot_reply,
        "bdat": _bdat_reply,
        "quit": _quit_reply,
    }
