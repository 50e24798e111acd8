import email
import email.policy

from postroad.content.dsn import BouncedMessage, FailedRecipient, build_dsn
from postroad.smtp.content import dot_unstuff
from postroad.smtp.replies import Reply, local_reply

MESSAGE = BouncedMessage(
    "1f", b"a@x.test", b"Sun, 22 Nov 2026 17:00:00 +0000", b"Subject: hello\r\nX: y\r\n\r\nsecret body\r\n"
)


def test_a_notification_is_a_report_that_other_software_reads() -> None:
    failed = [
        FailedRecipient(b"b@y.test", Reply(550, ("5.1.1 no such user", "5.1.1 see\x1b[2J help")), "mx.y.test"),
        FailedRecipient(b"c@y.test", local_reply(451, "4.4.1", "timed out")),
    ]
    content = build_dsn(MESSAGE, failed, hostname="mta.test", id="2a", date=b"Sun, 22 Nov 2026 17:00:01 +0000")
    report = email.message_from_bytes(dot_unstuff(content), policy=email.policy.default)
    assert report["To"] == "a@x.test"
    assert report["Auto-Submitted"] == "auto-replied"
    assert report.get_content_type() == "multipart/report"
    human, status, header = report.iter_parts()
    assert "b@y.test" in human.get_content()
    assert "\x1b" not in human.get_content()
    whole, first, second = status.get_payload()
    assert whole["Reporting-MTA"] == "dns; mta.test"
    assert (first["Final-Recipient"], first["Status"], first["Action"]) == ("rfc822; b@y.test", "5.1.1", "failed")
    assert first["Remote-MTA"] == "dns; mx.y.test"
    assert (second["Status"], second["Diagnostic-Code"]) == ("5.4.1", None)
    assert "Subject: hello" in header.get_payload()
    assert b"secret body" not in content


def test_every_line_ends_in_crlf() -> None:
    content = build_dsn(MESSAGE, [FailedRecipient(b"b@y.test", Reply(550, ("no",)))], hostname="h", id="1", date=b"d")
    assert content.endswith(b"\r\n")
    assert content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r")
