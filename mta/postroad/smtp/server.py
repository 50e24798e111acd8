"""The server's side of one SMTP connection, without I/O."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar

from postroad.smtp.commands import CommandError, MailArguments, parse_mail, parse_rcpt
from postroad.smtp.content import ContentReader
from postroad.smtp.envelope import Envelope, domain_of
from postroad.smtp.events import CommandRefused, MessageReceived, ServerEvent, SessionEnded
from postroad.smtp.lines import BareLineEndingError, LineBuffer, LineTooLongError, has_bare_line_ending
from postroad.tenants.tenant import Tenant


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What a client may ask of one connection."""

    message_size: int = 50 << 20
    """Octets of a message; announced as SIZE (RFC 1870)."""
    recipients: int = 1000
    """Recipients of a message; RFC 5321 4.5.3.1.8 asks for 100 at least."""
    line: int = 4096
    """Octets of a command line; RFC 5321 4.5.3.1.4 asks for 512, parameters need more."""
    errors: int = 20
    """Refused commands before the connection is closed."""
    junk: int = 100
    """NOOP, RSET and VRFY between two messages before the connection is closed."""


_HOST_NAME = re.compile(rb"[A-Za-z0-9._:\[\]-]{1,255}")


class _State(Enum):
    COMMAND = auto()
    CONTENT = auto()
    WAITING = auto()
    ENDED = auto()


