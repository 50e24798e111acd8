"""Scaling policies: their calls, the alarms of target tracking, and what happens when one is triggered.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutScalingPolicy.html
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import FakeScalingPolicy
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudwatch.models import Dimension, Metric, MetricDataQuery, MetricStat, cloudwatch_backends
from moto.core.responses import ActionResult, EmptyResult

from postroad_region.api import clock
from postroad_region.api.autoscaling import activities, adjustment
from postroad_region.api.autoscaling.groups import change_capacity, find
from postroad_region.api.autoscaling.record import IN_SERVICE, TERMINATING, of_group, of_member

SIMPLE, STEP, TRACKING = "SimpleScaling", "StepScaling", "TargetTrackingScaling"
# AWS's alarms for target tracking: out after 3 periods above the target, in after 15 below nine tenths of it.
_HIGH_PERIODS, _LOW_PERIODS, _LOW_PART = 3, 15, 0.9
_PREDEFINED = {
    "ASGAverageCPUUtilization": ("AWS/EC2", "CPUUtilization", "Average"),
    "ASGAverageNetworkIn": ("AWS/EC2", "NetworkIn", "Average"),
    "ASGAverageNetworkOut": ("AWS/EC2", "NetworkOut", "Average"),
}
_UID, _ALARMS, _ENABLED = "postroad_uid", "postroad_alarms", "enabled"


def trigger(policy: Any, *, value: float | None, threshold: float | None, alarm: str = "") -> str:
    """Change the group's capacity as the policy says; why not, or nothing.

    Args:
        value: the metric, which steps and target tracking go by.
        threshold: the alarm's.
        alarm: its name; none where someone executed the policy.
    """
    backend = policy.autoscaling_backend
    group = find(backend, policy.auto_scaling_group_name)
    if alarm and any(item["ProcessName"] == "AlarmNotification" for item in group.suspended_processes):
        return "AlarmNotification is suspended"
    if str(getattr(policy, _ENABLED, True)).lower() == "false":
        return "the policy is disabled"
    now = clock.now()
    if policy.policy_type == SIMPLE and now < of_group(group).cooldown:
        return "the cooldown isn't over"
    wanted = _wanted(policy, group, value, threshold, now)
    old = int(group.desired_capacity or 0)
    new = min(max(wanted, int(group.min_size or 0)), int(group.max_size or 0))
    if new == old:
        return "the capacity is right"
    if new < old and policy.policy_type != SIMPLE and _scaling_out(group, policy, now):
        return "a scale-out activity is in progress"
    if policy.policy_type == SIMPLE:
        cooldown = policy.cooldown if policy.cooldown is not None else group.default_cooldown
        of_group(group).cooldown = now + int(cooldown)
    change_capacity(group, new, activities.by_policy(now, alarm, policy.name, old, new))
    return ""


def _wanted(policy: Any, group: Any, value: float | None, threshold: float | None, now: float) -> int:
    desired = int(group.desired_capacity or 0)
    warm = sum(
        state.lifecycle_state == IN_SERVICE and now >= of_member(state).in_service + _warmup(policy, group)
        for state in group.instance_states
    )
    if policy.policy_type == TRACKING:
        assert value is not None
        settings = vars(policy.target_tracking_configuration)
        target = float(settings["TargetValue"])
        if value > target:
            return max(desired, adjustment.tracked(warm, value, target, scale_in=False))
        if str(settings.get("DisableScaleIn", False)).lower() == "true":
            return desired
        return min(desired, adjustment.tracked(desired, value, target, scale_in=True))
    least = int(policy.min_adjustment_magnitude or 0)
    if policy.policy_type == SIMPLE:
        return adjustment.capacity(policy.adjustment_type, int(policy.scaling_adjustment), desired, least=least)
    assert value is not None
    assert threshold is not None
    step = adjustment.step_for(_steps(policy.step_adjustments), value - threshold)
    if step is None:
        return desired
    out = adjustment.capacity(policy.adjustment_type, step.adjustment, warm, least=least)
    if out > warm:
        # Instances that warm up don't count yet, so the same step doesn't add twice.
        return max(desired, out)
    leaving = sum(state.lifecycle_state.startswith(TERMINATING) for state in group.instance_states)
    shrunk = adjustment.capacity(policy.adjustment_type, step.adjustment, desired + leaving, least=least)
    return min(desired, shrunk)


def _steps(given: list[Mapping[str, Any]]) -> list[adjustment.Step]:
    def bound(item: Mapping[str, Any], name: str) -> float | None:
        return None if item.get(name) is None else float(item[name])

    return [
        adjustment.Step(
            bound(item, "MetricIntervalLowerBound"),
            bound(item, "MetricIntervalUpperBound"),
            int(item["ScalingAdjustment"]),
        )
        for item in given
    ]


def _warmup(policy: Any, group: Any) -> int:
    own = policy.estimated_instance_warmup
    if own is not None:
        return int(own)
    default = getattr(group, "default_instance_warmup", None)
    return int(group.default_cooldown or 0) if default is None else int(default)


def _scaling_out(group: Any, policy: Any, now: float) -> bool:
    return any(
        state.lifecycle_state.startswith("Pending")
        or (state.lifecycle_state == IN_SERVICE and now < of_member(state).in_service + _warmup(policy, group))
        for state in group.instance_states
    )


def find_by_arn(account: str, region: str, arn: str) -> Any | None:
    """The policy that an alarm's action names."""
    from moto.autoscaling.models import autoscaling_backends

    policies = autoscaling_backends[account][region].policies.values()
    return next((policy for policy in policies if policy.arn == arn), None)


