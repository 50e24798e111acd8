"""Interfaces that are attached to running instances, and what of them outlives an instance."""

from pathlib import Path
from typing import Any

from moto.ec2.models import ec2_backends
from postroad_region.api.state import StateFile

ACCOUNT, REGION = "123456789012", "us-east-1"


def launch(aws: Any, place: Any) -> dict[str, Any]:
    made: dict[str, Any] = aws.ec2.run_instances(
        ImageId=place.image, MinCount=1, MaxCount=1, InstanceType="t3.small", SubnetId=place.subnet
    )["Instances"][0]
    return made


def interface(aws: Any, place: Any, *addresses: str, **more: Any) -> str:
    given = [{"PrivateIpAddress": address, "Primary": place == 0} for place, address in enumerate(addresses)]
    if given:
        more["PrivateIpAddresses"] = given
    made = aws.ec2.create_network_interface(SubnetId=place.subnet, **more)["NetworkInterface"]
    return str(made["NetworkInterfaceId"])


def described(aws: Any, eni: str) -> dict[str, Any]:
    found: dict[str, Any] = aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]
    return found


def subnet_range(aws: Any, place: Any) -> str:
    found = aws.ec2.describe_subnets(SubnetIds=[place.subnet])["Subnets"][0]["CidrBlock"]
    return str(found).rpartition(".")[0]


def test_an_interface_made_at_launch_ends_with_the_instance(aws: Any, place: Any) -> None:
    made = launch(aws, place)
    eni = made["NetworkInterfaces"][0]["NetworkInterfaceId"]
    aws.ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    assert aws.refused(aws.ec2.describe_network_interfaces, NetworkInterfaceIds=[eni]) == (
        "InvalidNetworkInterfaceID.NotFound"
    )
    again = launch(aws, place)
    assert again["PrivateIpAddress"] == made["PrivateIpAddress"]


def test_an_attached_interface_outlives_the_instance_with_its_elastic_address(aws: Any, place: Any) -> None:
    first, second = launch(aws, place), launch(aws, place)
    eni = interface(aws, place)
    address = aws.ec2.allocate_address(Domain="vpc")
    aws.ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=eni)
    aws.ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=first["InstanceId"], DeviceIndex=1)
    leads_to = aws.ec2.describe_addresses()["Addresses"][0]
    assert (leads_to["InstanceId"], leads_to["NetworkInterfaceId"]) == (first["InstanceId"], eni)

    aws.ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
    left = described(aws, eni)
    assert (left["Status"], left["Association"]["PublicIp"]) == ("available", address["PublicIp"])
    assert not aws.ec2.describe_addresses()["Addresses"][0].get("InstanceId")

    aws.ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=second["InstanceId"], DeviceIndex=1)
    assert aws.ec2.describe_addresses()["Addresses"][0]["InstanceId"] == second["InstanceId"]


def test_an_attached_interface_has_its_own_security_groups(aws: Any, place: Any) -> None:
    made = launch(aws, place)
    group = aws.ec2.create_security_group(GroupName="own", Description="own", VpcId=place.vpc)["GroupId"]
    eni = interface(aws, place, Groups=[group])
    aws.ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=made["InstanceId"], DeviceIndex=1)
    assert [item["GroupId"] for item in described(aws, eni)["Groups"]] == [group]
    backend = ec2_backends[ACCOUNT][REGION]
    assert [item.id for item in backend.enis[eni].group_set] == [group]


def test_the_first_interface_stays_and_one_in_use_is_not_deleted(aws: Any, place: Any) -> None:
    made = launch(aws, place)
    first = made["NetworkInterfaces"][0]
    attachment = first["Attachment"]["AttachmentId"]
    assert aws.refused(aws.ec2.detach_network_interface, AttachmentId=attachment) == "OperationNotPermitted"
    refused = aws.refused(aws.ec2.delete_network_interface, NetworkInterfaceId=first["NetworkInterfaceId"])
    assert refused == "InvalidNetworkInterface.InUse"
    eni = interface(aws, place)
    other = aws.ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=made["InstanceId"], DeviceIndex=1)
    assert aws.refused(aws.ec2.delete_network_interface, NetworkInterfaceId=eni) == "InvalidNetworkInterface.InUse"
    aws.ec2.detach_network_interface(AttachmentId=other["AttachmentId"])
    aws.ec2.delete_network_interface(NetworkInterfaceId=eni)


