"""Alarms act: on policies, topics and one another, within a period of their metric."""

import json
import time as real
from datetime import UTC, datetime
from typing import Any

import pytest
from postroad_region.api import clock, pulse
from postroad_region.api.autoscaling import observation

START = float(int(real.time()) // 60 * 60 + 60)


class Time:
    """A clock that the test moves; everything due is done after each step."""

    def __init__(self) -> None:
        self.now = START

    def passes(self, seconds: float = 0.0) -> bool:
        self.now += seconds
        return pulse.beat()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(clock, "source", lambda: made.now)
    for name in ("unhealthy_targets", "draining_targets", "impaired_instances"):
        monkeypatch.setattr(observation.seen, name, lambda: frozenset())
    return made


def put(aws: Any, time: Time, *values: float, name: str = "Queued") -> None:
    moment = datetime.fromtimestamp(time.now, UTC)
    data = [{"MetricName": name, "Values": list(values), "Timestamp": moment}]
    aws.cloudwatch.put_metric_data(Namespace="Postroad", MetricData=data)


def alarm(aws: Any, **more: Any) -> None:
    parameters = {
        "AlarmName": "queued",
        "Namespace": "Postroad",
        "MetricName": "Queued",
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 100.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **more,
    }
    if "ExtendedStatistic" in more or "Metrics" in more:
        del parameters["Statistic"]
    if "Metrics" in more:
        for left_out in ("Namespace", "MetricName", "Period"):
            del parameters[left_out]
    aws.cloudwatch.put_metric_alarm(**parameters)


def state(aws: Any, name: str = "queued") -> str:
    found = aws.cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return str((found["MetricAlarms"] + found["CompositeAlarms"])[0]["StateValue"])


def scaled(aws: Any, place: Any, size: int = 1) -> None:
    data = {"ImageId": place.image, "InstanceType": "t3.small"}
    aws.ec2.create_launch_template(LaunchTemplateName="mta", LaunchTemplateData=data)
    aws.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="mta",
        MinSize=1,
        MaxSize=10,
        DesiredCapacity=size,
        LaunchTemplate={"LaunchTemplateName": "mta", "Version": "1"},
        VPCZoneIdentifier=place.subnet,
    )


def size(aws: Any) -> int:
    found = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["mta"])["AutoScalingGroups"][0]
    return int(found["DesiredCapacity"])


def policy(aws: Any, **settings: Any) -> str:
    made = aws.autoscaling.put_scaling_policy(AutoScalingGroupName="mta", PolicyName="out", **settings)
    return str(made["PolicyARN"])


def test_an_alarm_is_evaluated_when_its_period_is_whole(aws: Any, time: Time) -> None:
    alarm(aws)
    assert state(aws) == "INSUFFICIENT_DATA"
    put(aws, time, 50, 250)
    time.passes(59)
    assert state(aws) == "INSUFFICIENT_DATA"
    time.passes(1)
    assert state(aws) == "ALARM"
    put(aws, time, 10)
    time.passes(60)
    assert state(aws) == "OK"
    history = aws.cloudwatch.describe_alarm_history(AlarmName="queued", HistoryItemType="StateUpdate")
    assert [item["HistorySummary"] for item in history["AlarmHistoryItems"]] == [
        "Alarm updated from ALARM to OK",
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
    ]


def test_a_short_period_is_evaluated_as_often(aws: Any, time: Time) -> None:
    alarm(aws, Period=10, ExtendedStatistic="p90")
    put(aws, time, *range(100, 111))
    time.passes(10)
    assert state(aws) == "ALARM"


def test_a_changed_alarm_keeps_its_state(aws: Any, time: Time) -> None:
    alarm(aws)
    put(aws, time, 500)
    time.passes(60)
    alarm(aws, Threshold=200.0)
    assert state(aws) == "ALARM"


@pytest.mark.parametrize(
    "wrong",
    [{"Period": 15}, {"DatapointsToAlarm": 2}, {"ExtendedStatistic": "tm99"}, {"TreatMissingData": "bad"}],
)
def test_an_alarm_that_aws_would_not_take_is_refused(aws: Any, wrong: dict[str, Any]) -> None:
    assert aws.refused(lambda: alarm(aws, **wrong)) in ("ValidationError", "InvalidParameterValue")


