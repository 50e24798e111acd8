"""CreateImage: an image takes a while, and what isn't there can't be launched."""

from typing import Any

import pytest
from postroad_region.api import images, seed


@pytest.fixture
def _baking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "baked_by_the_region", True)


def launch(aws: Any, place: Any, image: str = "") -> str:
    asked = {"ImageId": image or place.image, "MinCount": 1, "MaxCount": 1, "SubnetId": place.subnet}
    return str(aws.ec2.run_instances(**asked)["Instances"][0]["InstanceId"])


def state(aws: Any, image: str) -> str:
    return str(aws.ec2.describe_images(ImageIds=[image])["Images"][0]["State"])


@pytest.mark.usefixtures("_baking")
def test_an_image_can_be_launched_once_it_is_made(aws: Any, place: Any) -> None:
    image = aws.ec2.create_image(InstanceId=launch(aws, place), Name="proxy")["ImageId"]
    assert state(aws, image) == "pending"
    assert aws.refused(lambda: launch(aws, place, image)) == "InvalidAMIID.Unavailable"
    assert images.settle(seed.ACCOUNT, seed.REGION, {image: "available"})
    assert not images.settle(seed.ACCOUNT, seed.REGION, {image: "failed"}), "what is made stays made"
    assert state(aws, image) == "available"
    assert launch(aws, place, image)


@pytest.mark.usefixtures("_baking")
def test_what_the_region_is_to_make_names_the_instance_and_whether_it_is_shut_down(aws: Any, place: Any) -> None:
    instance = launch(aws, place)
    for name, no_reboot in (("whole", False), ("live", True)):
        aws.ec2.create_image(InstanceId=instance, Name=name, NoReboot=no_reboot)
    wanted = images.wanted(seed.ACCOUNT, seed.REGION)
    assert [(i.instance, i.pending, i.reboot) for i in wanted] == [(instance, True, True), (instance, True, False)]


def test_an_image_has_its_tags_and_its_snapshot_has_its_own(aws: Any, place: Any) -> None:
    tags = [{"ResourceType": kind, "Tags": [{"Key": "Kind", "Value": kind}]} for kind in ("image", "snapshot")]
    image = aws.ec2.create_image(InstanceId=launch(aws, place), Name="proxy", TagSpecifications=tags)["ImageId"]
    (described,) = aws.ec2.describe_images(ImageIds=[image])["Images"]
    assert described["Tags"] == [{"Key": "Kind", "Value": "image"}]
    snapshot = described["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    (found,) = aws.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    assert found["Tags"] == [{"Key": "Kind", "Value": "snapshot"}]


def test_an_image_s_name_is_taken_once(aws: Any, place: Any) -> None:
    instance = launch(aws, place)
    aws.ec2.create_image(InstanceId=instance, Name="proxy")
    refused = aws.refused(aws.ec2.create_image, InstanceId=instance, Name="proxy")
    assert refused == "InvalidAMIName.Duplicate"


def test_an_instance_that_is_gone_makes_no_image(aws: Any, place: Any) -> None:
    instance = launch(aws, place)
    aws.ec2.terminate_instances(InstanceIds=[instance])
    assert aws.refused(aws.ec2.create_image, InstanceId=instance, Name="proxy") == "IncorrectState"


def test_an_unknown_and_a_deregistered_image_are_refused(aws: Any, place: Any) -> None:
    assert aws.refused(lambda: launch(aws, place, "ami-0123456789abcdef0")) == "InvalidAMIID.NotFound"
    image = aws.ec2.create_image(InstanceId=launch(aws, place), Name="proxy")["ImageId"]
    aws.ec2.deregister_image(ImageId=image)
    assert aws.refused(lambda: launch(aws, place, image)) == "InvalidAMIID.Unavailable"
    assert images.wanted(seed.ACCOUNT, seed.REGION) == ()
