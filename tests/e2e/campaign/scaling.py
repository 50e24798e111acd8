"""An Auto Scaling group with a lifecycle hook, policies, refreshes and suspended processes."""

from typing import Any

from tests.e2e.campaign.part import NAME, TAGS, Place, client

MOST = 2
HOOK = "before-the-end"
# What EC2 Auto Scaling accepts at least.
HEARTBEAT_SECONDS = 30
PROCESSES = ["Launch", "Terminate", "AlarmNotification"]
RUNNING = ("Pending", "InProgress", "Cancelling", "RollbackInProgress")


class Scaling:
    """A group is made, grows, shrinks through its hook, is refreshed, held still and removed."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._ec2, self._autoscaling, self._cloudwatch = client("ec2"), client("autoscaling"), client("cloudwatch")
        self.operations = [
            self.make_a_group,
            self.resize_the_group,
            self.complete_the_hook,
            self.refresh_the_group,
            self.roll_the_refresh_back,
            self.set_off_a_policy,
            self.suspend_or_resume_processes,
            self.terminate_a_member,
            self.remove_the_group,
        ]

    def make_a_group(self) -> None:
        self._group()

    def resize_the_group(self) -> None:
        self._group()
        desired = self._place.chance.randrange(MOST + 1)
        self._autoscaling.set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=desired)

    def complete_the_hook(self) -> None:
        for member in self._group()["Instances"]:
            if member["LifecycleState"] == "Terminating:Wait":
                self._autoscaling.complete_lifecycle_action(
                    AutoScalingGroupName=NAME,
                    LifecycleHookName=HOOK,
                    InstanceId=member["InstanceId"],
                    LifecycleActionResult="CONTINUE",
                )

    def refresh_the_group(self) -> None:
        self._group()
        preferences = {"MinHealthyPercentage": 0, "InstanceWarmup": 0, "SkipMatching": False}
        asked = {"AutoScalingGroupName": NAME, "Preferences": preferences}
        desired = {"LaunchTemplate": {"LaunchTemplateName": NAME, "Version": self._other_version()}}
        self._autoscaling.start_instance_refresh(**asked, DesiredConfiguration=desired)

    def roll_the_refresh_back(self) -> None:
        self._group()
        if self._refreshing():
            self._autoscaling.rollback_instance_refresh(AutoScalingGroupName=NAME)

    def set_off_a_policy(self) -> None:
        self._group()
        arn = self._autoscaling.put_scaling_policy(
            AutoScalingGroupName=NAME,
            PolicyName=NAME,
            PolicyType="SimpleScaling",
            AdjustmentType="ChangeInCapacity",
            ScalingAdjustment=self._place.chance.choice((1, -1)),
            Cooldown=0,
        )["PolicyARN"]
        self._cloudwatch.put_metric_alarm(
            AlarmName=NAME,
            Namespace="Postroad/Campaign",
            MetricName="Load",
            Statistic="Maximum",
            Period=10,
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=[arn],
        )
        self._cloudwatch.put_metric_data(Namespace="Postroad/Campaign", MetricData=[{"MetricName": "Load", "Value": 0}])
        self._cloudwatch.set_alarm_state(AlarmName=NAME, StateValue="ALARM", StateReason="campaign")
        self._cloudwatch.delete_alarms(AlarmNames=[NAME])

    def suspend_or_resume_processes(self) -> None:
        held = {each["ProcessName"] for each in self._group()["SuspendedProcesses"]}
        call = self._autoscaling.resume_processes if held else self._autoscaling.suspend_processes
        call(AutoScalingGroupName=NAME, ScalingProcesses=PROCESSES)

    def terminate_a_member(self) -> None:
        members = [m["InstanceId"] for m in self._group()["Instances"] if m["LifecycleState"] == "InService"]
        if members:
            self._autoscaling.terminate_instance_in_auto_scaling_group(
                InstanceId=members[0], ShouldDecrementDesiredCapacity=self._place.chance.random() < 0.5
            )

    def remove_the_group(self) -> None:
        if self._described():
            self._autoscaling.delete_auto_scaling_group(AutoScalingGroupName=NAME, ForceDelete=True)
        self._cloudwatch.delete_alarms(AlarmNames=[NAME])
        for template in self._templates():
            self._ec2.delete_launch_template(LaunchTemplateId=template["LaunchTemplateId"])

    def tidy(self) -> None:
        self.remove_the_group()

    def disagreements(self) -> list[str]:
        """A group is as large as it should be, unless it is held still or being refreshed; members are instances."""
        found = self._described()
        if not found:
            return []
        (group,) = found
        states = {member["InstanceId"]: member["LifecycleState"] for member in group["Instances"]}
        wrong = [f"{name} is {state}" for name, state in states.items() if state.endswith((":Proceed", "Pending"))]
        filters = [{"Name": "instance-state-name", "Values": ["running"]}]
        reservations = self._ec2.describe_instances(Filters=filters)["Reservations"]
        running = {instance["InstanceId"] for each in reservations for instance in each["Instances"]}
        # What is held still keeps what it has, also a member that was terminated.
        if group["SuspendedProcesses"]:
            return wrong
        wrong += [f"member {name} doesn't run" for name in states if name not in running]
        counted = sum(not state.startswith("Terminating") for state in states.values())
        if counted != group["DesiredCapacity"] and not self._refreshing():
            wrong.append(f"the group has {counted} members, not {group['DesiredCapacity']}")
        return wrong

    def _refreshing(self) -> bool:
        found = self._autoscaling.describe_instance_refreshes(AutoScalingGroupName=NAME)["InstanceRefreshes"]
        return any(each["Status"] in RUNNING for each in found)

    def _described(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self._autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[NAME])[
            "AutoScalingGroups"
        ]
        return listed

    def _templates(self) -> list[dict[str, Any]]:
        filters = [{"Name": "launch-template-name", "Values": [NAME]}]
        listed: list[dict[str, Any]] = self._ec2.describe_launch_templates(Filters=filters)["LaunchTemplates"]
        return listed

    def _other_version(self) -> str:
        """A version that the group hasn't got; there are two."""
        (group,) = self._described()
        data = {"InstanceType": self._place.model["InstanceType"]}
        known = self._ec2.describe_launch_template_versions(LaunchTemplateName=NAME)["LaunchTemplateVersions"]
        if len(known) < 2:
            self._ec2.create_launch_template_version(
                LaunchTemplateName=NAME, SourceVersion="1", LaunchTemplateData=data
            )
        return "2" if group["LaunchTemplate"]["Version"] == "1" else "1"

    def _group(self) -> dict[str, Any]:
        if found := self._described():
            return found[0]
        if not self._templates():
            data = {
                "ImageId": self._place.model["ImageId"],
                "InstanceType": self._place.model["InstanceType"],
                "TagSpecifications": [{"ResourceType": "instance", "Tags": TAGS}],
            }
            self._ec2.create_launch_template(LaunchTemplateName=NAME, LaunchTemplateData=data)
        hook = {
            "LifecycleHookName": HOOK,
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
            "HeartbeatTimeout": HEARTBEAT_SECONDS,
            "DefaultResult": "CONTINUE",
        }
        self._autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=NAME,
            MinSize=0,
            MaxSize=MOST,
            DesiredCapacity=1,
            LaunchTemplate={"LaunchTemplateName": NAME, "Version": "1"},
            VPCZoneIdentifier=self._place.model["SubnetId"],
            LifecycleHookSpecificationList=[hook],
        )
        return self._described()[0]
