"""Delivery status notifications: what a sender is told of recipients that got nothing (RFC 3464)."""

from collections.abc import Sequence
from dataclasses import dataclass

from postroad.content.headers import header_end
from postroad.smtp.content import dot_stuff, dot_unstuff
from postroad.smtp.replies import Reply


@dataclass(frozen=True, slots=True)
class FailedRecipient:
    """A recipient and the reply that was the last word on it."""

    address: bytes
    reply: Reply
    host: str = ""
    """The mail host that said so; empty if it was decided here."""


@dataclass(frozen=True, slots=True)
class BouncedMessage:
    """What a notification tells of the message."""

    queue_id: str
    sender: bytes
    arrived: bytes
    """Date of acceptance as in a header."""
    content: bytes
    """The message as in the spool; only its header is returned (RFC 3461 RET=HDRS)."""


def build_dsn(
    message: BouncedMessage, failed: Sequence[FailedRecipient], *, hostname: str, id: str, date: bytes
) -> bytes:
    """A multipart/report for the sender, as content of a message with a null sender, dot-stuffed.

    Named simplifications: it says `failed` only (no delay notices), and knows no NOTIFY, RET, ENVID or ORCPT.
    """
    boundary = f"postroad-{id}".encode()
    host = hostname.encode()
    header = dot_unstuff(message.content[: header_end(message.content)])
    utf8 = not (message.sender.isascii() and all(item.address.isascii() for item in failed))
    lines = [
        b"From: Mail Delivery System <postmaster@%s>" % host,
        b"To: <%s>" % message.sender,
        b"Subject: Undelivered mail returned to sender",
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
        b"Your message could not be delivered to:",
        b"",
    ]
    for item in failed:
        lines.append(b"  <%s>" % item.address)
        said = f"    {item.host} said: " if item.host else "    "
        lines.extend((said.encode() + _text(item.reply), b""))
    lines += [
        b"It will not be tried again. The header of your message is attached.",
        b"",
        b"--" + boundary,
        b"Content-Type: message/global-delivery-status" if utf8 else b"Content-Type: message/delivery-status",
        b"",
        b"Reporting-MTA: dns; " + host,
        b"X-Postroad-Queue-ID: " + message.queue_id.encode(),
        b"Arrival-Date: " + message.arrived,
        b"",
    ]
    for item in failed:
        kind = b"rfc822" if item.address.isascii() else b"utf-8"
        lines.append(b"Final-Recipient: %s; %s" % (kind, item.address))
        lines += [b"Action: failed", b"Status: " + _status(item.reply)]
        if item.host:
            lines.append(b"Remote-MTA: dns; " + item.host.encode())
        if not item.reply.local:
            lines.append(b"Diagnostic-Code: smtp; " + _text(item.reply))
        lines.append(b"")
    lines += [
        b"--" + boundary,
        b"Content-Type: message/global-headers" if utf8 else b"Content-Type: text/rfc822-headers",
        b"",
        header + b"--" + boundary + b"--",
        b"",
    ]
    return dot_stuff(b"\r\n".join(lines))


def _status(reply: Reply) -> bytes:
    """A failure's status is of class 5, also when it was the time that ran out on a 4yz (RFC 3464 2.3.4)."""
    return b"5" + reply.enhanced.encode()[1:]


def _text(reply: Reply) -> bytes:
    """A reply on one line, without what could break the report's own lines."""
    text = "".join(char if char.isprintable() else " " for char in str(reply))
    return text[:900].encode("utf-8", "replace")
