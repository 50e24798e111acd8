"""Header fields: what a submission server may add (RFC 6409 8, RFC 5321 4.4), and what is asked of a header."""

import re
import time
from dataclasses import dataclass

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_FROM_DOMAIN = re.compile(rb"\r\nfrom[ \t]*:((?:[^\r]|\r\n[ \t])*)", re.IGNORECASE)
_ADDRESS_DOMAIN = re.compile(rb"@([A-Za-z0-9.-]+)[ \t]*>?")
MAX_HOPS = 50
"""Received fields beyond which a message is taken to be in a loop (RFC 5321 6.3 asks for 100 or fewer)."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """What reception must know of a header."""

    hops: int
    has_date: bool
    has_message_id: bool
    begins_with_field: bool


def header_end(content: bytes) -> int:
    """Where the header ends: behind the CRLF of its last field."""
    if content.startswith(b"\r\n"):
        return 0
    end = content.find(b"\r\n\r\n")
    return len(content) if end < 0 else end + 2


def inspect(content: bytes) -> HeaderFacts:
    """Look at the header of a message."""
    begins = _FIELD.match(content) is not None
    if not begins:
        return HeaderFacts(0, False, False, False)
    header = b"\r\n" + content[: header_end(content)].lower()
    return HeaderFacts(
        header.count(b"\r\nreceived:"),
        b"\r\ndate:" in header,
        b"\r\nmessage-id:" in header,
        True,
    )


def from_domain(content: bytes) -> bytes | None:
    """The domain of the From field's address, in lower case; None if there isn't exactly one From."""
    fields = _FROM_DOMAIN.findall(b"\r\n" + content[: header_end(content)])
    if len(fields) != 1:
        return None
    domains = _ADDRESS_DOMAIN.findall(fields[0])
    return domains[-1].lower() if domains else None


class DateStamp:
    """The present time as RFC 5322 3.3 writes it, made once a second; the C library's locale has no say."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = b""

    def __call__(self, now: float) -> bytes:
        """The date of a Unix time, in UTC."""
        second = int(now)
        if second != self._second:
            t = time.gmtime(second)
            self._text = (
                f"{_DAYS[t.tm_wday]}, {t.tm_mday} {_MONTHS[t.tm_mon - 1]} {t.tm_year} "
                f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} +0000"
            ).encode()
            self._second = second
        return self._text


def received_field(
    *, helo: bytes, peer: str, hostname: str, protocol: str, queue_id: str, recipient: bytes | None, date: bytes
) -> bytes:
    """A trace field (RFC 5321 4.4); FOR only names a single recipient, so that no blind copy shows."""
    literal = f"IPv6:{peer}" if ":" in peer else peer
    for_clause = b"\r\n\tfor <%s>" % recipient if recipient is not None else b""
    return b"Received: from %s ([%s])\r\n\tby %s (Postroad) with %s id %s%s;\r\n\t%s\r\n" % (
        helo,
        literal.encode(),
        hostname.encode(),
        protocol.encode(),
        queue_id.encode(),
        for_clause,
        date,
    )
