"""The client's side of one SMTP connection, without I/O."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from postroad.smtp.events import (
    ClientEvent,
    SessionClosed,
    SessionReady,
    SessionRefused,
    TlsWanted,
    TransactionDone,
)
from postroad.smtp.replies import Reply, ReplyError, ReplyParser, local_reply

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
    "quit": 5.0,
}


@dataclass(frozen=True, slots=True)
class Transaction:
    """One message for one site. `content` is the wire form (dot-stuffed, ending in CRLF), in pieces."""

    sender: bytes
    recipients: Sequence[bytes]
    content: Sequence[bytes]
    size: int
    eight_bit: bool = False
    smtputf8: bool = False


class ClientProtocol:
    """An ESMTP client's side of one connection, without I/O (RFC 5321, 1870, 2920, 3207, 6152, 6531).

    MAIL, RCPT and DATA go in one flight where the server pipelines. Feed it octets, write what `data_to_send`
    returns, act on the events; every transaction ends in exactly one `TransactionDone`, whatever happens.

    Args:
        ehlo: the name to give.
        starttls: ask for TLS if it is offered.
    """

    __slots__ = (
        "_answered",
        "_closed",
        "_ehlo",
        "_events",
        "_expected",
        "_out",
        "_parser",
        "_ready",
        "_replies",
        "_starttls",
        "_transaction",
        "_used",
        "extensions",
        "secured",
    )

    def __init__(self, *, ehlo: str, starttls: bool) -> None:
        self._ehlo = ehlo.encode("ascii")
        self._starttls = starttls
        self._parser = ReplyParser()
        self._expected: deque[str] = deque(("banner",))
        self._out: list[bytes] = []
        self._events: list[ClientEvent] = []
        self._transaction: Transaction | None = None
        self._replies: list[Reply | None] = []
        self._answered = 0
        self._ready = self._used = self._closed = False
        self.extensions: dict[str, str] = {}
        """What EHLO announced, keyword to parameters, upper case."""
        self.secured = False
        """TLS protects the connection."""

    @property
    def stage(self) -> str:
        """The command whose reply is awaited; empty when none is."""
        return self._expected[0] if self._expected else ""

    @property
    def timeout(self) -> float | None:
        """Seconds to wait for what is awaited (RFC 5321 4.5.3.2); None when nothing is."""
        return TIMEOUTS[self._expected[0]] if self._expected else None

    @property
    def ready(self) -> bool:
        """Whether `send` may be called."""
        return self._ready and not self._closed and self._transaction is None

    def data_to_send(self) -> list[bytes]:
        """What to write now, in pieces; given once."""
        out, self._out = self._out, []
        return out

    def receive(self, data: bytes) -> list[ClientEvent]:
        """Take octets from the server."""
        self._parser.feed(data)
        try:
            while not self._closed and (reply := self._parser.next_reply()) is not None:
                self._take(reply)
        except ReplyError as error:
            self._close(local_reply(421, "4.5.0", f"peer broke the protocol: {error}"))
        return self._take_events()

    def connection_lost(self, why: str = "connection lost") -> list[ClientEvent]:
        """The connection ended, or waited too long: whatever is open is a deferral (RFC 5321 4.2.4.2)."""
        stage = self.stage
        self._close(local_reply(421, "4.4.2", f"{why} while waiting for {stage.upper()}" if stage else why))
        return self._take_events()

    def tls_established(self) -> None:
        """The handshake is done: begin again with EHLO, knowing nothing (RFC 3207 4.2)."""
        self.secured = True
        self.extensions = {}
        self._command(b"EHLO %s\r\n" % self._ehlo, "ehlo")

    def send(self, transaction: Transaction) -> list[ClientEvent]:
        """Begin a transaction; the server must be ready and the one before done."""
        if not self.ready:
            raise RuntimeError("not ready for a transaction")
        self._transaction = transaction
        self._replies = [None] * len(transaction.recipients)
        self._answered = 0
        if (refusal := self._impossible(transaction)) is not None:
            self._finish(refusal)
            return self._take_events()
        mail = self._mail_command(transaction)
        # RSET only from the second message on: Postfix counts RSET as a junk command (smtpd_junk_command_limit).
        reset = self._used
        self._used = True
        if "PIPELINING" in self.extensions:
            rcpts = [b"RCPT TO:<%s>\r\n" % recipient for recipient in transaction.recipients]
            self._out.append(b"".join((b"RSET\r\n" if reset else b"", mail, *rcpts, b"DATA\r\n")))
            if reset:
                self._expected.append("rset")
            self._expected.append("mail")
            self._expected.extend(["rcpt"] * len(rcpts))
            self._expected.append("data")
        elif reset:
            self._command(b"RSET\r\n", "rset")
        else:
            self._command(mail, "mail")
        return self._take_events()

    def quit(self) -> None:
        """Say goodbye; the answer needn't be awaited."""
        self._ready = False
        self._command(b"QUIT\r\n", "quit")

    def _command(self, line: bytes, stage: str) -> None:
        self._out.append(line)
        self._expected.append(stage)

    def _take_events(self) -> list[ClientEvent]:
        events, self._events = self._events, []
        return events

    def _impossible(self, transaction: Transaction) -> Reply | None:
        limit = self.extensions.get("SIZE", "")
        if limit.isdigit() and 0 < int(limit) < transaction.size:
            return local_reply(552, "5.3.4", f"message of {transaction.size} octets, peer takes {limit}")
        if transaction.smtputf8 and "SMTPUTF8" not in self.extensions:
            return local_reply(550, "5.6.7", "peer does not support SMTPUTF8")
        return None

    def _mail_command(self, transaction: Transaction) -> bytes:
        extensions = self.extensions
        mail = b"MAIL FROM:<%s>" % transaction.sender
        if "SIZE" in extensions:
            mail += b" SIZE=%d" % transaction.size
        if transaction.eight_bit and "8BITMIME" in extensions:
            # Without 8BITMIME the octets go as they are: today's servers are 8-bit clean, and nothing is re-encoded.
            mail += b" BODY=8BITMIME"
        if transaction.smtputf8:
            mail += b" SMTPUTF8"
        return mail + b"\r\n"

    def _take(self, reply: Reply) -> None:
        if not self._expected:
            # An unasked reply is a 421 before closing (RFC 5321 3.8), or a peer that lost count.
            self._close(reply if reply.code == 421 else local_reply(421, "4.5.0", f"unexpected reply: {reply}"))
            return
        stage = self._expected.popleft()
        if reply.code == 421 and stage != "quit":
            self._close(reply)
            return
        self._HANDLERS[stage](self, reply)

    def _close(self, reply: Reply) -> None:
        if self._closed:
            return
        self._closed = True
        ready, self._ready = self._ready, False
        self._expected.clear()
        if self._transaction is not None:
            # Before the reply to the dot nothing was delivered, also for recipients that RCPT accepted.
            self._finish(reply, again=True)
            self._events.append(SessionClosed(reply))
        else:
            self._events.append(SessionClosed(reply) if ready or self._used else SessionRefused(reply))

    def _finish(self, reply: Reply, *, again: bool = False) -> None:
        """End the transaction: recipients without a final reply get this one."""
        replies = tuple(reply if known is None or (again and known.positive) else known for known in self._replies)
        self._transaction = None
        self._events.append(TransactionDone(replies))

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
        self._events.append(SessionReady())

    def _rset_reply(self, reply: Reply) -> None:
        if not reply.positive:
            self._close(local_reply(421, "4.5.0", f"peer refused RSET: {reply}"))
        elif "PIPELINING" not in self.extensions:
            assert self._transaction is not None
            self._command(self._mail_command(self._transaction), "mail")

    def _mail_reply(self, reply: Reply) -> None:
        assert self._transaction is not None
        pipelined = "PIPELINING" in self.extensions
        if not reply.positive:
            self._replies = [reply] * len(self._replies)
            if not pipelined:
                self._finish(reply)
        elif not pipelined:
            self._command(b"RCPT TO:<%s>\r\n" % self._transaction.recipients[0], "rcpt")

    def _rcpt_reply(self, reply: Reply) -> None:
        assert self._transaction is not None
        index = self._answered
        self._answered += 1
        known = self._replies[index]
        if known is None:
            self._replies[index] = reply
        if "PIPELINING" in self.extensions:
            return
        if self._answered < len(self._replies):
            self._command(b"RCPT TO:<%s>\r\n" % self._transaction.recipients[self._answered], "rcpt")
        elif self._anyone():
            self._command(b"DATA\r\n", "data")
        else:
            self._finish(reply)

    def _anyone(self) -> bool:
        return any(reply is not None and reply.positive for reply in self._replies)

    def _data_reply(self, reply: Reply) -> None:
        assert self._transaction is not None
        if reply.code == 354:
            if self._anyone():
                self._out.extend(self._transaction.content)
            # Else: 354 though nobody is to receive it; the dot alone ends it (RFC 2920 3.1).
            self._command(b".\r\n", "dot")
        else:
            self._end_data(reply)

    def _end_data(self, reply: Reply) -> None:
        final = reply if reply.code >= 400 else local_reply(451, "4.5.0", f"peer answered DATA with {reply}")
        self._finish(final, again=True)

    def _dot_reply(self, reply: Reply) -> None:
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
        "quit": _quit_reply,
    }
