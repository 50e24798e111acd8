"""Lifecycle hooks hold instances, and what releases them."""

import json
from typing import Any

import pytest

TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"


def test_a_hook_has_what_was_given_and_nothing_else(group: Any) -> None:
    group.create(0)
    group.hook(TERMINATING)
    told = group.call("describe_lifecycle_hooks")["LifecycleHooks"]
    assert told == [
        {
            "LifecycleHookName": "drain",
            "AutoScalingGroupName": "mta",
            "LifecycleTransition": TERMINATING,
            "HeartbeatTimeout": 300,
            "GlobalTimeout": 30000,
            "DefaultResult": "CONTINUE",
        }
    ]
    assert group.refused("delete_lifecycle_hook", LifecycleHookName="other") == "ValidationError"


@pytest.mark.parametrize("wrong", [{"HeartbeatTimeout": 29}, {"HeartbeatTimeout": 7201}, {"DefaultResult": "STOP"}])
def test_a_hook_that_aws_would_not_take_is_refused(group: Any, wrong: dict[str, Any]) -> None:
    group.create(0)
    parameters = {"LifecycleHookName": "h", "LifecycleTransition": TERMINATING, **wrong}
    assert group.refused("put_lifecycle_hook", **parameters) == "ValidationError"


def test_an_instance_waits_for_its_termination_hook(group: Any, time: Any) -> None:
    group.create(1)
    group.hook(TERMINATING)
    first = group.ids[0]
    group.call("set_desired_capacity", DesiredCapacity=0)
    assert group.states == ["Terminating:Wait"]
    assert first in group.alive()
    assert group.activities()[0]["StatusCode"] == "MidLifecycleAction"
    time.passes(299)
    assert first in group.alive()
    group.call(
        "complete_lifecycle_action",
        LifecycleHookName="drain",
        InstanceId=first,
        LifecycleActionResult="CONTINUE",
    )
    assert group.ids == []
    assert group.alive() == []
    assert group.activities()[0]["StatusCode"] == "Successful"


def test_the_timeout_ends_the_wait_and_heartbeats_put_it_off(group: Any, time: Any) -> None:
    group.create(1)
    group.hook(TERMINATING)
    group.call("set_desired_capacity", DesiredCapacity=0)
    first = group.ids[0]
    time.passes(200)
    group.call("record_lifecycle_action_heartbeat", LifecycleHookName="drain", InstanceId=first)
    time.passes(299)
    assert group.ids == [first]
    time.passes(1)
    assert group.ids == []
    done = group.refused("record_lifecycle_action_heartbeat", LifecycleHookName="drain", InstanceId=first)
    assert done == "ValidationError"


def test_a_replacement_starts_while_the_old_one_waits(group: Any, aws: Any) -> None:
    group.create(1)
    group.hook(TERMINATING)
    first = group.ids[0]
    aws.autoscaling.terminate_instance_in_auto_scaling_group(InstanceId=first, ShouldDecrementDesiredCapacity=False)
    assert group.states == ["InService", "Terminating:Wait"]


def test_a_launched_instance_waits_before_it_is_in_service(group: Any, aws: Any) -> None:
    wanted = {"Port": 587, "Protocol": "TCP", "VpcId": group.place.vpc}
    target = aws.elbv2.create_target_group(Name="mta", **wanted)["TargetGroups"][0]["TargetGroupArn"]
    hook = {"LifecycleHookName": "ready", "LifecycleTransition": LAUNCHING, "HeartbeatTimeout": 60}
    group.create(1, TargetGroupARNs=[target], LifecycleHookSpecificationList=[hook])
    assert group.states == ["Pending:Wait"]
    assert aws.elbv2.describe_target_health(TargetGroupArn=target)["TargetHealthDescriptions"] == []
    result = {"LifecycleHookName": "ready", "InstanceId": group.ids[0], "LifecycleActionResult": "CONTINUE"}
    group.call("complete_lifecycle_action", **result)
    assert group.states == ["InService"]
    assert len(aws.elbv2.describe_target_health(TargetGroupArn=target)["TargetHealthDescriptions"]) == 1


def test_an_abandoned_launch_is_terminated_and_replaced(group: Any) -> None:
    hook = {"LifecycleHookName": "ready", "LifecycleTransition": LAUNCHING, "HeartbeatTimeout": 60}
    group.create(1, LifecycleHookSpecificationList=[hook])
    group.hook(TERMINATING)
    first = group.ids[0]
    result = {"LifecycleHookName": "ready", "InstanceId": first, "LifecycleActionResult": "ABANDON"}
    group.call("complete_lifecycle_action", **result)
    assert first not in group.ids
    assert first not in group.alive()
    assert group.states == ["Pending:Wait"]


