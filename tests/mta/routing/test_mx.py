from typing import Any

import pytest
from postroad.routing.cache import TtlCache
from postroad.routing.dns import Absent, Answer, DnsFailure, Exchange
from postroad.routing.mx import MxRouter
from postroad.routing.route import NoRoute, Route
from postroad.routing.smart_host import SmartHostRouter


class FakeLookup:
    """`Lookup` from two tables; what is not in them is a failure."""

    def __init__(self, mx: dict[str, Answer[Exchange]], addresses: dict[str, Answer[str]]) -> None:
        self.tables = (mx, addresses)
        self.questions: list[str] = []

    async def mx(self, domain: str) -> Answer[Exchange]:
        self.questions.append(f"MX {domain}")
        return self._find(self.tables[0].get(domain), domain)

    async def addresses(self, host: str) -> Answer[str]:
        self.questions.append(f"A {host}")
        return self._find(self.tables[1].get(host), host)

    def _find(self, answer: Any, name: str) -> Any:
        if answer is None:
            raise DnsFailure(f"{name}: timeout")
        return answer


def mx(*records: tuple[int, str], ttl: float = 300) -> Answer[Exchange]:
    return Answer(tuple(Exchange(*record) for record in records), ttl)


def a(*addresses: str, ttl: float = 300) -> Answer[str]:
    return Answer(addresses, ttl)


NXDOMAIN: Answer[str] = Answer((), 60, Absent.NO_DOMAIN)
NODATA: Answer[str] = Answer((), 60, Absent.NO_DATA)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def router(lookup: FakeLookup, clock: Clock | None = None) -> MxRouter:
    return MxRouter(lookup, clock=clock or Clock())


async def test_hosts_are_grouped_by_preference_best_first() -> None:
    lookup = FakeLookup(
        {"x.test": mx((20, "c"), (10, "a"), (10, "b"))},
        {"a": a("1.1.1.1"), "b": a("2.2.2.2", "2.2.2.3"), "c": a("3.3.3.3")},
    )
    route = await router(lookup).find(b"x.test")
    assert isinstance(route, Route)
    assert [sorted(host.name for host in group) for group in route.groups] == [["a", "b"], ["c"]]
    assert route.groups[1][0].addresses == ("3.3.3.3",)


async def test_domains_of_equal_hosts_are_one_site_and_others_are_not() -> None:
    lookup = FakeLookup(
        {"x.test": mx((10, "a"), (20, "b")), "y.test": mx((20, "b"), (10, "a")), "z.test": mx((10, "a"))},
        {"a": a("1.1.1.1"), "b": a("2.2.2.2")},
    )
    routes = [await router(lookup).find(domain) for domain in (b"x.test", b"y.test", b"z.test")]
    sites = [route.site for route in routes if isinstance(route, Route)]
    assert sites[0] == sites[1] != sites[2]


@pytest.mark.parametrize(
    ("lookup", "code", "enhanced"),
    [
        (FakeLookup({"x.test": Answer((), 60, Absent.NO_DOMAIN)}, {}), 550, "5.1.2"),
        (FakeLookup({}, {}), 451, "4.4.3"),
        (FakeLookup({"x.test": mx((0, ""))}, {}), 556, "5.1.10"),
        (FakeLookup({"x.test": Answer((), 60, Absent.NO_DATA)}, {"x.test": NODATA}), 550, "5.4.4"),
        (FakeLookup({"x.test": Answer((), 60, Absent.NO_DATA)}, {"x.test": NXDOMAIN}), 550, "5.4.4"),
        (FakeLookup({"x.test": Answer((), 60, Absent.NO_DATA)}, {}), 451, "4.4.3"),
        (FakeLookup({"x.test": mx((1, "a"))}, {"a": NXDOMAIN}), 550, "5.4.4"),
        (FakeLookup({"x.test": mx((1, "a"), (2, "b"))}, {"a": NXDOMAIN}), 451, "4.4.3"),
    ],
)
async def test_absence_is_permanent_and_silence_is_not(lookup: FakeLookup, code: int, enhanced: str) -> None:
    route = await router(lookup).find(b"x.test")
    assert isinstance(route, NoRoute)
    assert (route.reply.code, route.reply.enhanced) == (code, enhanced)


async def test_a_domain_without_mx_is_its_own_host() -> None:
    lookup = FakeLookup({"x.test": Answer((), 60, Absent.NO_DATA)}, {"x.test": a("1.1.1.1")})
    route = await router(lookup).find(b"x.test")
    assert isinstance(route, Route)
    assert route.groups[0][0].name == "x.test"


async def test_a_host_that_cannot_be_looked_up_does_not_stop_the_others() -> None:
    lookup = FakeLookup({"x.test": mx((1, "a"), (2, "b"))}, {"b": a("2.2.2.2")})
    route = await router(lookup).find(b"x.test")
    assert isinstance(route, Route)
    assert [group[0].name for group in route.groups] == ["b"]


async def test_answers_are_kept_for_their_time_to_live() -> None:
    clock = Clock()
    lookup = FakeLookup({"x.test": mx((1, "a"), ttl=100)}, {"a": a("1.1.1.1", ttl=50)})
    cached = router(lookup, clock)
    assert cached.known(b"x.test") is None
    await cached.find(b"x.test")
    assert cached.known(b"x.test") is not None
    clock.now = 49.9
    assert cached.known(b"x.test") is not None
    clock.now = 50.1
    assert cached.known(b"x.test") is None
    await cached.find(b"x.test")
    assert lookup.questions == ["MX x.test", "A a", "MX x.test", "A a"]


async def test_address_literals_are_not_delivered_to() -> None:
    route = await router(FakeLookup({}, {})).find(b"[169.254.169.254]")
    assert isinstance(route, NoRoute)
    assert route.reply.permanent


async def test_what_dns_says_of_a_smart_host_never_condemns_a_message() -> None:
    for addresses in ({}, {"relay.test": NXDOMAIN}):
        route = await SmartHostRouter("relay.test", 25, lookup=FakeLookup({}, addresses)).find(b"x.test")
        assert isinstance(route, NoRoute)
        assert not route.reply.permanent


def test_the_least_recently_used_entry_makes_room() -> None:
    cache: TtlCache[str, int] = TtlCache(size=2, clock=Clock())
    cache.put("a", 1, 10)
    cache.put("b", 2, 10)
    assert cache.get("a") == 1
    cache.put("c", 3, 10)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
