"""The policy pack: the functions of `postroad_infra.policies`, as the engine calls them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from postroad_infra.policies import RESOURCE_POLICIES, STACK_POLICIES, UNKNOWN, Resource, ResourcePolicy, StackPolicy
from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError


def known(value: Any) -> Any:
    """A property's value as plain data, with `UNKNOWN` for what isn't known yet (the library raises on access)."""
    if isinstance(value, Mapping):
        return {key: _known_at(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_known_at(value, index) for index in range(len(value))]
    return value


def _known_at(container: Any, key: Any) -> Any:
    try:
        return known(container[key])
    except UnknownValueError:
        return UNKNOWN


def on_resource(policy: ResourcePolicy) -> ResourceValidationPolicy:
    """A policy on one resource."""

    def validate(args: ResourceValidationArgs, report: Callable[..., None]) -> None:
        for message in policy.check(Resource(args.resource_type, args.name, known(args.props), key=args.urn)):
            report(f"{args.name}: {message}")

    return ResourceValidationPolicy(name=policy.name, description=policy.description, validate=validate)


def on_stack(policy: StackPolicy) -> StackValidationPolicy:
    """A policy on all resources of a stack."""

    def validate(args: StackValidationArgs, report: Callable[..., None]) -> None:
        resources = [
            Resource(
                resource.resource_type,
                resource.name,
                known(resource.props),
                key=resource.urn,
                references={
                    name: frozenset(other.urn for other in others)
                    for name, others in resource.property_dependencies.items()
                },
            )
            for resource in args.resources
        ]
        for resource, message in policy.check(resources):
            report(f"{resource.name}: {message}", resource.key)

    return StackValidationPolicy(name=policy.name, description=policy.description, validate=validate)


PolicyPack(
    name="postroad",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[*map(on_resource, RESOURCE_POLICIES), *map(on_stack, STACK_POLICIES)],
)
