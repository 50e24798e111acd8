"""Lifecycle hooks: how long an instance is held, and what releases it.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
CONTINUE, ABANDON = "CONTINUE", "ABANDON"
# A hold ends after 48 hours or 100 heartbeat timeouts, whichever is less, whatever heartbeats say.
LONGEST_SECONDS = 48 * 3600
MOST_TIMEOUTS = 100


@dataclass
class Hold:
    """One hook's hold on one instance, as it is saved.

    Args:
        token: what CompleteLifecycleAction may name it by.
        deadline: when the heartbeat timeout ends, in seconds since the epoch.
        last: when it ends whatever heartbeats say.
        default: the result at a deadline.
        result: `CONTINUE` or `ABANDON` once completed.
    """

    hook: str
    token: str
    timeout: int
    deadline: float
    last: float
    default: str
    result: str = ""


class Verdict(enum.Enum):
    """What a set of holds says of the instance."""

    WAIT = enum.auto()
    PROCEED = enum.auto()
    ABANDON = enum.auto()


def hold(hook: str, token: str, *, timeout: int, default: str, now: float) -> Hold:
    """A hold that begins now."""
    return Hold(hook, token, timeout, now + timeout, now + global_timeout(timeout), default)


def global_timeout(timeout: int) -> int:
    """The longest that a hook with this heartbeat timeout holds, in seconds."""
    return min(LONGEST_SECONDS, MOST_TIMEOUTS * timeout)


def heartbeat(held: Hold, now: float) -> None:
    """Start the timeout anew, within the global one."""
    held.deadline = min(now + held.timeout, held.last)


def result(held: Hold, now: float) -> str:
    """`CONTINUE`, `ABANDON`, or nothing while it holds."""
    if held.result:
        return held.result
    return held.default if now >= min(held.deadline, held.last) else ""


def verdict(holds: Iterable[Hold], now: float) -> Verdict:
    """Whether the instance waits. One `ABANDON` ends all holds, `CONTINUE` only its own."""
    results = [result(held, now) for held in holds]
    if ABANDON in results:
        return Verdict.ABANDON
    return Verdict.WAIT if "" in results else Verdict.PROCEED


def next_deadline(holds: Iterable[Hold]) -> float | None:
    """When the first of them ends by itself."""
    return min((min(held.deadline, held.last) for held in holds if not held.result), default=None)
