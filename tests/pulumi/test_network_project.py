"""Facts of the project `network`."""

from __future__ import annotations

import json
from ipaddress import IPv4Network

import pytest

from tests.pulumi.conftest import StackRuns
from tests.pulumi.mocks_engine import Run


@pytest.fixture
def network(runs: StackRuns) -> Run:
    return runs["network"]


def test_subnets_lie_in_their_vpc_and_dont_overlap(network: Run) -> None:
    vpcs = {vpc.id: IPv4Network(vpc.inputs["cidrBlock"]) for vpc in network.of("Vpc")}
    subnets = [(IPv4Network(s.inputs["cidrBlock"]), vpcs[s.inputs["vpcId"]]) for s in network.of("Subnet")]
    assert len(subnets) == 10
    assert all(subnet.subnet_of(vpc) for subnet, vpc in subnets)
    assert not [(a, b) for i, (a, _) in enumerate(subnets) for b, _ in subnets[i + 1 :] if a.overlaps(b)]


def test_every_subnet_has_a_route_table_of_its_own(network: Run) -> None:
    pairs = [(a.inputs["subnetId"], a.inputs["routeTableId"]) for a in network.of("RouteTableAssociation")]
    assert {subnet for subnet, _ in pairs} == {subnet.id for subnet in network.of("Subnet")}
    assert {table for _, table in pairs} == {table.id for table in network.of("RouteTable")}
    assert len(pairs) == len(network.of("Subnet"))


def test_only_public_subnets_have_a_route_to_the_internet_and_only_resolvers_public_addresses(network: Run) -> None:
    to_internet = {r.inputs["routeTableId"] for r in network.of("Route") if "gatewayId" in r.inputs}
    tables = {a.inputs["subnetId"]: a.inputs["routeTableId"] for a in network.of("RouteTableAssociation")}
    for subnet in network.of("Subnet"):
        public = "public" in subnet.name
        assert (tables[subnet.id] in to_internet) is public
        assert subnet.inputs["mapPublicIpOnLaunch"] is (public and subnet.name.startswith("dns-"))


def test_half_of_each_public_mail_subnet_is_kept_for_proxies_interfaces(network: Run) -> None:
    reserved = {each.inputs["subnetId"]: each.inputs for each in network.of("SubnetCidrReservation")}
    public = {each.id: each.inputs for each in network.of("Subnet") if each.name.startswith("mail-public")}
    assert set(reserved) == set(public)
    for identifier, reservation in reserved.items():
        whole, kept = (IPv4Network(each["cidrBlock"]) for each in (public[identifier], reservation))
        assert kept == list(whole.subnets())[1]
        assert reservation["reservationType"] == "explicit"
        zone = public[identifier]["availabilityZone"]
        assert network.outputs["zones"][zone]["mail_public_kept_cidr"] == str(kept)


def test_every_route_table_leads_to_the_other_vpc_and_has_the_s3_endpoint(network: Run) -> None:
    tables = {table.id for table in network.of("RouteTable")}
    assert {r.inputs["routeTableId"] for r in network.of("Route") if "vpcPeeringConnectionId" in r.inputs} == tables
    endpoints = network.of("VpcEndpoint")
    assert {table for endpoint in endpoints for table in endpoint.inputs["routeTableIds"]} == tables
    assert {endpoint.inputs["vpcEndpointType"] for endpoint in endpoints} == {"Gateway"}


def test_no_route_leads_a_vpc_to_itself(network: Run) -> None:
    vpcs = {vpc.id: vpc.inputs["cidrBlock"] for vpc in network.of("Vpc")}
    tables = {table.id: vpcs[table.inputs["vpcId"]] for table in network.of("RouteTable")}
    assert all(tables[r.inputs["routeTableId"]] != r.inputs["destinationCidrBlock"] for r in network.of("Route"))


def test_flows_of_every_vpc_are_logged(network: Run) -> None:
    logs = network.of("FlowLog")
    assert {log.inputs["vpcId"] for log in logs} == {vpc.id for vpc in network.of("Vpc")}
    assert {log.inputs["trafficType"] for log in logs} == {"ALL"}


def test_artifacts_are_read_through_the_endpoints_only_and_nothing_is_public(network: Run) -> None:
    (bucket,) = network.of("Bucket")
    (policy,) = network.of("BucketPolicy")
    (block,) = network.of("BucketPublicAccessBlock")
    (versioning,) = network.of("BucketVersioning")
    allow, deny = json.loads(policy.inputs["policy"])["Statement"]
    endpoints = sorted(endpoint.id for endpoint in network.of("VpcEndpoint"))
    assert (allow["Effect"], allow["Action"]) == ("Allow", "s3:GetObject")
    assert sorted(allow["Condition"]["StringEquals"]["aws:SourceVpce"]) == endpoints
    assert deny["Effect"] == "Deny"
    assert deny["Condition"]["Bool"] == {"aws:SecureTransport": "false"}
    assert sorted(deny["Condition"]["StringNotEquals"]["aws:SourceVpce"]) == endpoints
    assert all(block.inputs[way] for way in block.inputs if way != "bucket")
    assert versioning.inputs["versioningConfiguration"] == {"status": "Enabled"}
    assert bucket.inputs["bucket"] == network.outputs["artifacts_bucket"]


def test_the_management_subnet_is_the_last_24_of_the_mail_vpc(stack: str, network: Run) -> None:
    (subnet,) = (s for s in network.of("Subnet") if s.name == "mail-management")
    assert subnet.inputs["cidrBlock"] == network.outputs["management_cidr"]
    if stack == "local":
        assert subnet.inputs["cidrBlock"] == "10.20.255.0/24"


def test_the_key_pair_is_named_after_the_stack(stack: str, network: Run) -> None:
    (key,) = network.of("KeyPair")
    assert key.inputs["keyName"] == network.outputs["key_name"] == f"postroad-{stack}"
