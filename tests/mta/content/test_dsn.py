import email
import email.policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.content.dsn import Action, ReportedMessage, ReportedRecipient, build_dsn, xtext_decode
from postroad.smtp.content import dot_unstuff
from postroad.smtp.replies import Reply, local_reply

CONTENT = b"Subject: hello\r\nX: y\r\n\r\nsecret body\r\n..dot\r\n"
DATE = b"Sun, 22 Nov 2026 17:00:01 +0000"


def message(sender: bytes = b"a@x.test", *, envid: bytes = b"", whole: bool = False) -> ReportedMessage:
    return ReportedMessage("1f", sender, b"Sun, 22 Nov 2026 17:00:00 +0000", CONTENT, envid, whole)


def report_of(content: bytes) -> Any:
    return email.message_from_bytes(dot_unstuff(content), policy=email.policy.default)


def build(
    about: ReportedMessage, *recipients: ReportedRecipient, action: Action = Action.FAILED, limit: int = 1000
) -> bytes:
    recipients = recipients or (ReportedRecipient(b"b@y.test", Reply(550, ("5.1.1 no",)), "mx.y.test"),)
    return build_dsn(about, recipients, action, hostname="mta.test", id="2a", date=DATE, return_limit=limit)


def test_a_notification_is_a_report_that_other_software_reads() -> None:
    content = build(
        message(),
        ReportedRecipient(b"b@y.test", Reply(550, ("5.1.1 no such user", "5.1.1 see\x1b[2J help")), "mx.y.test"),
        ReportedRecipient(b"c@y.test", local_reply(451, "4.4.1", "timed out")),
    )
    report = report_of(content)
    assert report["To"] == "a@x.test"
    assert report["Auto-Submitted"] == "auto-replied"
    assert report.get_content_type() == "multipart/report"
    human, status, header = report.iter_parts()
    assert "b@y.test" in human.get_content()
    assert "\x1b" not in human.get_content()
    whole, first, second = status.get_payload()
    assert whole["Reporting-MTA"] == "dns; mta.test"
    assert whole["Original-Envelope-Id"] is None
    assert (first["Final-Recipient"], first["Status"], first["Action"]) == ("rfc822; b@y.test", "5.1.1", "failed")
    assert first["Remote-MTA"] == "dns; mx.y.test"
    assert first["Original-Recipient"] is None
    assert (second["Status"], second["Diagnostic-Code"]) == ("5.4.1", None)
    assert "Subject: hello" in header.get_payload()
    assert b"secret body" not in content


def test_what_the_sender_named_is_named_again_in_plain_text() -> None:
    recipient = ReportedRecipient(b"b@y.test", Reply(550, ("no",)), orcpt=b"rfc822;old+2Bname@z.test")
    _, status, _ = report_of(build(message(envid=b"order+3D17"), recipient)).iter_parts()
    whole, first = status.get_payload()
    assert whole["Original-Envelope-Id"] == "order=17"
    assert first["Original-Recipient"] == "rfc822; old+name@z.test"


def test_an_envelope_id_cannot_add_fields_to_the_report() -> None:
    content = build(message(envid=b"x+0D+0AX-Evil:+20yes"))
    assert b"\r\nX-Evil" not in content
    assert b"Original-Envelope-Id: x??X-Evil: yes\r\n" in content


def test_a_failure_returns_the_whole_message_where_it_was_asked_for_and_is_small_enough() -> None:
    returned = list(report_of(build(message(whole=True))).iter_parts())[2]
    assert returned.get_content_type() == "message/rfc822"
    assert b"secret body\r\n.dot\r\n" in build(message(whole=True)).replace(b"\r\n..", b"\r\n.")
    assert b"secret" not in build(message(whole=True), limit=len(CONTENT) - 1)
    assert list(report_of(build(message())).iter_parts())[2].get_content_type() == "text/rfc822-headers"


@pytest.mark.parametrize(("action", "status"), [(Action.DELAYED, "4.2.1"), (Action.RELAYED, "2.2.1")])
def test_other_notices_return_the_header_only(action: Action, status: str) -> None:
    reply = Reply(450 if action is Action.DELAYED else 250, (f"{status} so",))
    content = build(message(whole=True), ReportedRecipient(b"b@y.test", reply), action=action)
    _, report, _ = report_of(content).iter_parts()
    fields = report.get_payload()[1]
    assert (fields["Action"], fields["Status"]) == (action.name.lower(), status)
    assert b"secret" not in content


def test_a_delay_says_until_when_it_is_tried() -> None:
    content = build_dsn(
        message(), [ReportedRecipient(b"b@y.test", Reply(450, ("busy",)))], Action.DELAYED,
        hostname="h", id="1", date=DATE, retry_until=b"Fri, 27 Nov 2026 17:00:00 +0000",
    )  # fmt: skip
    assert b"Will-Retry-Until: Fri, 27 Nov 2026 17:00:00 +0000\r\n" in content


@pytest.mark.parametrize("whole", [True, False])
def test_addresses_outside_ascii_make_a_global_report(whole: bool) -> None:
    content = build(message("ä@x.test".encode(), whole=whole))
    assert b"message/global-delivery-status" in content
    assert (b"message/global\r\n" if whole else b"message/global-headers") in content


def test_every_line_ends_in_crlf() -> None:
    content = build(message())
    assert content.endswith(b"\r\n")
    assert content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r")


@given(st.binary(max_size=60))
def test_xtext_decodes_to_one_line_whatever_it_is(value: bytes) -> None:
    assert not set(xtext_decode(value)) & {10, 13, 0}


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_xtext_decodes_what_was_encoded(text: str) -> None:
    encoded = "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)
    assert xtext_decode(encoded.encode()) == text.encode()
