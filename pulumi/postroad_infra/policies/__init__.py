"""What no stack may do: pure functions, run by the policy pack in every preview and update, and by the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from postroad_infra.policies.encryption import buckets_are_closed, encryption_at_rest
from postroad_infra.policies.metadata_service import metadata_service
from postroad_infra.policies.public_ingress import public_ingress
from postroad_infra.policies.required_tags import required_tags
from postroad_infra.policies.resource import UNKNOWN, Resource, Violation


@dataclass(frozen=True, slots=True)
class ResourcePolicy:
    """A rule that a resource meets by itself; `check` yields one line for each way in which it doesn't."""

    name: str
    description: str
    check: Callable[[Resource], Iterable[str]]


@dataclass(frozen=True, slots=True)
class StackPolicy:
    """A rule that resources meet together."""

    name: str
    description: str
    check: Callable[[Sequence[Resource]], Iterable[Violation]]


RESOURCE_POLICIES = (
    ResourcePolicy("required-tags", "Every resource says what it belongs to.", required_tags),
    ResourcePolicy("metadata-service", "IMDSv2 is required, with a hop limit of 1.", metadata_service),
    ResourcePolicy("encryption-at-rest", "Volumes and queues are encrypted.", encryption_at_rest),
    ResourcePolicy("public-ingress", "Nothing is open to the internet unless it is listed.", public_ingress),
)
STACK_POLICIES = (
    StackPolicy("buckets-are-closed", "Buckets are encrypted and block public access.", buckets_are_closed),
)


def violations(resources: Sequence[Resource]) -> Iterator[tuple[str, Resource, str]]:
    """Every violation of every policy: the policy's name, the resource and the line."""
    for policy in RESOURCE_POLICIES:
        for resource in resources:
            for message in policy.check(resource):
                yield policy.name, resource, message
    for rule in STACK_POLICIES:
        for resource, message in rule.check(resources):
            yield rule.name, resource, message


__all__ = [
    "RESOURCE_POLICIES",
    "STACK_POLICIES",
    "UNKNOWN",
    "Resource",
    "ResourcePolicy",
    "StackPolicy",
    "violations",
]
