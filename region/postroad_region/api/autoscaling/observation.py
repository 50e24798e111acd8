"""What the region sees of instances and targets beyond the API's own state: others set these when they know."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

Targets = Callable[[], Set[tuple[str, str]]]


def _nothing() -> Set[tuple[str, str]]:
    return frozenset()


def _nobody() -> Set[str]:
    return frozenset()


@dataclass
class Observation:
    """Questions that the engine asks in each pass; each answers at once.

    Args:
        unhealthy_targets: target group ARN and instance id of each target whose health check fails.
        draining_targets: the same of each deregistered target that still has connections within its delay.
        impaired_instances: ids of instances whose status checks fail.
    """

    unhealthy_targets: Targets = _nothing
    draining_targets: Targets = _nothing
    impaired_instances: Callable[[], Set[str]] = _nobody


# The one of this process.
seen = Observation()
