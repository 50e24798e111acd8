"""Zones and hosts that are down, and zones that don't reach each other, with real packets."""

from ipaddress import IPv4Network
from typing import Any

import pytest
from postroad_region.fabric import links
from postroad_region.fabric.cuts import cuts_table
from postroad_region.fabric.model import Rule, SecurityGroup

pytestmark = pytest.mark.root

ALL = Rule("all", None, (IPv4Network("0.0.0.0/0"),))


def prepared(lab: Any, *zones: str) -> list[Any]:
    lab.groups = {"sg-open": SecurityGroup("sg-open", (ALL,), (ALL,))}
    hosts = [lab.host(zone) for zone in zones]
    lab.load()
    return hosts


def cut(lab: Any, **cuts: Any) -> None:
    links.load_rules(cuts_table(lab.fabric().interfaces, **cuts))


def test_a_zone_that_is_down_is_cut_both_ways_and_inside_and_heals(lab: Any) -> None:
    first, second, other = prepared(lab, "a", "a", "b")
    with second.listen(25) as listening:
        held = first.connect(second.address, 25)
        accepted, _ = listening.accept()
        accepted.settimeout(3)
        cut(lab, zones_down=["us-east-1a"])
        assert not other.reaches(first, 80)
        assert not first.reaches(other, 80)
        assert not first.reaches(second, 80)
        held.sendall(b"kept")
        cut(lab)
        assert first.reaches(second, 80)
        assert other.reaches(first, 80)
        # TCP sends again what was lost meanwhile.
        assert accepted.recv(10) == b"kept"


def test_a_zone_that_is_down_does_not_reach_the_vpc_resolver(lab: Any) -> None:
    (first,) = prepared(lab, "a")
    cut(lab, zones_down=["us-east-1a"])
    resolver, calling = lab.serve("10.20.0.2", 53), first.udp()
    calling.sendto(b"question", ("10.20.0.2", 53))
    with pytest.raises(TimeoutError):
        resolver.recvfrom(100)


def test_a_partition_cuts_two_zones_from_each_other_alone(lab: Any) -> None:
    a, a2, b, c = prepared(lab, "a", "a", "b", "c")
    cut(lab, partitions=[("us-east-1a", "us-east-1b")])
    assert not a.reaches(b, 25)
    assert not b.reaches(a, 25)
    assert a.reaches(a2, 25)
    assert a.reaches(c, 25)
    assert c.reaches(b, 25)
    cut(lab)
    assert a.reaches(b, 25)


def test_a_host_that_is_down_is_cut_alone(lab: Any) -> None:
    dead, neighbour, other = prepared(lab, "a", "a", "b")
    cut(lab, instances_down=[dead.interface.instance_id])
    assert not neighbour.reaches(dead, 25)
    assert not dead.reaches(neighbour, 25)
    assert neighbour.reaches(other, 25)