def test_a_topic_is_told_of_each_change(aws: Any, time: Time) -> None:
    topic = aws.sns.create_topic(Name="alarms")["TopicArn"]
    queue = aws.sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    attributes = {"RawMessageDelivery": "true"}
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    alarm(aws, AlarmActions=[topic], OKActions=[topic])
    put(aws, time, 500)
    time.passes(60)
    put(aws, time, 500)
    time.passes(60)
    put(aws, time, 1)
    time.passes(60)
    received = aws.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    told = [json.loads(message["Body"]) for message in received]
    assert [(item["OldStateValue"], item["NewStateValue"]) for item in told] == [
        ("INSUFFICIENT_DATA", "ALARM"),
        ("ALARM", "OK"),
    ]


def test_queue_depth_scales_the_group_by_steps(aws: Any, time: Time, place: Any) -> None:
    queue = aws.sqs.create_queue(QueueName="submissions")["QueueUrl"]
    scaled(aws, place)
    steps = [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 5, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 5, "ScalingAdjustment": 3},
    ]
    action = policy(
        aws,
        PolicyType="StepScaling",
        AdjustmentType="ChangeInCapacity",
        StepAdjustments=steps,
        EstimatedInstanceWarmup=0,
    )
    alarm(
        aws,
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": "submissions"}],
        Threshold=2.0,
        AlarmActions=[action],
    )
    time.passes()
    assert size(aws) == 1
    for number in range(10):
        aws.sqs.send_message(QueueUrl=queue, MessageBody=str(number))
    time.passes(59)
    assert size(aws) == 1
    time.passes(1)
    assert state(aws) == "ALARM", "the minute's depth is known when the minute is over"
    assert size(aws) == 4
    told = aws.autoscaling.describe_scaling_activities(AutoScalingGroupName="mta")["Activities"]
    assert any("a monitor alarm queued in state ALARM triggered policy out" in item["Cause"] for item in told)
    time.passes(60)
    assert size(aws) == 7, "the policy goes on while the alarm stays"


def test_instances_that_warm_up_keep_a_step_from_adding_twice(aws: Any, time: Time, place: Any) -> None:
    scaled(aws, place)
    steps = [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 2}]
    action = policy(
        aws,
        PolicyType="StepScaling",
        AdjustmentType="ChangeInCapacity",
        StepAdjustments=steps,
        EstimatedInstanceWarmup=300,
    )
    alarm(aws, AlarmActions=[action])
    time.passes(300)
    for expected in (3, 3, 3, 3, 3, 5):
        put(aws, time, 500)
        time.passes(60)
        assert size(aws) == expected


def test_a_simple_policy_waits_for_its_cooldown(aws: Any, time: Time, place: Any) -> None:
    scaled(aws, place)
    action = policy(aws, AdjustmentType="ChangeInCapacity", ScalingAdjustment=1, Cooldown=120)
    alarm(aws, AlarmActions=[action])
    for expected in (2, 2, 3):
        put(aws, time, 500)
        time.passes(60)
        assert size(aws) == expected


def test_a_target_is_tracked_with_alarms_of_its_own(aws: Any, time: Time, place: Any) -> None:
    scaled(aws, place, 2)
    specification = {"Namespace": "Postroad", "MetricName": "QueuedPerHost", "Statistic": "Average"}
    made = aws.autoscaling.put_scaling_policy(
        AutoScalingGroupName="mta",
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        EstimatedInstanceWarmup=0,
        TargetTrackingConfiguration={"TargetValue": 100.0, "CustomizedMetricSpecification": specification},
    )
    high, low = (item["AlarmName"] for item in made["Alarms"])
    assert high.startswith("TargetTracking-mta-AlarmHigh-")
    assert low.startswith("TargetTracking-mta-AlarmLow-")
    for _ in range(3):
        put(aws, time, 150, name="QueuedPerHost")
        time.passes(60)
    assert size(aws) == 3
    for _ in range(15):
        put(aws, time, 30, name="QueuedPerHost")
        time.passes(60)
    assert size(aws) == 1
    aws.autoscaling.delete_policy(AutoScalingGroupName="mta", PolicyName="track")
    assert aws.cloudwatch.describe_alarms()["MetricAlarms"] == []


