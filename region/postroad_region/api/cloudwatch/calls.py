"""CloudWatch calls where moto falls short: new alarms have no data, changed ones keep their state, SetAlarmState acts.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from __future__ import annotations

from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from postroad_region.api import clock
from postroad_region.api.cloudwatch import alarms, evaluation, rule, statistics

_SHORT_PERIODS = (10, 20, 30)
_LONGEST_RANGE, _LONGEST_LONG_RANGE = 86400, 7 * 86400
_KEPT = ("history", "state_reason", "state_reason_data", "state_value", "state_updated_timestamp")


def check(given: dict[str, Any]) -> None:
    """Refuse what isn't an alarm.

    Raises:
        ValidationError: a value isn't one of AWS's.
        InvalidParameterCombination: values exclude one another.
    """
    if given["comparison_operator"] not in evaluation.COMPARISONS:
        raise ValidationError(f"Value '{given['comparison_operator']}' at 'comparisonOperator' isn't known here.")
    treat = given.get("treat_missing_data")
    if treat and treat not in evaluation.TREATMENTS:
        raise ValidationError(
            f"Option {treat} is not supported. Supported options for parameter TreatMissingData are "
            f"{', '.join(evaluation.TREATMENTS)}."
        )
    periods, to_alarm = int(given["evaluation_periods"]), given.get("datapoints_to_alarm")
    if to_alarm and int(to_alarm) > periods:
        raise ValidationError("DatapointsToAlarm must be less than or equal to EvaluationPeriods")
    if given.get("metric_data_queries"):
        return
    statistic = given.get("statistic") or given.get("extended_statistic")
    if not statistic or not statistics.known(str(statistic)):
        raise ValidationError(f"The statistic {statistic} isn't known here; percentiles are p0 to p100.")
    period = int(given.get("period") or 0)
    if period not in _SHORT_PERIODS and (period <= 0 or period % 60):
        raise ValidationError("Period must be 10, 20, 30 or a multiple of 60")
    longest = _LONGEST_RANGE if period < 3600 else _LONGEST_LONG_RANGE
    if period * periods > longest:
        raise InvalidParameterCombination(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period)"
        )


def _put(backend: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    if not kwargs.get("rule"):
        check(kwargs)
    before = backend.alarms.get(name)
    alarm = _original_put(backend, name, *args, **kwargs)
    if before is None:
        alarm.state_value = evaluation.INSUFFICIENT
    else:
        for attribute in _KEPT:
            setattr(alarm, attribute, getattr(before, attribute))
        alarm.__dict__.update({key: value for key, value in before.__dict__.items() if key == "postroad_history"})
    alarms.note(alarm, "ConfigurationUpdate", f'Alarm "{name}" {"created" if before is None else "updated"}')
    return alarm


def _put_composite(self: CloudWatchResponse) -> ActionResult:
    text = self._get_param("AlarmRule")
    try:
        rule.holds(text, lambda _: "")
    except rule.RuleError as error:
        raise ValidationError(str(error)) from None
    self.cloudwatch_backend.put_metric_alarm(
        name=self._get_param("AlarmName"),
        namespace=None,
        metric_name=None,
        comparison_operator=None,
        evaluation_periods=None,
        period=None,
        threshold=None,
        statistic=None,
        description=self._get_param("AlarmDescription"),
        dimensions=[],
        alarm_actions=self._get_param("AlarmActions", []),
        ok_actions=self._get_param("OKActions", []),
        insufficient_data_actions=self._get_param("InsufficientDataActions", []),
        actions_enabled=self._get_bool_param("ActionsEnabled"),
        rule=text,
        tags=self._get_param("Tags", []),
    )
    alarms.follow(self.cloudwatch_backend, clock.now())
    return EmptyResult()


def _describe(self: CloudWatchResponse) -> ActionResult:
    """As moto does, but with the filters together and composite alarms only when asked for."""
    found = list(self.cloudwatch_backend.alarms.values())
    prefix, action = self._get_param("AlarmNamePrefix"), self._get_param("ActionPrefix")
    names, state = self._get_param("AlarmNames", []), self._get_param("StateValue")
    kinds = self._get_param("AlarmTypes", []) or ["MetricAlarm"]
    if names:
        found = [alarm for alarm in found if alarm.name in names]
    if prefix:
        found = [alarm for alarm in found if alarm.name.startswith(prefix)]
    if action:
        found = [alarm for alarm in found if any(arn.startswith(action) for arn in alarm.alarm_actions)]
    if state:
        found = [alarm for alarm in found if alarm.state_value == state]
    plain = [alarm for alarm in found if not alarm.rule] if "MetricAlarm" in kinds else []
    composite = [alarm for alarm in found if alarm.rule] if "CompositeAlarm" in kinds else []
    return ActionResult({"MetricAlarms": plain, "CompositeAlarms": composite})


def _set_state(backend: Any, alarm_name: str, reason: str, reason_data: str, state_value: str) -> None:
    known = backend.alarms.get(alarm_name)
    old = known.state_value if known is not None else ""
    _original_set(backend, alarm_name, reason, reason_data, state_value)
    alarm = backend.alarms[alarm_name]
    if state_value != old:
        alarms.note(alarm, "StateUpdate", f"Alarm updated from {old} to {state_value}")
        value = None if alarm.rule or alarm.threshold is None else _beyond(alarm)
        alarms.leave(alarm, clock.now())
        alarms.act(backend, alarm, old, value)
        alarms.follow(backend, clock.now())


def _beyond(alarm: Any) -> float:
    """The last data point, else the threshold itself: what a policy goes by when someone sets the state by hand."""
    try:
        points = alarms.data(_backend_of(alarm), alarm, clock.now())
    except ValueError:
        points = []
    return next((value for value in reversed(points) if value is not None), float(alarm.threshold))


def _backend_of(alarm: Any) -> Any:
    from moto.cloudwatch.models import cloudwatch_backends

    return cloudwatch_backends[alarm.alarm_arn.split(":")[4]][alarm.region_name]


def _history(self: CloudWatchResponse) -> ActionResult:
    name, kind = self._get_param("AlarmName"), self._get_param("HistoryItemType")
    items = [
        {
            "AlarmName": alarm.name,
            "AlarmType": "CompositeAlarm" if alarm.rule else "MetricAlarm",
            "Timestamp": clock.moment(moment),
            "HistoryItemType": each,
            "HistorySummary": summary,
        }
        for alarm in self.cloudwatch_backend.alarms.values()
        if not name or alarm.name == name
        for moment, each, summary in alarms.history(alarm)
        if not kind or each == kind
    ]
    items.sort(key=lambda item: item["Timestamp"], reverse=True)
    return ActionResult({"AlarmHistoryItems": items[: self._get_int_param("MaxRecords") or 100]})


def _rule(alarm: Any) -> Any:
    return alarm.rule


_original_put = CloudWatchBackend.put_metric_alarm
_original_set = CloudWatchBackend.set_alarm_state
CloudWatchBackend.put_metric_alarm = _put
CloudWatchBackend.set_alarm_state = _set_state
CloudWatchResponse.put_composite_alarm = _put_composite
CloudWatchResponse.describe_alarms = _describe
CloudWatchResponse.describe_alarm_history = _history
Alarm.alarm_rule = property(_rule)
