"""The server's side of one SMTP connection, without I/O."""

import base64
import re
import sys
from collections.abc import Callable
from enum import Enum, auto
from typing import ClassVar

from postroad.smtp.commands import CommandError, parse_bdat, parse_mail, parse_rcpt
from postroad.smtp.dialogue import Dialogue
from postroad.smtp.envelope import domain_of
from postroad.smtp.events import AuthAttempt, CommandRefused, MessageReceived, ServerEvent, TlsBegins
from postroad.smtp.intake import ContentError, Intake
from postroad.smtp.limits import PLAIN, Offers, ServerLimits
from postroad.smtp.lines import BareLineEndingError, LineBuffer, LineTooLongError
from postroad.smtp.mail_transaction import MailTransaction
from postroad.smtp.parts import Budget
from postroad.smtp.sasl import MAX_AUTH_LINE, Challenge, Credentials, Exchange
from postroad.tenants.tenant import Tenant

_HOST_NAME = re.compile(rb"[A-Za-z0-9._:\[\]-]{1,255}")
_RECIPIENT_OCTETS = 200
"""About what a recipient takes beside its address."""
_HTTP = frozenset((b"GET", b"POST", b"PUT", b"CONNECT", b"OPTIONS", b"HEAD"))


class _State(Enum):
    COMMAND = auto()
    CONTENT = auto()
    WAITING = auto()
    """For the answer to a message."""
    EXCHANGE = auto()
    """For the client's next line in an AUTH exchange."""
    VERIFYING = auto()
    """For the answer to an AuthAttempt."""
    TLS = auto()
    """For the end of the handshake."""
    ENDED = auto()


# Python 3.11 takes seven times as long to find a member of an enumeration as a name of the module.
_COMMAND, _CONTENT, _WAITING, _EXCHANGE = _State.COMMAND, _State.CONTENT, _State.WAITING, _State.EXCHANGE
_TALKING = (_COMMAND, _EXCHANGE)
_ASKING = (_WAITING, _State.VERIFYING)
_RECEIVING = (_CONTENT, _WAITING)


