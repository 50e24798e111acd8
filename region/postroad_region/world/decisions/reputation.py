"""A source address' standing with a provider: it grows slowly and falls fast.

The score is between 0 and 1. During a (world) day the morning's score holds, less the damage that the day's complaints,
unknown recipients and trap hits do in proportion to its volume; the damage stays, and only a day that was clean and not
too small brings the score a share nearer to 1. Beside the score counts the volume that is usual for the source: today
may bring a multiple of it, so that a warmed address sends what a cold one is throttled for. A source that doesn't slow
down when it is throttled is blocked for a time.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from postroad_region.world.definition.limits import ReputationPolicy

_DAY = 86_400.0
# Rates of fewer messages than these mean little: one complaint isn't a hundred per cent.
_LEAST_FOR_COMPLAINTS = 200
_LEAST_FOR_UNKNOWN = 50


class Event(Enum):
    """What a provider sees of a source."""

    ACCEPTED = "accepted"
    PUSHED = "pushed"
    UNKNOWN = "unknown"
    TRAP = "trap"
    COMPLAINT = "complaint"


class Standing(Enum):
    """What a source may do now."""

    GOOD = "good"
    THROTTLED = "throttled"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a source: the past until this morning, and the day so far.

    Args:
        day: number of the world's day that the counts are of.
        morning: score at its beginning.
        usual: messages a day, as far as it is remembered.
        blocked_until: world time.
        pushed: tries that were refused as throttled.
    """

    day: int
    morning: float
    usual: float = 0.0
    blocked_until: float = 0.0
    accepted: int = 0
    pushed: int = 0
    unknown: int = 0
    complaints: int = 0
    traps: int = 0

    @classmethod
    def of(cls, kept: dict[str, Any]) -> "Record":
        """From `asdict`."""
        return cls(**kept)


def newcomer(now: float, policy: ReputationPolicy) -> Record:
    """A source never seen before."""
    return Record(int(now // _DAY), policy.start)


def damage(record: Record, policy: ReputationPolicy) -> float:
    """The share of the morning's score that the day has cost so far, 0 to 1."""
    # Complaints come days after their messages, so they are also measured by what is usual.
    complaints = record.complaints / max(record.accepted, record.usual, _LEAST_FOR_COMPLAINTS)
    unknown = record.unknown / max(record.accepted + record.unknown, _LEAST_FOR_UNKNOWN)
    done = (
        max(0.0, complaints - policy.complaint_tolerance) * policy.complaint_weight
        + max(0.0, unknown - policy.unknown_tolerance) * policy.unknown_weight
        + record.traps * policy.trap_damage
    )
    return min(1.0, done)


def score(record: Record, policy: ReputationPolicy) -> float:
    """The score now."""
    return record.morning * (1 - damage(record, policy))


def allowance(record: Record, policy: ReputationPolicy) -> float:
    """Messages that may come on this day."""
    now = score(record, policy)
    if now < policy.throttle_below:
        return policy.cold_volume * now / policy.throttle_below
    return max(float(policy.cold_volume), record.usual * policy.growth)


def advanced(record: Record, now: float, policy: ReputationPolicy) -> Record:
    """The record on the day of `now`: days that ended in between are closed."""
    today = int(now // _DAY)
    if today <= record.day:
        return record
    after = score(record, policy)
    blocked = record.blocked_until > record.day * _DAY
    clean = damage(record, policy) == 0 and record.accepted >= policy.clean_volume and not blocked
    morning = after + (1 - after) * policy.recovery if clean else after
    idle = today - record.day - 1 + (record.accepted == 0)
    usual = max(float(record.accepted), record.usual * policy.fade) if record.accepted else record.usual
    return Record(today, morning, usual * policy.fade**idle, record.blocked_until)


def observed(record: Record, event: Event, now: float, policy: ReputationPolicy, *, count: int = 1) -> Record:
    """The record after something happened."""
    record = advanced(record, now, policy)
    match event:
        case Event.ACCEPTED:
            return replace(record, accepted=record.accepted + count)
        case Event.UNKNOWN:
            return replace(record, unknown=record.unknown + count)
        case Event.TRAP:
            return replace(record, traps=record.traps + count)
        case Event.COMPLAINT:
            return replace(record, complaints=record.complaints + count)
        case Event.PUSHED:
            pushed = record.pushed + count
            if pushed > max(1.0, allowance(record, policy)) * (policy.block_factor - 1):
                # It kept pushing: the block, and half of the score.
                return replace(record, pushed=0, morning=record.morning / 2, blocked_until=now + policy.block_for)
            return replace(record, pushed=pushed)


def standing(record: Record, now: float, policy: ReputationPolicy) -> Standing:
    """What the source may do now; `record` is of today (see `advanced`)."""
    if now < record.blocked_until or score(record, policy) < policy.block_below:
        return Standing.BLOCKED
    if record.accepted >= allowance(record, policy):
        return Standing.THROTTLED
    return Standing.GOOD
