"""Delivery status notifications: what a sender is told of its recipients (RFC 3464, 3461, 6533)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from postroad.content.headers import header_end
from postroad.smtp.content import dot_stuff, dot_unstuff
from postroad.smtp.replies import Reply

_HEX = re.compile(rb"\+([0-9A-F]{2})")
_REPLY_OCTETS = 700
"""What is told of a reply: with its field or its host's name a line of at most 998 octets (RFC 5322 2.1.1)."""


class Action(Enum):
    """What became of recipients (RFC 3464 2.3.3), and the class of status that says so."""

    FAILED = b"failed"
    DELAYED = b"delayed"
    RELAYED = b"relayed"

    @property
    def status_class(self) -> bytes:
        """The first digit of the status."""
        return {Action.FAILED: b"5", Action.DELAYED: b"4", Action.RELAYED: b"2"}[self]


@dataclass(frozen=True, slots=True)
class ReportedRecipient:
    """A recipient and the reply that was the last word on it."""

    address: bytes
    reply: Reply
    host: str = ""
    """The mail host that said so; empty if it was decided here."""
    orcpt: bytes = b""
    """ORCPT as the sender gave it, type and xtext."""


@dataclass(frozen=True, slots=True)
class ReportedMessage:
    """What a notification tells of the message."""

    queue_id: str
    sender: bytes
    arrived: bytes
    """Date of acceptance as in a header."""
    content: bytes
    """The message as in the spool."""
    envid: bytes = b""
    """ENVID as the sender gave it, in xtext."""
    whole: bool = False
    """RET=FULL: a failure returns all of it, and not only its header."""


_SUBJECT = {
    Action.FAILED: b"Undelivered mail returned to sender",
    Action.DELAYED: b"Mail is delayed, and still being tried",
    Action.RELAYED: b"Mail was passed on",
}
_BEGIN = {
    Action.FAILED: b"Your message could not be delivered to:",
    Action.DELAYED: b"Your message could not be delivered yet to:",
    Action.RELAYED: b"Your message was taken by a host that sends no notice of delivery, for:",
}
_END = {
    Action.FAILED: b"It will not be tried again.",
    Action.DELAYED: b"It will be tried again; you need not do anything.",
    Action.RELAYED: b"No more notices will follow unless it fails there.",
}


def build_dsn(
    message: ReportedMessage,
    recipients: Sequence[ReportedRecipient],
    action: Action,
    *,
    hostname: str,
    id: str,
    date: bytes,
    retry_until: bytes = b"",
    return_limit: int = 0,
) -> bytes:
    """A multipart/report for the sender, as content of a message with a null sender, dot-stuffed.

    Args:
        retry_until: for delays: the date when it is given up.
        return_limit: octets of the largest message that is returned whole; of larger ones only the header.
    """
    # Only failures return more than a header (RFC 3461 4.3).
    whole = message.whole and action is Action.FAILED and len(message.content) <= return_limit
    host = hostname.encode()
    utf8 = not (message.sender.isascii() and all(item.address.isascii() for item in recipients))
    returned = dot_unstuff(message.content if whole else message.content[: header_end(message.content)])
    boundary = _boundary(id, returned)
    lines = [
        b"From: Mail Delivery System <postmaster@%s>" % host,
        b"To: <%s>" % message.sender,
        b"Subject: " + _SUBJECT[action],
        b"Date: %s" % date,
        b"Message-ID: <%s.dsn@%s>" % (id.encode(), host),
        b"Auto-Submitted: auto-replied",
        b"MIME-Version: 1.0",
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="%s"' % boundary,
        b"",
        b"--" + boundary,
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: 8bit",
        b"",
        *_for_people(recipients, action, whole=whole, retry_until=retry_until),
        b"",
        b"--" + boundary,
        b"Content-Type: message/global-delivery-status" if utf8 else b"Content-Type: message/delivery-status",
        b"",
        b"Reporting-MTA: dns; " + host,
    ]
    if message.envid:
        lines.append(b"Original-Envelope-Id: " + xtext_decode(message.envid))
    lines += [b"X-Postroad-Queue-ID: " + message.queue_id.encode(), b"Arrival-Date: " + message.arrived, b""]
    for item in recipients:
        lines += [*_fields(item, action, date), *([b"Will-Retry-Until: " + retry_until] if retry_until else []), b""]
    lines += [b"--" + boundary, b"Content-Type: " + _returned_type(whole=whole, utf8=utf8)]
    if not returned.isascii():
        lines.append(b"Content-Transfer-Encoding: 8bit")
    lines += [b"", returned + b"--" + boundary + b"--", b""]
    return dot_stuff(b"\r\n".join(lines))


def _boundary(id: str, returned: bytes) -> bytes:
    """A boundary that the message itself doesn't have (RFC 2046 5.1): an id can be guessed."""
    boundary = b"postroad-" + id.encode()
    while b"--" + boundary in returned:
        boundary += b"-x"
    return boundary


def xtext_decode(value: bytes) -> bytes:
    """The text that xtext stands for (RFC 3461 4); what would break a header field becomes a question mark."""
    text = _HEX.sub(lambda match: bytes((int(match[1], 16),)), value)
    return bytes(octet if octet >= 0x20 and octet != 0x7F else 0x3F for octet in text)


def _for_people(
    recipients: Sequence[ReportedRecipient], action: Action, *, whole: bool, retry_until: bytes
) -> list[bytes]:
    lines = [_BEGIN[action], b""]
    for item in recipients:
        lines.append(b"  <%s>" % item.address)
        said = f"    {item.host} said: " if item.host else "    "
        lines.extend((said.encode() + _text(item.reply), b""))
    attached = b"Your message is attached." if whole else b"The header of your message is attached."
    until = b"It is given up on %s." % retry_until if retry_until else b""
    lines.append(b" ".join(part for part in (_END[action], until, attached) if part))
    return lines


def _fields(item: ReportedRecipient, action: Action, date: bytes) -> list[bytes]:
    """The fields of one recipient (RFC 3464 2.3)."""
    lines = []
    kind, found, original = item.orcpt.partition(b";")
    if found:
        lines.append(b"Original-Recipient: %s; %s" % (kind, xtext_decode(original)))
    kind = b"rfc822" if item.address.isascii() else b"utf-8"
    lines += [
        b"Final-Recipient: %s; %s" % (kind, item.address),
        b"Action: " + action.value,
        # The class is that of the action, also when it was the time that ran out on a 4yz (RFC 3464 2.3.4).
        b"Status: " + action.status_class + item.reply.enhanced.encode()[1:],
    ]
    if item.host:
        lines.append(b"Remote-MTA: dns; " + item.host.encode())
    if not item.reply.local:
        lines.append(b"Diagnostic-Code: smtp; " + _text(item.reply))
    if action is not Action.RELAYED:
        lines.append(b"Last-Attempt-Date: " + date)
    return lines


def _returned_type(*, whole: bool, utf8: bool) -> bytes:
    if whole:
        return b"message/global" if utf8 else b"message/rfc822"
    return b"message/global-headers" if utf8 else b"text/rfc822-headers"


def _text(reply: Reply) -> bytes:
    """A reply on one line, without what could break the report's own lines."""
    text = "".join(char if char.isprintable() else " " for char in str(reply)[:_REPLY_OCTETS])
    return text.encode("utf-8", "replace")[:_REPLY_OCTETS].decode("utf-8", "ignore").encode()