def _arn(policy: Any) -> str:
    backend = policy.autoscaling_backend
    uid = policy.__dict__.setdefault(_UID, "c322761b-3172-4d56-9a21-0ed9d6161d67")
    return (
        f"arn:aws:autoscaling:{backend.region_name}:{backend.account_id}:scalingPolicy:{uid}:autoScalingGroupName/"
        f"{policy.auto_scaling_group_name}:policyName/{policy.name}"
    )


def _put(self: AutoScalingResponse) -> ActionResult:
    backend, given = self.autoscaling_backend, self._get_params()
    group, kind = find(backend, given["AutoScalingGroupName"]), given.get("PolicyType", SIMPLE)
    _check(kind, given)
    key = f"{group.name}/{given['PolicyName']}"
    known = backend.policies.get(key)
    policy = FakeScalingPolicy(
        given["PolicyName"],
        kind,
        given.get("MetricAggregationType") or ("Average" if kind == STEP else None),
        adjustment_type=given.get("AdjustmentType"),
        as_name=group.name,
        min_adjustment_magnitude=given.get("MinAdjustmentMagnitude"),
        scaling_adjustment=self._get_int_param("ScalingAdjustment"),
        cooldown=self._get_int_param("Cooldown"),
        target_tracking_config=given.get("TargetTrackingConfiguration", {}),
        step_adjustments=given.get("StepAdjustments", []),
        estimated_instance_warmup=given.get("EstimatedInstanceWarmup"),
        predictive_scaling_configuration=given.get("PredictiveScalingConfiguration", {}),
        autoscaling_backend=backend,
    )
    if kind == SIMPLE and self._get_int_param("Cooldown") is None:
        policy.cooldown = None
    policy.enabled = self._get_bool_param("Enabled", True)
    policy.__dict__[_UID] = known.__dict__.get(_UID) if known is not None else str(uuid.uuid4())
    if known is not None:
        drop_alarms(backend, known)
    backend.policies[key] = policy
    if kind == TRACKING:
        _track(backend, group, policy)
    return ActionResult({"PolicyARN": policy.arn, "Alarms": _alarms(policy)})


def _check(kind: str, given: Mapping[str, Any]) -> None:
    required = {SIMPLE: "ScalingAdjustment", STEP: "StepAdjustments", TRACKING: "TargetTrackingConfiguration"}
    if kind not in required:
        raise ValidationError(f"Policy type {kind} isn't known here.")
    if given.get(required[kind]) in (None, [], {}):
        raise ValidationError(f"{required[kind]} is required for policy type {kind}")
    if kind != TRACKING and given.get("AdjustmentType") not in (
        adjustment.CHANGE,
        adjustment.EXACT,
        adjustment.PERCENT,
    ):
        raise ValidationError(f"Invalid adjustment type: {given.get('AdjustmentType')}")


def _track(backend: Any, group: Any, policy: Any) -> None:
    """Make the two alarms; without scale-in only the high one."""
    settings = vars(policy.target_tracking_configuration)
    target = float(settings["TargetValue"])
    names = []
    sides = [("High", "GreaterThanThreshold", target, _HIGH_PERIODS)]
    if str(settings.get("DisableScaleIn", False)).lower() != "true":
        sides.append(("Low", "LessThanThreshold", target * _LOW_PART, _LOW_PERIODS))
    for side, comparison, threshold, periods in sides:
        name = f"TargetTracking-{group.name}-Alarm{side}-{uuid.uuid4()}"
        names.append(name)
        cloudwatch_backends[backend.account_id][backend.region_name].put_metric_alarm(
            name=name,
            comparison_operator=comparison,
            evaluation_periods=periods,
            datapoints_to_alarm=None,
            threshold=threshold,
            description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}.",
            alarm_actions=[policy.arn],
            ok_actions=[],
            insufficient_data_actions=[],
            unit=None,
            actions_enabled=True,
            treat_missing_data=None,
            evaluate_low_sample_count_percentile=None,
            threshold_metric_id=None,
            rule=None,
            tags=[],
            **_metric(group, settings),
        )
    policy.__dict__[_ALARMS] = names


