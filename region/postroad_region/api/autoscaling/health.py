"""When an instance counts as unhealthy, and what the activity says of it.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-health-checks.html
"""

from __future__ import annotations

from dataclasses import dataclass

STOPPED = "an EC2 health check indicating it has been terminated or stopped"
IMPAIRED = "an EC2 instance status check failure"
UNHEALTHY_TARGET = "an ELB system health check failure"
BY_USER = "a user health-check"


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of a member that is in service.

    Args:
        running: EC2 says that the instance runs.
        impaired: its status checks fail.
        unhealthy_target: a target group of the balancers finds it unhealthy.
        in_service: when it came into service, in seconds since the epoch.
    """

    running: bool
    impaired: bool
    unhealthy_target: bool
    in_service: float


def fault(signs: Signs, *, kind: str, grace: int, now: float) -> str | None:
    """Why the instance is unhealthy, or None.

    Args:
        kind: the group's health check type; EC2's checks always count, the balancers' only with `ELB`.
        grace: seconds after coming into service in which only an instance that doesn't run is unhealthy.
    """
    if not signs.running:
        return STOPPED
    if now < signs.in_service + grace:
        return None
    if signs.impaired:
        return IMPAIRED
    if "ELB" in kind and signs.unhealthy_target:
        return UNHEALTHY_TARGET
    return None
