"""Instance refreshes: rolling replacement, checkpoints, warm-up, cancel, rollback."""

from typing import Any


def start(group: Any, version: str | None = None, **preferences: Any) -> str:
    more: dict[str, Any] = {"Preferences": {"InstanceWarmup": 60, **preferences}}
    if version:
        template = {"LaunchTemplateId": group.template, "Version": version}
        more["DesiredConfiguration"] = {"LaunchTemplate": template}
    return str(group.call("start_instance_refresh", **more)["InstanceRefreshId"])


def told(group: Any) -> dict[str, Any]:
    return dict(group.call("describe_instance_refreshes")["InstanceRefreshes"][0])


def test_instances_are_replaced_one_by_one_and_warm_up(group: Any, time: Any) -> None:
    group.create(3)
    before = set(group.ids)
    version = group.new_version()
    start(group, version)
    assert group.versions == ["1", "1", "2"]
    time.passes(59)
    assert group.versions == ["1", "1", "2"]
    assert told(group)["PercentageComplete"] == 0
    time.passes(1)
    assert group.versions == ["1", "2", "2"]
    assert told(group)["PercentageComplete"] == 33
    time.passes(60)
    time.passes(60)
    refresh = told(group)
    assert (refresh["Status"], refresh["PercentageComplete"]) == ("Successful", 100)
    assert before.isdisjoint(group.ids)
    assert group.described["LaunchTemplate"]["Version"] == "2"
    assert any("an instance refresh" in item["Cause"] for item in group.activities())


def test_room_above_launches_before_it_terminates(group: Any, time: Any) -> None:
    group.create(2)
    before = group.ids
    start(group, MinHealthyPercentage=100, MaxHealthyPercentage=150)
    assert len(group.ids) == 3
    assert set(before) < set(group.ids)
    time.passes(60)
    assert len(set(before) & set(group.ids)) == 1
    for _ in range(3):
        time.passes(60)
    assert told(group)["Status"] == "Successful"
    assert set(before).isdisjoint(group.ids)
    assert len(group.ids) == 2


def test_a_termination_hook_holds_in_a_refresh(group: Any, time: Any) -> None:
    group.create(1)
    group.hook("autoscaling:EC2_INSTANCE_TERMINATING", HeartbeatTimeout=600)
    start(group)
    assert group.states == ["InService", "Terminating:Wait"]
    time.passes(60)
    assert told(group)["Status"] == "Successful"


def test_a_checkpoint_pauses_the_refresh(group: Any, time: Any) -> None:
    group.create(4)
    version = group.new_version()
    start(group, version, CheckpointPercentages=[25, 100], CheckpointDelay=300, MinHealthyPercentage=0)
    assert group.versions == ["1", "1", "1", "2"]
    time.passes(60)
    time.passes(299)
    assert group.versions == ["1", "1", "1", "2"]
    assert "checkpoint" in told(group)["StatusReason"]
    time.passes(1)
    assert group.versions == ["2", "2", "2", "2"]
    time.passes(60)
    assert told(group)["Status"] == "InProgress"
    time.passes(300)
    assert told(group)["Status"] == "Successful"


def test_skip_matching_replaces_what_differs(group: Any, time: Any) -> None:
    group.create(2)
    before = group.ids
    start(group, SkipMatching=True)
    assert told(group)["Status"] == "Successful"
    assert group.ids == before


def test_one_refresh_at_a_time_and_a_cancelled_one_leaves_what_it_did(group: Any, time: Any) -> None:
    group.create(2)
    assert group.refused("cancel_instance_refresh") == "ActiveInstanceRefreshNotFound"
    version = group.new_version()
    start(group, version)
    assert group.refused("start_instance_refresh") == "InstanceRefreshInProgress"
    template = {"LaunchTemplateId": group.template, "Version": "1"}
    assert group.refused("update_auto_scaling_group", LaunchTemplate=template) == "ValidationError"
    group.call("cancel_instance_refresh")
    assert told(group)["Status"] == "Cancelled"
    time.passes(600)
    assert group.versions == ["1", "2"]
    assert group.described["LaunchTemplate"]["Version"] == "1"


