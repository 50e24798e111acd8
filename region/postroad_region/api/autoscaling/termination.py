"""Which instance goes first when a group shrinks.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

KNOWN = (
    "Default",
    "OldestInstance",
    "NewestInstance",
    "OldestLaunchTemplate",
    "OldestLaunchConfiguration",
    "ClosestToNextInstanceHour",
    "AllocationStrategy",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member that may be terminated.

    Args:
        launched: seconds since the epoch.
        template: the id and version it was launched from.
    """

    id: str
    zone: str
    launched: float
    template: tuple[str, int]
    protected: bool = False


def choose(candidates: Iterable[Candidate], count: int, policies: Sequence[str], current: tuple[str, int]) -> list[str]:
    """Ids of up to `count` members, in order: never a protected one, and from the zone that has most.

    Args:
        policies: in order; each breaks what ties the one before left.
        current: the template and version that the group launches now.
    """
    left = [candidate for candidate in candidates if not candidate.protected]
    chosen: list[str] = []
    while left and len(chosen) < count:
        sizes = Counter(candidate.zone for candidate in left)
        most = max(sizes.values())
        pool = [candidate for candidate in left if sizes[candidate.zone] == most]
        pick = min(pool, key=lambda each: _key(each, policies, current))
        chosen.append(pick.id)
        left.remove(pick)
    return chosen


def _key(candidate: Candidate, policies: Sequence[str], current: tuple[str, int]) -> tuple[object, ...]:
    return (
        *(_ORDERS.get(policy, _by_template)(candidate, current) for policy in policies or ("Default",)),
        candidate.launched,
        candidate.id,
    )


def _by_template(candidate: Candidate, current: tuple[str, int]) -> tuple[float, ...]:
    """Another template than the group's first, then the older version."""
    return (float(candidate.template[0] == current[0]), float(candidate.template[1]))


def _by_age(candidate: Candidate, current: tuple[str, int]) -> tuple[float, ...]:
    return (candidate.launched,)


def _by_youth(candidate: Candidate, current: tuple[str, int]) -> tuple[float, ...]:
    return (-candidate.launched,)


_Order = Callable[[Candidate, tuple[str, int]], tuple[float, ...]]
_ORDERS: dict[str, _Order] = {
    "Default": _by_template,
    "OldestLaunchTemplate": _by_template,
    "OldestInstance": _by_age,
    "NewestInstance": _by_youth,
}
