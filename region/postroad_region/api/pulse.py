"""What happens in the region without a call: engines that the daemon's loop runs, under the API's lock."""

from __future__ import annotations

from postroad_region.api import clock
from postroad_region.api.autoscaling import engine, schedule
from postroad_region.api.cloudwatch import alarms, metrics


def beat() -> bool:
    """Run everything whose time has come; whether the state changed and is to be saved."""
    now = clock.now()
    changed = metrics.measure(now)
    changed |= alarms.run(now)
    changed |= schedule.run(now)
    changed |= engine.run(now)
    return changed
