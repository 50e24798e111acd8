"""Groups: capacity, health, protection, suspended processes, what AWS refuses, and what the activities tell."""

from typing import Any

import pytest


def test_a_group_launches_what_it_wants_and_tells_why(group: Any) -> None:
    group.create(2)
    assert group.states == ["InService", "InService"]
    activity = group.activities()[0]
    assert activity["StatusCode"] == "Successful"
    assert activity["Description"].startswith("Launching a new EC2 instance: i-")
    assert "a user request created an AutoScalingGroup changing the desired capacity from 0 to 2." in activity["Cause"]
    assert "increasing the capacity from 0 to 2." in activity["Cause"]


def test_a_name_is_taken_once(group: Any) -> None:
    group.create(1)
    before = group.ids
    parameters = {"MinSize": 0, "MaxSize": 1, "VPCZoneIdentifier": group.place.subnet}
    template = {"LaunchTemplateId": group.template, "Version": "1"}
    assert group.refused("create_auto_scaling_group", LaunchTemplate=template, **parameters) == "AlreadyExists"
    assert group.ids == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"MinSize": 3, "MaxSize": 2, "DesiredCapacity": 2},
        {"DesiredCapacity": 21},
        {"TerminationPolicies": ["Youngest"]},
        {"LaunchTemplate": {"LaunchTemplateName": "none", "Version": "1"}},
    ],
)
def test_a_group_that_aws_would_not_make_is_refused(group: Any, wrong: dict[str, Any]) -> None:
    base = {
        "MinSize": 0,
        "MaxSize": 20,
        "VPCZoneIdentifier": group.place.subnet,
        "LaunchTemplate": {"LaunchTemplateId": group.template, "Version": "1"},
    }
    assert group.refused("create_auto_scaling_group", **{**base, **wrong}) in (
        "ValidationError",
        "InvalidLaunchTemplateName.NotFoundException",
    )
    assert group.aws.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"] == []


def test_a_template_with_an_unknown_type_is_refused(group: Any, aws: Any) -> None:
    data = {"ImageId": group.place.image, "InstanceType": "m99.huge"}
    aws.ec2.create_launch_template_version(LaunchTemplateId=group.template, LaunchTemplateData=data)
    refusal = group.refused(
        "create_auto_scaling_group",
        MinSize=0,
        MaxSize=1,
        VPCZoneIdentifier=group.place.subnet,
        LaunchTemplate={"LaunchTemplateId": group.template, "Version": "2"},
    )
    assert refusal == "ValidationError"


def test_a_smaller_capacity_takes_out_what_the_policy_names(group: Any, time: Any) -> None:
    group.create(1, TerminationPolicies=["OldestInstance"])
    first = group.ids
    time.passes(10)
    group.call("set_desired_capacity", DesiredCapacity=3)
    group.call("set_desired_capacity", DesiredCapacity=2)
    assert first[0] not in group.ids
    assert first[0] not in group.alive()
    newest = group.activities()[0]
    assert newest["Description"] == f"Terminating EC2 instance: {first[0]}"
    assert "explicitly set group desired capacity changing the desired capacity from 3 to 2" in newest["Cause"]
    assert f"instance {first[0]} was selected for termination" in newest["Cause"]


def test_a_capacity_outside_the_bounds_is_refused(group: Any) -> None:
    group.create(1, MinSize=1, MaxSize=2)
    assert group.refused("set_desired_capacity", DesiredCapacity=3) == "ValidationError"
    assert group.refused("set_desired_capacity", DesiredCapacity=0) == "ValidationError"
    group.call("update_auto_scaling_group", MinSize=2)
    assert group.described["DesiredCapacity"] == 2
    assert len(group.ids) == 2


