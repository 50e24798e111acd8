"""Facts of the project `dns`."""

from __future__ import annotations

from tests.pulumi.conftest import StackRuns


def test_resolvers_answer_both_vpcs_and_nobody_else(runs: StackRuns) -> None:
    network = runs["network"].outputs
    rules = {
        (rule.inputs["ipProtocol"], rule.inputs["fromPort"], rule.inputs["cidrIpv4"])
        for rule in runs["dns"].of("SecurityGroupIngressRule")
    }
    ranges = (network["mail_vpc_cidr"], network["dns_vpc_cidr"])
    queries = {(protocol, 53, cidr) for protocol in ("udp", "tcp") for cidr in ranges}
    assert rules == queries | {("tcp", 22, network["management_cidr"])}


def test_resolvers_are_in_public_subnets_of_the_dns_vpc(runs: StackRuns) -> None:
    subnets = {subnet.id: subnet.inputs for subnet in runs["network"].of("Subnet")}
    for group in runs["dns"].of("Group"):
        (subnet,) = group.inputs["vpcZoneIdentifiers"]
        assert subnets[subnet]["vpcId"] == runs["network"].outputs["dns_vpc_id"]
        assert subnets[subnet]["mapPublicIpOnLaunch"] is True


def test_both_vpcs_see_the_private_zone(runs: StackRuns) -> None:
    (zone,) = runs["dns"].of("Zone")
    network = runs["network"].outputs
    assert {vpc["vpcId"] for vpc in zone.inputs["vpcs"]} == {network["mail_vpc_id"], network["dns_vpc_id"]}
