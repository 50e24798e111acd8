"""What is deleted takes with it what AWS made for it, and what is AWS's own isn't the account's."""

from typing import Any

import pytest


def test_a_vpc_s_default_acl_goes_with_it(aws: Any) -> None:
    vpc = aws.ec2.create_vpc(CidrBlock="10.22.0.0/16")["Vpc"]["VpcId"]
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    assert len(aws.ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"]) == 1
    aws.ec2.delete_vpc(VpcId=vpc)
    assert aws.ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"] == []


def test_the_key_of_volumes_that_name_none_is_managed_by_aws(aws: Any) -> None:
    made = aws.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, Encrypted=True)
    own = aws.kms.create_key()["KeyMetadata"]["KeyId"]
    managers = [
        aws.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyManager"] for key in (str(made["KmsKeyId"]), str(own))
    ]
    assert managers == ["AWS", "CUSTOMER"]


def test_every_version_of_an_object_is_listed_and_can_be_deleted(aws: Any) -> None:
    aws.s3.create_bucket(Bucket="versioned")
    aws.s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    for content in (b"one", b"another"):
        aws.s3.put_object(Bucket="versioned", Key="release", Body=content)
    listed = aws.s3.list_object_versions(Bucket="versioned")["Versions"]
    assert sorted(version["Size"] for version in listed) == [3, 7]
    read = aws.s3.get_object(Bucket="versioned", Key="release", VersionId=listed[-1]["VersionId"])["Body"].read()
    assert read in (b"one", b"another"), "listing leaves the content as it was"
    for version in listed:
        aws.s3.delete_object(Bucket="versioned", Key="release", VersionId=version["VersionId"])
    aws.s3.delete_bucket(Bucket="versioned")


def test_a_launch_that_is_refused_half_way_leaves_nothing(aws: Any, place: Any) -> None:
    mappings = [{"DeviceName": "/dev/sdx", "Ebs": {"VolumeSize": 1}}] * 2
    before = len(aws.ec2.describe_volumes()["Volumes"]), len(aws.ec2.describe_network_interfaces()["NetworkInterfaces"])
    launch = {"ImageId": place.image, "MinCount": 1, "MaxCount": 1, "SubnetId": place.subnet}
    refused = aws.refused(aws.ec2.run_instances, **launch, BlockDeviceMappings=mappings)
    assert refused == "InvalidParameterValue"
    assert aws.ec2.describe_instances()["Reservations"] == []
    after = len(aws.ec2.describe_volumes()["Volumes"]), len(aws.ec2.describe_network_interfaces()["NetworkInterfaces"])
    assert after == before


@pytest.mark.parametrize(
    ("interfaces", "left"),
    [
        ({}, []),
        ({"NetworkInterfaces": [{"DeviceIndex": 0}]}, []),
        ({"NetworkInterfaces": [{"DeviceIndex": 0, "DeleteOnTermination": True}]}, []),
        ({"NetworkInterfaces": [{"DeviceIndex": 0, "DeleteOnTermination": False}]}, ["available"]),
    ],
    ids=["none named", "as it is", "to be deleted", "to be kept"],
)
def test_the_interface_that_a_launch_made_goes_with_its_instance(
    aws: Any, place: Any, interfaces: Any, left: list[str]
) -> None:
    asked: dict[str, Any] = {"ImageId": place.image, "MinCount": 1, "MaxCount": 1}
    for interface in interfaces.get("NetworkInterfaces", []):
        interface["SubnetId"] = place.subnet
    asked |= interfaces or {"SubnetId": place.subnet}
    instance = aws.ec2.run_instances(**asked)["Instances"][0]["InstanceId"]
    aws.ec2.terminate_instances(InstanceIds=[instance])
    (told,) = aws.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"]
    assert told["State"]["Name"] == "terminated"
    found = aws.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert [each["Status"] for each in found] == left
    assert not any("Attachment" in each for each in found)


def test_an_interface_of_its_own_outlives_the_instance(aws: Any, place: Any) -> None:
    own = aws.ec2.create_network_interface(SubnetId=place.subnet)["NetworkInterface"]["NetworkInterfaceId"]
    asked = {"ImageId": place.image, "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1, "SubnetId": place.subnet}
    instance = aws.ec2.run_instances(**asked)["Instances"][0]["InstanceId"]
    aws.ec2.attach_network_interface(NetworkInterfaceId=own, InstanceId=instance, DeviceIndex=1)
    aws.ec2.terminate_instances(InstanceIds=[instance])
    (left,) = aws.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert (left["NetworkInterfaceId"], left["Status"]) == (own, "available")
    aws.ec2.delete_network_interface(NetworkInterfaceId=own)
