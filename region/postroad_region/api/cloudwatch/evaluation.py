"""An alarm's state from its data points.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

from collections.abc import Sequence

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"
# AWS looks at more periods than it evaluates, for points that come late; its examples have two more.
MORE_PERIODS = 2

_COMPARISONS = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
COMPARISONS = tuple(_COMPARISONS)
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def breaches(value: float, comparison: str, threshold: float) -> bool:
    """Whether a value is on the wrong side."""
    return bool(_COMPARISONS[comparison](value, threshold))


def state(points: Sequence[bool | None], *, periods: int, to_alarm: int, treat: str = "missing") -> str | None:
    """The new state, or None where the current one stays.

    Args:
        points: of the evaluation range, oldest first: breaching or not, None for a missing one.
        periods: EvaluationPeriods.
        to_alarm: DatapointsToAlarm.
        treat: TreatMissingData; it counts only where fewer real points than `periods` are in the range.
    """
    real = [point for point in points if point is not None]
    if len(real) >= periods:
        return ALARM if sum(real[-periods:]) >= to_alarm else OK
    breaching, missing = sum(real), periods - len(real)
    if treat == "breaching":
        return ALARM if breaching + missing >= to_alarm else OK
    if treat == "notBreaching":
        return ALARM if breaching >= to_alarm else OK
    if breaching >= to_alarm:
        return ALARM
    if not real:
        return None if treat == "ignore" else INSUFFICIENT
    if breaching < len(real):
        return OK
    # All real points breach: a premature alarm, if the oldest is old enough.
    age = len(points) - next(index for index, point in enumerate(points) if point is not None)
    if treat == "ignore":
        return None
    return ALARM if age >= to_alarm else OK
