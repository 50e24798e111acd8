"""What the balancers' sightings mean: states of targets, and the addresses that names lead to. Decisions alone.

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from postroad_region.balancer.model import Balancer, Target, TargetGroup
from postroad_region.balancer.statistics import Sighting

Seen = Mapping[str, Mapping[tuple[str, str], Sighting]]
"""By node, backend and target; a node that never answered isn't in it."""


@dataclass(frozen=True, slots=True)
class TargetState:
    """A target's health as DescribeTargetHealth gives it."""

    state: str
    reason: str | None = None
    description: str | None = None


HEALTHY = TargetState("healthy")
REGISTERING = TargetState("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = TargetState("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
UNHEALTHY = TargetState("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
UNCHECKED = TargetState("unavailable", "Target.HealthCheckDisabled", "Health checks are disabled")
NOT_IN_USE = TargetState("unused", "Target.NotInUse", "Target group is not configured to receive traffic")
ZONE_NOT_ENABLED = TargetState(
    "unused", "Target.NotInUse", "Target is in an Availability Zone that is not enabled for the load balancer"
)
NOT_REGISTERED = TargetState("unused", "Target.NotRegistered", "Target is not registered to the target group")
INVALID = TargetState("unused", "Target.InvalidState", "Target is in the stopped or terminated state")
DRAINING = TargetState("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")


def target_state(balancer: Balancer, group: TargetGroup, target: Target, seen: Seen, now: float) -> TargetState:
    """A registered target's state: healthy as soon as one node that sends to it finds it so."""
    nodes = [node.name for node in balancer.nodes if target in group.targets_of(node.zone)]
    if not nodes:
        return ZONE_NOT_ENABLED
    if not group.check.enabled:
        return UNCHECKED
    sightings = [s for node in nodes if (s := seen.get(node, {}).get((group.name, target.id))) is not None]
    if any(sighting.up for sighting in sightings):
        return HEALTHY
    if now - target.registered < group.check.verdict_seconds:
        return CHECKING if sightings else REGISTERING
    return UNHEALTHY if sightings else REGISTERING


def target_states(balancer: Balancer, seen: Seen, now: float) -> dict[tuple[str, str], TargetState]:
    """All targets' states by group ARN and target."""
    states: dict[tuple[str, str], TargetState] = {}
    for group in balancer.groups:
        for target in group.targets:
            states[group.arn, target.id] = target_state(balancer, group, target, seen, now)
        for draining in group.draining:
            if now < draining.until:
                states[group.arn, draining.id] = DRAINING
    return states


def first_passes(balancer: Balancer, seen: Seen, now: float) -> list[tuple[str, str, str]]:
    """Node, backend and target where a target still in its initial checks has passed one: that is enough."""
    found = []
    for node in balancer.nodes:
        for group in balancer.groups:
            for target in group.targets_of(node.zone) if group.check.enabled else ():
                sighting = seen.get(node.name, {}).get((group.name, target.id))
                initial = now - target.registered < group.check.verdict_seconds
                if initial and sighting is not None and sighting.passed and not sighting.up:
                    found.append((node.name, group.name, target.id))
    return found


def answering(balancer: Balancer, seen: Seen) -> dict[str, IPv4Address]:
    """Addresses of the zones that the balancer's name leads to, by zone.

    Those where every target group has a healthy target; all where no zone has (fail-open). A node nobody has heard of
    yet counts as healthy when no node was heard of.
    """
    addresses = {node.zone: node.public or node.address for node in balancer.nodes}
    healthy = {
        node.zone: node.public or node.address
        for node in balancer.nodes
        if node.name in seen and all(_serves(group, node.zone, seen[node.name]) for group in balancer.groups)
    }
    return healthy or addresses


def _serves(group: TargetGroup, zone: str, seen: Mapping[tuple[str, str], Sighting]) -> bool:
    targets = group.targets_of(zone)
    if not group.check.enabled:
        return bool(targets)
    return any((s := seen.get((group.name, target.id))) is not None and s.up for target in targets)
