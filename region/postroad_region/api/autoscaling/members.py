"""Calls on a group's instances: health, protection, standby, attachment, termination.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-enter-exit-standby.html
"""

from __future__ import annotations

from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import ASG_NAME_TAG, AutoScalingBackend, InstanceState
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from postroad_region.api import clock
from postroad_region.api.autoscaling import activities, health
from postroad_region.api.autoscaling.activities import Activity
from postroad_region.api.autoscaling.engine import Pass
from postroad_region.api.autoscaling.groups import find, settle
from postroad_region.api.autoscaling.record import (
    IN_SERVICE,
    STANDBY,
    TERMINATING,
    Member,
    of_group,
    of_member,
    remember,
)
from postroad_region.api.autoscaling.targets import deregister, register, register_all


def _state(group: Any, identifier: str) -> InstanceState:
    for state in group.instance_states:
        if state.instance.id == identifier:
            return state
    raise ValidationError(f"The instance {identifier} is not part of Auto Scaling group {group.name}.")


def _anywhere(backend: Any, identifier: str) -> tuple[Any, InstanceState]:
    for group in backend.autoscaling_groups.values():
        for state in group.instance_states:
            if state.instance.id == identifier:
                return group, state
    raise ValidationError(f"Instance Id not found - No managed instance found for instance ID {identifier}")


def _named(self: AutoScalingResponse) -> tuple[Any, list[InstanceState]]:
    group = find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    return group, [_state(group, identifier) for identifier in self._get_param("InstanceIds", [])]


def _set_health(self: AutoScalingResponse) -> ActionResult:
    status = self._get_param("HealthStatus")
    if status not in ("Healthy", "Unhealthy"):
        raise ValidationError("Valid instance health states are: [Healthy, Unhealthy]")
    group, state = _anywhere(self.autoscaling_backend, self._get_param("InstanceId"))
    member = of_member(state)
    respect = self._get_bool_param("ShouldRespectGracePeriod", True)
    within = clock.now() < member.in_service + int(group.health_check_grace_period or 0)
    if not (status == "Unhealthy" and respect and within):
        state.health_status, member.fault = status, health.BY_USER
        settle(group)
    return EmptyResult()


def _protect(self: AutoScalingResponse) -> ActionResult:
    group, states = _named(self)
    protected = self._get_bool_param("ProtectedFromScaleIn")
    for state in states:
        state.protected_from_scale_in = protected
    settle(group)
    return EmptyResult()


def _terminate(self: AutoScalingResponse) -> ActionResult:
    group, state = _anywhere(self.autoscaling_backend, self._get_param("InstanceId"))
    decrement = self._get_bool_param("ShouldDecrementDesiredCapacity", False)
    old = int(group.desired_capacity or 0)
    if decrement and old - 1 < int(group.min_size or 0):
        raise ValidationError(
            f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance without replacement will "
            "violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower "
            "group's min size."
        )
    now = clock.now()
    cause = f"At {clock.stamp(now)} instance {state.instance.id} was taken out of service in response to a user request"
    if decrement:
        group.desired_capacity = old - 1
        cause += f", shrinking the capacity from {old} to {old - 1}"
    at = Pass(group, now)
    at.terminate(state, f"{cause}.")
    activity = of_member(state).activity
    assert activity is not None
    at.run()
    return ActionResult({"Activity": activities.describe(activity, group.name, group.arn)})


def _attach(self: AutoScalingResponse) -> ActionResult:
    backend = self.autoscaling_backend
    group, identifiers = find(backend, self._get_param("AutoScalingGroupName")), self._get_param("InstanceIds", [])
    wanted = int(group.desired_capacity or 0) + len(identifiers)
    if wanted > int(group.max_size):
        raise ValidationError(
            f"AutoScalingGroup {group.name} has max-size={group.max_size}. Please update the AutoScalingGroup sizes "
            "appropriately."
        )
    now = clock.now()
    for identifier in identifiers:
        instance = backend.ec2_backend.get_instance(identifier)
        if instance.state != "running" or getattr(instance, "autoscaling_group", None) is not None:
            raise ValidationError(f"Instance {identifier} is not in correct state or in a group already.")
        instance.autoscaling_group = group
        state = InstanceState(instance, protected_from_scale_in=group.new_instances_protected_from_scale_in)
        remember(state, Member(launched=now, in_service=now))
        group.instance_states.append(state)
        backend.ec2_backend.create_tags([identifier], {ASG_NAME_TAG: group.name})
        register(group, identifier)
    group.desired_capacity = wanted
    settle(group)
    return EmptyResult()