def test_an_update_keeps_what_it_does_not_name(group: Any) -> None:
    group.create(1, DefaultCooldown=60, TerminationPolicies=["OldestInstance"], DefaultInstanceWarmup=30)
    group.call("update_auto_scaling_group", MaxSize=5, DefaultCooldown=90)
    found = group.described
    assert (found["DefaultCooldown"], found["TerminationPolicies"], found["MaxSize"]) == (90, ["OldestInstance"], 5)
    assert (found["DefaultInstanceWarmup"], found["HealthCheckGracePeriod"]) == (30, 0)
    assert len(found["Instances"]) == 1


def test_what_ec2_terminates_or_stops_is_replaced(group: Any, aws: Any, time: Any) -> None:
    group.create(2)
    first, second = group.ids
    aws.ec2.terminate_instances(InstanceIds=[first])
    assert first not in group.ids
    assert len(group.ids) == 2
    assert "an unhealthy instance needing to be replaced" in group.activities()[0]["Cause"]
    aws.ec2.stop_instances(InstanceIds=[second])
    time.passes(1)
    assert second not in group.ids
    assert len(group.ids) == 2
    told = [item["Cause"] for item in group.activities() if second in item["Description"]]
    assert "EC2 health check indicating it has been terminated or stopped" in told[0]


def test_an_unhealthy_target_counts_with_elb_and_after_the_grace_period(
    group: Any, aws: Any, time: Any, seen: Any
) -> None:
    wanted = {"Port": 587, "Protocol": "TCP", "VpcId": group.place.vpc}
    target = aws.elbv2.create_target_group(Name="mta", **wanted)["TargetGroups"][0]["TargetGroupArn"]
    group.create(1, TargetGroupARNs=[target], HealthCheckType="ELB", HealthCheckGracePeriod=60)
    first = group.ids[0]
    health = aws.elbv2.describe_target_health(TargetGroupArn=target)["TargetHealthDescriptions"]
    assert [item["Target"]["Id"] for item in health] == [first]
    seen.unhealthy_targets = lambda: {(target, first)}
    time.passes(59)
    assert group.ids == [first]
    time.passes(1)
    assert group.ids != [first]
    health = aws.elbv2.describe_target_health(TargetGroupArn=target)["TargetHealthDescriptions"]
    taken = [item["Target"]["Id"] for item in health if item["TargetHealth"]["State"] != "draining"]
    assert taken == group.ids
    told = [item["Cause"] for item in group.activities() if first in item["Description"]]
    assert "ELB system health check failure" in told[0]


def test_health_set_by_hand_respects_the_grace_period_unless_told_not_to(group: Any, aws: Any) -> None:
    group.create(1, HealthCheckGracePeriod=60)
    first = group.ids[0]
    aws.autoscaling.set_instance_health(InstanceId=first, HealthStatus="Unhealthy")
    assert group.ids == [first]
    aws.autoscaling.set_instance_health(InstanceId=first, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False)
    assert first not in group.ids


def test_scale_in_protection_holds_against_scale_in_alone(group: Any, aws: Any) -> None:
    group.create(2)
    first, second = group.ids
    group.call("set_instance_protection", InstanceIds=[first, second], ProtectedFromScaleIn=True)
    group.call("set_desired_capacity", DesiredCapacity=1)
    assert sorted(group.ids) == sorted([first, second])
    group.call("set_instance_protection", InstanceIds=[second], ProtectedFromScaleIn=False)
    assert group.ids == [first]
    aws.ec2.terminate_instances(InstanceIds=[first])
    assert first not in group.ids


@pytest.mark.parametrize("process", ["HealthCheck", "ReplaceUnhealthy", "Terminate"])
def test_a_suspended_process_leaves_unhealthy_instances(group: Any, aws: Any, process: str) -> None:
    group.create(1)
    first = group.ids[0]
    group.call("suspend_processes", ScalingProcesses=[process])
    assert [item["ProcessName"] for item in group.described["SuspendedProcesses"]] == [process]
    aws.ec2.terminate_instances(InstanceIds=[first])
    assert group.ids == [first]
    group.call("resume_processes", ScalingProcesses=[process])
    assert first not in group.ids
    assert len(group.ids) == 1


