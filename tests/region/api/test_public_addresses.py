"""Elastic addresses: several on one interface, reverse names that match forward ones."""

from typing import Any

from moto.ec2.models import ec2_backends
from postroad_region.api import snapshot
from postroad_region.api.public_addresses import public_of, reverse_names
from postroad_region.dns.tree import reverse_zones

ACCOUNT, REGION = "123456789012", "us-east-1"


def proxy(aws: Any, place: Any, secondary: int = 2) -> tuple[str, str, list[str]]:
    interface = {"DeviceIndex": 0, "SubnetId": place.subnet, "SecondaryPrivateIpAddressCount": secondary}
    made = aws.ec2.run_instances(
        ImageId=place.image, MinCount=1, MaxCount=1, InstanceType="t3.small", NetworkInterfaces=[interface]
    )["Instances"][0]
    nic = made["NetworkInterfaces"][0]
    return made["InstanceId"], nic["NetworkInterfaceId"], [e["PrivateIpAddress"] for e in nic["PrivateIpAddresses"]]


def allocate(aws: Any) -> tuple[str, str]:
    made = aws.ec2.allocate_address(Domain="vpc")
    return made["AllocationId"], made["PublicIp"]


def associated(aws: Any, eni: str) -> dict[str, str]:
    described = aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]
    return {
        entry["PrivateIpAddress"]: entry["Association"]["PublicIp"]
        for entry in described["PrivateIpAddresses"]
        if "Association" in entry
    }


def test_each_private_address_of_an_interface_takes_an_elastic_one(aws: Any, place: Any) -> None:
    instance, eni, private = proxy(aws, place)
    pairs = {}
    for address in private:
        number, public = allocate(aws)
        aws.ec2.associate_address(AllocationId=number, NetworkInterfaceId=eni, PrivateIpAddress=address)
        pairs[address] = public
    assert associated(aws, eni) == pairs
    assert dict(public_of(ec2_backends[ACCOUNT][REGION].enis[eni])) == pairs
    described = aws.ec2.describe_addresses()["Addresses"]
    assert {item["PrivateIpAddress"]: item["PublicIp"] for item in described} == pairs
    assert {item["InstanceId"] for item in described} == {instance}
    seen = aws.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    listed = seen["NetworkInterfaces"][0]["PrivateIpAddresses"]
    assert {item["PrivateIpAddress"]: item["Association"]["PublicIp"] for item in listed} == pairs


def test_a_private_address_must_be_the_interface_s(aws: Any, place: Any) -> None:
    _, eni, _ = proxy(aws, place)
    number, _ = allocate(aws)
    refusal = aws.refused(
        aws.ec2.associate_address, AllocationId=number, NetworkInterfaceId=eni, PrivateIpAddress="10.20.1.200"
    )
    assert refusal == "InvalidParameterValue"


def test_an_address_moves_only_when_asked_to(aws: Any, place: Any) -> None:
    _, first, private = proxy(aws, place)
    _, second, other = proxy(aws, place)
    number, public = allocate(aws)
    once = aws.ec2.associate_address(AllocationId=number, NetworkInterfaceId=first, PrivateIpAddress=private[1])
    again = aws.ec2.associate_address(AllocationId=number, NetworkInterfaceId=first, PrivateIpAddress=private[1])
    assert once["AssociationId"] == again["AssociationId"]
    refusal = aws.refused(
        aws.ec2.associate_address, AllocationId=number, NetworkInterfaceId=second, AllowReassociation=False
    )
    assert refusal == "Resource.AlreadyAssociated"
    aws.ec2.associate_address(
        AllocationId=number, NetworkInterfaceId=second, PrivateIpAddress=other[2], AllowReassociation=True
    )
    assert associated(aws, first) == {}
    assert associated(aws, second) == {other[2]: public}


def test_a_terminated_instance_leaves_its_addresses_allocated(aws: Any, place: Any) -> None:
    instance, eni, private = proxy(aws, place)
    number, _ = allocate(aws)
    aws.ec2.associate_address(AllocationId=number, NetworkInterfaceId=eni, PrivateIpAddress=private[1])
    aws.ec2.terminate_instances(InstanceIds=[instance])
    left = aws.ec2.describe_addresses()["Addresses"][0]
    assert left["AllocationId"] == number
    assert not left.get("AssociationId")


def publish(aws: Any, name: str, address: str) -> None:
    zones = aws.route53.list_hosted_zones()["HostedZones"]
    zone = (
        zones[0] if zones else aws.route53.create_hosted_zone(Name="postroad.test", CallerReference="1")["HostedZone"]
    )
    record = {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": address}]}
    changes = [{"Action": "UPSERT", "ResourceRecordSet": record}]
    aws.route53.change_resource_record_sets(HostedZoneId=zone["Id"], ChangeBatch={"Changes": changes})


def test_a_reverse_name_needs_its_forward_record_first(aws: Any) -> None:
    number, public = allocate(aws)
    modify = aws.ec2.modify_address_attribute
    assert aws.refused(modify, AllocationId=number, DomainName="mail-a.postroad.test") == "InvalidParameterValue"
    publish(aws, "mail-a.postroad.test", "198.18.113.254" if public != "198.18.113.254" else "198.18.113.253")
    assert aws.refused(modify, AllocationId=number, DomainName="mail-a.postroad.test") == "InvalidParameterValue"
    publish(aws, "mail-a.postroad.test", public)
    assert modify(AllocationId=number, DomainName="Mail-A.postroad.test")["Address"] == {
        "PublicIp": public,
        "AllocationId": number,
        "PtrRecord": "mail-a.postroad.test.",
    }
    assert reverse_names(ACCOUNT, REGION) == {public: "mail-a.postroad.test."}
    assert snapshot.take(ACCOUNT, REGION).reverse == ((public, "mail-a.postroad.test."),)
    zones, problems = reverse_zones(dict(snapshot.take(ACCOUNT, REGION).reverse))
    assert problems == []
    owner = ".".join(reversed(public.split("."))) + ".in-addr.arpa."
    assert any(f"{owner} 300 IN PTR mail-a.postroad.test." in zone.text() for zone in zones)


def test_an_address_with_a_reverse_name_is_not_released(aws: Any) -> None:
    number, public = allocate(aws)
    publish(aws, "mail-a.postroad.test", public)
    aws.ec2.modify_address_attribute(AllocationId=number, DomainName="mail-a.postroad.test")
    assert aws.refused(aws.ec2.release_address, AllocationId=number) == "InvalidAddress.Locked"
    aws.ec2.reset_address_attribute(AllocationId=number, Attribute="domain-name")
    told = aws.ec2.describe_addresses_attribute(AllocationIds=[number], Attribute="domain-name")["Addresses"]
    assert told == [{"PublicIp": public, "AllocationId": number}]
    aws.ec2.release_address(AllocationId=number)
    assert aws.ec2.describe_addresses()["Addresses"] == []
