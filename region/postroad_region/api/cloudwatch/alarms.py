"""Alarms evaluated when they are due, and their actions.

An alarm with an action of Auto Scaling sets it off at each evaluation while it is in ALARM, as on AWS; all other
actions only when the state changes.
"""

from __future__ import annotations

import json
import math
from typing import Any

import structlog
from moto.autoscaling.exceptions import AutoscalingClientError
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.exceptions import ServiceException
from moto.sns.models import sns_backends
from werkzeug.exceptions import HTTPException

from postroad_region.api import clock
from postroad_region.api.autoscaling import policies
from postroad_region.api.cloudwatch import evaluation, rule, statistics
from postroad_region.api.cloudwatch.expression import ExpressionError, Series, evaluate
from postroad_region.api.cloudwatch.metrics import samples

log = structlog.get_logger("cloudwatch")

_DUE = "postroad_due"
_HISTORY = "postroad_history"
_HISTORY_KEPT = 100


def run(now: float) -> bool:
    """Evaluate every alarm whose time has come; whether any state changed or action was taken."""
    changed = False
    for regions in list(cloudwatch_backends.values()):
        for backend in list(regions.values()):
            plain = [alarm for alarm in backend.alarms.values() if not alarm.rule]
            composite = [alarm for alarm in backend.alarms.values() if alarm.rule]
            for alarm in (*plain, *composite):
                changed |= _evaluate(backend, alarm, now)
    return changed


def follow(backend: Any, now: float) -> bool:
    """Evaluate composite alarms, whose rules may look at one that just changed; whether any changed too."""
    composite = [_evaluate(backend, alarm, now) for alarm in backend.alarms.values() if alarm.rule]
    return any(composite)


def leave(alarm: Any, now: float) -> None:
    """Leave the alarm's state as it is until its next period ends: someone set it."""
    if not alarm.rule:
        alarm.__dict__[_DUE] = math.floor(now / period_of(alarm))


def period_of(alarm: Any) -> int:
    """How many seconds one of the alarm's data points covers."""
    if alarm.period:
        return int(alarm.period)
    stats = [query.metric_stat for query in alarm.metric_data_queries if query.metric_stat]
    listed = [int(stat.period) for stat in stats if stat.period]
    own = [int(query.period) for query in alarm.metric_data_queries if query.period]
    return max((*listed, *own), default=60)


def _evaluate(backend: Any, alarm: Any, now: float) -> bool:
    if alarm.rule:
        try:
            state = evaluation.ALARM if rule.holds(alarm.rule, _states(backend)) else evaluation.OK
        except rule.RuleError as error:
            log.warning("alarm not evaluated", alarm=alarm.name, reason=str(error))
            return False
        return state != alarm.state_value and _change(backend, alarm, state, f"{alarm.rule} is {state}", None)
    period = period_of(alarm)
    # Due when a period is whole: at its end.
    turn = math.floor(now / period)
    if alarm.__dict__.get(_DUE) == turn:
        return False
    first = _DUE not in alarm.__dict__
    alarm.__dict__[_DUE] = turn
    try:
        points = data(backend, alarm, now)
    except (ExpressionError, ValueError) as error:
        log.warning("alarm not evaluated", alarm=alarm.name, reason=str(error))
        return False
    wrong = [
        None if value is None else evaluation.breaches(value, alarm.comparison_operator, float(alarm.threshold))
        for value in points
    ]
    periods = int(alarm.evaluation_periods)
    found = evaluation.state(
        wrong,
        periods=periods,
        to_alarm=int(alarm.datapoints_to_alarm or periods),
        treat=alarm.treat_missing_data or "missing",
    )
    last = next((value for value in reversed(points) if value is not None), None)
    if found is not None and found != alarm.state_value:
        return _change(backend, alarm, found, _reason(alarm, found, points), last)
    if alarm.state_value == evaluation.ALARM and not first:
        return _scale(backend, alarm, last)
    return False


def _states(backend: Any) -> Any:
    def state_of(name: str) -> str:
        found = backend.alarms.get(name.rpartition(":alarm:")[2] if name.startswith("arn:") else name)
        return "" if found is None else str(found.state_value)

    return state_of


def data(backend: Any, alarm: Any, now: float) -> list[float | None]:
    """The data points of the alarm's evaluation range, oldest first."""
    period, count = period_of(alarm), int(alarm.evaluation_periods) + evaluation.MORE_PERIODS
    if not alarm.metric_data_queries:
        found = samples(backend, alarm.namespace, alarm.metric_name, _dimensions(alarm), alarm.unit)
        statistic = alarm.statistic or alarm.extended_statistic
        return statistics.series(found, str(statistic), period=period, end=now, count=count)
    series: dict[str, Series] = {}
    watched = ""
    for query in alarm.metric_data_queries:
        if query.metric_stat:
            stat = query.metric_stat
            found = samples(
                backend, stat.metric.namespace, stat.metric.metric_name, _dimensions(stat.metric), stat.unit
            )
            series[query.id] = statistics.series(found, stat.stat, period=period, end=now, count=count)
        if str(query.return_data).lower() == "true":
            watched = query.id
    waiting = [query for query in alarm.metric_data_queries if query.expression]
    for _ in range(len(waiting)):
        for query in list(waiting):
            try:
                series[query.id] = evaluate(query.expression, series, period=period, length=count)
            except ExpressionError:
                if query is waiting[-1] and len(waiting) == 1:
                    raise
                continue
            waiting.remove(query)
    if watched not in series:
        raise ExpressionError("none of its queries returns data, or an expression isn't known here")
    return series[watched]