def _metric(group: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    none: dict[str, Any] = {
        "namespace": None,
        "metric_name": None,
        "period": None,
        "statistic": None,
        "extended_statistic": None,
        "dimensions": [],
        "metric_data_queries": None,
    }
    predefined = settings.get("PredefinedMetricSpecification")
    if predefined:
        kind = predefined["PredefinedMetricType"]
        if kind not in _PREDEFINED:
            raise ValidationError(f"Predefined metric {kind} isn't known here.")
        namespace, name, statistic = _PREDEFINED[kind]
        dimensions = [{"Name": "AutoScalingGroupName", "Value": group.name}]
        return {
            **none,
            "namespace": namespace,
            "metric_name": name,
            "statistic": statistic,
            "period": 60,
            "dimensions": dimensions,
        }
    custom = settings["CustomizedMetricSpecification"]
    if custom.get("Metrics"):
        return {**none, "metric_data_queries": [_query(item) for item in custom["Metrics"]]}
    return {
        **none,
        "namespace": custom["Namespace"],
        "metric_name": custom["MetricName"],
        "statistic": custom["Statistic"],
        "period": int(custom.get("Period") or 60),
        "dimensions": custom.get("Dimensions") or [],
    }


def _query(item: Mapping[str, Any]) -> Any:
    stat = item.get("MetricStat")
    made = None
    if stat:
        metric = stat["Metric"]
        dimensions = [Dimension(each["Name"], each["Value"]) for each in metric.get("Dimensions") or []]
        period = int(stat.get("Period") or 60)
        made = MetricStat(
            Metric(metric["MetricName"], metric["Namespace"], dimensions), period, stat["Stat"], stat.get("Unit")
        )
    return MetricDataQuery(
        item["Id"], item.get("Label"), item.get("Period"), item.get("ReturnData", True), item.get("Expression"), made
    )


def drop_alarms(backend: Any, policy: Any) -> None:
    """Remove the alarms of a target tracking policy."""
    alarms = cloudwatch_backends[backend.account_id][backend.region_name].alarms
    for name in policy.__dict__.get(_ALARMS, ()):
        alarms.pop(name, None)


def _alarms(policy: Any) -> list[dict[str, str]]:
    """The alarms whose action is the policy, those that it made itself first."""
    backend = policy.autoscaling_backend
    alarms = cloudwatch_backends[backend.account_id][backend.region_name].alarms.values()
    return [
        {"AlarmName": alarm.name, "AlarmARN": alarm.alarm_arn} for alarm in alarms if policy.arn in alarm.alarm_actions
    ]


def _describe(self: AutoScalingResponse) -> ActionResult:
    group, names = self._get_param("AutoScalingGroupName"), self._get_param("PolicyNames", [])
    kinds = self._get_param("PolicyTypes", [])
    found = [
        policy
        for policy in self.autoscaling_backend.policies.values()
        if (not group or policy.auto_scaling_group_name == group)
        and (not names or policy.name in names or policy.arn in names)
        and (not kinds or policy.policy_type in kinds)
    ]
    return ActionResult({"ScalingPolicies": found})


def _find(self: AutoScalingResponse) -> tuple[str, Any]:
    group, name = self._get_param("AutoScalingGroupName"), self._get_param("PolicyName")
    for key, policy in self.autoscaling_backend.policies.items():
        if policy.arn == name or (policy.name == name and group in (None, policy.auto_scaling_group_name)):
            return key, policy
    raise ValidationError(f"PolicyName not found - {name}")


def _delete(self: AutoScalingResponse) -> ActionResult:
    key, policy = _find(self)
    drop_alarms(self.autoscaling_backend, policy)
    del self.autoscaling_backend.policies[key]
    return EmptyResult()


def _execute(self: AutoScalingResponse) -> ActionResult:
    _, policy = _find(self)
    value, threshold = self._get_param("MetricValue"), self._get_param("BreachThreshold")
    if policy.policy_type == TRACKING:
        raise ValidationError("A target tracking policy can't be executed.")
    if policy.policy_type == STEP and (value is None or threshold is None):
        raise ValidationError("MetricValue and BreachThreshold are required for policies of type StepScaling.")
    group = find(self.autoscaling_backend, policy.auto_scaling_group_name)
    if not self._get_bool_param("HonorCooldown", False):
        of_group(group).cooldown = 0.0
    elif clock.now() < of_group(group).cooldown:
        raise AutoscalingClientError("ScalingActivityInProgress", "The cooldown period isn't over.")
    trigger(
        policy,
        value=None if value is None else float(value),
        threshold=None if threshold is None else float(threshold),
    )
    return EmptyResult()


FakeScalingPolicy.arn = FakeScalingPolicy.policy_arn = property(_arn)
FakeScalingPolicy.alarms = property(_alarms)
AutoScalingResponse.put_scaling_policy = _put
AutoScalingResponse.describe_policies = _describe
AutoScalingResponse.delete_policy = _delete
AutoScalingResponse.execute_policy = _execute
