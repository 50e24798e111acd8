"""Calls on instance refreshes.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_StartInstanceRefresh.html
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult

from postroad_region.api import clock
from postroad_region.api.autoscaling import launch, record, refresh, refreshing
from postroad_region.api.autoscaling.engine import Pass
from postroad_region.api.autoscaling.groups import _resolve, find
from postroad_region.api.autoscaling.refresh import Preferences, Refresh

_ROLLBACK_SECONDS = "RollbackStartTime"


def preferences(given: Mapping[str, Any], *, warmup: int) -> Preferences:
    """The preferences with AWS's defaults.

    Raises:
        ValidationError: they contradict one another.
    """
    low, high = int(given.get("MinHealthyPercentage", 90)), int(given.get("MaxHealthyPercentage", 100))
    if not 0 <= low <= 100 or not 100 <= high <= 200 or high - low > 100:
        raise ValidationError(
            "MinHealthyPercentage must be 0 to 100, MaxHealthyPercentage 100 to 200, and at most 100 apart."
        )
    checkpoints = tuple(int(value) for value in given.get("CheckpointPercentages") or ())
    if list(checkpoints) != sorted(set(checkpoints)) or any(not 1 <= value <= 100 for value in checkpoints):
        raise ValidationError("CheckpointPercentages must be unique, ascending numbers from 1 to 100.")
    return Preferences(
        min_healthy=low,
        max_healthy=high,
        warmup=int(given.get("InstanceWarmup", warmup)),
        checkpoints=checkpoints,
        checkpoint_delay=int(given.get("CheckpointDelay", 3600)),
        skip_matching=_true(given.get("SkipMatching")),
        auto_rollback=_true(given.get("AutoRollback")),
        protected=str(given.get("ScaleInProtectedInstances", "Wait")),
        standby=str(given.get("StandbyInstances", "Wait")),
        alarms=tuple((given.get("AlarmSpecification") or {}).get("Alarms") or ()),
    )


def _true(value: Any) -> bool:
    return str(value).lower() == "true"


def _warmup(group: Any) -> int:
    default = getattr(group, "default_instance_warmup", None)
    return int(group.health_check_grace_period or 0) if default is None else int(default)


def _start(self: AutoScalingResponse) -> ActionResult:
    group = find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    kept = record.of_group(group)
    if kept.refresh is not None:
        raise AutoscalingClientError(
            "InstanceRefreshInProgress",
            "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
        )
    if (self._get_param("Strategy") or "Rolling") != "Rolling":
        raise ValidationError("Only the Rolling strategy is known here.")
    asked = self._get_param("Preferences") or {}
    wishes = preferences(asked, warmup=_warmup(group))
    template = (self._get_param("DesiredConfiguration") or {}).get("LaunchTemplate")
    if wishes.auto_rollback and not template:
        raise ValidationError(
            "The AutoRollback parameter cannot be set to true when the DesiredConfiguration parameter is empty."
        )
    desired = _resolve(group.ec2_backend, template) if template else None
    if desired is not None:
        launch.check(group.ec2_backend, *desired)
    begun = _begin(group, wishes, desired)
    begun.asked = dict(asked)
    kept.refreshes.insert(0, begun)
    Pass(group, clock.now()).run()
    return ActionResult({"InstanceRefreshId": begun.id})


def _begin(group: Any, wishes: Preferences, desired: tuple[str, str] | None) -> Refresh:
    own = launch.template_of(group)
    wanted = set()
    for state in group.instance_states:
        if state.lifecycle_state not in (*record.COUNTED, record.STANDBY):
            continue
        if wishes.skip_matching and refreshing.matching(group, state, desired):
            continue
        if state.protected_from_scale_in and wishes.protected == "Ignore":
            continue
        if state.lifecycle_state == record.STANDBY and wishes.standby == "Ignore":
            continue
        wanted.add(state.instance.id)
    now = clock.now()
    return Refresh(
        id=str(uuid.uuid4()),
        started=now,
        moved=now,
        preferences=wishes,
        wanted=wanted,
        total=len(wanted),
        desired=desired,
        previous=own if own[0] else None,
        kept={state.instance.id for state in group.instance_states} - wanted,
    )


def _active(self: AutoScalingResponse) -> tuple[Any, Refresh]:
    group = find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    running = record.of_group(group).refresh
    if running is None:
        raise AutoscalingClientError(
            "ActiveInstanceRefreshNotFound",
            f"No in progress or pending Instance Refresh found for Auto Scaling group {group.name}",
        )
    return group, running


def _cancel(self: AutoScalingResponse) -> ActionResult:
    group, running = _active(self)
    running.status = refresh.CANCELLING
    Pass(group, clock.now()).run()
    return ActionResult({"InstanceRefreshId": running.id})


def _roll_back(self: AutoScalingResponse) -> ActionResult:
    group, running = _active(self)
    if running.rollback:
        raise AutoscalingClientError(
            "IrreversibleInstanceRefresh", "The instance refresh is being rolled back already."
        )
    if not refreshing.reversible(running):
        raise AutoscalingClientError(
            "IrreversibleInstanceRefresh",
            "The instance refresh can't be rolled back: it has no desired configuration, or the template version "
            "that the group had wasn't a number.",
        )
    at = Pass(group, clock.now())
    refreshing.roll_back(at, running, "Rolled back due to user request.")
    at.run()
    return ActionResult({"InstanceRefreshId": running.id})


def _describe(self: AutoScalingResponse) -> ActionResult:
    group = find(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    wanted = self._get_param("InstanceRefreshIds", [])
    listed = [item for item in record.of_group(group).refreshes if not wanted or item.id in wanted]
    count = self._get_int_param("MaxRecords") or 50
    return ActionResult({"InstanceRefreshes": [_described(group, item) for item in listed[:count]]})


def _described(group: Any, item: Refresh) -> dict[str, Any]:
    left = [
        state
        for state in group.instance_states
        if state.instance.id in item.wanted and not state.lifecycle_state.startswith(record.TERMINATING)
    ]
    described: dict[str, Any] = {
        "InstanceRefreshId": item.id,
        "AutoScalingGroupName": group.name,
        "Status": item.status,
        "Strategy": "Rolling",
        "StartTime": clock.moment(item.started),
        "PercentageComplete": item.percent,
        "InstancesToUpdate": len(left) if item.ended is None else 0,
        "ProgressDetails": {"LivePoolProgress": {"PercentageComplete": item.percent, "InstancesToUpdate": len(left)}},
        "Preferences": item.asked,
    }
    if item.reason:
        described["StatusReason"] = item.reason
    if item.ended is not None:
        described["EndTime"] = clock.moment(item.ended)
    if item.desired is not None:
        template = {"LaunchTemplateId": item.desired[0], "Version": item.desired[1]}
        described["DesiredConfiguration"] = {"LaunchTemplate": template}
    if item.rollback:
        started = item.rollback[_ROLLBACK_SECONDS]
        assert isinstance(started, float)
        described["RollbackDetails"] = {**item.rollback, _ROLLBACK_SECONDS: clock.moment(started)}
    return described


AutoScalingResponse.start_instance_refresh = _start
AutoScalingResponse.cancel_instance_refresh = _cancel
AutoScalingResponse.rollback_instance_refresh = _roll_back
AutoScalingResponse.describe_instance_refreshes = _describe
