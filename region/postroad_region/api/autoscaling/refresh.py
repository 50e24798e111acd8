"""An instance refresh: which instances are replaced next, and when it ends.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-instance-refresh.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

PENDING, IN_PROGRESS, CANCELLING, ROLLING_BACK = "Pending", "InProgress", "Cancelling", "RollbackInProgress"
SUCCESSFUL, FAILED, CANCELLED = "Successful", "Failed", "Cancelled"
ROLLBACK_SUCCESSFUL, ROLLBACK_FAILED = "RollbackSuccessful", "RollbackFailed"
ACTIVE = (PENDING, IN_PROGRESS, CANCELLING, ROLLING_BACK)
# A refresh that couldn't go on for this long fails.
STUCK_SECONDS = 3600.0


@dataclass(frozen=True)
class Preferences:
    """What StartInstanceRefresh was asked for, defaults filled in.

    Args:
        min_healthy: percent of the desired capacity that stays healthy.
        max_healthy: percent of the desired capacity that may be there; above 100 instances are launched first.
        warmup: seconds from coming into service until an instance counts as healthy.
        checkpoints: percentages at which the refresh pauses for `checkpoint_delay` seconds.
        protected: `Refresh`, `Ignore` or `Wait`, for instances protected from scale-in.
        standby: `Terminate`, `Ignore` or `Wait`, for instances in standby.
        alarms: a refresh fails once one of them is in ALARM.
    """

    min_healthy: int = 90
    max_healthy: int = 100
    warmup: int = 0
    checkpoints: tuple[int, ...] = ()
    checkpoint_delay: int = 3600
    skip_matching: bool = False
    auto_rollback: bool = False
    protected: str = "Wait"
    standby: str = "Wait"
    alarms: tuple[str, ...] = ()


@dataclass
class Refresh:
    """A refresh as it is saved; times in seconds since the epoch.

    Args:
        wanted: ids of the instances to replace.
        total: how many those were at the start.
        kept: ids of the members that stay as they are.
        desired: template id and version that it brings, if it was started with one.
        previous: template id and version text that the group had at the start.
        stage: how many checkpoints are behind it.
        paused: since when it waits at a checkpoint.
        moved: when an instance was last replaced or became healthy.
        asked: the preferences in the words of the call.
    """

    id: str
    started: float
    preferences: Preferences
    wanted: set[str]
    total: int
    desired: tuple[str, str] | None = None
    previous: tuple[str, str] | None = None
    status: str = PENDING
    reason: str = ""
    ended: float | None = None
    percent: int = 0
    stage: int = 0
    paused: float | None = None
    moved: float = 0.0
    seen: tuple[int, int] = (-1, -1)
    rollback: dict[str, object] = field(default_factory=dict)
    asked: dict[str, object] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Old:
    """An instance to be replaced.

    Args:
        ready: in service and healthy.
        movable: it may be terminated: neither protected nor in standby, or the preferences don't mind.
    """

    id: str
    ready: bool
    movable: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now."""

    launch: int = 0
    terminate: tuple[str, ...] = ()
    finished: bool = False
    waiting: str = ""


def allowed(total: int, checkpoints: Sequence[int], stage: int) -> int:
    """How many instances may have been replaced before the next pause."""
    if not checkpoints:
        return total
    return math.ceil(total * checkpoints[min(stage, len(checkpoints) - 1)] / 100)


def progress(total: int, old: int, new_pending: int) -> int:
    """Percent of the instances replaced by healthy ones."""
    if total == 0:
        return 100
    return 100 * _replaced(total, old, new_pending) // total


def _replaced(total: int, old: int, new_pending: int) -> int:
    gone = max(0, total - old)
    return max(0, gone - min(new_pending, gone))


def most(desired: int, wishes: Preferences) -> int:
    """How many instances there may be at once."""
    return max(desired, math.ceil(desired * wishes.max_healthy / 100))


def advance(refresh: Refresh, old: int, new_pending: int, now: float) -> str:
    """Pass the checkpoints that are due; the reason for waiting at one, or nothing."""
    checkpoints = refresh.preferences.checkpoints
    while refresh.stage < len(checkpoints):
        goal = allowed(refresh.total, checkpoints, refresh.stage)
        if _replaced(refresh.total, old, new_pending) < goal:
            refresh.paused = None
            return ""
        if refresh.paused is None:
            refresh.paused = now
        left = refresh.paused + refresh.preferences.checkpoint_delay - now
        if left > 0:
            return (
                f"Waiting for remaining {left:.0f} seconds of the checkpoint delay at {checkpoints[refresh.stage]}% "
                "before continuing."
            )
        refresh.stage += 1
        refresh.paused = None
    return ""


def plan(refresh: Refresh, *, desired: int, old: Sequence[Old], new_ready: int, new_pending: int) -> Plan:
    """The next launches and terminations; call `advance` first, and don't plan while it gives a reason.

    `old` is in the order in which instances go. At least one instance may always be replaced, so that a high minimum
    with no room above doesn't stop everything.
    """
    wishes = refresh.preferences
    goal = allowed(refresh.total, wishes.checkpoints, refresh.stage)
    quota = goal - (refresh.total - len(old))
    present = len(old) + new_ready + new_pending
    last = refresh.stage >= len(wishes.checkpoints)
    if quota <= 0 or not old:
        done = last and new_pending == 0 and present >= desired
        return Plan(finished=done, waiting="" if done else "Waiting for instances to pass health checks and warm up.")
    movable = [each for each in old if each.movable]
    if not movable:
        return Plan(waiting="Waiting for instances that are protected from scale in or in standby.")
    floor = math.ceil(desired * wishes.min_healthy / 100)
    ceiling = most(desired, wishes)
    surplus = max(0, present - desired)
    launch = max(0, min(ceiling - present, quota - surplus)) if ceiling > desired else 0
    spare = sum(each.ready for each in old) + new_ready - floor
    unready = [each.id for each in movable if not each.ready]
    ready = [each.id for each in movable if each.ready]
    going = (unready + ready[: max(0, spare)])[:quota]
    if not going and ceiling == desired and new_pending == 0 and present >= desired:
        going = ready[:1]
    return Plan(launch=launch, terminate=tuple(going))
