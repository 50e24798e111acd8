"""SASL exchanges of AUTH: PLAIN (RFC 4616) and LOGIN, step by step, without I/O."""

import binascii
from dataclasses import dataclass

from postroad.smtp.commands import CommandError

MECHANISMS = (b"PLAIN", b"LOGIN")
MAX_AUTH_LINE = 12288
"""Octets of a line of an exchange (RFC 4954 4)."""
MAX_FIELD = 255
"""Octets of an identity or a password (RFC 4616 2)."""
_CANCEL = b"*"
_EMPTY = b"="


@dataclass(frozen=True, slots=True)
class Challenge:
    """Say 334 with this text, in base64, and wait for a line."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who the client says it is, and its proof; both in UTF-8, neither empty."""

    identity: str
    password: str


class Exchange:
    """One AUTH command's exchange.

    Args:
        mechanism: one of `MECHANISMS`, in any case.

    Raises:
        CommandError: the mechanism isn't one of them.
    """

    __slots__ = ("_identity", "_mechanism")

    def __init__(self, mechanism: bytes) -> None:
        self._mechanism = mechanism.upper()
        self._identity: bytes | None = None
        if self._mechanism not in MECHANISMS:
            raise CommandError(b"504 5.5.4 AUTH knows PLAIN and LOGIN")

    def begin(self, initial: bytes | None) -> Challenge | Credentials:
        """The first step; `initial` is the initial response (RFC 4954 4), None if the client sent none.

        Raises:
            CommandError: it can't be understood.
        """
        if initial is None:
            return Challenge(b"" if self._mechanism == b"PLAIN" else b"Username:")
        return self._step(b"" if initial == _EMPTY else _decoded(initial))

    def respond(self, line: bytes) -> Challenge | Credentials:
        """The next step, on the client's answer to a challenge.

        Raises:
            CommandError: the client cancels, or can't be understood.
        """
        if line == _CANCEL:
            raise CommandError(b"501 5.7.0 authentication cancelled")
        return self._step(_decoded(line))

    def _step(self, answer: bytes) -> Challenge | Credentials:
        if self._mechanism == b"PLAIN":
            return _plain(answer)
        if self._identity is None:
            self._identity = answer
            return Challenge(b"Password:")
        return _credentials(self._identity, answer)


def _decoded(line: bytes) -> bytes:
    try:
        return binascii.a2b_base64(line, strict_mode=True)
    except binascii.Error:
        raise CommandError(b"501 5.5.2 not base64") from None


def _plain(message: bytes) -> Credentials:
    """The message of PLAIN (RFC 4616 2): an identity to act as, NUL, the identity, NUL, the password."""
    parts = message.split(b"\0")
    if len(parts) != 3:
        raise CommandError(b"501 5.5.2 expected identity and password between NULs (RFC 4616)")
    authorization, identity, password = parts
    if authorization not in (b"", identity):
        raise CommandError(b"535 5.7.8 nobody may act as another")
    return _credentials(identity, password)


def _credentials(identity: bytes, password: bytes) -> Credentials:
    if not 0 < len(identity) <= MAX_FIELD or not 0 < len(password) <= MAX_FIELD or b"\0" in identity + password:
        raise CommandError(b"501 5.5.2 identity and password have 1 to 255 octets each, and no NUL (RFC 4616)")
    try:
        return Credentials(identity.decode("utf-8"), password.decode("utf-8"))
    except UnicodeDecodeError:
        raise CommandError(b"501 5.5.2 identity and password are in UTF-8 (RFC 4616)") from None
