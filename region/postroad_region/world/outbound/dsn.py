"""Bounces after acceptance, in the shapes that are met: RFC 3464 with the message or its header, and free text."""

from postroad_region.world.definition.mailboxes import Bounce, BounceShape
from postroad_region.world.outbound.report import Original, date, headers, multipart, printable


def bounce(original: Original, rule: Bounce, shape: BounceShape, *, now: float) -> bytes:
    """The bounce's content, to be sent from `<>` to the original's envelope sender."""
    fields = {
        "Date": date(now),
        "From": f"Mail Delivery Subsystem <mailer-daemon@{original.domain}>",
        "To": original.sender,
        "Message-ID": f"<{original.transaction}.bounce@{original.host}>",
        "Auto-Submitted": "auto-replied",
        "MIME-Version": "1.0",
    }
    match shape:
        case "rfc3464" | "rfc3464-headers":
            return _standard(original, rule, fields, whole=shape == "rfc3464")
        case "qmail":
            return _qmail(original, rule, fields)
        case "plain":
            return _plain(original, rule, fields)


def _standard(original: Original, rule: Bounce, fields: dict[str, str], *, whole: bool) -> bytes:
    boundary = f"report-{original.transaction}"
    kind = f'multipart/report; report-type=delivery-status; boundary="{boundary}"'
    fields = {**fields, "Subject": "Delivery Status Notification (Failure)", "Content-Type": kind}
    text = (
        f"The message could not be delivered to this address:\r\n\r\n    {printable(original.recipient)}\r\n\r\n"
        f"{rule.text}\r\n"
    )
    code = "550" if rule.status[0] == "5" else "450"
    status = (
        f"Reporting-MTA: dns; {original.host}\r\nReceived-From-MTA: dns; [{original.source}]\r\n"
        f"Arrival-Date: {date(original.arrived)}\r\n\r\n"
        f"Final-Recipient: rfc822; {printable(original.recipient)}\r\nAction: failed\r\nStatus: {rule.status}\r\n"
        f"Diagnostic-Code: smtp; {code} {rule.status} {rule.text}\r\n"
    )
    whole = whole and original.is_small
    returned = ("message/rfc822", original.content) if whole else ("text/rfc822-headers", original.head)
    parts = [("text/plain; charset=us-ascii", text.encode()), ("message/delivery-status", status.encode()), returned]
    return headers(fields) + multipart(boundary, parts)


def _qmail(original: Original, rule: Bounce, fields: dict[str, str]) -> bytes:
    """The QSBMF kind (https://cr.yp.to/proto/qsbmf.txt): paragraphs, the failed address first in its own."""
    del fields["Auto-Submitted"], fields["MIME-Version"]
    fields |= {"From": f"MAILER-DAEMON@{original.domain}", "Subject": "failure notice"}
    text = (
        f"Hi. This is the mail program at {original.host}.\r\nThis address failed for good:\r\n\r\n"
        f"<{printable(original.recipient)}>:\r\n{rule.text} (#{rule.status})\r\n\r\n"
        "--- Below this line is a copy of the message.\r\n\r\n"
    )
    return headers(fields) + text.encode() + (original.content if original.is_small else original.head)


def _plain(original: Original, rule: Bounce, fields: dict[str, str]) -> bytes:
    """Prose without any structure, as gateways of companies write it."""
    del fields["Auto-Submitted"]
    fields |= {"Subject": "Undeliverable mail", "Content-Type": "text/plain; charset=us-ascii"}
    subject = next((line for line in original.head.split(b"\r\n") if line.lower().startswith(b"subject:")), b"Subject:")
    text = (
        "Dear sender,\r\n\r\nyour message\r\n\r\n"
        f"    {printable(subject.decode('utf-8', 'replace'))}\r\n\r\n"
        f"did not reach {printable(original.recipient)}: {rule.text}.\r\n"
        "Please don't send to this address again.\r\n"
    )
    return headers(fields) + text.encode()
