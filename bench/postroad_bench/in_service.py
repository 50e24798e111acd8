"""From the call that launches a host to a balancer that sends to it: an image of a configured host, and nothing of
Ansible's between.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from postroad_ops import hosts
from postroad_ops.faults import OperationError

# An image of a proxy boots a proxy: it has no spool, so nothing of it lies on a volume.
TIER, PORT, READY_PORT = "proxy", 1080, 1081
IMAGE_SECONDS, SERVICE_SECONDS = 120.0, 60.0
LOOK_SECONDS = 0.05
# AWS's least.
CHECK = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2}
ATTRIBUTES = {"deregistration_delay.timeout_seconds": "0", "preserve_client_ip.enabled": "false"}


@dataclass(frozen=True, slots=True)
class Launch:
    """One host on its way into service.

    Args:
        seconds: from the call of RunInstances to `healthy` in DescribeTargetHealth.
    """

    instance: str
    seconds: float


class Door:
    """A balancer with a target group of its own, and an image to launch behind it."""

    def __init__(self, ec2: Any, elbv2: Any, *, image: str, group: str, model: dict[str, Any], tags: Any) -> None:
        self._ec2, self._elbv2 = ec2, elbv2
        self._image, self._group, self._model, self._tags = image, group, model, tags

    def launch(self) -> Launch:
        """Launch one host and wait until the balancer sends to it.

        Raises:
            OperationError: it isn't in service within a minute.
        """
        began = time.monotonic()
        made = self._ec2.run_instances(
            ImageId=self._image,
            InstanceType=self._model["InstanceType"],
            SubnetId=self._model["SubnetId"],
            SecurityGroupIds=[group["GroupId"] for group in self._model["SecurityGroups"]],
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": self._tags}],
        )["Instances"][0]["InstanceId"]
        target = {"Id": made}
        self._elbv2.register_targets(TargetGroupArn=self._group, Targets=[target])
        while (state := self._state(target)) != "healthy":
            if time.monotonic() - began > SERVICE_SECONDS:
                raise OperationError(f"{made} is {state} after {SERVICE_SECONDS:g} s", remedy="see: make status")
            time.sleep(LOOK_SECONDS)
        return Launch(made, time.monotonic() - began)

    def terminate(self, launch: Launch) -> None:
        """Take a host out again."""
        self._elbv2.deregister_targets(TargetGroupArn=self._group, Targets=[{"Id": launch.instance}])
        self._ec2.terminate_instances(InstanceIds=[launch.instance])

    def _state(self, target: dict[str, str]) -> str:
        described = self._elbv2.describe_target_health(TargetGroupArn=self._group, Targets=[target])
        return str(described["TargetHealthDescriptions"][0]["TargetHealth"]["State"])


@contextmanager
def door(name: str) -> Iterator[Door]:
    """All that a launch needs, made of a proxy of stack `local`; nothing of it stays.

    Args:
        name: of what is made, and the value of its tag Environment.

    Raises:
        OperationError: no proxy is ready, or its image isn't made within two minutes.
    """
    ec2, elbv2 = hosts.client("ec2", "local"), hosts.client("elbv2", "local")
    ready = [host for host in hosts.of_stack("local") if host.tier == TIER and host.health == "ready"]
    if not ready:
        raise OperationError(f"no {TIER} is ready", remedy="run: make up")
    model = ec2.describe_instances(InstanceIds=[ready[0].instance])["Reservations"][0]["Instances"][0]
    tags = [
        {"Key": key, "Value": value}
        for key, value in {"Project": "postroad", "Environment": name, "Tier": TIER, "Name": name}.items()
    ]
    with ExitStack() as undo:
        undo.callback(_end_hosts, ec2, name)
        image = ec2.create_image(
            InstanceId=model["InstanceId"],
            Name=name,
            NoReboot=True,
            TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in ("image", "snapshot")],
        )["ImageId"]
        undo.callback(_forget_image, ec2, image)
        wait_for_image(ec2, image)
        balancer = elbv2.create_load_balancer(
            Name=name, Type="network", Scheme="internal", Subnets=[model["SubnetId"]], Tags=tags
        )["LoadBalancers"][0]["LoadBalancerArn"]
        undo.callback(elbv2.delete_load_balancer, LoadBalancerArn=balancer)
        group = elbv2.create_target_group(
            Name=name, Protocol="TCP", Port=PORT, VpcId=model["VpcId"], TargetType="instance", Tags=tags,
            HealthCheckProtocol="HTTP", HealthCheckPort=str(READY_PORT), HealthCheckPath="/ready", **CHECK,
        )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
        # Before the balancer, so that nobody leads to it any more: the stack is undone from its end.
        undo.callback(_drop_group, elbv2, balancer, group)
        attributes = [{"Key": key, "Value": value} for key, value in ATTRIBUTES.items()]
        elbv2.modify_target_group_attributes(TargetGroupArn=group, Attributes=attributes)
        forward = [{"Type": "forward", "TargetGroupArn": group}]
        elbv2.create_listener(LoadBalancerArn=balancer, Protocol="TCP", Port=PORT, DefaultActions=forward)
        yield Door(ec2, elbv2, image=image, group=group, model=model, tags=tags)


def wait_for_image(ec2: Any, image: str) -> None:
    """Return when an image can be launched.

    Raises:
        OperationError: it has failed, or isn't made within two minutes.
    """
    deadline = time.monotonic() + IMAGE_SECONDS
    while (state := ec2.describe_images(ImageIds=[image])["Images"][0]["State"]) != "available":
        if state == "failed" or time.monotonic() > deadline:
            raise OperationError(f"image {image} is {state}", remedy="see: make status")
        time.sleep(LOOK_SECONDS)


def _drop_group(elbv2: Any, balancer: str, group: str) -> None:
    for listener in elbv2.describe_listeners(LoadBalancerArn=balancer)["Listeners"]:
        elbv2.delete_listener(ListenerArn=listener["ListenerArn"])
    elbv2.delete_target_group(TargetGroupArn=group)


def _end_hosts(ec2: Any, name: str) -> None:
    filters = [
        {"Name": "tag:Environment", "Values": [name]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    found = ec2.describe_instances(Filters=filters)["Reservations"]
    if left := [instance["InstanceId"] for reservation in found for instance in reservation["Instances"]]:
        ec2.terminate_instances(InstanceIds=left)


def _forget_image(ec2: Any, image: str) -> None:
    described = ec2.describe_images(ImageIds=[image])["Images"][0]
    ec2.deregister_image(ImageId=image)
    for mapping in described["BlockDeviceMappings"]:
        try:
            ec2.delete_snapshot(SnapshotId=mapping["Ebs"]["SnapshotId"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidSnapshot.NotFound":
                raise
