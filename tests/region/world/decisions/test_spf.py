"""SPF as RFC 7208 says, for what the box's domains write."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postroad_region.world.decisions.spf import check_host

SOURCE = "198.18.113.5"


@pytest.mark.parametrize(
    ("record", "result"),
    [
        ("v=spf1 ip4:198.18.113.5 -all", "pass"),
        ("v=spf1 ip4:198.18.113.0/24 -all", "pass"),
        ("v=spf1 ip4:198.18.112.0/24 -all", "fail"),
        ("v=spf1 ip4:198.18.112.0/24 ~all", "softfail"),
        ("v=spf1 ?all", "neutral"),
        ("v=spf1", "neutral"),
        ("v=spf1 -ip4:198.18.113.5 +all", "fail"),
        ("V=SPF1 IP4:198.18.113.5 -ALL", "pass"),
        ("v=spf1 ip6:2001:db8::/32 -all", "fail"),
        ("v=spf1 a:mail-a.postroad.test -all", "pass"),
        ("v=spf1 a:near.postroad.test/24 -all", "pass"),
        ("v=spf1 a -all", "fail"),
        ("v=spf1 mx -all", "pass"),
        ("v=spf1 include:pass.test -all", "pass"),
        ("v=spf1 include:fail.test ~all", "softfail"),
        ("v=spf1 include:missing.test -all", "permerror"),
        ("v=spf1 redirect=pass.test", "pass"),
        ("v=spf1 redirect=fail.test", "fail"),
        ("v=spf1 redirect=missing.test", "permerror"),
        ("v=spf1 redirect=fail.test +all", "pass"),
        ("v=spf1 exp=why.test -all", "fail"),
        ("v=spf1 ip4:nonsense -all", "permerror"),
        ("v=spf1 ip4:198.18.113.0/33 -all", "permerror"),
        ("v=spf1 exists:%{i}.test -all", "permerror"),
        ("v=spf1 include:%{d} -all", "permerror"),
        ("v=spf1 nonsense -all", "permerror"),
        ("v=spf1 include:loop.test -all", "permerror"),
        ("v=spf1 a:n1.test a:n2.test a:n3.test -all", "permerror"),
        ("v=spf1 include:broken.test -all", "temperror"),
        ("v=spf10 -all", "none"),
        ("something else", "none"),
    ],
)
async def test_the_result_of_a_record(resolver: Any, record: str, result: str) -> None:
    resolver.texts = {
        "postroad.test": [b"google-site-verification=x", record.encode()],
        "pass.test": [b"v=spf1 ip4:198.18.113.5 -all"],
        "fail.test": [b"v=spf1 -all"],
        "loop.test": [b"v=spf1 include:loop.test -all"],
    }
    resolver.hosts = {"mail-a.postroad.test": [SOURCE], "near.postroad.test": ["198.18.113.9"]}
    resolver.exchanges = {"postroad.test": ["mail-a.postroad.test"]}
    resolver.broken = {"broken.test"}
    assert await check_host(SOURCE, "postroad.test", resolver) == result


async def test_two_records_are_an_error(resolver: Any) -> None:
    resolver.texts = {"postroad.test": [b"v=spf1 +all", b"v=spf1 -all"]}
    assert await check_host(SOURCE, "postroad.test", resolver) == "permerror"


@pytest.mark.parametrize("domain", ["", "localhost", "unknown.test"])
async def test_a_domain_without_a_record_has_no_opinion(resolver: Any, domain: str) -> None:
    assert await check_host(SOURCE, domain, resolver) == "none"


TERMS = st.lists(
    st.one_of(
        st.sampled_from(
            ["a", "mx", "-all", "?all", "redirect=loop.test", "include:loop.test", "ip4:1.2.3.4/33", "a:%{d}"]
        ),
        st.text(max_size=15),
    ),
    max_size=14,
)
RESULTS = {"pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"}


@given(TERMS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_record_breaks_it(resolver: Any, terms: list[str]) -> None:
    record = " ".join(["v=spf1", *terms]).encode("utf-8", "replace")
    resolver.texts = {"a.test": [record], "loop.test": [record]}
    assert await check_host(SOURCE, "a.test", resolver) in RESULTS