def test_the_default_result_of_a_launch_decides_at_the_timeout(group: Any, time: Any) -> None:
    hook = {"LifecycleHookName": "ready", "LifecycleTransition": LAUNCHING, "HeartbeatTimeout": 60}
    group.create(1, LifecycleHookSpecificationList=[{**hook, "DefaultResult": "CONTINUE"}])
    time.passes(60)
    assert group.states == ["InService"]


def test_the_queue_is_told_and_its_token_completes(group: Any, aws: Any) -> None:
    queue = aws.sqs.create_queue(QueueName="lifecycle")["QueueUrl"]
    arn = aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def message() -> dict[str, Any]:
        received = aws.sqs.receive_message(QueueUrl=queue)["Messages"][0]
        aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=received["ReceiptHandle"])
        return dict(json.loads(received["Body"]))

    group.create(1)
    role = "arn:aws:iam::123456789012:role/lifecycle"
    group.hook(TERMINATING, NotificationTargetARN=arn, RoleARN=role, NotificationMetadata='{"spool": "a"}')
    assert message()["Event"] == "autoscaling:TEST_NOTIFICATION"
    first = group.ids[0]
    group.call("set_desired_capacity", DesiredCapacity=0)
    told = message()
    assert told["EC2InstanceId"] == first
    assert told["LifecycleTransition"] == TERMINATING
    assert told["NotificationMetadata"] == '{"spool": "a"}'
    token = told["LifecycleActionToken"]
    result = {"LifecycleHookName": "drain", "LifecycleActionResult": "CONTINUE"}
    other = "00000000-0000-0000-0000-000000000000"
    assert group.refused("complete_lifecycle_action", LifecycleActionToken=other, **result) == "ValidationError"
    group.call("complete_lifecycle_action", LifecycleActionToken=token, **result)
    assert group.ids == []


def test_an_event_rule_gets_the_lifecycle_action(group: Any, aws: Any) -> None:
    queue = aws.sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.autoscaling"], "detail-type": ["EC2 Instance-terminate Lifecycle Action"]}
    aws.events.put_rule(Name="drain", EventPattern=json.dumps(pattern))
    aws.events.put_targets(Rule="drain", Targets=[{"Id": "1", "Arn": arn}])
    group.create(1)
    group.hook(TERMINATING)
    first = group.ids[0]
    group.call("set_desired_capacity", DesiredCapacity=0)
    received = aws.sqs.receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(received[0]["Body"])["detail"]["EC2InstanceId"] == first


def test_targets_drain_before_the_hook_begins(group: Any, aws: Any, time: Any, seen: Any) -> None:
    wanted = {"Port": 587, "Protocol": "TCP", "VpcId": group.place.vpc}
    target = aws.elbv2.create_target_group(Name="mta", **wanted)["TargetGroups"][0]["TargetGroupArn"]
    group.create(1, TargetGroupARNs=[target])
    group.hook(TERMINATING)
    first = group.ids[0]
    seen.draining_targets = lambda: {(target, first)}
    group.call("set_desired_capacity", DesiredCapacity=0)
    assert group.states == ["Terminating"]
    assert group.activities()[0]["StatusCode"] == "WaitingForELBConnectionDraining"
    health = aws.elbv2.describe_target_health(TargetGroupArn=target)["TargetHealthDescriptions"]
    assert [item["TargetHealth"]["State"] for item in health] == ["draining"]
    seen.draining_targets = lambda: frozenset()
    time.passes(1)
    assert group.states == ["Terminating:Wait"]


def test_deleting_a_hook_completes_what_it_held(group: Any) -> None:
    group.create(1)
    group.hook(TERMINATING)
    group.call("set_desired_capacity", DesiredCapacity=0)
    assert group.states == ["Terminating:Wait"]
    group.call("delete_lifecycle_hook", LifecycleHookName="drain")
    assert group.ids == []


def test_two_hooks_hold_until_both_are_done_or_one_abandons(group: Any) -> None:
    group.create(2)
    group.hook(TERMINATING, "first")
    group.hook(TERMINATING, "second")
    one, two = group.ids
    group.call("set_desired_capacity", DesiredCapacity=0)

    def complete(hook: str, instance: str, result: str) -> None:
        named = {"LifecycleHookName": hook, "InstanceId": instance}
        group.call("complete_lifecycle_action", LifecycleActionResult=result, **named)

    complete("first", one, "CONTINUE")
    assert one in group.ids
    complete("second", one, "CONTINUE")
    assert one not in group.ids
    complete("second", two, "ABANDON")
    assert group.ids == []
