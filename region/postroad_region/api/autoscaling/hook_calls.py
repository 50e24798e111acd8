"""Calls on lifecycle hooks and the actions that they hold.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import InstanceState, LifecycleHook
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from postroad_region.api import clock
from postroad_region.api.autoscaling import hooks, notifications
from postroad_region.api.autoscaling.engine import Pass
from postroad_region.api.autoscaling.hooks import Hold
from postroad_region.api.autoscaling.record import of_member

_SHORTEST, _LONGEST = 30, 7200


def put_hook(backend: Any, group: Any, name: str, given: Mapping[str, Any]) -> None:
    """Make or change a hook; what a change doesn't name stays.

    Args:
        group: None while the group is being made.
    """
    key = f"{name}_{given['LifecycleHookName']}"
    known = backend.lifecycle_hooks.get(key)
    transition = given.get("LifecycleTransition") or (known.lifecycle_transition if known else None)
    if transition not in (hooks.LAUNCHING, hooks.TERMINATING):
        raise ValidationError("LifecycleTransition must be one of the lifecycle transition types")
    timeout = int(given.get("HeartbeatTimeout") or (known.heartbeat_timeout if known else 3600))
    if not _SHORTEST <= timeout <= _LONGEST:
        raise ValidationError(
            f"1 validation error detected: HeartbeatTimeout {timeout} must be between {_SHORTEST} and {_LONGEST}"
        )
    result = given.get("DefaultResult") or (known.default_result if known else hooks.ABANDON)
    if result not in (hooks.CONTINUE, hooks.ABANDON):
        raise ValidationError("Lifecycle hook default result must be one of CONTINUE, ABANDON")
    hook = known or LifecycleHook(given["LifecycleHookName"], name, transition, timeout, result)
    hook.lifecycle_transition, hook.heartbeat_timeout, hook.default_result = transition, timeout, result
    hook.global_timeout = hooks.global_timeout(timeout)
    for parameter, attribute in (
        ("NotificationTargetARN", "notification_target_arn"),
        ("NotificationMetadata", "notification_metadata"),
        ("RoleARN", "role_arn"),
    ):
        if given.get(parameter) is not None:
            setattr(hook, attribute, given[parameter] or None)
    backend.lifecycle_hooks[key] = hook
    if group is not None and given.get("NotificationTargetARN"):
        notifications.tested(group, given["NotificationTargetARN"], clock.now())


def _bare(hook: Any, *args: Any, **kwargs: Any) -> None:
    """A hook has the target and role that someone gave it; moto invents some."""
    _original_init(hook, *args, **kwargs)
    hook.role_arn = hook.notification_target_arn = hook.notification_metadata = None


def _group(self: AutoScalingResponse) -> Any:
    from postroad_region.api.autoscaling.groups import find

    return find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))


def _put(self: AutoScalingResponse) -> ActionResult:
    group = _group(self)
    put_hook(self.autoscaling_backend, group, group.name, self._get_params())
    return EmptyResult()


def _describe(self: AutoScalingResponse) -> ActionResult:
    group, names = _group(self), self._get_param("LifecycleHookNames", [])
    found = [
        hook
        for hook in self.autoscaling_backend.lifecycle_hooks.values()
        if hook.auto_scaling_group_name == group.name and (not names or hook.name in names)
    ]
    return ActionResult({"LifecycleHooks": found})


def _delete(self: AutoScalingResponse) -> ActionResult:
    """Outstanding actions of a deleted hook are completed: ABANDON for launches, CONTINUE for terminations."""
    group, name = _group(self), self._get_param("LifecycleHookName")
    hook = self.autoscaling_backend.lifecycle_hooks.pop(f"{group.name}_{name}", None)
    if hook is None:
        raise ValidationError(f"No Lifecycle Hook found with name: {name}")
    launching = hook.lifecycle_transition == hooks.LAUNCHING
    for state in group.instance_states:
        held = of_member(state).holds.get(name)
        if held is not None:
            held.result = hooks.ABANDON if launching else hooks.CONTINUE
    Pass(group, clock.now()).run()
    return EmptyResult()


def _held(self: AutoScalingResponse, group: Any) -> tuple[InstanceState, Hold]:
    hook, token = self._get_param("LifecycleHookName"), self._get_param("LifecycleActionToken")
    instance, now = self._get_param("InstanceId"), clock.now()
    if not token and not instance:
        raise ValidationError("Either the instance id or the lifecycle action token must be given")
    for state in group.instance_states:
        held = of_member(state).holds.get(hook)
        if held is None or hooks.result(held, now):
            continue
        if (not token or held.token == token) and (not instance or state.instance.id == instance):
            return state, held
    what = f"token {token}" if token else f"instance ID {instance}"
    raise ValidationError(f"No active Lifecycle Action found with {what}")


def _complete(self: AutoScalingResponse) -> ActionResult:
    group, result = _group(self), self._get_param("LifecycleActionResult")
    if result not in (hooks.CONTINUE, hooks.ABANDON):
        raise ValidationError("Lifecycle action result must be one of CONTINUE, ABANDON")
    _, held = _held(self, group)
    held.result = result
    Pass(group, clock.now()).run()
    return EmptyResult()


def _heartbeat(self: AutoScalingResponse) -> ActionResult:
    _, held = _held(self, _group(self))
    hooks.heartbeat(held, clock.now())
    return EmptyResult()


def _types(self: AutoScalingResponse) -> ActionResult:
    return ActionResult({"LifecycleHookTypes": [hooks.LAUNCHING, hooks.TERMINATING]})


_original_init = LifecycleHook.__init__
LifecycleHook.__init__ = _bare
AutoScalingResponse.put_lifecycle_hook = _put
AutoScalingResponse.describe_lifecycle_hooks = _describe
AutoScalingResponse.describe_lifecycle_hook_types = _types
AutoScalingResponse.delete_lifecycle_hook = _delete
AutoScalingResponse.complete_lifecycle_action = _complete
AutoScalingResponse.record_lifecycle_action_heartbeat = _heartbeat
