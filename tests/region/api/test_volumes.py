"""Volumes are attached to one instance of their zone, and let go of."""

from typing import Any

import pytest


@pytest.fixture
def instance(aws: Any, place: Any) -> str:
    made = aws.ec2.run_instances(ImageId=place.image, MinCount=1, MaxCount=1, SubnetId=place.subnet)
    return str(made["Instances"][0]["InstanceId"])


@pytest.fixture
def volume(aws: Any, instance: str) -> str:
    found = aws.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    zone = found["Placement"]["AvailabilityZone"]
    return str(aws.ec2.create_volume(AvailabilityZone=zone, Size=1)["VolumeId"])


def test_a_volume_is_let_go_of_without_naming_its_instance(aws: Any, instance: str, volume: str) -> None:
    aws.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdx")
    aws.ec2.detach_volume(VolumeId=volume)
    (found,) = aws.ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
    assert (found["State"], found["Attachments"]) == ("available", [])


def test_an_attached_volume_is_in_use(aws: Any, instance: str, volume: str) -> None:
    attach = {"VolumeId": volume, "InstanceId": instance}
    aws.ec2.attach_volume(**attach, Device="/dev/sdx")
    assert aws.refused(aws.ec2.attach_volume, **attach, Device="/dev/sdy") == "VolumeInUse"
    assert aws.refused(aws.ec2.delete_volume, VolumeId=volume) == "VolumeInUse"


def test_a_volume_of_another_zone_is_refused(aws: Any, instance: str) -> None:
    other = aws.ec2.create_volume(AvailabilityZone="us-east-1f", Size=1)["VolumeId"]
    attach = {"VolumeId": other, "InstanceId": instance, "Device": "/dev/sdx"}
    assert aws.refused(aws.ec2.attach_volume, **attach) == "InvalidVolume.ZoneMismatch"


def test_a_free_volume_can_not_be_detached(aws: Any, volume: str) -> None:
    assert aws.refused(aws.ec2.detach_volume, VolumeId=volume) == "IncorrectState"


def test_a_device_name_is_taken_once(aws: Any, instance: str, volume: str) -> None:
    (found,) = aws.ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
    other = aws.ec2.create_volume(AvailabilityZone=found["AvailabilityZone"], Size=1)["VolumeId"]
    aws.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdx")
    attach = {"VolumeId": other, "InstanceId": instance, "Device": "/dev/sdx"}
    assert aws.refused(aws.ec2.attach_volume, **attach) == "InvalidParameterValue"


def test_the_root_volume_is_at_the_name_that_the_image_gives_it(aws: Any, instance: str, place: Any) -> None:
    (described,) = aws.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"]
    (image,) = aws.ec2.describe_images(ImageIds=[place.image])["Images"]
    assert described["RootDeviceName"] == image["RootDeviceName"]
    assert [mapping["DeviceName"] for mapping in described["BlockDeviceMappings"]] == [image["RootDeviceName"]]


@pytest.mark.parametrize("by_template", [True, False])
def test_a_mapping_of_the_root_device_is_the_only_root_volume(aws: Any, place: Any, by_template: bool) -> None:
    (image,) = aws.ec2.describe_images(ImageIds=[place.image])["Images"]
    mappings = [{"DeviceName": image["RootDeviceName"], "Ebs": {"VolumeSize": 20, "DeleteOnTermination": True}}]
    asked = {"ImageId": place.image, "MinCount": 1, "MaxCount": 1, "SubnetId": place.subnet}
    if by_template:
        data = {"BlockDeviceMappings": mappings}
        aws.ec2.create_launch_template(LaunchTemplateName="sized", LaunchTemplateData=data)
        asked["LaunchTemplate"] = {"LaunchTemplateName": "sized"}
    else:
        asked["BlockDeviceMappings"] = mappings
    before = len(aws.ec2.describe_volumes()["Volumes"])
    instance = aws.ec2.run_instances(**asked)["Instances"][0]["InstanceId"]
    (described,) = aws.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"]
    (mapping,) = described["BlockDeviceMappings"]
    (volume,) = aws.ec2.describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"]
    assert (mapping["DeviceName"], volume["Size"]) == (image["RootDeviceName"], 20)
    assert len(aws.ec2.describe_volumes()["Volumes"]) == before + 1
