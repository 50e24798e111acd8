"""From a data point that crosses an alarm's threshold to the change of capacity that it sets off."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from postroad_ops.faults import OperationError

from postroad_bench.small_group import SmallGroup, small_group

NAMESPACE, METRIC = "Postroad/Bench", "Load"
PERIOD, THRESHOLD = 10, 100.0
# Data points come at these moments of a period, in turn.
PHASES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Action:
    """One alarm that acted.

    Args:
        since_datapoint: seconds from the data point to the new desired capacity.
        since_period: the same from the end of the data point's period, before which nothing can be evaluated.
    """

    since_datapoint: float
    since_period: float


def next_at(now: float, *, period: int, phase: float) -> float:
    """The next moment at this part of a period, at least a tenth of a second from now."""
    begin = math.floor((now + 0.1) / period) * period + phase * period
    return begin if begin >= now + 0.1 else begin + period


def actions(name: str, count: int) -> list[Action]:
    """Cross the threshold so often, each time from a group without hosts.

    Raises:
        OperationError: an alarm didn't act within four periods.
    """
    taken = []
    with small_group(name) as group:
        group.steps({"Namespace": NAMESPACE, "MetricName": METRIC, "Period": PERIOD, "Threshold": THRESHOLD})
        for number in range(count):
            time.sleep(next_at(time.time(), period=PERIOD, phase=PHASES[number % len(PHASES)]) - time.time())
            put = time.time()
            group.report(NAMESPACE, METRIC, THRESHOLD * 2)
            acted = group.wait_for_desired(1, seconds=4 * PERIOD)
            taken.append(Action(acted - put, acted - (math.floor(put / PERIOD) + 1) * PERIOD))
            _calm(group)
            group.resize(0)
    return taken


def _calm(group: SmallGroup) -> None:
    """Return when the alarm is OK again; while it isn't, it adds a host at each evaluation."""
    deadline = time.monotonic() + 6 * PERIOD
    while group.alarm_state() != "OK":
        if time.monotonic() > deadline:
            raise OperationError(f"alarm {group.name} stays {group.alarm_state()}", remedy="see: make status")
        group.report(NAMESPACE, METRIC, 0.0)
        time.sleep(1.0)
