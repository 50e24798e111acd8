"""The envelope: who a message is from, whom it is for, and what its transport must support."""

import re
from collections.abc import Sequence
from enum import IntFlag

import msgspec


class Notify(IntFlag):
    """When a recipient's sender wants to be told (RFC 3461 4.1); 0 if NOTIFY wasn't given."""

    NEVER = 1
    SUCCESS = 2
    FAILURE = 4
    DELAY = 8


class DsnRequest(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What the client asked about delivery status notifications (RFC 3461); a message without any of it has none."""

    ret: str = ""
    """FULL or HDRS; empty if RET wasn't given."""
    envid: bytes = b""
    """ENVID as it came, in xtext."""
    notify: tuple[int, ...] = ()
    """`Notify` of each recipient, in their order; empty if no recipient had one."""
    orcpt: tuple[bytes, ...] = ()
    """ORCPT of each recipient as it came, type and xtext; empty where it wasn't given, and no tuple
    at all if it never was."""

    def of(self, indexes: Sequence[int]) -> "DsnRequest":
        """What was asked for these recipients, in this order."""
        return DsnRequest(
            self.ret,
            self.envid,
            tuple(self.notify[index] for index in indexes) if self.notify else (),
            tuple(self.orcpt[index] for index in indexes) if self.orcpt else (),
        )


class Envelope(msgspec.Struct, frozen=True):
    """What MAIL and RCPT said (RFC 5321 2.3.1): addresses as octets without brackets, an empty `sender` for `<>`."""

    sender: bytes
    recipients: tuple[bytes, ...]
    eight_bit: bool = False
    """BODY=8BITMIME was declared (RFC 6152)."""
    smtputf8: bool = False
    """SMTPUTF8 was declared (RFC 6531)."""
    dsn: DsnRequest | None = None


def domain_of(address: bytes) -> bytes:
    """The domain of an address in lower case; empty for the null sender."""
    return address.rpartition(b"@")[2].lower() if b"@" in address else b""


XTEXT = rb"(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+[0-9A-F]{2})"
"""A character of xtext (RFC 3461 4)."""
_ENVID = re.compile(rb"%s{1,100}" % XTEXT)
_ORCPT = re.compile(rb"[A-Za-z0-9-]{1,40};(?:%s|[\x80-\xff]){1,460}" % XTEXT)


def is_envid(value: bytes) -> bool:
    """Whether it is a value of ENVID (RFC 3461 4.4: at most 100 characters of xtext)."""
    return _ENVID.fullmatch(value) is not None


def is_orcpt(value: bytes) -> bool:
    """Whether it is a value of ORCPT (RFC 3461 4.2: an address type, xtext; RFC 6533 3: UTF-8 in type utf-8)."""
    if _ORCPT.fullmatch(value) is None:
        return False
    if value.isascii():
        return True
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return value[:6].lower() == b"utf-8;"


def dsn_problem(dsn: DsnRequest, recipients: int) -> str | None:
    """What makes a request one that no client could have made of a message with so many recipients; None if nothing."""
    if dsn.ret not in ("", "FULL", "HDRS") or (dsn.envid and not is_envid(dsn.envid)):
        return "a RET or ENVID that is none"
    if len(dsn.notify) not in (0, recipients) or len(dsn.orcpt) not in (0, recipients):
        return "NOTIFY or ORCPT of recipients that it doesn't have"
    if not all(0 <= flags < 16 and (flags == Notify.NEVER or not flags & Notify.NEVER) for flags in dsn.notify):
        return "a NOTIFY that is none"
    if not all(not value or is_orcpt(value) for value in dsn.orcpt):
        return "an ORCPT that is none"
    return None
