"""An Auto Scaling group of its own beside those of the stack, empty at first: what policies and alarms act on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from postroad_ops import hosts
from postroad_ops.faults import OperationError
from postroad_region.hypervisor import hosts as containers

MOST = 2
LOOK_SECONDS = 0.05


class SmallGroup:
    """The group of a name, and what acts on it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.autoscaling = hosts.client("autoscaling", "local")
        self.cloudwatch = hosts.client("cloudwatch", "local")

    def desired(self) -> int:
        """Its desired capacity."""
        return int(self._described()["DesiredCapacity"])

    def resize(self, desired: int) -> None:
        """Set its desired capacity by hand."""
        self.autoscaling.set_desired_capacity(AutoScalingGroupName=self.name, DesiredCapacity=desired)

    def hosts_in_service(self) -> list[str]:
        """Members in service whose hosts run on this machine."""
        present = containers.all_hosts()
        members = [m["InstanceId"] for m in self._described()["Instances"] if m["LifecycleState"] == "InService"]
        return [member for member in members if member in present and present[member].running]

    def wait_for_desired(self, desired: int, *, seconds: float) -> float:
        """When the desired capacity became this, in seconds since the epoch.

        Raises:
            OperationError: it didn't within `seconds`.
        """
        deadline = time.time() + seconds
        while (found := self.desired()) != desired:
            if time.time() > deadline:
                told = f"{self.name} has a desired capacity of {found}, not {desired}, after {seconds:g} s"
                raise OperationError(told, remedy="see: make status")
            time.sleep(LOOK_SECONDS)
        return time.time()

    def steps(self, alarm: dict[str, Any]) -> None:
        """One host more whenever an alarm goes off, whose parameters these are."""
        policy = self.autoscaling.put_scaling_policy(
            AutoScalingGroupName=self.name,
            PolicyName="step",
            PolicyType="StepScaling",
            AdjustmentType="ChangeInCapacity",
            StepAdjustments=[{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
            EstimatedInstanceWarmup=0,
        )["PolicyARN"]
        asked = {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Maximum"}
        self.cloudwatch.put_metric_alarm(AlarmName=self.name, AlarmActions=[policy], **asked, **alarm)

    def tracks(self, target: float, metric: dict[str, Any]) -> None:
        """As many hosts as keep a metric at its target."""
        self.autoscaling.put_scaling_policy(
            AutoScalingGroupName=self.name,
            PolicyName="tracking",
            PolicyType="TargetTrackingScaling",
            EstimatedInstanceWarmup=0,
            TargetTrackingConfiguration={"TargetValue": target, "CustomizedMetricSpecification": metric},
        )

    def alarm_state(self) -> str:
        """The state of the alarm that `steps` made."""
        found = self.cloudwatch.describe_alarms(AlarmNames=[self.name])["MetricAlarms"]
        return str(found[0]["StateValue"])

    def report(self, namespace: str, metric: str, value: float) -> None:
        """Put a data point of high resolution, as of now."""
        data = {"MetricName": metric, "Value": value, "Timestamp": time.time(), "StorageResolution": 1}
        self.cloudwatch.put_metric_data(Namespace=namespace, MetricData=[data])

    def _described(self) -> dict[str, Any]:
        found = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])
        described: dict[str, Any] = found["AutoScalingGroups"][0]
        return described


@contextmanager
def small_group(name: str) -> Iterator[SmallGroup]:
    """A group of the base image in an MTA's subnet, with nothing that acts on it yet; nothing of it stays.

    Raises:
        OperationError: there is no MTA to take the place of.
    """
    ec2 = hosts.client("ec2", "local")
    model = next((host for host in hosts.of_stack("local", ask=False) if host.tier == "mta"), None)
    if model is None:
        raise OperationError("stack local has no MTA", remedy="run: make up")
    described = ec2.describe_instances(InstanceIds=[model.instance])["Reservations"][0]["Instances"][0]
    tags = [{"Key": "Project", "Value": "postroad"}, {"Key": "Environment", "Value": name}]
    group = SmallGroup(name)
    with ExitStack() as undo:
        data = {
            "ImageId": described["ImageId"],
            "InstanceType": described["InstanceType"],
            "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
        }
        ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
        undo.callback(ec2.delete_launch_template, LaunchTemplateName=name)
        group.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=0,
            MaxSize=MOST,
            DesiredCapacity=0,
            DefaultCooldown=0,
            LaunchTemplate={"LaunchTemplateName": name, "Version": "1"},
            VPCZoneIdentifier=described["SubnetId"],
        )
        undo.callback(group.autoscaling.delete_auto_scaling_group, AutoScalingGroupName=name, ForceDelete=True)
        undo.callback(group.cloudwatch.delete_alarms, AlarmNames=[name])
        yield group