class ServerProtocol:
    """An ESMTP server's side of one connection, without I/O (RFC 5321, 1870, 2034, 2920, 6152, 6531).

    Feed it octets, send what `data_to_send` returns, and act on the events:

        for event in protocol.receive(chunk):
            match event:
                case MessageReceived():
                    spool.append(event)    # then protocol.accept(queue_id), which gives further events

    Args:
        hostname: the name in banner and EHLO reply.
        may_relay: whether this peer may send mail to others at all (`relay_from`).
        tenant: whose mail it is; None if it is nobody's, and may be from any domain.
    """

    __slots__ = (
        "_content",
        "_draining",
        "_errors",
        "_events",
        "_hostname",
        "_junk",
        "_limits",
        "_lines",
        "_mail",
        "_may_relay",
        "_out",
        "_recipients",
        "_state",
        "extended",
        "helo",
        "tenant",
    )

    def __init__(self, *, hostname: str, may_relay: bool, limits: ServerLimits, tenant: Tenant | None = None) -> None:
        self._hostname = hostname.encode("ascii")
        self._may_relay = may_relay
        self.tenant = tenant
        self._limits = limits
        self._state = _State.COMMAND
        self._lines = LineBuffer(limits.line)
        self._content = ContentReader(limits.message_size)
        self._mail: MailArguments | None = None
        self._recipients: list[bytes] = []
        self._out: list[bytes] = [b"220 %s ESMTP Postroad\r\n" % self._hostname]
        self._events: list[ServerEvent] = []
        self._errors = self._junk = 0
        self._draining = False
        self.helo = b""
        """The name the client gave itself; empty before EHLO."""
        self.extended = False
        """The client said EHLO, not HELO."""

    def with_protocol(self, *, smtputf8: bool) -> str:
        """How a message came, for its Received field (RFC 3848, RFC 6531 4.3)."""
        if not self.extended:
            return "SMTP"
        return "UTF8SMTP" if smtputf8 else "ESMTP"

    @property
    def buffered(self) -> int:
        """Octets held while `accept` or `refuse` is awaited: stop reading when it grows."""
        return len(self._lines)

    @property
    def receiving(self) -> bool:
        """Whether a message is on its way: DATA was said and the reply to its end isn't given yet."""
        return self._state in (_State.CONTENT, _State.WAITING)

    def data_to_send(self) -> bytes:
        """What to send now; given once."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def receive(self, data: bytes) -> list[ServerEvent]:
        """Take octets from the client."""
        if self._state is _State.CONTENT:
            self._feed_content(data)
        else:
            self._lines.feed(data)
        return self._advance()

    def accept(self, queue_id: str) -> list[ServerEvent]:
        """Answer the message with 250: it is on disk. Pipelined commands behind it are acted on."""
        return self._answer(b"250 2.0.0 Ok: queued as %s\r\n" % queue_id.encode("ascii"))

    def refuse(self, reply: bytes) -> list[ServerEvent]:
        """Answer the message with a reply of code 4yz or 5yz (without CRLF)."""
        self._events.append(CommandRefused("DATA", reply.decode("ascii", "replace")))
        return self._answer(reply + b"\r\n")

    def timeout(self) -> list[ServerEvent]:
        """The client said nothing for too long (RFC 5321 4.5.3.2.7)."""
        self._end(b"421 4.4.2 %s timed out, closing\r\n" % self._hostname)
        return self._take_events()

    def drain(self) -> list[ServerEvent]:
        """Stop politely: 421 now, or after the reply to the message that is on its way (RFC 5321 3.8)."""
        self._draining = True
        if not self.receiving:
            self._end_for_drain()
        return self._take_events()

    def _end_for_drain(self) -> None:
        self._end(b"421 4.3.2 %s is shutting down, try again\r\n" % self._hostname)

    def _answer(self, line: bytes) -> list[ServerEvent]:
        if self._state is not _State.WAITING:
            raise RuntimeError("no message awaits an answer")
        self._out.append(line)
        self._reset()
        self._junk = 0
        self._state = _State.COMMAND
        if self._draining:
            self._end_for_drain()
        return self._advance()

    def _end(self, line: bytes) -> None:
        if self._state is not _State.ENDED:
            self._out.append(line)
            self._state = _State.ENDED
            self._events.append(SessionEnded())

    def _take_events(self) -> list[ServerEvent]:
        events, self._events = self._events, []
        return events

    def _advance(self) -> list[ServerEvent]:
        while self._state is _State.COMMAND:
            try:
                line = self._lines.next_line()
            except LineTooLongError:
                self._end(b"421 4.5.2 line too long\r\n")
                break
            except BareLineEndingError:
                self._end(b"421 4.5.2 bare CR or LF\r\n")
                break
            if line is None:
                break
            self._command(line)
        return self._take_events()

    def _command(self, line: bytes) -> None:
        verb, _, argument = line.partition(b" ")
        verb = verb.upper()
        handler = self._HANDLERS.get(verb)
        if handler is None:
            if verb in (b"GET", b"POST", b"PUT", b"CONNECT", b"OPTIONS", b"HEAD"):
                # A browser or an HTTP proxy was pointed here; its body must never be read as commands.
                self._end(b"421 4.7.0 this is not an HTTP server\r\n")
                return
            self._refuse_command(verb, b"500 5.5.2 unknown command")
            return
        try:
            handler(self, argument)
        except CommandError as error:
            self._refuse_command(verb, error.reply)

    def _refuse_command(self, verb: bytes, reply: bytes) -> None:
        self._out.append(reply + b"\r\n")
        self._events.append(CommandRefused(verb[:16].decode("ascii", "replace"), reply.decode("ascii", "replace")))
        self._errors += 1
        if self._errors >= self._limits.errors:
            self._end(b"421 4.7.0 too many errors\r\n")

    def _count_junk(self) -> None:
        self._junk += 1
        if self._junk > self._limits.junk:
            self._end(b"421 4.7.0 too many commands without mail\r\n")

    def _reset(self) -> None:
        self._mail = None
        self._recipients = []

    def _ehlo(self, argument: bytes) -> None:
        self._greet(argument)
        self.extended = True
        self._out.append(
            b"250-%s\r\n250-PIPELINING\r\n250-SIZE %d\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n"
            % (self._hostname, self._limits.message_size)
        )

    def _helo(self, argument: bytes) -> None:
        self._greet(argument)
        self.extended = False
        self._out.append(b"250 %s\r\n" % self._hostname)

    def _greet(self, argument: bytes) -> None:
        name = argument.strip()
        # It goes into the Received header: nothing that could end a clause there.
        if _HOST_NAME.fullmatch(name) is None:
            raise CommandError(b"501 5.5.4 expected the name of your host")
        self.helo = name
        self._reset()

    def _mail_from(self, argument: bytes) -> None:
        if not self.helo:
            raise CommandError(b"503 5.5.1 say EHLO first")
        if self._mail is not None:
            raise CommandError(b"503 5.5.1 nested MAIL")
        mail = parse_mail(argument)
        if mail.size > self._limits.message_size:
            raise CommandError(b"552 5.3.4 message larger than %d octets" % self._limits.message_size)
        if self.tenant is not None and mail.sender and not self.tenant.owns(domain := domain_of(mail.sender)):
            raise CommandError(self.tenant.refusal(domain))
        self._mail = mail
        self._out.append(b"250 2.1.0 Ok\r\n")

    def _rcpt_to(self, argument: bytes) -> None:
        if self._mail is None:
            raise CommandError(b"503 5.5.1 MAIL first")
        if not self._may_relay:
            raise CommandError(b"554 5.7.1 relaying denied: your address is not in relay_from")
        if len(self._recipients) >= self._limits.recipients:
            raise CommandError(b"452 4.5.3 too many recipients")
        self._recipients.append(parse_rcpt(argument, smtputf8=self._mail.smtputf8))
        self._out.append(b"250 2.1.5 Ok\r\n")

    def _data(self, argument: bytes) -> None:
        if argument:
            raise CommandError(b"501 5.5.4 DATA takes no argument")
        if not self._recipients:
            raise CommandError(b"503 5.5.1 RCPT first" if self._mail is not None else b"503 5.5.1 MAIL first")
        self._out.append(b"354 end with <CR><LF>.<CR><LF>\r\n")
        self._state = _State.CONTENT
        self._content.start()
        self._feed_content(self._lines.take())

    def _feed_content(self, data: bytes) -> None:
        rest = self._content.feed(data)
        if rest is None:
            return
        self._lines.feed(rest)
        self._state = _State.WAITING
        content = self._content.take()
        if content is None:
            self._refuse_content(b"552 5.3.4 message larger than %d octets" % self._limits.message_size)
        elif has_bare_line_ending(content):
            self._refuse_content(b"550 5.6.0 bare CR or LF in the message (RFC 5321 2.3.8)")
        else:
            assert self._mail is not None
            mail = self._mail
            envelope = Envelope(mail.sender, tuple(self._recipients), mail.eight_bit, mail.smtputf8)
            self._events.append(MessageReceived(envelope, content))

    def _refuse_content(self, reply: bytes) -> None:
        self._state = _State.COMMAND
        self._reset()
        self._refuse_command(b"DATA", reply)
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
        b"MAIL": _mail_from,
        b"RCPT": _rcpt_to,
        b"DATA": _data,
        b"RSET": _rset,
        b"NOOP": _noop,
        b"VRFY": _vrfy,
        b"QUIT": _quit,
    }
