"""Calls on groups: create, update, delete, capacity, suspended processes, activities.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Operations.html
"""

from __future__ import annotations

from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from postroad_region.api import clock
from postroad_region.api.autoscaling import activities, launch, termination
from postroad_region.api.autoscaling.engine import Pass
from postroad_region.api.autoscaling.hook_calls import put_hook
from postroad_region.api.autoscaling.record import STANDBY, of_group
from postroad_region.api.autoscaling.targets import register_all

PROCESSES = (
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
)


def find(backend: Any, name: str) -> Any:
    """The group of a name.

    Raises:
        ValidationError: there is none.
    """
    group = backend.autoscaling_groups.get(name)
    if group is None:
        raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return group


def settle(group: Any) -> None:
    """Have the engine do what can be done now."""
    Pass(group, clock.now()).run()


def change_capacity(group: Any, desired: int, reason: str) -> None:
    """Set the desired capacity and act on it."""
    if desired != group.desired_capacity:
        of_group(group).reason = reason
        of_group(group).retry = 0.0
        group.desired_capacity = desired
    settle(group)


def check_bounds(low: int, high: int, desired: int | None) -> None:
    """Refuse capacities that don't fit.

    Raises:
        ValidationError: as AWS words it.
    """
    if low > high:
        raise ValidationError(f"Max bound, {high}, must be greater than or equal to min bound, {low}")
    if desired is not None and not low <= desired <= high:
        raise ValidationError(
            f"Desired capacity:{desired} must be between the specified min size:{low} and max size:{high}"
        )


