"""What is deleted takes with it what AWS made for it, and what is AWS's own isn't the account's."""

from typing import Any


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
