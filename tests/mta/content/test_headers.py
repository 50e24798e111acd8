import email.utils
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.content.headers import (
    CampaignError,
    DateStamp,
    campaign_of,
    header_end,
    inspect,
    plain_header,
    received_field,
    without_fields,
)
from postroad.smtp.content import dot_unstuff


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
    ("header", "authors"),
    [
        (b"From: a@X.test\r\n", (b" a@X.test",)),
        (b"FROM : A\r\n <a@x.test>\r\nTo: b\r\n", (b" A\r\n <a@x.test>",)),
        (b"From: a@x.test\r\nfrom:b@y.test\r\n", (b" a@x.test", b"b@y.test")),
        (b"To: From: a@x.test\r\n From: b@y.test\r\nX-From: c\r\nFromage: d\r\n", ()),
    ],
)
def test_every_from_field_is_found(header: bytes, authors: tuple[bytes, ...]) -> None:
    assert inspect(header + b"\r\nFrom: body@z.test\r\n").authors == authors


@pytest.mark.parametrize(
    ("wire", "plain"),
    [
        (b"From: a\r\n\r\n.body\r\n", b"From: a\r\n\r\n.body\r\n"),
        (b"To: b\r\n.From: a\r\n\r\n..body\r\n", b"To: b\r\nFrom: a\r\n\r\n..body\r\n"),
        (b".From: a\r\n\r\n", b"From: a\r\n\r\n"),
        (b"To: b\r\n. folded\r\n..X: dot\r\n\r\n", b"To: b\r\n folded\r\n..X: dot\r\n\r\n"),
    ],
)
def test_a_header_is_seen_as_receivers_will_see_it(wire: bytes, plain: bytes) -> None:
    assert plain_header(wire) == plain
    assert dot_unstuff(plain) == dot_unstuff(wire)


LINES = st.lists(
    st.sampled_from(
        [b"From: a@x.test", b"X-Postroad-Campaign: spring", b"x-postroad-campaign :", b" folded", b"", b".", b"To: b"]
    ),
    max_size=8,
)


@given(LINES)
def test_without_the_campaign_every_other_line_stays(lines: list[bytes]) -> None:
    content = b"".join(line + b"\r\n" for line in lines if line != b".")
    facts = inspect(content)
    rest = without_fields(content, facts.campaigns)
    kept = []
    dropping = in_body = False
    in_body = not facts.begins_with_field
    for line in content.split(b"\r\n")[:-1]:
        in_body = in_body or not line
        folded = line[:1] == b" "
        dropping = not in_body and (line.lower().startswith(b"x-postroad-campaign") or (folded and dropping))
        if not dropping:
            kept.append(line + b"\r\n")
    assert rest == b"".join(kept)


@pytest.mark.parametrize(
    ("field", "campaign"),
    [
        (b"", ""),
        (b"X-Postroad-Campaign: Spring Sale 2026\r\n", "Spring Sale 2026"),
        (b"x-postroad-campaign:\r\n\tspring\r\n", "spring"),
        (b"X-Postroad-Campaign:" + b"x" * 100 + b"\r\n", "x" * 100),
    ],
)
def test_a_campaign_is_a_short_printable_name(field: bytes, campaign: str) -> None:
    content = b"From: a\r\n" + field + b"To: b\r\n\r\nX-Postroad-Campaign: body\r\n"
    assert campaign_of(content, inspect(content)) == campaign


@pytest.mark.parametrize("value", [b"", b" ", b"x" * 101, "ü".encode(), b"a\x07b", b"a\r\nX-Postroad-Campaign: b"])
def test_what_is_no_campaign_is_refused(value: bytes) -> None:
    content = b"X-Postroad-Campaign:" + value + b"\r\n\r\n"
    with pytest.raises(CampaignError):
        campaign_of(content, inspect(content))


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
