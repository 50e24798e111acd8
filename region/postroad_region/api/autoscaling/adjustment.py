"""How a scaling policy changes the desired capacity.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-simple-step.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-target-tracking.html
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

CHANGE, EXACT, PERCENT = "ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"


@dataclass(frozen=True, slots=True)
class Step:
    """A step adjustment; the bounds are relative to the alarm's threshold, None is infinity."""

    lower: float | None
    upper: float | None
    adjustment: int


def capacity(kind: str, adjustment: int, current: int, *, least: int = 0) -> int:
    """The capacity that an adjustment of the current one gives.

    Args:
        least: MinAdjustmentMagnitude, for percentages.
    """
    if kind == EXACT:
        return adjustment
    if kind == CHANGE:
        return current + adjustment
    change = _rounded(current * adjustment / 100)
    if change and abs(change) < least:
        change = int(math.copysign(least, change))
    return current + change


def _rounded(change: float) -> int:
    if 0 < change < 1:
        return 1
    if -1 < change < 0:
        return -1
    return math.trunc(change)


def step_for(steps: Sequence[Step], breach: float) -> Step | None:
    """The step whose bounds hold the distance between the metric's value and the threshold.

    Above the threshold the lower bound is inclusive, below it the upper one.
    """
    for step in steps:
        lower = -math.inf if step.lower is None else step.lower
        upper = math.inf if step.upper is None else step.upper
        inside = lower <= breach < upper if breach >= 0 else lower < breach <= upper
        if inside or (breach == 0 and (lower == 0 or upper == 0)):
            return step
    return None


def tracked(current: int, value: float, target: float, *, scale_in: bool) -> int:
    """The capacity at which a metric that falls in proportion to it would meet its target; rounded to more.

    Args:
        scale_in: whether the group may shrink; else the answer is at least the current capacity.
    """
    wanted = max(1, math.ceil(current * value / target - 1e-9)) if current else int(value > target)
    if value <= 0:
        wanted = 0
    return wanted if scale_in else max(current, wanted)
