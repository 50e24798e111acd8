"""Rules that were made through the API, as the fabric takes them."""

from ipaddress import IPv4Network
from typing import Any

from postroad_region import addresses
from postroad_region.api import seed, snapshot
from postroad_region.fabric.model import Acl, AclEntry, Fabric, Rule

ANY = IPv4Network("0.0.0.0/0")


def fabric(aws: Any) -> Fabric:
    with aws.api.lock:
        return snapshot.take(seed.ACCOUNT, seed.REGION).fabric


def acl_of(found: Fabric, subnet: str) -> Acl:
    wanted = next(s.acl for s in found.subnets if s.id == subnet)
    return next(acl for acl in found.acls if acl.id == wanted)


def test_a_subnet_begins_with_the_default_acl_which_lets_all_through(aws: Any, place: Any) -> None:
    found = acl_of(fabric(aws), place.subnet)
    assert found.ingress == found.egress == (AclEntry(100, "all", True, ANY),)


def test_an_acls_entries_are_read_with_their_directions_ports_and_types(aws: Any, place: Any) -> None:
    acl = aws.ec2.create_network_acl(VpcId=place.vpc)["NetworkAcl"]["NetworkAclId"]
    common = {"NetworkAclId": acl, "CidrBlock": "10.0.0.0/8"}
    aws.ec2.create_network_acl_entry(
        **common, RuleNumber=100, Protocol="6", RuleAction="allow", Egress=False, PortRange={"From": 25, "To": 25}
    )
    aws.ec2.create_network_acl_entry(
        **common, RuleNumber=90, Protocol="1", RuleAction="deny", Egress=False, IcmpTypeCode={"Type": 8, "Code": -1}
    )
    aws.ec2.create_network_acl_entry(**common, RuleNumber=100, Protocol="-1", RuleAction="allow", Egress=True)
    associations = aws.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [place.subnet]}])[
        "NetworkAcls"
    ][0]["Associations"]
    mine = next(a["NetworkAclAssociationId"] for a in associations if a["SubnetId"] == place.subnet)
    aws.ec2.replace_network_acl_association(AssociationId=mine, NetworkAclId=acl)
    found = acl_of(fabric(aws), place.subnet)
    ten = IPv4Network("10.0.0.0/8")
    assert found.id == acl
    assert sorted(found.ingress, key=lambda entry: entry.number) == [
        AclEntry(90, "icmp", False, ten, icmp=(8, -1)),
        AclEntry(100, "tcp", True, ten, (25, 25)),
    ]
    assert found.egress == (AclEntry(100, "all", True, ten),)


def test_a_rule_that_names_the_prefix_list_of_s3_means_s3_in_the_box(aws: Any, place: Any) -> None:
    lists = aws.ec2.describe_managed_prefix_lists()["PrefixLists"]
    s3 = next(entry["PrefixListId"] for entry in lists if entry["PrefixListName"].endswith(".s3"))
    group = aws.ec2.create_security_group(GroupName="tier", Description="tier", VpcId=place.vpc)["GroupId"]
    aws.ec2.revoke_security_group_egress(
        GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    )
    aws.ec2.authorize_security_group_egress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "PrefixListIds": [{"PrefixListId": s3}]}],
    )
    found = next(g for g in fabric(aws).groups if g.id == group)
    assert found.egress == (Rule("tcp", (80, 80), (IPv4Network(addresses.SERVICES),)),)