def test_a_place_is_taken_once_and_the_zone_must_be_the_same(aws: Any, place: Any) -> None:
    made = launch(aws, place)
    one, two = interface(aws, place), interface(aws, place)
    aws.ec2.attach_network_interface(NetworkInterfaceId=one, InstanceId=made["InstanceId"], DeviceIndex=1)
    refused = aws.refused(
        aws.ec2.attach_network_interface, NetworkInterfaceId=two, InstanceId=made["InstanceId"], DeviceIndex=1
    )
    assert refused == "InvalidParameterValue"
    zone = aws.ec2.describe_subnets(SubnetIds=[place.subnet])["Subnets"][0]["AvailabilityZone"]
    elsewhere = aws.ec2.create_subnet(
        VpcId=place.vpc,
        CidrBlock=f"{subnet_range(aws, place).rpartition('.')[0]}.77.0/24",
        AvailabilityZone="us-east-1f",
    )["Subnet"]
    assert elsewhere["AvailabilityZone"] != zone
    three = aws.ec2.create_network_interface(SubnetId=elsewhere["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
    refused = aws.refused(
        aws.ec2.attach_network_interface, NetworkInterfaceId=three, InstanceId=made["InstanceId"], DeviceIndex=2
    )
    assert refused == "InvalidParameterCombination"


def test_a_reserved_range_is_saved_as_a_range(aws: Any, tmp_path: Path) -> None:
    vpc = aws.ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnet = aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.0.0/16")["Subnet"]["SubnetId"]
    state = StateFile(tmp_path)
    state.load()

    def saved() -> int:
        state.wait_saved(state.changed(), aws.api.lock)
        return (tmp_path / "state").stat().st_size

    before = saved()
    aws.ec2.create_subnet_cidr_reservation(SubnetId=subnet, Cidr="10.20.128.0/17", ReservationType="explicit")
    assert saved() < before + 4096, "32,768 addresses take more"


def test_reserved_addresses_are_given_only_to_who_asks_for_them(aws: Any, place: Any) -> None:
    network = subnet_range(aws, place)
    aws.ec2.create_subnet_cidr_reservation(SubnetId=place.subnet, Cidr=f"{network}.0/25", ReservationType="explicit")
    assert launch(aws, place)["PrivateIpAddress"] == f"{network}.128"
    eni = interface(aws, place, f"{network}.64", f"{network}.65")
    addresses = [item["PrivateIpAddress"] for item in described(aws, eni)["PrivateIpAddresses"]]
    assert addresses == [f"{network}.64", f"{network}.65"]
    refused = aws.refused(
        aws.ec2.create_network_interface,
        SubnetId=place.subnet,
        PrivateIpAddresses=[{"PrivateIpAddress": f"{network}.65", "Primary": True}],
    )
    assert refused == "InvalidIPAddress.InUse"


def test_an_unassigned_address_loses_its_elastic_one(aws: Any, place: Any) -> None:
    network = subnet_range(aws, place)
    eni = interface(aws, place, f"{network}.64", f"{network}.65")
    number = aws.ec2.allocate_address(Domain="vpc")["AllocationId"]
    aws.ec2.associate_address(AllocationId=number, NetworkInterfaceId=eni, PrivateIpAddress=f"{network}.65")
    refused = aws.refused(
        aws.ec2.unassign_private_ip_addresses, NetworkInterfaceId=eni, PrivateIpAddresses=[f"{network}.64"]
    )
    assert refused == "InvalidParameterValue"
    aws.ec2.unassign_private_ip_addresses(NetworkInterfaceId=eni, PrivateIpAddresses=[f"{network}.65"])
    assert not aws.ec2.describe_addresses()["Addresses"][0].get("AssociationId")
