"""A deleted peering connection is told of for a while, and isn't taken for the one that was asked for."""

from typing import Any

import pytest


@pytest.fixture
def pair(aws: Any) -> dict[str, str]:
    """Two connections between two VPCs, the first one deleted."""
    one, other = (aws.ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"] for block in ("10.22.0.0/16", "10.23.0.0/16"))
    made = [aws.ec2.create_vpc_peering_connection(VpcId=one, PeerVpcId=other)["VpcPeeringConnection"] for _ in range(2)]
    gone, there = (each["VpcPeeringConnectionId"] for each in made)
    aws.ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=gone)
    aws.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=there)
    return {"one": one, "other": other, "gone": gone, "there": there}


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("vpc-peering-connection-id", "there", ["there"]),
        ("vpc-peering-connection-id", "gone", ["gone"]),
        ("requester-vpc-info.vpc-id", "one", ["gone", "there"]),
        ("requester-vpc-info.vpc-id", "other", []),
        ("accepter-vpc-info.vpc-id", "other", ["gone", "there"]),
    ],
)
def test_connections_are_found_by_filters(
    aws: Any, pair: dict[str, str], name: str, value: str, found: list[str]
) -> None:
    filters = [{"Name": name, "Values": [pair[value]]}]
    told = aws.ec2.describe_vpc_peering_connections(Filters=filters)["VpcPeeringConnections"]
    assert [each["VpcPeeringConnectionId"] for each in told] == [pair[each] for each in found]


def test_the_active_one_is_found_by_its_status(aws: Any, pair: dict[str, str]) -> None:
    filters = [{"Name": "status-code", "Values": ["active"]}]
    (told,) = aws.ec2.describe_vpc_peering_connections(Filters=filters)["VpcPeeringConnections"]
    assert told["VpcPeeringConnectionId"] == pair["there"]
