"""Events of the two state machines: what the shell that owns the socket must act on."""

from dataclasses import dataclass

from postroad.smtp.envelope import Envelope
from postroad.smtp.replies import Reply
from postroad.smtp.sasl import Credentials
from postroad.smtp.transaction import Transaction


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """The client sent a whole message; answer with `accept` or `refuse` before anything else is read.

    `content` is the wire form: CRLF lines, still dot-stuffed (RFC 5321 4.5.2), without the final dot.
    """

    envelope: Envelope
    content: bytes


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """A command got a 4yz or 5yz; for logs and counters, nothing is to be done."""

    verb: str
    reply: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """Send what is left, then close the connection."""


@dataclass(frozen=True, slots=True)
class TlsBegins:
    """The client was told 220: all that follows is TLS; call `tls_established` once the handshake is done."""


@dataclass(frozen=True, slots=True)
class AuthAttempt:
    """A client says who it is; answer with `authenticated` or `auth_refused` before anything else is read."""

    credentials: Credentials


ServerEvent = MessageReceived | CommandRefused | SessionEnded | TlsBegins | AuthAttempt


@dataclass(frozen=True, slots=True)
class SessionReady:
    """The server greeted and answered EHLO: `send` may be called."""


@dataclass(frozen=True, slots=True)
class TlsWanted:
    """The server said 220 to STARTTLS: do the handshake, then call `tls_established`."""


@dataclass(frozen=True, slots=True)
class NextWanted:
    """A message's content is about to go: what `send` gets before anything is written goes in the same flight."""


@dataclass(frozen=True, slots=True)
class TransactionDone:
    """Each recipient of the transaction has its reply, in order."""

    transaction: Transaction
    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class TransactionNotBegun:
    """The server never looked at the transaction: it can go by another connection as if nothing had been."""

    transaction: Transaction


@dataclass(frozen=True, slots=True)
class SessionRefused:
    """The server won't take mail on this connection at all; it never got ready."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """Nothing more can be sent here: QUIT was answered, or the connection broke. Close it."""

    reply: Reply


ClientEvent = (
    SessionReady | TlsWanted | NextWanted | TransactionDone | TransactionNotBegun | SessionRefused | SessionClosed
)