class ServerProtocol(Dialogue):
    """An ESMTP server's side of one connection, without I/O.

    It speaks RFC 5321 with 1870, 2034, 2920, 3030 (no BINARYMIME), 3207, 3461, 4954, 6152 and 6531.
    Feed it octets, send what `data_to_send` returns, and act on the events:

        for event in protocol.receive(chunk):
            match event:
                case MessageReceived():
                    spool.append(event)    # then protocol.accept(queue_id), which gives further events

    Args:
        hostname: the name in banner and EHLO reply.
        may_relay: whether this peer may send mail to others at all (`relay_from`).
        tenant: whose mail it is; None if it is nobody's, and may be from any domain.
        secured: TLS protects the connection from its begin.
        budget: what unfinished messages of all connections may hold; without one as much as they like.
    """

    __slots__ = (
        "_auth_failures",
        "_draining",
        "_exchange",
        "_hostname",
        "_intake",
        "_lines",
        "_may_relay",
        "_offers",
        "_state",
        "_transaction",
        "commands",
        "extended",
        "helo",
        "identity",
        "secured",
        "tenant",
    )

    def __init__(
        self,
        *,
        hostname: str,
        may_relay: bool,
        limits: ServerLimits,
        tenant: Tenant | None = None,
        offers: Offers = PLAIN,
        secured: bool = False,
        budget: Budget | None = None,
    ) -> None:
        self._hostname = hostname.encode("ascii")
        super().__init__(limits, b"220 %s ESMTP Postroad\r\n" % self._hostname)
        self._may_relay = may_relay
        self._offers = offers
        self._state = _COMMAND
        self._lines = LineBuffer(limits.line)
        self._intake = Intake(limits.message_size, budget or Budget(sys.maxsize))
        self._transaction: MailTransaction | None = None
        self._exchange: Exchange | None = None
        self._auth_failures = 0
        self._draining = False
        self.helo = b""
        """The name the client gave itself; empty before EHLO."""
        self.extended = False
        """The client said EHLO, not HELO."""
        self.tenant = tenant
        self.identity = ""
        """Who the client proved to be; empty if it didn't."""
        self.secured = secured
        self.commands = 0
        """Whole lines that were acted on: what doesn't raise it is no progress."""

    def with_protocol(self, *, smtputf8: bool) -> str:
        """How a message came, for its Received field (RFC 3848, RFC 6531 4.3)."""
        if not self.extended:
            return "SMTP"
        name = "UTF8SMTP" if smtputf8 else "ESMTP"
        return f"{name}{'S' if self.secured else ''}{'A' if self.identity else ''}"

    @property
    def buffered(self) -> int:
        """Octets held while an answer is awaited: stop reading when it grows."""
        return len(self._lines)

    @property
    def awaits_answer(self) -> bool:
        """Whether a message or an AUTH attempt waits for this side."""
        return self._state in _ASKING

    @property
    def in_content(self) -> bool:
        """Whether octets of a message are coming."""
        return self._state is _CONTENT

    @property
    def content_octets(self) -> int:
        """Octets of the message that is coming, so far."""
        return self._intake.octets

    @property
    def receiving(self) -> bool:
        """Whether a message is on its way: DATA was said and the reply to its end isn't given yet."""
        return self._state in _RECEIVING

    def receive(self, data: bytes) -> list[ServerEvent]:
        """Take octets from the client."""
        if self._state is _CONTENT:
            self._feed_content(data)
            if self._state is _CONTENT:
                return []  # in the middle of a message, as most pieces of a large one are
        elif not self.ended:
            self._lines.feed(data)
        return self._advance()

    def accept(self, queue_id: str) -> list[ServerEvent]:
        """Answer the message with 250: it is on disk. Pipelined commands behind it are acted on."""
        return self._answer(b"250 2.0.0 Ok: queued as %s\r\n" % queue_id.encode("ascii"))

    def refuse(self, reply: bytes) -> list[ServerEvent]:
        """Answer the message with a reply of code 4yz or 5yz (without CRLF)."""
        self._events.append(CommandRefused("DATA", reply.decode("ascii", "replace")))
        return self._answer(reply + b"\r\n")

    def tls_established(self) -> list[ServerEvent]:
        """TLS protects the connection: what was said before doesn't count (RFC 3207 4.2)."""
        self.secured = True
        self.helo = b""
        self.extended = False
        self._reset()
        self._state = _COMMAND
        if self._draining:
            self._end_for_drain()
        return self._take_events()

    def authenticated(self, identity: str, tenant: Tenant) -> list[ServerEvent]:
        """The client is who it says it is, and sends a tenant's mail."""
        if self._state is not _State.VERIFYING:
            return self._take_events()
        self.identity = identity
        self.tenant = tenant
        self._may_relay = True
        return self._go_on(b"235 2.7.0 authentication successful\r\n")

    def auth_refused(self, reply: bytes) -> list[ServerEvent]:
        """The client isn't who it says, or it can't be told; the reply is without CRLF."""
        if self._state is not _State.VERIFYING:
            return self._take_events()
        self._auth_failures += 1
        self._refuse_command(b"AUTH", reply)
        if self._auth_failures >= self._limits.auth_failures:
            self._end(b"421 4.7.0 too many failed authentications\r\n")
        return self._go_on(b"")

    def timeout(self) -> list[ServerEvent]:
        """The client said nothing for too long (RFC 5321 4.5.3.2.7)."""
        self._end(b"421 4.4.2 %s timed out, closing\r\n" % self._hostname)
        return self._take_events()

    def drain(self) -> list[ServerEvent]:
        """Stop politely: 421 now, or after the reply to the message that is on its way (RFC 5321 3.8)."""
        self._draining = True
        # In the middle of a handshake nothing can be said.
        if not self.receiving and self._state is not _State.TLS:
            self._end_for_drain()
        return self._take_events()

    def closed(self) -> None:
        """The connection is gone: what an unfinished message held is free."""
        self._intake.clear()

    def _end_for_drain(self) -> None:
        self._end(b"421 4.3.2 %s is shutting down, try again\r\n" % self._hostname)

    def _answer(self, line: bytes) -> list[ServerEvent]:
        if self._state is not _WAITING:
            raise RuntimeError("no message awaits an answer")
        self._reset()
        self._junk = 0
        return self._go_on(line)

    def _go_on(self, line: bytes) -> list[ServerEvent]:
        """Say it, then act on what came meanwhile."""
        if not self.ended:
            self._out.append(line)
            self._state = _COMMAND
            if self._draining:
                self._end_for_drain()
        return self._advance()

    def _end(self, line: bytes) -> None:
        super()._end(line)
        self._state = _State.ENDED
        self._intake.clear()

    def _advance(self) -> list[ServerEvent]:
        while self._state in _TALKING:
            try:
                line = self._lines.next_line()
            except LineTooLongError:
                exchange = self._state is _EXCHANGE
                self._end(b"500 5.5.6 line too long\r\n" if exchange else b"421 4.5.2 line too long\r\n")
                break
            except BareLineEndingError:
                self._end(b"421 4.5.2 bare CR or LF\r\n")
                break
            if line is None:
                break
            self.commands += 1
            if self._state is _COMMAND:
                self._command(line)
            else:
                self._respond(line)
        return self._take_events()

    def _command(self, line: bytes) -> None:
        verb, _, argument = line.partition(b" ")
        verb = verb.upper()
        handler = self._HANDLERS.get(verb)
        if handler is None:
            if verb in _HTTP:
                # A browser or an HTTP proxy was pointed here; its body must never be read as commands.
                self._end(b"421 4.7.0 this is not an HTTP server\r\n")
                return
            self._refuse_command(verb, b"500 5.5.2 unknown command")
            return
        try:
            handler(self, argument)
        except CommandError as error:
            self._refuse_command(verb, error.reply)

    def _reset(self) -> None:
        self._transaction = None
        self._intake.clear()

    def _ehlo(self, argument: bytes) -> None:
        self._greet(argument)
        self.extended = True
        more = b""
        if self._offers.starttls and not self.secured:
            more += b"250-STARTTLS\r\n"
        if self._offers.auth and self.secured:
            more += b"250-AUTH PLAIN LOGIN\r\n"
        self._out.append(
            b"250-%s\r\n250-PIPELINING\r\n250-SIZE %d\r\n%s250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n"
            b"250 ENHANCEDSTATUSCODES\r\n" % (self._hostname, self._limits.message_size, more)
        )
        self._count_junk()

    def _helo(self, argument: bytes) -> None:
        self._greet(argument)
        self.extended = False
        self._out.append(b"250 %s\r\n" % self._hostname)
        self._count_junk()

    def _greet(self, argument: bytes) -> None:
        name = argument.strip()
        # It goes into the Received header: nothing that could end a clause there.
        if _HOST_NAME.fullmatch(name) is None:
            raise CommandError(b"501 5.5.4 expected the name of your host")
        self.helo = name
        self._reset()

    def _starttls(self, argument: bytes) -> None:
        if argument:
            raise CommandError(b"501 5.5.4 STARTTLS takes no argument")
        if self.secured or not self._offers.starttls:
            raise CommandError(b"503 5.5.1 TLS is active" if self.secured else b"502 5.5.1 STARTTLS isn't offered here")
        if len(self._lines):
            # Whoever can put octets before the handshake must not speak for the client behind it (CVE-2011-0411).
            self._end(b"421 4.7.0 commands came in one flight with STARTTLS\r\n")
            return
        self._out.append(b"220 2.0.0 go ahead\r\n")
        self._state = _State.TLS
        self._events.append(TlsBegins())

    def _auth(self, argument: bytes) -> None:
        if not self._offers.auth:
            raise CommandError(b"502 5.5.1 AUTH isn't offered here")
        if not self.secured:
            raise CommandError(b"538 5.7.11 encryption required: say STARTTLS first")
        if not self.helo or self.identity or self._transaction is not None:
            raise CommandError(b"503 5.5.1 AUTH comes once, between EHLO and MAIL")
        mechanism, given, initial = argument.partition(b" ")
        self._exchange = Exchange(mechanism)
        self._step(self._exchange.begin(initial if given else None))

    def _respond(self, line: bytes) -> None:
        assert self._exchange is not None
        self._lines.limit = self._limits.line
        try:
            self._step(self._exchange.respond(line))
        except CommandError as error:
            self._state = _COMMAND
            self._refuse_command(b"AUTH", error.reply)

    def _step(self, step: Challenge | Credentials) -> None:
        if isinstance(step, Challenge):
            self._out.append(b"334 %s\r\n" % base64.b64encode(step.text))
            self._state = _EXCHANGE
            self._lines.limit = MAX_AUTH_LINE
        else:
            self._state = _State.VERIFYING
            self._events.append(AuthAttempt(step))

    def _mail_from(self, argument: bytes) -> None:
        if not self.helo:
            raise CommandError(b"503 5.5.1 say EHLO first")
        if self._transaction is not None:
            raise CommandError(b"503 5.5.1 nested MAIL")
        if self._offers.auth_required and not self.identity:
            raise CommandError(self._authenticate_first)
        mail = parse_mail(argument)
        if mail.size > self._limits.message_size:
            raise CommandError(b"552 5.3.4 message larger than %d octets" % self._limits.message_size)
        if self.tenant is not None and mail.sender and not self.tenant.owns(domain := domain_of(mail.sender)):
            raise CommandError(self.tenant.refusal(domain))
        self._transaction = MailTransaction(mail)
        self._out.append(b"250 2.1.0 Ok\r\n")

    @property
    def _authenticate_first(self) -> bytes:
        if self.secured:
            return b"530 5.7.0 authentication required"
        return b"530 5.7.0 authentication required: say STARTTLS, then AUTH"

    def _rcpt_to(self, argument: bytes) -> None:
        transaction = self._transaction
        if transaction is None:
            raise CommandError(b"503 5.5.1 MAIL first")
        if not self._may_relay:
            if self._offers.auth:
                raise CommandError(self._authenticate_first)
            raise CommandError(b"554 5.7.1 relaying denied: your address is not in relay_from")
        if transaction.chunked:
            raise CommandError(b"503 5.5.1 RCPT comes before BDAT")
        if len(transaction.recipients) >= self._limits.recipients:
            raise CommandError(b"452 4.5.3 too many recipients")
        recipient = parse_rcpt(argument, smtputf8=transaction.mail.smtputf8)
        if not self._intake.reserve(len(argument) + _RECIPIENT_OCTETS):
            raise CommandError(b"452 4.3.1 too much mail is on its way here, try again later")
        transaction.add(recipient)
        self._out.append(b"250 2.1.5 Ok\r\n")

    def _data(self, argument: bytes) -> None:
        if argument:
            raise CommandError(b"501 5.5.4 DATA takes no argument")
        transaction = self._with_recipients()
        if transaction.chunked:
            raise CommandError(b"503 5.5.1 what began with BDAT goes on with BDAT")
        self._out.append(b"354 end with <CR><LF>.<CR><LF>\r\n")
        self._state = _CONTENT
        self._intake.begin_data()
        self._feed_content(self._lines.take())

    def _with_recipients(self) -> MailTransaction:
        transaction = self._transaction
        if transaction is None or not transaction.recipients:
            raise CommandError(b"503 5.5.1 RCPT first" if transaction is not None else b"503 5.5.1 MAIL first")
        return transaction

    @property
    def _too_much(self) -> int:
        """Octets of a message whose end isn't waited for any more, to refuse it in its place."""
        return 2 * self._limits.message_size + self._limits.line

    def _bdat(self, argument: bytes) -> None:
        try:
            size, last = parse_bdat(argument)
        except CommandError as error:
            # Where commands go on behind this chunk can't be told.
            self._end(error.reply + b"\r\n")
            return
        if size > self._too_much:
            self._end(b"552 5.3.4 message larger than %d octets\r\n" % self._limits.message_size)
            return
        refusal = None
        try:
            self._with_recipients().chunked = True
        except CommandError as error:
            refusal = error.reply
        self._intake.begin_chunk(size, last=last, refusal=refusal)
        self._state = _CONTENT
        self._feed_content(self._lines.take())

    def _feed_content(self, data: bytes) -> None:
        rest = self._intake.feed(data)
        if rest is None:
            if self._intake.octets > self._too_much:
                self._end(b"552 5.3.4 message larger than %d octets\r\n" % self._limits.message_size)
            return
        self._lines.feed(rest)
        intake = self._intake
        try:
            if intake.whole:
                content = intake.content()
                assert self._transaction is not None
                self._state = _WAITING
                self._events.append(MessageReceived(self._transaction.envelope(), content))
            else:
                intake.check()
                self._state = _COMMAND
                self._out.append(b"250 2.0.0 %d octets received\r\n" % intake.chunk_size)
        except ContentError as error:
            self._state = _COMMAND
            self._reset()
            self._refuse_command(intake.verb.encode("ascii"), error.reply)
            if self._draining:
                self._end_for_drain()

    def _rset(self, argument: bytes) -> None:
        self._reset()
        self._out.append(b"250 2.0.0 Ok\r\n")
        self._count_junk()

    def _noop(self, argument: bytes) -> None:
        self._out.append(b"250 2.0.0 Ok\r\n")
        self._count_junk()

    def _vrfy(self, argument: bytes) -> None:
        self._out.append(b"252 2.5.2 cannot verify, but will take the message\r\n")
        self._count_junk()

    def _quit(self, argument: bytes) -> None:
        self._end(b"221 2.0.0 %s closing\r\n" % self._hostname)

    _HANDLERS: ClassVar[dict[bytes, Callable[["ServerProtocol", bytes], None]]] = {
        b"EHLO": _ehlo,
        b"HELO": _helo,
        b"STARTTLS": _starttls,
        b"AUTH": _auth,
        b"MAIL": _mail_from,
        b"RCPT": _rcpt_to,
        b"DATA": _data,
        b"BDAT": _bdat,
        b"RSET": _rset,
        b"NOOP": _noop,
        b"VRFY": _vrfy,
        b"QUIT": _quit,
    }