def _dimensions(owner: Any) -> dict[str, str]:
    return {dimension.name: dimension.value for dimension in owner.dimensions}


def _reason(alarm: Any, state: str, points: list[float | None]) -> str:
    shown = [value for value in points if value is not None][-int(alarm.evaluation_periods) :]
    if state == evaluation.INSUFFICIENT:
        return "Insufficient Data: no datapoints were received for the evaluation range."
    crossed = "Threshold Crossed" if shown else "Threshold Crossed: no datapoints were received, which are treated so"
    word = "were" if state == evaluation.ALARM else "were not all"
    return (
        f"{crossed}: {len(shown)} datapoints {shown} {word} beyond the threshold ({alarm.threshold}) by "
        f"{alarm.comparison_operator}."
    )


def _change(backend: Any, alarm: Any, state: str, reason: str, value: float | None) -> bool:
    old = alarm.state_value
    alarm.update_state(reason, json.dumps({"recentDatapoint": value, "threshold": alarm.threshold}), state)
    note(alarm, "StateUpdate", f"Alarm updated from {old} to {state}")
    act(backend, alarm, old, value)
    return True


def act(backend: Any, alarm: Any, old: str, value: float | None) -> None:
    """Take the actions of the state that the alarm came to."""
    if not alarm.actions_enabled:
        return
    listed = {
        evaluation.ALARM: alarm.alarm_actions,
        evaluation.OK: alarm.ok_actions,
        evaluation.INSUFFICIENT: alarm.insufficient_data_actions,
    }[alarm.state_value]
    for arn in listed or []:
        _take(backend, alarm, str(arn), old, value)


def _scale(backend: Any, alarm: Any, value: float | None) -> bool:
    """Again what Auto Scaling does: its policies go on while the alarm stays."""
    taken = False
    if alarm.actions_enabled:
        for arn in alarm.alarm_actions or []:
            if ":scalingPolicy:" in str(arn):
                taken |= _take(backend, alarm, str(arn), alarm.state_value, value)
    return taken


def _take(backend: Any, alarm: Any, arn: str, old: str, value: float | None) -> bool:
    account, region = backend.account_id, backend.region_name
    refusal = ""
    if ":scalingPolicy:" in arn:
        policy = policies.find_by_arn(account, region, arn)
        if policy is None:
            refusal = "no such policy"
        elif value is None and policy.policy_type != policies.SIMPLE:
            refusal = "no data point to go by"
        else:
            threshold = None if alarm.threshold is None else float(alarm.threshold)
            try:
                refusal = policies.trigger(policy, value=value, threshold=threshold, alarm=alarm.name)
            except AutoscalingClientError as error:
                refusal = str(error.message)
    elif arn.split(":")[2] == "sns":
        refusal = _publish(account, region, alarm, arn, old)
    else:
        refusal = "actions of this kind aren't taken in the box"
    done = "Successfully executed" if not refusal else f"Not executed ({refusal})"
    if not (refusal and old == alarm.state_value):
        note(alarm, "Action", f"{done} action {arn}")
    return not refusal


def _publish(account: str, region: str, alarm: Any, arn: str, old: str) -> str:
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account,
        "AlarmArn": alarm.alarm_arn,
        "NewStateValue": alarm.state_value,
        "OldStateValue": old,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": clock.stamp(clock.now()),
        "Region": region,
        "Trigger": {"MetricName": alarm.metric_name, "Namespace": alarm.namespace, "Threshold": alarm.threshold},
    }
    try:
        sns_backends[account][region].publish(
            message=json.dumps(message, default=str),
            arn=arn,
            subject=f'{alarm.state_value}: "{alarm.name}" in {region}',
        )
    except (ServiceException, HTTPException, KeyError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def note(alarm: Any, kind: str, summary: str) -> None:
    """Add to the alarm's history, newest first."""
    history: list[tuple[float, str, str]] = alarm.__dict__.setdefault(_HISTORY, [])
    history.insert(0, (clock.now(), kind, summary))
    del history[_HISTORY_KEPT:]


def history(alarm: Any) -> list[tuple[float, str, str]]:
    """Times, kinds and summaries, newest first."""
    found: list[tuple[float, str, str]] = alarm.__dict__.get(_HISTORY, [])
    return found
