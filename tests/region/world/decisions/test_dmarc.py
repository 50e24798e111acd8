"""DMARC as RFC 7489 says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad_region.world.decisions.dmarc import Judgement, Policy, aligned, from_domain, judge, organisation, parse

REJECT = Policy("reject", "reject")


@pytest.mark.parametrize(
    ("records", "policy"),
    [
        ([b"v=DMARC1; p=reject"], REJECT),
        ([b"v=DMARC1;p=none"], Policy("none", "none")),
        ([b"v=DMARC1; p=Quarantine ; sp=none"], Policy("quarantine", "none")),
        ([b"v=DMARC1; p=reject; adkim=s; aspf=s"], Policy("reject", "reject", "s", "s")),
        ([b"v=DMARC1; p=reject; adkim=x; sp=x"], REJECT),
        ([b"v=spf1 -all", b"v=DMARC1; p=reject"], REJECT),
        ([b"v=DMARC1; p=reject", b"v=DMARC1; p=none"], None),
        ([b"p=reject; v=DMARC1"], None),
        ([b"v=DMARC10; p=reject"], None),
        ([b"v=DMARC1"], None),
        ([b"v=DMARC1; p=what"], None),
        ([b"v=DMARC1; p=what; rua=mailto:a@b.test"], Policy("none", "none")),
        ([], None),
    ],
)
def test_a_record_is_read(records: list[bytes], policy: Policy | None) -> None:
    assert parse(records) == policy


@given(st.lists(st.binary(max_size=80), max_size=3))
def test_no_record_breaks_it(records: list[bytes]) -> None:
    policy = parse([b"v=DMARC1;" + each for each in records])
    assert policy is None or policy.own in ("none", "quarantine", "reject")


@pytest.mark.parametrize(
    ("head", "domain"),
    [
        (b"From: a@postroad.test\r\n", "postroad.test"),
        (b"Subject: x\r\nFROM : a@x.test\r\n", None),
        (b'Subject: x\r\nfrom: "b@evil.test" <a@Postroad.TEST>\r\n', "postroad.test"),
        (b"From: News\r\n <a@news.postroad.test>\r\n", "news.postroad.test"),
        (b"From: a@x.test, b@x.test\r\n", "x.test"),
        (b"From: a@x.test, b@y.test\r\n", None),
        (b"From: a@x.test\r\nFrom: a@x.test\r\n", None),
        (b"From: nobody\r\n", None),
        (b"From: a@[192.0.2.1]\r\n", None),
        (b"X-From: a@x.test\r\n", None),
        (b"", None),
    ],
)
def test_the_author_s_domain_is_found(head: bytes, domain: str | None) -> None:
    assert from_domain(head) == domain


@given(st.binary(max_size=200))
def test_no_header_breaks_it(value: bytes) -> None:
    domain = from_domain(b"From: " + value + b"\r\n")
    assert domain is None or "." in domain


@pytest.mark.parametrize(
    ("authenticated", "author", "mode", "expected"),
    [
        ("postroad.test", "postroad.test", "s", True),
        ("bounces.postroad.test", "postroad.test", "s", False),
        ("bounces.postroad.test", "postroad.test", "r", True),
        ("Postroad.test.", "news.postroad.test", "r", True),
        ("other.test", "postroad.test", "r", False),
        ("evilpostroad.test", "postroad.test", "r", False),
    ],
)
def test_alignment(authenticated: str, author: str, mode: str, expected: bool) -> None:
    assert aligned(authenticated, author, mode) is expected


AUTHOR = "news.postroad.test"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Judgement("fail", "reject")),
        ({"spf": "pass", "spf_domain": "bounces.postroad.test"}, Judgement("pass")),
        ({"spf": "pass", "spf_domain": "other.test"}, Judgement("fail", "reject")),
        ({"spf": "softfail", "spf_domain": "postroad.test"}, Judgement("fail", "reject")),
        ({"dkim": "pass", "dkim_domains": ["postroad.test"]}, Judgement("pass")),
        ({"dkim": "pass", "dkim_domains": ["esp.test"]}, Judgement("fail", "reject")),
        ({"dkim": "pass", "dkim_domains": ["esp.test", "postroad.test"]}, Judgement("pass")),
        ({"dkim": "unchecked"}, Judgement("unchecked")),
        ({"dkim": "temperror"}, Judgement("temperror")),
        ({"spf": "temperror"}, Judgement("temperror")),
        ({"policy": Policy("reject", "quarantine")}, Judgement("fail", "quarantine")),
        ({"policy": Policy("reject", "none"), "policy_domain": AUTHOR}, Judgement("fail", "reject")),
        ({"policy": None}, Judgement("none")),
        ({"author": None}, Judgement("none")),
    ],
)
def test_a_message_is_judged(changes: dict[str, object], expected: Judgement) -> None:
    given = {"author": AUTHOR, "policy": REJECT, "policy_domain": "postroad.test", "spf": "none", "spf_domain": ""}
    given |= {"dkim": "none", "dkim_domains": []} | changes
    author, policy = given.pop("author"), given.pop("policy")
    assert judge(author, policy, **given) == expected  # type: ignore[arg-type]


def test_the_organisation_is_the_last_two_labels() -> None:
    assert organisation("a.b.Postroad.test.") == "postroad.test"