def test_backlog_per_instance_by_metric_math(aws: Any, time: Time, place: Any) -> None:
    scaled(aws, place)
    aws.autoscaling.enable_metrics_collection(AutoScalingGroupName="mta", Granularity="1Minute")

    def stat(identifier: str, namespace: str, name: str, *dimensions: dict[str, str]) -> dict[str, Any]:
        metric = {"Namespace": namespace, "MetricName": name, "Dimensions": list(dimensions)}
        return {
            "Id": identifier,
            "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Average"},
            "ReturnData": False,
        }

    group = {"Name": "AutoScalingGroupName", "Value": "mta"}
    alarm(
        aws,
        Metrics=[
            stat("m1", "Postroad", "Queued"),
            stat("m2", "AWS/AutoScaling", "GroupInServiceInstances", group),
            {"Id": "e1", "Expression": "m1 / m2", "ReturnData": True},
        ],
    )
    time.passes(0)
    put(aws, time, 500)
    time.passes(60)
    assert state(aws) == "ALARM"
    put(aws, time, 50)
    time.passes(60)
    assert state(aws) == "OK"


def test_set_alarm_state_acts(aws: Any, time: Time, place: Any) -> None:
    scaled(aws, place)
    action = policy(aws, AdjustmentType="ExactCapacity", ScalingAdjustment=4)
    alarm(aws, AlarmActions=[action], TreatMissingData="ignore")
    aws.cloudwatch.set_alarm_state(AlarmName="queued", StateValue="ALARM", StateReason="trial")
    assert size(aws) == 4


def test_alarm_notification_suspended_keeps_the_capacity(aws: Any, time: Time, place: Any) -> None:
    scaled(aws, place)
    action = policy(aws, AdjustmentType="ExactCapacity", ScalingAdjustment=4)
    aws.autoscaling.suspend_processes(AutoScalingGroupName="mta", ScalingProcesses=["AlarmNotification"])
    alarm(aws, AlarmActions=[action])
    put(aws, time, 500)
    time.passes(60)
    assert (state(aws), size(aws)) == ("ALARM", 1)
    aws.autoscaling.resume_processes(AutoScalingGroupName="mta", ScalingProcesses=["AlarmNotification"])
    put(aws, time, 500)
    time.passes(60)
    assert size(aws) == 4


def test_disabled_actions_are_not_taken(aws: Any, time: Time, place: Any) -> None:
    scaled(aws, place)
    action = policy(aws, AdjustmentType="ExactCapacity", ScalingAdjustment=4)
    alarm(aws, AlarmActions=[action], ActionsEnabled=False)
    put(aws, time, 500)
    time.passes(60)
    assert (state(aws), size(aws)) == ("ALARM", 1)


def test_a_composite_alarm_follows_its_rule(aws: Any, time: Time) -> None:
    alarm(aws)
    alarm(aws, AlarmName="deferred", MetricName="Deferred")
    aws.cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(queued) AND ALARM(deferred)")
    assert state(aws, "both") == "OK"
    put(aws, time, 500)
    time.passes(60)
    assert state(aws, "both") == "OK"
    put(aws, time, 500)
    put(aws, time, 500, name="Deferred")
    time.passes(60)
    assert state(aws, "both") == "ALARM"
    assert aws.refused(aws.cloudwatch.put_composite_alarm, AlarmName="x", AlarmRule="ALARM(") == "ValidationError"


def test_the_age_of_the_oldest_message_is_a_metric(aws: Any, time: Time) -> None:
    time.now = float(int(real.time()))
    queue = aws.sqs.create_queue(QueueName="events")["QueueUrl"]
    aws.sqs.send_message(QueueUrl=queue, MessageBody="old")
    time.passes(660)
    found = aws.cloudwatch.get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": "events"}],
        StartTime=datetime.fromtimestamp(time.now - 60, UTC),
        EndTime=datetime.fromtimestamp(time.now + 60, UTC),
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    assert 600 <= found[-1]["Maximum"] <= 800


def test_a_scheduled_action_sets_the_capacity_once(aws: Any, time: Time, place: Any) -> None:
    scaled(aws, place)
    moment = datetime.fromtimestamp(time.now + 120, UTC)
    aws.autoscaling.put_scheduled_update_group_action(
        AutoScalingGroupName="mta", ScheduledActionName="peak", StartTime=moment, DesiredCapacity=3
    )
    time.passes(60)
    assert size(aws) == 1
    time.passes(60)
    assert size(aws) == 3
    assert aws.autoscaling.describe_scheduled_actions()["ScheduledUpdateGroupActions"] == []
