"""Where subnets lie."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad_infra.address_plan import ZONE_LETTERS, AddressPlan, SubnetKind, overlaps

ALL_KINDS = (SubnetKind.PRIVATE, SubnetKind.PUBLIC, SubnetKind.MANAGEMENT)


@pytest.mark.parametrize(
    ("kind", "zone", "name", "cidr"),
    [
        (SubnetKind.PRIVATE, "us-east-1a", "private-a", "10.20.0.0/20"),
        (SubnetKind.PUBLIC, "us-east-1a", "public-a", "10.20.16.0/20"),
        (SubnetKind.PRIVATE, "us-east-1b", "private-b", "10.20.32.0/20"),
        (SubnetKind.PUBLIC, "us-east-1g", "public-g", "10.20.208.0/20"),
    ],
)
def test_a_zones_subnets_depend_on_its_letter_alone(kind: SubnetKind, zone: str, name: str, cidr: str) -> None:
    planned = AddressPlan(IPv4Network("10.20.0.0/16")).subnet(kind, zone)
    assert (planned.name, str(planned.cidr), planned.zone) == (name, cidr, zone)


@pytest.mark.parametrize(
    ("vpc", "management"),
    [("10.20.0.0/16", "10.20.255.0/24"), ("10.20.16.0/20", "10.20.31.0/24"), ("172.16.0.0/18", "172.16.63.0/24")],
)
def test_the_management_subnet_is_the_last_24(vpc: str, management: str) -> None:
    assert str(AddressPlan(IPv4Network(vpc)).management("us-east-1a").cidr) == management


@given(
    prefix=st.integers(16, 20), block=st.integers(0, 255), letters=st.sets(st.sampled_from(ZONE_LETTERS), min_size=1)
)
def test_subnets_of_any_plan_lie_in_the_vpc_and_apart(prefix: int, block: int, letters: set[str]) -> None:
    vpc = IPv4Network((int(IPv4Network("10.0.0.0/8").network_address) + block * 2**16, prefix))
    planned = AddressPlan(vpc).subnets(ALL_KINDS, [f"us-east-1{letter}" for letter in sorted(letters)])
    assert len(planned) == 2 * len(letters) + 1
    assert all(subnet.cidr.subnet_of(vpc) for subnet in planned)
    assert overlaps([subnet.cidr for subnet in planned]) == []


@pytest.mark.parametrize("vpc", ["10.0.0.0/8", "10.20.0.0/21"])
def test_a_vpc_of_another_size_is_refused(vpc: str) -> None:
    with pytest.raises(ValueError, match="must be a /16 to a /20"):
        AddressPlan(IPv4Network(vpc))


def test_a_zone_without_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="zone us-east-1z has no block of addresses: zones end in a to g"):
        AddressPlan(IPv4Network("10.20.0.0/16")).subnet(SubnetKind.PUBLIC, "us-east-1z")


def test_overlaps_are_found_in_any_order() -> None:
    wide, inside, apart = (IPv4Network(text) for text in ("10.0.0.0/16", "10.0.16.0/20", "10.1.0.0/16"))
    assert overlaps([inside, apart, wide]) == [(inside, wide)]
    assert overlaps([wide, apart]) == []
