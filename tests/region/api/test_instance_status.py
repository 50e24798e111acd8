"""Status checks as EC2 tells them."""

from typing import Any

import pytest
from postroad_region.api.autoscaling.observation import seen


def statuses(aws: Any, instance: str) -> tuple[str, str]:
    found = aws.ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"][0]
    return found["InstanceStatus"]["Status"], found["SystemStatus"]["Status"]


def test_an_instance_whose_hardware_failed_is_impaired(aws: Any, place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    launched = aws.ec2.run_instances(
        ImageId=place.image, MinCount=2, MaxCount=2, SubnetId=place.subnet, InstanceType="t3.small"
    )["Instances"]
    dead, whole = (instance["InstanceId"] for instance in launched)
    assert statuses(aws, dead) == ("ok", "ok")
    monkeypatch.setattr(seen, "impaired_instances", lambda: frozenset({dead}))
    assert statuses(aws, dead) == ("impaired", "impaired")
    assert statuses(aws, whole) == ("ok", "ok")