def _detach(self: AutoScalingResponse) -> ActionResult:
    group, states = _named(self)
    _decrement(self, group, len(states))
    done = []
    for state in states:
        deregister(group, state.instance.id)
        group.instance_states.remove(state)
        state.instance.autoscaling_group = None
        group.ec2_backend.delete_tags([state.instance.id], {ASG_NAME_TAG: group.name})
        done.append(_note(group, f"Detaching EC2 instance: {state.instance.id}", state, "detached"))
    settle(group)
    return ActionResult({"Activities": done})


def _enter_standby(self: AutoScalingResponse) -> ActionResult:
    group, states = _named(self)
    for state in states:
        if state.lifecycle_state != IN_SERVICE:
            raise ValidationError(f"The instance {state.instance.id} is not in InService.")
    _decrement(self, group, len(states))
    done = []
    for state in states:
        deregister(group, state.instance.id)
        state.lifecycle_state = STANDBY
        done.append(_note(group, f"Moving EC2 instance to Standby: {state.instance.id}", state, "moved to standby"))
    settle(group)
    return ActionResult({"Activities": done})


def _exit_standby(self: AutoScalingResponse) -> ActionResult:
    group, states = _named(self)
    for state in states:
        if state.lifecycle_state != STANDBY:
            raise ValidationError(f"The instance {state.instance.id} is not in Standby.")
    done = []
    for state in states:
        state.lifecycle_state = IN_SERVICE
        of_member(state).in_service = clock.now()
        register(group, state.instance.id)
        what = f"Moving EC2 instance out of Standby: {state.instance.id}"
        done.append(_note(group, what, state, "moved out of standby"))
    group.desired_capacity = int(group.desired_capacity or 0) + len(states)
    settle(group)
    return ActionResult({"Activities": done})


def _decrement(self: AutoScalingResponse, group: Any, count: int) -> None:
    if not self._get_bool_param("ShouldDecrementDesiredCapacity", False):
        return
    wanted = int(group.desired_capacity or 0) - count
    if wanted < int(group.min_size or 0):
        raise ValidationError(f"AutoScalingGroup {group.name} has min-size={group.min_size}; lower it first.")
    group.desired_capacity = wanted


def _note(group: Any, description: str, state: InstanceState, what: str) -> dict[str, Any]:
    now = clock.now()
    cause = f"At {clock.stamp(now)} instance {state.instance.id} was {what} in response to a user request."
    activity = of_group(group).begin(Activity(description, cause, now))
    activity.end(activities.SUCCESSFUL, now)
    return activities.describe(activity, group.name, group.arn)


def _terminated(backend: Any, instance_ids: list[str]) -> None:
    """EC2 terminated instances: the groups' health checks see it."""
    for group in list(backend.autoscaling_groups.values()):
        if any(state.instance.id in instance_ids for state in group.instance_states):
            settle(group)


def _attach_targets(self: AutoScalingResponse) -> ActionResult:
    group = find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    group.append_target_groups(self._get_param("TargetGroupARNs", []))
    register_all(self.autoscaling_backend, group.name)
    return EmptyResult()


def _detach_targets(self: AutoScalingResponse) -> ActionResult:
    group = find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    gone = self._get_param("TargetGroupARNs", [])
    for state in group.instance_states:
        if not state.lifecycle_state.startswith(TERMINATING):
            deregister(group, state.instance.id, [arn for arn in gone if arn in group.target_group_arns])
    group.target_group_arns = [arn for arn in group.target_group_arns if arn not in gone]
    return EmptyResult()


AutoScalingBackend.notify_terminate_instances = _terminated
AutoScalingResponse.set_instance_health = _set_health
AutoScalingResponse.set_instance_protection = _protect
AutoScalingResponse.terminate_instance_in_auto_scaling_group = _terminate
AutoScalingResponse.attach_instances = _attach
AutoScalingResponse.detach_instances = _detach
AutoScalingResponse.enter_standby = _enter_standby
AutoScalingResponse.exit_standby = _exit_standby
AutoScalingResponse.attach_load_balancer_target_groups = _attach_targets
AutoScalingResponse.detach_load_balancer_target_groups = _detach_targets
