import email.utils
import time

import pytest
from postroad.content.headers import DateStamp, from_domain, header_end, inspect, received_field


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        (b"From: a\r\nDate: x\r\nMessage-ID: <1>\r\n\r\nb\r\n", (0, True, True, True)),
        (b"Received: x\r\nRECEIVED: y\r\nFrom: a\r\n\r\nDate: in the body\r\n", (2, False, False, True)),
        (b"just text\r\n", (0, False, False, False)),
        (b"\r\nDate: in the body\r\n", (0, False, False, False)),
        (b"", (0, False, False, False)),
        (b"X-Date: x\r\nSubject: date:\r\n\tmessage-id: folded\r\n\r\n", (0, False, False, True)),
    ],
)
def test_a_header_is_looked_at(content: bytes, facts: tuple[int, bool, bool, bool]) -> None:
    found = inspect(content)
    assert (found.hops, found.has_date, found.has_message_id, found.begins_with_field) == facts


@pytest.mark.parametrize(
    ("header", "domain"),
    [
        (b"From: a@X.test\r\n", b"x.test"),
        (b'From: "a@evil.test" <a@x.test>\r\n', b"x.test"),
        (b"From: A\r\n <a@x.test>\r\n", b"x.test"),
        (b"From: a@x.test\r\nFrom: b@y.test\r\n", None),
        (b"To: a@x.test\r\n", None),
        (b"From: nobody\r\n", None),
    ],
)
def test_the_domain_of_from(header: bytes, domain: bytes | None) -> None:
    assert from_domain(header + b"\r\nFrom: body@z.test\r\n") == domain


def test_dates_are_as_the_standard_library_reads_them() -> None:
    stamp = DateStamp()
    for moment in (0, 951782400, 1795367201):
        assert email.utils.parsedate_to_datetime(stamp(moment).decode()).timestamp() == moment
    assert stamp(time.time()) == stamp(time.time() + 0)


def test_only_a_single_recipient_is_named_in_received() -> None:
    arguments = {
        "helo": b"c",
        "peer": "::1",
        "hostname": "mx.test",
        "protocol": "ESMTP",
        "queue_id": "1f",
        "date": b"D",
    }
    one = received_field(recipient=b"b@y.test", **arguments)
    many = received_field(recipient=None, **arguments)
    assert b"for <b@y.test>" in one
    assert b"for" not in many
    assert b"[IPv6:::1]" in many


def test_the_header_ends_at_the_first_empty_line() -> None:
    assert header_end(b"A: b\r\n\r\nC: d\r\n\r\n") == 6
    assert header_end(b"A: b\r\n") == 6
    assert header_end(b"\r\nbody") == 0
