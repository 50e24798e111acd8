"""CloudWatch metric alarms."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..resource import Autoname, Resource, Task, only, unless_gone
from ..schema import (
    State,
    block,
    block_set,
    boolean,
    from_aws,
    integer,
    mapping,
    number,
    string,
    strings,
)
from ..tagging import from_pairs, to_pairs

_ALARM = (
    string("name", aws="AlarmName", replaces=True),
    boolean("actionsEnabled", default=True),
    strings("alarmActions"),
    strings("okActions", aws="OKActions"),
    strings("insufficientDataActions"),
    string("alarmDescription"),
    string("comparisonOperator", required=True),
    integer("evaluationPeriods", required=True),
    integer("datapointsToAlarm"),
    mapping("dimensions", aws=None),
    string("evaluateLowSampleCountPercentiles", aws="EvaluateLowSampleCountPercentile", computed=True),
    string("extendedStatistic"),
    string("metricName"),
    string("namespace"),
    integer("period"),
    string("statistic"),
    number("threshold"),
    string("thresholdMetricId"),
    string("treatMissingData", default="missing"),
    string("unit"),
    block_set(
        "metricQueries",
        aws="Metrics",
        fields=(
            string("id", required=True),
            string("accountId"),
            string("expression"),
            string("label"),
            integer("period"),
            boolean("returnData", default=False),
            block(
                "metric",
                aws=None,
                fields=(
                    mapping("dimensions", aws=None),
                    string("metricName", required=True),
                    string("namespace"),
                    integer("period", required=True),
                    string("stat", required=True),
                    string("unit"),
                ),
            ),
        ),
    ),
)
_DIMENSION = ("Name", "Value")


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {
        aws: query[name]
        for name, aws in (("id", "Id"), ("accountId", "AccountId"), ("expression", "Expression"), ("label", "Label"))
        if query.get(name)
    }
    if query.get("period"):
        result["Period"] = int(query["period"])
    result["ReturnData"] = bool(query.get("returnData", False))
    metric = query.get("metric")
    if metric:
        result["MetricStat"] = {
            "Metric": {
                "Namespace": metric.get("namespace"),
                "MetricName": metric["metricName"],
                "Dimensions": to_pairs(metric.get("dimensions") or {}, *_DIMENSION),
            },
            "Period": int(metric["period"]),
            "Stat": metric["stat"],
            **({"Unit": metric["unit"]} if metric.get("unit") else {}),
        }
    return result


def _query_state(query: Mapping[str, Any]) -> State:
    fields = next(prop for prop in _ALARM if prop.name == "metricQueries").fields
    state = from_aws(fields, {key: value for key, value in query.items() if value not in (None, "")})
    stat = query.get("MetricStat")
    if stat:
        metric = stat["Metric"]
        state["metric"] = {
            "dimensions": from_pairs(metric.get("Dimensions"), *_DIMENSION) or None,
            "metricName": metric["MetricName"],
            "namespace": metric.get("Namespace"),
            "period": int(stat["Period"]),
            "stat": stat["Stat"],
            "unit": stat.get("Unit"),
        }
        state["metric"] = {key: value for key, value in state["metric"].items() if value is not None}
    return state


def _put_alarm(task: Task) -> None:
    parameters = task.parameters(_ALARM)
    if task.get("dimensions"):
        parameters["Dimensions"] = to_pairs(task.inputs["dimensions"], *_DIMENSION)
    if task.get("metricQueries"):
        parameters["Metrics"] = [_query(query) for query in task.inputs["metricQueries"]]
    if task.get("threshold") is not None:
        parameters["Threshold"] = float(task.inputs["threshold"])
    if task.fresh:
        parameters["Tags"] = to_pairs(task.tags)
    task.cloud.call("cloudwatch", "put_metric_alarm", **parameters)


def _create_alarm(task: Task) -> str:
    _put_alarm(task)
    return str(task.get("name"))


def _settle_alarm(task: Task, identifier: str) -> None:
    if not task.fresh:
        _put_alarm(task)


def _read_alarm(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    reply = cloud.call("cloudwatch", "describe_alarms", AlarmNames=[identifier], AlarmTypes=["MetricAlarm"])
    alarm = only(reply.get("MetricAlarms") or [])
    if alarm is None:
        return None
    told = {key: value for key, value in alarm.items() if value not in (None, "", [])}
    tags = cloud.call("cloudwatch", "list_tags_for_resource", ResourceARN=alarm["AlarmArn"])["Tags"]
    state = from_aws([prop for prop in _ALARM if prop.name != "metricQueries"], told)
    return {
        **state,
        "dimensions": from_pairs(alarm.get("Dimensions"), *_DIMENSION) or None,
        "metricQueries": [_query_state(query) for query in alarm.get("Metrics") or []] or None,
        "arn": alarm["AlarmArn"],
        "tags": from_pairs(tags),
    }


def _write_tags(
    cloud: Cloud, identifier: str, state: Mapping[str, Any], add: dict[str, str], remove: list[str]
) -> None:
    if remove:
        cloud.call("cloudwatch", "untag_resource", ResourceARN=state["arn"], TagKeys=remove)
    if add:
        cloud.call("cloudwatch", "tag_resource", ResourceARN=state["arn"], Tags=to_pairs(add))


def _delete_alarm(task: Task, identifier: str) -> None:
    unless_gone(lambda: task.cloud.call("cloudwatch", "delete_alarms", AlarmNames=[identifier]))


_COMPOSITE = (
    string("alarmName", replaces=True, required=True),
    string("alarmRule", required=True),
    boolean("actionsEnabled", default=True, replaces=True),
    strings("alarmActions"),
    strings("okActions", aws="OKActions"),
    strings("insufficientDataActions"),
    string("alarmDescription"),
)


def _put_composite(task: Task) -> None:
    parameters = task.parameters(_COMPOSITE)
    if task.fresh:
        parameters["Tags"] = to_pairs(task.tags)
    task.cloud.call("cloudwatch", "put_composite_alarm", **parameters)


def _create_composite(task: Task) -> str:
    _put_composite(task)
    return str(task.get("alarmName"))


def _settle_composite(task: Task, identifier: str) -> None:
    if not task.fresh:
        _put_composite(task)


def _read_composite(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    reply = cloud.call("cloudwatch", "describe_alarms", AlarmNames=[identifier], AlarmTypes=["CompositeAlarm"])
    alarm = only(reply.get("CompositeAlarms") or [])
    if alarm is None:
        return None
    told = {key: value for key, value in alarm.items() if value not in (None, "", [])}
    tags = cloud.call("cloudwatch", "list_tags_for_resource", ResourceARN=alarm["AlarmArn"])["Tags"]
    return {**from_aws(_COMPOSITE, told), "arn": alarm["AlarmArn"], "tags": from_pairs(tags)}


RESOURCES = (
    Resource(
        type="aws:cloudwatch/metricAlarm:MetricAlarm",
        properties=_ALARM,
        outputs=("arn",),
        create=_create_alarm,
        settle=_settle_alarm,
        read=_read_alarm,
        delete=_delete_alarm,
        write_tags=_write_tags,
        autoname=Autoname(prefix=None),
        import_id="the alarm's name",
    ),
    Resource(
        type="aws:cloudwatch/compositeAlarm:CompositeAlarm",
        properties=_COMPOSITE,
        outputs=("arn",),
        create=_create_composite,
        settle=_settle_composite,
        read=_read_composite,
        delete=_delete_alarm,
        write_tags=_write_tags,
        import_id="the alarm's name",
    ),
)