def test_a_rollback_brings_the_old_template_back(group: Any, time: Any) -> None:
    group.create(3)
    version = group.new_version()
    start(group, version)
    time.passes(60)
    assert group.versions == ["1", "2", "2"]
    group.call("rollback_instance_refresh")
    assert told(group)["Status"] == "RollbackInProgress"
    assert group.versions == ["1", "1", "2"]
    for _ in range(3):
        time.passes(60)
    assert told(group)["Status"] == "RollbackSuccessful"
    assert told(group)["RollbackDetails"]["RollbackReason"] == "Rolled back due to user request."
    assert group.versions == ["1", "1", "1"]
    assert group.described["LaunchTemplate"]["Version"] == "1"


def test_a_refresh_without_a_desired_configuration_cannot_be_rolled_back(group: Any) -> None:
    group.create(1)
    start(group)
    assert group.refused("rollback_instance_refresh") == "IrreversibleInstanceRefresh"
    group.call("cancel_instance_refresh")
    assert group.refused("start_instance_refresh", Preferences={"AutoRollback": True}) == "ValidationError"


def test_an_alarm_stops_the_refresh_and_rolls_it_back(group: Any, aws: Any, time: Any) -> None:
    group.create(2)
    aws.cloudwatch.put_metric_alarm(
        AlarmName="deferrals",
        Namespace="Postroad",
        MetricName="Deferred",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=10,
        ComparisonOperator="GreaterThanThreshold",
    )
    version = group.new_version()
    start(group, version, AutoRollback=True, AlarmSpecification={"Alarms": ["deferrals"]})
    aws.cloudwatch.set_alarm_state(AlarmName="deferrals", StateValue="ALARM", StateReason="test")
    time.passes(1)
    assert told(group)["Status"] == "RollbackInProgress"
    assert "deferrals" in told(group)["StatusReason"]
    time.passes(60)
    time.passes(60)
    assert told(group)["Status"] == "RollbackSuccessful"
    assert group.versions == ["1", "1"]


def test_a_refresh_that_cannot_go_on_fails_after_an_hour(group: Any, time: Any) -> None:
    group.create(1)
    group.call("set_instance_protection", InstanceIds=group.ids, ProtectedFromScaleIn=True)
    start(group)
    assert "protected" in told(group)["StatusReason"]
    time.passes(3600)
    assert told(group)["Status"] == "InProgress"
    time.passes(61)
    assert told(group)["Status"] == "Failed"


def test_protected_instances_go_or_stay_as_the_preferences_say(group: Any, time: Any) -> None:
    group.create(2)
    first, second = group.ids
    group.call("set_instance_protection", InstanceIds=[first], ProtectedFromScaleIn=True)
    start(group, ScaleInProtectedInstances="Ignore")
    time.passes(60)
    assert told(group)["Status"] == "Successful"
    assert first in group.ids
    assert second not in group.ids
    start(group, ScaleInProtectedInstances="Refresh", MinHealthyPercentage=0)
    assert first not in group.ids


def test_a_scale_out_during_a_refresh_brings_the_new_version(group: Any) -> None:
    group.create(2)
    version = group.new_version()
    start(group, version)
    group.call("set_desired_capacity", DesiredCapacity=4)
    assert group.versions.count("2") == 3


def test_suspending_the_refresh_pauses_it(group: Any, time: Any) -> None:
    group.create(2)
    group.call("suspend_processes", ScalingProcesses=["InstanceRefresh"])
    before = group.ids
    start(group)
    time.passes(60)
    assert group.ids == before
    group.call("resume_processes", ScalingProcesses=["InstanceRefresh"])
    assert group.ids != before
