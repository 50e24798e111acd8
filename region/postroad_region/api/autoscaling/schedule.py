"""Scheduled actions: when one is due, and what it sets.

Recurrences are cron expressions of five fields (numbers, names aren't known, `*`, lists, ranges, steps), in UTC.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-scheduled-scaling.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import structlog
from moto.autoscaling.models import autoscaling_backends

from postroad_region.api.autoscaling import activities
from postroad_region.api.autoscaling.groups import change_capacity

log = structlog.get_logger("autoscaling")

_DONE = "postroad_done"
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


def matches(recurrence: str, moment: datetime) -> bool:
    """Whether a cron expression names this minute.

    Raises:
        ValueError: it isn't one.
    """
    fields = recurrence.split()
    if len(fields) != len(_BOUNDS):
        raise ValueError(f"recurrence {recurrence!r} hasn't five fields")
    values = (moment.minute, moment.hour, moment.day, moment.month, moment.isoweekday() % 7)
    met = [value in _numbers(field, *bounds) for field, bounds, value in zip(fields, _BOUNDS, values, strict=True)]
    # Where both days are restricted, one of them is enough (crontab(5)).
    days = met[2] or met[4] if "*" not in (fields[2], fields[4]) else met[2] and met[4]
    return met[0] and met[1] and met[3] and days


def _numbers(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        begin = low if span == "*" else int(first)
        end = high if span == "*" or (step and not last) else int(last or first)
        if not low <= begin <= end <= high:
            raise ValueError(f"{part!r} isn't between {low} and {high}")
        found.update(range(begin, end + 1, int(step or 1)))
    return found


def run(now: float) -> bool:
    """Apply every action that is due, once a minute each; whether any was."""
    changed = False
    for regions in list(autoscaling_backends.values()):
        for backend in list(regions.values()):
            for action in list(backend.scheduled_actions.values()):
                changed |= _apply(backend, action, now)
    return changed


def _apply(backend: Any, action: Any, now: float) -> bool:
    group = backend.autoscaling_groups.get(action.auto_scaling_group_name)
    minute = int(now // 60)
    if group is None or action.__dict__.get(_DONE) == minute or not _due(action, now):
        return False
    action.__dict__[_DONE] = minute
    if any(item["ProcessName"] == "ScheduledActions" for item in group.suspended_processes):
        return True
    low = int(group.min_size if action.min_size is None else action.min_size)
    high = int(group.max_size if action.max_size is None else action.max_size)
    old = int(group.desired_capacity or 0)
    wanted = old if action.desired_capacity is None else int(action.desired_capacity)
    new = min(max(wanted, low), high)
    group.min_size, group.max_size = low, high
    told = activities.scheduled(now, action.scheduled_action_name, low, high, old, new)
    change_capacity(group, new, told)
    if not action.recurrence:
        # AWS removes an action once it has run.
        backend.scheduled_actions.pop(action.scheduled_action_name, None)
    return True


def _due(action: Any, now: float) -> bool:
    start, end = _time(action.start_time), _time(action.end_time)
    if (start is not None and now < start) or (end is not None and now > end):
        return False
    if not action.recurrence:
        return start is not None
    try:
        return matches(action.recurrence, datetime.fromtimestamp(now, UTC))
    except ValueError as error:
        log.warning("scheduled action left out", action=action.scheduled_action_name, reason=str(error))
        return False


def _time(value: Any) -> float | None:
    if value is None or value == "":
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
