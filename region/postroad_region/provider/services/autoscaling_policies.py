"""Scaling policies of Auto Scaling groups."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError, ProviderError
from ..resource import Autoname, Resource, Task, only
from ..schema import (
    State,
    block,
    block_set,
    boolean,
    from_aws,
    integer,
    is_empty,
    number,
    string,
)

_DIMENSIONS = (string("name", required=True), string("value", required=True))
_METRIC_STAT = (
    block(
        "metric",
        required=True,
        fields=(
            string("metricName", required=True),
            string("namespace", required=True),
            block_set("dimensions", fields=_DIMENSIONS),
        ),
    ),
    string("stat", required=True),
    integer("period"),
    string("unit"),
)
_CUSTOMIZED = (
    string("metricName"),
    string("namespace"),
    string("statistic"),
    string("unit"),
    integer("period"),
    block_set("metricDimensions", aws="Dimensions", fields=_DIMENSIONS),
    block_set(
        "metrics",
        fields=(
            string("id", required=True),
            string("expression"),
            string("label"),
            block("metricStat", fields=_METRIC_STAT),
            boolean("returnData", default=True),
        ),
    ),
)
_TRACKING = (
    number("targetValue", required=True),
    boolean("disableScaleIn", default=False),
    block("customizedMetricSpecification", fields=_CUSTOMIZED),
    block(
        "predefinedMetricSpecification",
        fields=(string("predefinedMetricType", required=True), string("resourceLabel")),
    ),
)
_POLICY = (
    string("name", aws="PolicyName", replaces=True),
    string("autoscalingGroupName", aws="AutoScalingGroupName", required=True, replaces=True),
    string("policyType", default="SimpleScaling", replaces=True),
    string("adjustmentType"),
    boolean("enabled", default=True),
    integer("cooldown"),
    integer("scalingAdjustment"),
    integer("minAdjustmentMagnitude"),
    integer("estimatedInstanceWarmup"),
    string("metricAggregationType", computed=True),
    block_set(
        "stepAdjustments",
        aws=None,
        fields=(
            integer("scalingAdjustment", required=True),
            string("metricIntervalLowerBound"),
            string("metricIntervalUpperBound"),
        ),
    ),
    block("targetTrackingConfiguration", fields=_TRACKING),
)
_BOUNDS = (
    ("metricIntervalLowerBound", "MetricIntervalLowerBound"),
    ("metricIntervalUpperBound", "MetricIntervalUpperBound"),
)


def _put(task: Task) -> None:
    parameters = task.parameters(_POLICY)
    steps = task.get("stepAdjustments") or []
    if steps:
        parameters["StepAdjustments"] = [
            {
                "ScalingAdjustment": int(step["scalingAdjustment"]),
                **{aws: float(step[name]) for name, aws in _BOUNDS if not is_empty(step.get(name))},
            }
            for step in steps
        ]
    tracking = parameters.get("TargetTrackingConfiguration")
    if tracking:
        tracking["TargetValue"] = float(tracking["TargetValue"])
    task.cloud.call("autoscaling", "put_scaling_policy", **parameters)


def _create(task: Task) -> str:
    _put(task)
    return str(task.get("name"))


def _settle(task: Task, identifier: str) -> None:
    if not task.fresh:
        _put(task)


def _read(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    group, name = known.get("autoscalingGroupName"), identifier
    if not group:
        group, _, name = identifier.partition("/")
        if not name:
            raise ProviderError(f"a scaling policy is imported as <group>/<policy>, not {identifier!r}")
    try:
        reply = cloud.call("autoscaling", "describe_policies", AutoScalingGroupName=group, PolicyNames=[name])
    except AwsError as error:
        if error.code == "ValidationError" and "not found" in str(error):
            return None
        raise
    found = only(reply["ScalingPolicies"])
    if found is None:
        return None
    state = _without_empty(from_aws(_POLICY, found))
    steps = [_step(step) for step in found.get("StepAdjustments") or []]
    return {**state, "stepAdjustments": steps or None, "arn": found["PolicyARN"], "id": name}


def _step(step: Mapping[str, Any]) -> State:
    bounds = {name: f"{float(step[aws]):g}" for name, aws in _BOUNDS if step.get(aws) is not None}
    return {"scalingAdjustment": int(step["ScalingAdjustment"]), **bounds}


def _without_empty(value: Any) -> Any:
    """Drop what says nothing: AWS fills absent lists in."""
    if isinstance(value, dict):
        return {key: _without_empty(each) for key, each in value.items() if not is_empty(each)}
    return [_without_empty(each) for each in value] if isinstance(value, list) else value


def _delete(task: Task, identifier: str) -> None:
    group = task.state["autoscalingGroupName"]
    try:
        task.cloud.call("autoscaling", "delete_policy", AutoScalingGroupName=group, PolicyName=identifier)
    except AwsError:
        if _read(task.cloud, identifier, task.state) is not None:
            raise


RESOURCES = (
    Resource(
        type="aws:autoscaling/policy:Policy",
        properties=_POLICY,
        outputs=("arn",),
        create=_create,
        settle=_settle,
        read=_read,
        delete=_delete,
        autoname=Autoname(prefix=None),
        import_id="<group>/<policy>",
    ),
)
