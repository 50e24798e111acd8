"""What senders, recipients and hosts may bring into a delivery status notification.

Always: it can be sent as it is (CRLF lines, no end within), its own lines are short enough for every host, and any
reader finds in it the sender, three parts, and one group of fields for each recipient, whatever the message says.
"""

import email
import email.policy
from collections.abc import Iterator

from postroad.content.dsn import Action, ReportedMessage, ReportedRecipient, build_dsn
from postroad.smtp.commands import CommandError, parse_mail, parse_rcpt
from postroad.smtp.content import dot_unstuff
from postroad.smtp.envelope import is_envid, is_orcpt
from postroad.smtp.replies import Reply, ReplyError, ReplyParser
from wires import wire_of

ID = "19f0c2a61d800001"
BEGAN = b"Sun, 22 Nov 2026 17:00:00 +0000"
LONGEST_LINE = 998
"""Octets without CRLF (RFC 5322 2.1.1)."""


def check(data: bytes) -> None:
    parts = iter(data.split(b"\0"))
    options = ord(next(parts)[:1] or b"\0")
    sender = _address(next(parts, b""), "FROM")
    envid = next(parts, b"")
    recipients = [
        ReportedRecipient(address, reply, "mx.y.test", orcpt if is_orcpt(orcpt) else b"")
        for address, reply, orcpt in _recipients(parts, 1 + options % 3)
    ]
    content = wire_of(b"\0".join(parts))
    action = (*Action, Action.FAILED)[options >> 2 & 3]
    notification = build_dsn(
        ReportedMessage(ID, sender, BEGAN, content, envid if is_envid(envid) else b"", whole=True),
        recipients,
        action,
        hostname="mta.test",
        id=ID,
        date=BEGAN,
        retry_until=b"Sun, 29 Nov 2026 17:00:01 +0000" if action is Action.DELAYED else b"",
        return_limit=1000 if options & 16 else 0,
    )
    assert notification.endswith(b"\r\n")
    assert b"\r\n.\r\n" not in b"\r\n" + notification
    assert not set(notification.replace(b"\r\n", b"")) & set(b"\r\n")
    _check_report(dot_unstuff(notification), sender, recipients)


def _address(octets: bytes, what: str) -> bytes:
    """An address that the server would have taken."""
    try:
        if what == "FROM":
            return parse_mail(b"FROM:<%s> SMTPUTF8" % octets).sender or b"a@x.test"
        return parse_rcpt(b"TO:<%s>" % octets, smtputf8=True).address
    except CommandError:
        return b"a@x.test"


def _recipients(parts: Iterator[bytes], count: int) -> Iterator[tuple[bytes, Reply, bytes]]:
    for _ in range(count):
        address = _address(next(parts, b""), "TO")
        yield address, _reply(next(parts, b"")), next(parts, b"")


def _reply(said: bytes) -> Reply:
    """A reply that a host may give."""
    parser = ReplyParser()
    parser.feed(b"550-" + said.replace(b"\n", b"\r\n550-") + b"\r\n550 \r\n")
    try:
        return parser.next_reply() or Reply(550, ("no",))
    except ReplyError:
        return Reply(550, ("no",))


def _check_report(octets: bytes, sender: bytes, recipients: list[ReportedRecipient]) -> None:
    boundary = octets.partition(b'boundary="')[2].partition(b'"')[0]
    head, *sections = (b"\r\n" + octets).split(b"\r\n--" + boundary)
    assert len(sections) == 4, f"{len(sections)} delimiters"
    assert sections[3] == b"--\r\n"
    assert b"\r\nTo: <%s>\r\n" % sender in head
    for line in b"".join((head, *sections[:2])).split(b"\r\n"):
        assert len(line) <= LONGEST_LINE, f"a line of {len(line)} octets"
    _, _, fields = sections[1].partition(b"\r\n\r\n")
    groups = fields.rstrip(b"\r\n").split(b"\r\n\r\n")
    assert len(groups) == 1 + len(recipients)
    for group, recipient in zip(groups[1:], recipients, strict=True):
        names = [line.partition(b":")[0] for line in group.split(b"\r\n")]
        assert len(names) == len(set(names)), names
        assert b"Final-Recipient" in names
        assert recipient.address in group
        assert set(names) <= {
            b"Original-Recipient", b"Final-Recipient", b"Action", b"Status", b"Remote-MTA", b"Diagnostic-Code",
            b"Last-Attempt-Date", b"Will-Retry-Until",
        }  # fmt: skip
    report = email.message_from_bytes(octets, policy=email.policy.compat32)
    assert [part.get_content_maintype() for part in report.get_payload()][:2] == ["text", "message"]
    assert len(report.get_payload()) == 3
