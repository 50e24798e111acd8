"""Hosts, zones, sizes and rates as people write them."""

import pytest
from postroad_region.commands.quantities import octets, octets_per_second
from postroad_region.errors import RegionError
from postroad_region.faults.inventory import HostName, find_host, find_zone

A = HostName("i-0000000000001f2e3", "mta-a", "us-east-1a")
B = HostName("i-00000000000045678", "mta-b", "us-east-1b")
B2 = HostName("i-00000000000099999", "mta-b", "us-east-1b")
NAMELESS = HostName("i-000000000000abcde", "", "us-east-1a")
HOSTS = [A, B, B2, NAMELESS]


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("i-0000000000001f2e3", A),
        ("mta-a-1f2e3", A),
        ("mta-a", A),
        ("mta-b-99999", B2),
        ("i-000000000000abcde", NAMELESS),
    ],
)
def test_a_host_is_known_by_id_by_inventory_name_and_by_a_tag_of_its_own(name: str, host: HostName) -> None:
    assert find_host(name, HOSTS) == host


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mta-b", "2 hosts are named 'mta-b'; name one: mta-b-45678, mta-b-99999"),
        ("mta-x", "there is no host 'mta-x'; there are: i-000000000000abcde, mta-a, mta-b-45678, mta-b-99999"),
        ("", "there is no host ''; there are: i-000000000000abcde, mta-a, mta-b-45678, mta-b-99999"),
    ],
)
def test_any_other_name_is_told_what_there_is(name: str, said: str) -> None:
    with pytest.raises(RegionError) as caught:
        find_host(name, HOSTS)
    assert str(caught.value) == said


def test_without_hosts_it_says_so() -> None:
    with pytest.raises(RegionError) as caught:
        find_host("mta-a", [])
    assert str(caught.value) == "there is no host 'mta-a'; no host runs"


def test_zones_by_letter_and_by_name() -> None:
    zones = ["us-east-1b", "us-east-1a", "us-east-1a"]
    assert find_zone("a", zones) == find_zone("us-east-1a", zones) == "us-east-1a"
    with pytest.raises(RegionError) as caught:
        find_zone("c", zones)
    assert str(caught.value) == "there is no zone 'c'; there are: a, b"


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("4096", 4096), ("64M", 64 << 20), ("1GiB", 1 << 30), ("2k", 2048)]
)
def test_sizes(text: str, size: int) -> None:
    assert octets(text) == size


@pytest.mark.parametrize(("text", "rate"), [("8bit", 1), ("750Mbit", 93_750_000), ("2.5Gbit", 312_500_000)])
def test_rates(text: str, rate: int) -> None:
    assert octets_per_second(text) == rate


@pytest.mark.parametrize("text", ["", "lots", "-1", "1.5M", "1X"])
def test_what_is_no_size_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(RegionError, match="isn't a size; write it as 64M or 1G"):
        octets(text)


@pytest.mark.parametrize("text", ["", "10", "10MB", "1bit", "0Gbit", "fast"])
def test_what_is_no_rate_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(RegionError, match=r"isn't a rate; write it as 750Mbit or 2\.5Gbit"):
        octets_per_second(text)