def test_nothing_is_launched_while_launch_is_suspended(group: Any, aws: Any) -> None:
    group.create(1)
    group.call("suspend_processes", ScalingProcesses=["Launch"])
    group.call("set_desired_capacity", DesiredCapacity=2)
    aws.ec2.terminate_instances(InstanceIds=group.ids)
    assert group.ids == []
    group.call("resume_processes")
    assert len(group.ids) == 2


def test_add_to_load_balancer_suspended_keeps_new_instances_out(group: Any, aws: Any) -> None:
    wanted = {"Port": 587, "Protocol": "TCP", "VpcId": group.place.vpc}
    target = aws.elbv2.create_target_group(Name="mta", **wanted)["TargetGroups"][0]["TargetGroupArn"]
    group.create(0, TargetGroupARNs=[target])
    group.call("suspend_processes", ScalingProcesses=["AddToLoadBalancer"])
    group.call("set_desired_capacity", DesiredCapacity=1)
    assert aws.elbv2.describe_target_health(TargetGroupArn=target)["TargetHealthDescriptions"] == []


def test_a_launch_that_ec2_refuses_is_told_and_tried_again(group: Any, aws: Any, time: Any) -> None:
    group.create(1, MaxSize=10)
    small = aws.ec2.create_subnet(VpcId=group.place.vpc, CidrBlock="10.20.2.0/28", AvailabilityZone="us-east-1a")
    subnet = small["Subnet"]["SubnetId"]
    group.call("update_auto_scaling_group", VPCZoneIdentifier=subnet, MaxSize=20)
    group.call("set_desired_capacity", DesiredCapacity=14)
    failed = group.activities()[0]
    assert failed["StatusCode"] == "Failed"
    assert "free addresses" in failed["StatusMessage"]
    have = len(group.ids)
    time.passes(59)
    assert len([item for item in group.activities() if item["StatusCode"] == "Failed"]) == 1
    group.call("update_auto_scaling_group", VPCZoneIdentifier=group.place.subnet)
    time.passes(1)
    assert len(group.ids) == 14 > have


def test_standby_leaves_and_comes_back(group: Any) -> None:
    group.create(2)
    first = group.ids[0]
    group.call("enter_standby", InstanceIds=[first], ShouldDecrementDesiredCapacity=True)
    assert group.states == ["InService", "Standby"]
    assert group.described["DesiredCapacity"] == 1
    group.call("exit_standby", InstanceIds=[first])
    assert group.states == ["InService", "InService"]
    group.call("detach_instances", InstanceIds=[first], ShouldDecrementDesiredCapacity=False)
    assert first in group.alive()
    assert first not in group.ids
    assert len(group.ids) == 2


def test_a_group_with_instances_is_deleted_by_force_alone(group: Any, aws: Any) -> None:
    group.create(2)
    group.hook("autoscaling:EC2_INSTANCE_TERMINATING")
    assert group.refused("delete_auto_scaling_group") == "ResourceInUse"
    group.call("delete_auto_scaling_group", ForceDelete=True)
    assert aws.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"] == []
    assert group.alive() == []


def test_a_group_over_two_zones_is_even(group: Any, aws: Any) -> None:
    made = aws.ec2.create_subnet(VpcId=group.place.vpc, CidrBlock="10.20.3.0/24", AvailabilityZone="us-east-1b")
    group.create(4, VPCZoneIdentifier=f"{group.place.subnet},{made['Subnet']['SubnetId']}")
    zones = sorted(item["AvailabilityZone"] for item in group.described["Instances"])
    assert zones == ["us-east-1a", "us-east-1a", "us-east-1b", "us-east-1b"]


def test_an_instance_older_than_the_maximum_lifetime_is_replaced(group: Any, time: Any) -> None:
    group.create(2, MaxInstanceLifetime=86400)
    before = set(group.ids)
    time.passes(86399)
    assert set(group.ids) == before
    time.passes(2)
    time.passes(1)
    assert set(group.ids).isdisjoint(before)
