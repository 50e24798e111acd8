"""Header fields: what a submission server may add (RFC 6409 8, RFC 5321 4.4), and what is asked of a header."""

import re
import time
from dataclasses import dataclass

from postroad.smtp.content import dot_stuff, dot_unstuff

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
# Searched for in lower case: a third faster than a search that ignores case.
_ASKED = re.compile(rb"\r\n(?:(received)|(date)|(message-id)|(from)|(x-postroad-campaign))[ \t]*:")
_CAMPAIGN = re.compile(rb"[!-~](?:[ -~]{0,98}[!-~])?")
MAX_HOPS = 50
"""Received fields beyond which a message is taken to be in a loop (RFC 5321 6.3 asks for 100 or fewer)."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(slots=True)
class HeaderFacts:
    """What reception must know of a header."""

    hops: int = 0
    has_date: bool = False
    has_message_id: bool = False
    begins_with_field: bool = False
    authors: tuple[bytes, ...] = ()
    """The values of all From fields, folded as they came."""
    campaigns: tuple[slice, ...] = ()
    """Where in the message its X-Postroad-Campaign fields are, from name to CRLF."""


class CampaignError(ValueError):
    """X-Postroad-Campaign holds no name of a campaign."""


def header_end(content: bytes) -> int:
    """Where the header ends: behind the CRLF of its last field."""
    if content.startswith(b"\r\n"):
        return 0
    end = content.find(b"\r\n\r\n")
    return len(content) if end < 0 else end + 2


def plain_header(wire: bytes) -> bytes:
    """The wire form with its header stuffed only where it must be.

    Receivers drop the first dot of any line (RFC 5321 4.5.2): a client may send ".From:", and it arrives as "From:".
    """
    end = header_end(wire)
    if not wire.startswith(b".") and wire.find(b"\r\n.", 0, end) < 0:
        return wire
    return dot_stuff(dot_unstuff(wire[:end])) + wire[end:]


def inspect(content: bytes) -> HeaderFacts:
    """Look at the header of a message, whose dots are as `plain_header` leaves them, in one pass."""
    facts = HeaderFacts()
    if _FIELD.match(content) is None:
        return facts
    facts.begins_with_field = True
    header = b"\r\n" + content[: header_end(content)]
    for found in _ASKED.finditer(header.lower()):
        match found.lastindex:
            case 1:
                facts.hops += 1
            case 2:
                facts.has_date = True
            case 3:
                facts.has_message_id = True
            case 4:
                facts.authors += (header[found.end() : _value_end(header, found.end())],)
            case _:
                # The CRLF put before the header and the one behind the field make up for each other.
                facts.campaigns += (slice(found.start(), _value_end(header, found.end())),)
    return facts


def _value_end(header: bytes, at: int) -> int:
    """Where the value that `at` is in ends: at the CRLF behind its last folded line (RFC 5322 2.2.3)."""
    while True:
        end = header.find(b"\r\n", at)
        if end < 0:
            return len(header)
        if header[end + 2 : end + 3] not in (b" ", b"\t"):
            return end
        at = end + 2


def campaign_of(content: bytes, facts: HeaderFacts) -> str:
    """The campaign that a message is sent for; empty if it names none.

    Raises:
        CampaignError: the field holds anything but 1 to 100 printable ASCII characters, or there are several.
    """
    if not facts.campaigns:
        return ""
    if len(facts.campaigns) > 1:
        raise CampaignError("several X-Postroad-Campaign fields: a message has one campaign")
    value = content[facts.campaigns[0]].partition(b":")[2].replace(b"\r\n", b"").strip(b" \t")
    if _CAMPAIGN.fullmatch(value) is None:
        raise CampaignError("X-Postroad-Campaign must be 1 to 100 printable ASCII characters")
    return value.decode("ascii")


def without_fields(content: bytes, fields: tuple[slice, ...]) -> bytes:
    """A message without these fields; every other octet stays."""
    at = 0
    pieces = []
    for field in fields:
        pieces.append(content[at : field.start])
        at = field.stop
    return b"".join((*pieces, content[at:]))


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
