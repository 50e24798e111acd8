"""Events of the two state machines: what the shell that owns the socket must act on."""

import msgspec

from postroad.smtp.envelope import Envelope
from postroad.smtp.replies import Reply
from postroad.smtp.sasl import Credentials
from postroad.smtp.transaction import Transaction


class MessageReceived(msgspec.Struct, frozen=True):
    """The client sent a whole message; answer with `accept` or `refuse` before anything else is read.

    `content` is the wire form: CRLF lines, still dot-stuffed (RFC 5321 4.5.2), without the final dot.
    """

    envelope: Envelope
    content: bytes


class CommandRefused(msgspec.Struct, frozen=True):
    """A command got a 4yz or 5yz; for logs and counters, nothing is to be done."""

    verb: str
    reply: str


class SessionEnded(msgspec.Struct, frozen=True):
    """Send what is left, then close the connection."""


class TlsBegins(msgspec.Struct, frozen=True):
    """The client was told 220: all that follows is TLS; call `tls_established` once the handshake is done."""


class AuthAttempt(msgspec.Struct, frozen=True):
    """A client says who it is; answer with `authenticated` or `auth_refused` before anything else is read."""

    credentials: Credentials


ServerEvent = MessageReceived | CommandRefused | SessionEnded | TlsBegins | AuthAttempt


class SessionReady(msgspec.Struct, frozen=True):
    """The server greeted and answered EHLO: `send` may be called."""


class TlsWanted(msgspec.Struct, frozen=True):
    """The server said 220 to STARTTLS: do the handshake, then call `tls_established`."""


class NextWanted(msgspec.Struct, frozen=True):
    """A message's content is about to go: what `send` gets before anything is written goes in the same flight."""


class TransactionDone(msgspec.Struct, frozen=True):
    """Each recipient of the transaction has its reply, in order."""

    transaction: Transaction
    replies: tuple[Reply, ...]


class TransactionNotBegun(msgspec.Struct, frozen=True):
    """The server never looked at the transaction: it can go by another connection as if nothing had been."""

    transaction: Transaction


class SessionRefused(msgspec.Struct, frozen=True):
    """The server won't take mail on this connection at all; it never got ready."""

    reply: Reply


class SessionClosed(msgspec.Struct, frozen=True):
    """Nothing more can be sent here: QUIT was answered, or the connection broke. Close it."""

    reply: Reply


ClientEvent = (
    SessionReady | TlsWanted | NextWanted | TransactionDone | TransactionNotBegun | SessionRefused | SessionClosed
)
