"""Allowances of hosts: what is above them is dropped and counted, what is below passes."""

import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from postroad_region.fabric import limits, links
from postroad_region.fabric.limits import Allowance, LimitedHost, counters, counters_of, limits_table
from postroad_region.fabric.model import Rule, SecurityGroup

pytestmark = pytest.mark.root

ANY = IPv4Network("0.0.0.0/0")
RESOLVER = IPv4Address("10.20.0.2")
# Tracked: replies are let out to the VPC only.
TRACKED = SecurityGroup("sg-open", (Rule("all", None, (ANY,)),), (Rule("all", None, (IPv4Network("10.20.0.0/16"),)),))
UNTRACKED = SecurityGroup("sg-open", (Rule("all", None, (ANY,)),), (Rule("all", None, (ANY,)),))


def limited(lab: Any, host: Any, **allowance: int) -> Callable[[], dict[str, int]]:
    instance = host.interface.instance_id
    lab.load()
    entry = LimitedHost(instance, (host.interface.link,), Allowance(**allowance))
    links.load_rules(limits_table([entry], [RESOLVER], counters()))
    return lambda: counters_of(instance, counters())


def drain(receiver: Any) -> int:
    """How many datagrams come until none does."""
    count = 0
    try:
        while receiver.recvfrom(2000):
            count += 1
    except TimeoutError:
        return count
    return count


def test_queries_above_the_resolvers_rate_are_dropped_and_counted(lab: Any) -> None:
    client = lab.host("a")
    lab.groups = {"sg-open": UNTRACKED}
    counted = limited(lab, client, resolver_pps=100)
    resolver, calling = lab.serve(str(RESOLVER), 53), client.udp()
    started = time.monotonic()
    for _ in range(500):
        calling.sendto(b"question", (str(RESOLVER), 53))
    elapsed = time.monotonic() - started
    arrived = drain(resolver)
    assert arrived + counted()[limits.RESOLVER] == 500
    assert 5 <= arrived <= 10 + 100 * (elapsed + 0.1)
    assert counted()[limits.PPS] == 0


def test_the_resolvers_rate_holds_for_each_host_alone_and_not_for_other_traffic(lab: Any) -> None:
    client, other = lab.host("a"), lab.host("b")
    lab.groups = {"sg-open": UNTRACKED}
    limited(lab, client, resolver_pps=10)
    resolver, target = lab.serve(str(RESOLVER), 53), other.udp(53)
    elsewhere, neighbour = client.udp(), other.udp()
    for _ in range(300):
        elsewhere.sendto(b"question", (other.address, 53))
        neighbour.sendto(b"question", (str(RESOLVER), 53))
    assert drain(target) == 300
    assert drain(resolver) == 300


def test_packets_above_the_rate_are_dropped_both_ways_together(lab: Any) -> None:
    client, server = lab.host("a"), lab.host("b")
    lab.groups = {"sg-open": UNTRACKED}
    counted = limited(lab, client, pps=100)
    receiving, calling = server.udp(53), client.udp()
    for _ in range(200):
        calling.sendto(b"there", (server.address, 53))
    there = drain(receiving)
    for _ in range(200):
        receiving.sendto(b"back", calling.getsockname())
    back = drain(calling)
    assert there < 200
    assert back < 200
    assert there + back + counted()[limits.PPS] == 400


def test_octets_above_the_bandwidth_are_dropped_and_counted_by_direction(lab: Any) -> None:
    client, server = lab.host("a"), lab.host("b")
    lab.groups = {"sg-open": UNTRACKED}
    counted = limited(lab, client, bandwidth=50_000)
    receiving, calling = server.udp(53), client.udp()
    for _ in range(200):
        calling.sendto(bytes(1000), (server.address, 53))
    assert 40 < drain(receiving) < 200
    assert counted()[limits.BANDWIDTH_OUT] > 0
    assert counted()[limits.BANDWIDTH_IN] == 0


@pytest.mark.parametrize("role", ["client", "server"])
def test_only_as_many_flows_are_tracked_as_the_allowance_has(lab: Any, role: str) -> None:
    client, server = lab.host("a"), lab.host("b")
    lab.groups = {"sg-open": TRACKED}
    counted = limited(lab, client if role == "client" else server, conntrack=5)
    with server.listen(25) as listening:
        held = [client.connect(server.address, 25) for _ in range(5)]
        with pytest.raises(TimeoutError):
            client.connect(server.address, 25)
        assert counted()[limits.CONNTRACK] >= 1
        # Those that are tracked go on.
        accepted, _ = listening.accept()
        accepted.settimeout(1)
        held[0].sendall(b"more")
        assert accepted.recv(10) == b"more"


def test_untracked_flows_do_not_count(lab: Any) -> None:
    client, server = lab.host("a"), lab.host("b")
    lab.groups = {"sg-open": UNTRACKED}
    counted = limited(lab, server, conntrack=2)
    with server.listen(25):
        for _ in range(10):
            client.connect(server.address, 25)
    assert counted()[limits.CONNTRACK] == 0


def test_counters_go_on_when_allowances_change_and_end_with_them(lab: Any) -> None:
    client = lab.host("a")
    lab.groups = {"sg-open": UNTRACKED}
    counted = limited(lab, client, resolver_pps=1)
    calling = client.udp()
    for _ in range(50):
        calling.sendto(b"question", (str(RESOLVER), 53))
    before = counted()[limits.RESOLVER]
    assert before > 0
    counted = limited(lab, client, resolver_pps=1024)
    assert counted()[limits.RESOLVER] == before
    links.load_rules(limits_table([], [RESOLVER]))
    assert counters() == {}
