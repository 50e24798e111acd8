import ipaddress

import pytest
from postroad.egress.connector import MAX_ADDRESSES, Candidate, plan
from postroad.egress.dialler import Dialler, DirectDialler, ProxyDialler
from postroad.egress.source import Source
from postroad.routing.route import Host, Route
from postroad.settings.mta import families
from postroad.settings.units import Endpoint

V4, V6 = "192.0.2.1", "2001:db8::1"


def route(*groups: tuple[str, ...]) -> Route:
    return Route("x", tuple(tuple(Host(address, (address,)) for address in group) for group in groups))


def planned(route: Route, *, down: str = "", reaches: str = ".:") -> list[str]:
    candidates = plan(
        route,
        reaches=lambda address: (":" if ":" in address else ".") in reaches,
        down=lambda address: address in down.split(),
        shuffle=list[Candidate].reverse,
    )
    return [candidate.address for candidate in candidates]


def test_a_better_preference_comes_first_whatever_the_shuffle_says() -> None:
    assert planned(route(("1.0.0.1", "1.0.0.2"), ("2.0.0.1",))) == ["1.0.0.2", "1.0.0.1", "2.0.0.1"]


def test_families_take_turns_within_a_preference() -> None:
    hosts = route(("1.0.0.1", "1.0.0.2", "2001::1", "2001::2"), ("2001::3",))
    assert planned(hosts) == ["2001::2", "1.0.0.2", "2001::1", "1.0.0.1", "2001::3"]


def test_addresses_that_no_source_reaches_are_left_out() -> None:
    assert planned(route(("1.0.0.1", "2001::1")), reaches=".") == ["1.0.0.1"]
    assert planned(route(("2001::1",)), reaches=".") == []


def test_an_address_that_took_no_connection_is_passed_over() -> None:
    assert planned(route(("1.0.0.1",), ("2.0.0.1",)), down="1.0.0.1") == ["2.0.0.1"]


def test_when_none_took_a_connection_one_is_tried() -> None:
    assert planned(route(("1.0.0.1",), ("2.0.0.1",)), down="1.0.0.1 2.0.0.1") == ["1.0.0.1"]


def test_an_attempt_tries_a_few_addresses_only() -> None:
    assert len(planned(route(tuple(f"1.0.0.{n}" for n in range(20))))) == MAX_ADDRESSES


def source(address: str | None, *, proxy: bool) -> Source:
    proxies = (Endpoint("127.0.0.1", 1),) if proxy else ()
    return Source("", "me.test", ipaddress.ip_address(address) if address else None, proxies)


@pytest.mark.parametrize("proxy", [True, False])
@pytest.mark.parametrize(
    ("addresses", "four", "six"),
    [
        ([None], True, True),
        (["192.0.2.9"], True, False),
        (["2001:db8::9"], False, True),
        (["192.0.2.9", None], True, True),
    ],
)
def test_a_source_reaches_its_own_family(addresses: list[str | None], proxy: bool, four: bool, six: bool) -> None:
    sources = [source(address, proxy=proxy) for address in addresses]
    dialler: Dialler
    if proxy:
        dialler = ProxyDialler(sources, proxy_timeout=1, timeout=1)
    else:
        dialler = DirectDialler(sources, timeout=1)
    assert (dialler.reaches(V4), dialler.reaches(V6)) == (four, six)


@pytest.mark.parametrize(
    ("addresses", "ipv6", "asked"),
    [
        ([None], False, {4}),
        ([None], True, {4, 6}),
        (["192.0.2.9"], True, {4}),
        (["2001:db8::9"], False, {6}),
        (["192.0.2.9", "2001:db8::9"], False, {4, 6}),
    ],
)
def test_only_addresses_that_mail_can_leave_by_are_asked_for(
    addresses: list[str | None], ipv6: bool, asked: set[int]
) -> None:
    assert families(tuple(source(address, proxy=False) for address in addresses), ipv6=ipv6) == asked
