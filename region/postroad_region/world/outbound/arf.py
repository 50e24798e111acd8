"""Complaint reports in the Abuse Reporting Format (RFC 5965), as providers send them to registered addresses."""

from postroad_region.world.outbound.report import Original, date, headers, multipart, printable


def complaint(original: Original, address: str, *, now: float) -> bytes:
    """The report's content.

    `Original-Rcpt-To` is left out, as by the providers that protect who complained: a sender tells it from its own
    return path and headers.
    """
    boundary = f"feedback-{original.transaction}"
    fields = {
        "Date": date(now),
        "From": f"Feedback Loop <feedback@{original.domain}>",
        "To": address,
        "Subject": "Complaint about a message from your network",
        "Message-ID": f"<{original.transaction}.complaint@{original.host}>",
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/report; report-type=feedback-report; boundary="{boundary}"',
    }
    text = f"A recipient at {original.domain} marked the message below as unwanted.\r\n"
    reported = original.sender.rpartition("@")[2]
    report = (
        "Feedback-Type: abuse\r\nUser-Agent: PostroadWorld/1.0\r\nVersion: 1\r\n"
        f"Original-Mail-From: <{printable(original.sender)}>\r\n"
        f"Arrival-Date: {date(original.arrived)}\r\nSource-IP: {original.source}\r\n"
        f"Reporting-MTA: dns; {original.host}\r\n"
    )
    report += f"Reported-Domain: {printable(reported)}\r\n" if reported else ""
    parts = [
        ("text/plain; charset=us-ascii", text.encode()),
        ("message/feedback-report", report.encode()),
        ("message/rfc822", original.content) if original.is_small else ("text/rfc822-headers", original.head),
    ]
    return headers(fields) + multipart(boundary, parts)