def _create_in_backend(backend: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    if name in backend.autoscaling_groups:
        raise AutoscalingClientError(
            "AlreadyExists",
            f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
        )
    group = _original_create(backend, name, *args, **kwargs)
    group.health_check_grace_period = int(group.health_check_grace_period or 0)
    of_group(group).reason = activities.created(clock.now(), int(group.desired_capacity or 0))
    settle(group)
    return group


def _set_desired(group: Any, new_capacity: int | None) -> None:
    """Only note it, where moto launches and terminates: that is the engine's."""
    group.desired_capacity = int(group.min_size if new_capacity is None else new_capacity)


def _create(self: AutoScalingResponse) -> ActionResult:
    backend, name = self.autoscaling_backend, self._get_param("AutoScalingGroupName")
    low, high = self._get_int_param("MinSize"), self._get_int_param("MaxSize")
    check_bounds(low, high, self._get_int_param("DesiredCapacity"))
    _check_policies(self._get_param("TerminationPolicies", []))
    template = self._get_param("LaunchTemplate") or {}
    if template:
        launch.check(backend.ec2_backend, *_resolve(backend.ec2_backend, template))
    if name in backend.autoscaling_groups:
        raise AutoscalingClientError(
            "AlreadyExists",
            f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
        )
    hooks = self._get_param("LifecycleHookSpecificationList", [])
    for hook in hooks:
        put_hook(backend, None, name, hook)
    try:
        result: ActionResult = _original_create_call(self)
    except Exception:
        for hook in hooks:
            backend.lifecycle_hooks.pop(f"{name}_{hook['LifecycleHookName']}", None)
        raise
    group = backend.autoscaling_groups[name]
    # AWS's default is none; moto takes 0 for 300.
    group.health_check_grace_period = self._get_int_param("HealthCheckGracePeriod") or 0
    _set_extras(self, group)
    return result


def _resolve(ec2: Any, template: dict[str, Any]) -> tuple[str, str]:
    identifier, name = template.get("LaunchTemplateId"), template.get("LaunchTemplateName")
    if bool(identifier) == bool(name):
        raise ValidationError("Valid requests must contain either launchTemplateId or LaunchTemplateName")
    found = ec2.get_launch_template(identifier) if identifier else ec2.get_launch_template_by_name(name)
    return str(found.id), str(template.get("Version") or "$Default")


def _check_policies(policies: list[str]) -> None:
    for policy in policies:
        if policy not in termination.KNOWN:
            raise ValidationError(f"Invalid termination policy: {policy}")


def _set_extras(self: AutoScalingResponse, group: Any) -> None:
    """What moto's update forgets and its create doesn't know; the answers read these attributes."""
    for parameter, attribute in (
        ("DefaultCooldown", "default_cooldown"),
        ("DefaultInstanceWarmup", "default_instance_warmup"),
        ("MaxInstanceLifetime", "max_instance_lifetime"),
    ):
        value = self._get_int_param(parameter)
        if value is not None:
            setattr(group, attribute, None if value < 0 else value)
    policies = self._get_param("TerminationPolicies", [])
    if policies:
        group.termination_policies = policies
    if self._get_param("PlacementGroup"):
        group.placement_group = self._get_param("PlacementGroup")
    if self._get_param("ServiceLinkedRoleARN"):
        group.service_linked_role_arn = self._get_param("ServiceLinkedRoleARN")
    rebalance = self._get_param("CapacityRebalance")
    if rebalance is not None:
        group.capacity_rebalance = str(rebalance).lower() == "true"


def _update(self: AutoScalingResponse) -> ActionResult:
    group = find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    low, high = self._get_int_param("MinSize"), self._get_int_param("MaxSize")
    low, high = group.min_size if low is None else low, group.max_size if high is None else high
    asked = self._get_int_param("DesiredCapacity")
    check_bounds(int(low), int(high), asked)
    old = int(group.desired_capacity or 0)
    desired = min(max(old, int(low)), int(high)) if asked is None else asked
    _check_policies(self._get_param("TerminationPolicies", []))
    template = self._get_param("LaunchTemplate") or {}
    refresh = of_group(group).refresh
    if (template or self._get_param("MixedInstancesPolicy")) and refresh is not None and refresh.desired is not None:
        raise ValidationError(
            "An active instance refresh with a desired configuration exists. All configuration options derived from "
            "the desired configuration are not available for update while the instance refresh is active."
        )
    if template:
        launch.check(group.ec2_backend, *_resolve(group.ec2_backend, template))
    group._set_azs_and_vpcs(self._get_param("AvailabilityZones", []), self._get_param("VPCZoneIdentifier"), update=True)
    mixed = self._get_param("MixedInstancesPolicy")
    group._set_launch_configuration(self._get_param("LaunchConfigurationName"), template, mixed)
    if mixed or template:
        group.mixed_instances_policy = mixed
    if self._get_int_param("HealthCheckGracePeriod") is not None:
        group.health_check_grace_period = self._get_int_param("HealthCheckGracePeriod")
    if self._get_param("HealthCheckType"):
        group.health_check_type = self._get_param("HealthCheckType")
    protected = self._get_bool_param("NewInstancesProtectedFromScaleIn", None)
    if protected is not None:
        group.new_instances_protected_from_scale_in = protected
    _set_extras(self, group)
    group.min_size, group.max_size = int(low), int(high)
    change_capacity(group, desired, activities.updated(clock.now(), int(low), int(high), old, desired))
    return EmptyResult()


def _set_desired_capacity(self: AutoScalingResponse) -> ActionResult:
    group = find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    desired, old = self._get_int_param("DesiredCapacity"), int(group.desired_capacity or 0)
    if desired > group.max_size:
        raise ValidationError(
            f"New SetDesiredCapacity value {desired} is above max value {group.max_size} for the AutoScalingGroup."
        )
    if desired < group.min_size:
        raise ValidationError(
            f"New SetDesiredCapacity value {desired} is below min value {group.min_size} for the AutoScalingGroup."
        )
    now = clock.now()
    if self._get_bool_param("HonorCooldown", False) and now < of_group(group).cooldown:
        raise AutoscalingClientError(
            "ScalingActivityInProgress", f"Scaling activity is in progress for the group {group.name} (cooldown)."
        )
    change_capacity(group, desired, activities.was_set(now, old, desired))
    return EmptyResult()


def _delete(self: AutoScalingResponse) -> ActionResult:
    backend, name = self.autoscaling_backend, self._get_param("AutoScalingGroupName")
    group, force = find(backend, name), self._get_bool_param("ForceDelete", False)
    if group.instance_states and not force:
        raise AutoscalingClientError(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still "
            "in the group.",
        )
    remove(backend, group)
    return EmptyResult()


def remove(backend: Any, group: Any) -> None:
    """Drop a group with its members, hooks, policies and schedules; nothing is waited for."""
    from postroad_region.api.autoscaling.policies import drop_alarms
    from postroad_region.api.autoscaling.targets import deregister

    for state in group.instance_states:
        deregister(group, state.instance.id)
        state.instance.disable_api_termination = False
    alive = [state.instance.id for state in group.instance_states if state.instance.state != "terminated"]
    backend.autoscaling_groups.pop(group.name, None)
    if alive:
        group.ec2_backend.terminate_instances(alive)
    group.instance_states = []
    for key, policy in list(backend.policies.items()):
        if policy.auto_scaling_group_name == group.name:
            drop_alarms(backend, policy)
            del backend.policies[key]
    for owned in (backend.lifecycle_hooks, backend.scheduled_actions):
        for key, item in list(owned.items()):
            if item.auto_scaling_group_name == group.name:
                del owned[key]


def _suspend(self: AutoScalingResponse) -> ActionResult:
    group = find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    held = {item["ProcessName"] for item in group.suspended_processes}
    group.suspended_processes = sorted(held | set(_processes(self)))
    return EmptyResult()


def _resume(self: AutoScalingResponse) -> ActionResult:
    group = find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    held = {item["ProcessName"] for item in group.suspended_processes}
    group.suspended_processes = sorted(held - set(_processes(self)))
    settle(group)
    return EmptyResult()


def _processes(self: AutoScalingResponse) -> list[str]:
    named: list[str] = self._get_param("ScalingProcesses", [])
    for process in named:
        if process not in PROCESSES:
            raise ValidationError(f"Invalid scaling process: {process}")
    return named or list(PROCESSES)


def _suspended(group: Any) -> list[dict[str, str]]:
    return [{"ProcessName": process, "SuspensionReason": "User suspended"} for process in group._suspended_processes]


def _active(group: Any) -> list[Any]:
    """Members that moto would count: all but those in standby."""
    return [state for state in group.instance_states if state.lifecycle_state != STANDBY]


def _activities(self: AutoScalingResponse) -> ActionResult:
    backend, name = self.autoscaling_backend, self._get_param("AutoScalingGroupName")
    groups = [find(backend, name)] if name else list(backend.autoscaling_groups.values())
    wanted = self._get_param("ActivityIds", [])
    described = [
        activities.describe(activity, group.name, group.arn)
        for group in groups
        for activity in of_group(group).activities
        if not wanted or activity.id in wanted
    ]
    # Those in progress come first, then the newest.
    described.sort(key=lambda item: ("EndTime" in item, -item["StartTime"].timestamp()))
    first = int(self._get_param("NextToken") or 0)
    count = self._get_int_param("MaxRecords") or activities.KEPT
    token = str(first + count) if first + count < len(described) else None
    return ActionResult({"Activities": described[first : first + count], "NextToken": token})


def _disable_metrics(self: AutoScalingResponse) -> ActionResult:
    group = find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    gone = self._get_param("Metrics", [])
    group.metrics = [metric for metric in group.metrics if gone and metric not in gone]
    return EmptyResult()


def _enable_metrics(self: AutoScalingResponse) -> ActionResult:
    group = find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    added = self._get_param("Metrics", []) or METRICS
    group.metrics = sorted({*group.metrics, *added})
    return EmptyResult()


METRICS = (
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
)


_original_create = AutoScalingBackend.create_auto_scaling_group
_original_create_call = AutoScalingResponse.create_auto_scaling_group

FakeAutoScalingGroup.set_desired_capacity = _set_desired
FakeAutoScalingGroup.active_instances = _active
FakeAutoScalingGroup.suspended_processes = FakeAutoScalingGroup.suspended_processes.getter(_suspended)
AutoScalingBackend.create_auto_scaling_group = _create_in_backend
AutoScalingBackend.update_attached_target_groups = register_all
AutoScalingResponse.create_auto_scaling_group = _create
AutoScalingResponse.update_auto_scaling_group = _update
AutoScalingResponse.delete_auto_scaling_group = _delete
AutoScalingResponse.set_desired_capacity = _set_desired_capacity
AutoScalingResponse.suspend_processes = _suspend
AutoScalingResponse.resume_processes = _resume
AutoScalingResponse.describe_scaling_activities = _activities
AutoScalingResponse.enable_metrics_collection = _enable_metrics
AutoScalingResponse.disable_metrics_collection = _disable_metrics
