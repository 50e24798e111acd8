"""What an account has, told apart from what is gone and from what is AWS's own."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from postroad_ops.account import holdings, leftovers


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        yield lambda service: boto3.client(
            service, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
        )


def test_nothing_was_made_is_nothing_left(client: Any) -> None:
    assert leftovers(holdings(client), holdings(client)) == {}


def test_what_was_made_is_told_by_kind_until_it_is_gone(client: Any) -> None:
    before = holdings(client)
    ec2, sqs, kms = client("ec2"), client("sqs"), client("kms")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    queue = sqs.create_queue(QueueName="events")["QueueUrl"]
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert leftovers(before, holdings(client)) == {
        "ec2 Volumes": {volume}, "sqs QueueUrls": {queue}, "kms Keys": {key}
    }  # fmt: skip
    ec2.delete_volume(VolumeId=volume)
    sqs.delete_queue(QueueUrl=queue)
    kms.schedule_key_deletion(KeyId=key)
    assert leftovers(before, holdings(client)) == {}


def test_a_terminated_instance_is_gone(client: Any) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24")["Subnet"]["SubnetId"]
    before = holdings(client)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    launched = ec2.run_instances(ImageId=image, SubnetId=subnet, MinCount=1, MaxCount=1)
    made = launched["Instances"][0]["InstanceId"]
    assert leftovers(before, holdings(client))["ec2 Instances"] == {made}
    ec2.terminate_instances(InstanceIds=[made])
    assert "ec2 Instances" not in leftovers(before, holdings(client))
