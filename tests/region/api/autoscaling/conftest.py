"""A group in the region's API, and a clock that the test moves."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from postroad_region.api import clock
from postroad_region.api.autoscaling import engine, observation

TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"


@dataclass
class Time:
    """Seconds that pass when the test says so; the engine runs after each step, as in the daemon's loop."""

    now: float = 1_800_000_000.0

    def passes(self, seconds: float = 0.0) -> bool:
        self.now += seconds
        return engine.run(self.now)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(clock, "source", lambda: made.now)
    return made


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> observation.Observation:
    """What the region sees of targets; a test sets it."""
    for name in ("unhealthy_targets", "draining_targets", "impaired_instances"):
        monkeypatch.setattr(observation.seen, name, lambda: frozenset())
    return observation.seen


@dataclass
class Group:
    """An Auto Scaling group called `mta` with its template, seen through the API."""

    aws: Any
    place: Any
    template: str
    name: str = "mta"
    extra: dict[str, Any] = field(default_factory=dict)

    def create(self, size: int, **more: Any) -> "Group":
        parameters = {
            "AutoScalingGroupName": self.name,
            "MinSize": 0,
            "MaxSize": 20,
            "DesiredCapacity": size,
            "LaunchTemplate": {"LaunchTemplateId": self.template, "Version": "1"},
            "VPCZoneIdentifier": self.place.subnet,
            "HealthCheckGracePeriod": 0,
            **more,
        }
        self.aws.autoscaling.create_auto_scaling_group(**parameters)
        return self

    def call(self, operation: str, **parameters: Any) -> Any:
        return getattr(self.aws.autoscaling, operation)(AutoScalingGroupName=self.name, **parameters)

    def refused(self, operation: str, **parameters: Any) -> str:
        call = getattr(self.aws.autoscaling, operation)
        return str(self.aws.refused(call, AutoScalingGroupName=self.name, **parameters))

    @property
    def described(self) -> dict[str, Any]:
        found = self.aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])
        return dict(found["AutoScalingGroups"][0])

    @property
    def ids(self) -> list[str]:
        return [item["InstanceId"] for item in self.described["Instances"]]

    @property
    def states(self) -> list[str]:
        return sorted(item["LifecycleState"] for item in self.described["Instances"])

    @property
    def versions(self) -> list[str]:
        return sorted(item["LaunchTemplate"]["Version"] for item in self.described["Instances"])

    def alive(self) -> list[str]:
        pages = self.aws.ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
        return [item["InstanceId"] for page in pages["Reservations"] for item in page["Instances"]]

    def new_version(self) -> str:
        data = {"ImageId": self.place.image, "InstanceType": "t3.medium"}
        made = self.aws.ec2.create_launch_template_version(LaunchTemplateId=self.template, LaunchTemplateData=data)
        return str(made["LaunchTemplateVersion"]["VersionNumber"])

    def hook(self, transition: str, name: str = "drain", **more: Any) -> None:
        parameters = {"HeartbeatTimeout": 300, "DefaultResult": "CONTINUE", **more}
        self.call("put_lifecycle_hook", LifecycleHookName=name, LifecycleTransition=transition, **parameters)

    def activities(self) -> list[dict[str, Any]]:
        return list(self.call("describe_scaling_activities")["Activities"])


@pytest.fixture
def group(aws: Any, place: Any, time: Time, seen: observation.Observation) -> Group:
    data = {"ImageId": place.image, "InstanceType": "t3.small"}
    made = aws.ec2.create_launch_template(LaunchTemplateName="mta", LaunchTemplateData=data)
    return Group(aws, place, made["LaunchTemplate"]["LaunchTemplateId"])
