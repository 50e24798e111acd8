"""A group's members among the targets of its target groups."""

from __future__ import annotations

from typing import Any

from moto.elbv2.exceptions import ELBClientError

from postroad_region.api.autoscaling.record import IN_SERVICE


def register(group: Any, instance: str, arns: list[str] | None = None) -> None:
    """Add an instance to the group's target groups, or to some of them; one that is gone is passed over."""
    for arn in arns if arns is not None else group.target_group_arns or []:
        for target_group in _find(group, arn):
            group.autoscaling_backend.elbv2_backend.register_targets(arn, [{"Id": instance, "Port": target_group.port}])


def deregister(group: Any, instance: str, arns: list[str] | None = None) -> None:
    """Take an instance out of them."""
    for arn in arns if arns is not None else group.target_group_arns or []:
        if _find(group, arn):
            group.autoscaling_backend.elbv2_backend.deregister_targets(arn, [{"Id": instance}])


def register_all(backend: Any, name: str) -> None:
    """Add every member in service, as where a target group is attached."""
    group = backend.autoscaling_groups[name]
    for state in group.instance_states:
        if state.lifecycle_state == IN_SERVICE:
            register(group, state.instance.id)


def _find(group: Any, arn: str) -> list[Any]:
    try:
        found: list[Any] = group.autoscaling_backend.elbv2_backend.describe_target_groups(
            target_group_arns=[arn], load_balancer_arn=None, names=None
        )
    except ELBClientError:
        return []
    return found
