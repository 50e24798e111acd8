"""Bounces and complaint reports, as a reader of mail takes them apart."""

import dataclasses
import email
import email.policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad_region.world.definition.mailboxes import Bounce, BounceShape
from postroad_region.world.outbound.arf import complaint
from postroad_region.world.outbound.client import stuffed
from postroad_region.world.outbound.dsn import bounce
from postroad_region.world.outbound.report import Original

CONTENT = b"From: News <news@postroad.test>\r\nSubject: Hello\r\nX-Postroad-Send: run-1\r\n\r\n.body\r\n"
ORIGINAL = Original(
    sender="b+1=gmail.test@bounces.postroad.test",
    recipient="gone@gmail.test",
    source="198.18.113.5",
    host="mx.gmail.test",
    transaction="abc",
    arrived=1_000_000.0,
    content=CONTENT,
)
RULE = Bounce(status="5.2.1", text="It was closed")


def parsed(octets: bytes) -> EmailMessage:
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    assert message["To"]
    assert message["Date"]
    assert message["Message-ID"]
    assert not message.defects
    return message


def bounced(shape: BounceShape, original: Original = ORIGINAL) -> EmailMessage:
    return parsed(bounce(original, RULE, shape, now=1_000_100.0))


@pytest.mark.parametrize(
    ("shape", "returned", "has_body"),
    [("rfc3464", "message/rfc822", True), ("rfc3464-headers", "text/rfc822-headers", False)],
)
def test_a_standard_bounce_says_who_and_why(shape: BounceShape, returned: str, has_body: bool) -> None:
    message = bounced(shape)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert message["To"] == ORIGINAL.sender
    text, status, third = message.iter_parts()
    assert "gone@gmail.test" in text.get_content()
    about, recipient = status.get_payload()
    assert about["Reporting-MTA"] == "dns; mx.gmail.test"
    assert (recipient["Final-Recipient"], recipient["Action"], recipient["Status"]) == (
        "rfc822; gone@gmail.test",
        "failed",
        "5.2.1",
    )
    assert recipient["Diagnostic-Code"] == "smtp; 550 5.2.1 It was closed"
    assert third.get_content_type() == returned
    assert b"X-Postroad-Send: run-1" in bytes(third)
    assert (b".body" in bytes(third)) is has_body


@pytest.mark.parametrize("shape", ["qmail", "plain"])
def test_a_bounce_of_free_text_names_the_address_in_prose(shape: Any) -> None:
    message = bounced(shape)
    assert message.get_content_type() == "text/plain"
    assert "gone@gmail.test" in message.get_content()
    assert "It was closed" in message.get_content()


def test_a_complaint_is_reported_in_arf() -> None:
    message = parsed(complaint(ORIGINAL, "fbl@postroad.test", now=1_000_100.0))
    assert message["To"] == "fbl@postroad.test"
    assert message.get_param("report-type") == "feedback-report"
    _, report, original = message.iter_parts()
    assert report.get_content_type() == "message/feedback-report"
    # Python's parser takes every `message/…` for a message.
    fields = dict(report.get_payload()[0].items())
    assert (fields["Feedback-Type"], fields["Version"]) == ("abuse", "1")
    assert fields["Source-IP"] == "198.18.113.5"
    assert fields["Original-Mail-From"] == "<b+1=gmail.test@bounces.postroad.test>"
    assert fields["Reported-Domain"] == "bounces.postroad.test"
    assert b"X-Postroad-Send: run-1" in bytes(original)


@pytest.mark.parametrize("shape", ["rfc3464", "rfc3464-headers", "qmail", "plain"])
def test_of_a_big_message_the_header_alone_comes_back(shape: Any) -> None:
    original = dataclasses.replace(ORIGINAL, content=CONTENT + b"x" * 1_000_000)
    assert len(bounce(original, RULE, shape, now=0.0)) < 10_000
    assert len(complaint(original, "fbl@postroad.test", now=0.0)) < 10_000


@given(st.text(max_size=60), st.binary(max_size=200), st.sampled_from(["rfc3464", "rfc3464-headers", "qmail", "plain"]))
def test_nothing_in_a_message_breaks_its_bounce(recipient: str, content: bytes, shape: Any) -> None:
    original = Original(recipient, f"{recipient}@gmail.test", "198.18.113.5", "mx.gmail.test", "abc", 0.0, content)
    octets = bounce(original, RULE, shape, now=0.0)
    head = octets.split(b"\r\n\r\n", 1)[0].decode("ascii").split("\r\n")
    assert all(":" in line for line in head), "no header was injected"
    assert complaint(original, "fbl@postroad.test", now=0.0).endswith(b"--\r\n")


@given(st.binary(max_size=200))
def test_on_the_wire_nothing_ends_a_message_early(content: bytes) -> None:
    wire = stuffed(content)
    assert wire.endswith(b"\r\n")
    assert not wire.startswith(b".\r\n")
    assert b"\r\n.\r\n" not in wire
    assert b"\n" not in wire.replace(b"\r\n", b"")
    assert b"\r" not in wire.replace(b"\r\n", b"")
