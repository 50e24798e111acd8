"""Instance refreshes acted out: the engine's part of `refresh`, which decides.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-rollback.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moto.autoscaling.models import InstanceState
from moto.cloudwatch.models import cloudwatch_backends

from postroad_region.api.autoscaling import activities, launch, record, refresh
from postroad_region.api.autoscaling.observation import seen
from postroad_region.api.autoscaling.refresh import Refresh

if TYPE_CHECKING:
    from postroad_region.api.autoscaling.engine import Pass


def advance(at: Pass) -> None:
    """Go on with the refresh under way, if there is one."""
    running = at.record.refresh
    if running is None:
        return
    if running.status == refresh.CANCELLING:
        _end(at, running, refresh.CANCELLED, "Cancelled due to user request.")
        return
    if running.status == refresh.PENDING:
        running.status = refresh.IN_PROGRESS
        at.touch()
    if at.suspended("InstanceRefresh", "Launch", "Terminate"):
        _say(at, running, "Waiting for suspended processes to be resumed.")
        return
    alarm = _alarm(at, running)
    if alarm:
        _fail(at, running, f"Alarm {alarm} is in ALARM state.")
        return
    _go_on(at, running)


def _go_on(at: Pass, running: Refresh) -> None:
    old, new_ready, new_pending = _view(at, running)
    left = len(old)
    if (left, new_ready) != running.seen:
        running.seen, running.moved = (left, new_ready), at.now
        at.touch()
    percent = refresh.progress(running.total, left, new_pending)
    if percent != running.percent:
        running.percent = percent
        at.touch()
    before = (running.stage, running.paused)
    pause = refresh.advance(running, left, new_pending, at.now)
    if (running.stage, running.paused) != before:
        running.moved = at.now
        at.touch()
    if pause:
        # The seconds left aren't part of what is saved: a pass that only counts them changes nothing.
        running.reason = pause
        return
    step = refresh.plan(
        running,
        desired=int(at.group.desired_capacity or 0),
        old=old,
        new_ready=new_ready,
        new_pending=new_pending,
    )
    if step.finished:
        _succeed(at, running)
        return
    states = {state.instance.id: state for state in at.group.instance_states}
    for identifier in step.terminate:
        at.terminate(states[identifier], activities.out_of_service(at.now, "an instance refresh"))
    if step.launch:
        at.start(step.launch, activities.refreshed(at.now))
    _say(at, running, step.waiting or str(running.rollback.get("RollbackReason", "")))
    if at.now - running.moved > refresh.STUCK_SECONDS + running.preferences.warmup:
        _fail(at, running, "The refresh couldn't replace or warm up an instance for one hour.")


def _view(at: Pass, running: Refresh) -> tuple[list[refresh.Old], int, int]:
    wishes = running.preferences
    counted = at.counted()
    standby = [state for state in at.group.instance_states if state.lifecycle_state == record.STANDBY]
    old_states = [state for state in (*counted, *standby) if state.instance.id in running.wanted]
    old = [
        refresh.Old(
            state.instance.id,
            ready=_healthy(at, state),
            movable=not (state.protected_from_scale_in and wishes.protected == "Wait")
            and not (state.lifecycle_state == record.STANDBY and wishes.standby == "Wait"),
        )
        for state in at.order(old_states)
    ]
    new = [state for state in counted if state.instance.id not in running.wanted]
    ready = sum(_warm(at, state, running) for state in new)
    return old, ready, len(new) - ready


def _healthy(at: Pass, state: InstanceState) -> bool:
    if state.lifecycle_state != record.IN_SERVICE or state.health_status != "Healthy":
        return False
    if "ELB" not in str(at.group.health_check_type):
        return True
    targets = seen.unhealthy_targets()
    return not any((arn, state.instance.id) in targets for arn in at.group.target_group_arns or [])


def _warm(at: Pass, state: InstanceState, running: Refresh) -> bool:
    """Whether an instance that stays counts as healthy: one that the refresh launched after its warm-up."""
    member = record.of_member(state)
    warm = state.instance.id in running.kept or at.now >= member.in_service + running.preferences.warmup
    return warm and _healthy(at, state)


def _alarm(at: Pass, running: Refresh) -> str:
    if running.rollback:
        return ""
    alarms = cloudwatch_backends[at.group.account_id][at.group.region].alarms
    names = running.preferences.alarms
    return next((name for name in names if name in alarms and alarms[name].state_value == "ALARM"), "")


def _say(at: Pass, running: Refresh, reason: str) -> None:
    if running.reason != reason:
        running.reason = reason
        at.touch()


def _succeed(at: Pass, running: Refresh) -> None:
    target = running.previous if running.rollback else running.desired
    if target is not None:
        adopt(at.group, target)
    _end(at, running, refresh.ROLLBACK_SUCCESSFUL if running.rollback else refresh.SUCCESSFUL, "")


def _fail(at: Pass, running: Refresh, reason: str) -> None:
    if running.rollback:
        _end(at, running, refresh.ROLLBACK_FAILED, reason)
    elif running.preferences.auto_rollback and reversible(running):
        roll_back(at, running, reason)
    else:
        _end(at, running, refresh.FAILED, reason)


def _end(at: Pass, running: Refresh, status: str, reason: str) -> None:
    running.status, running.reason, running.ended = status, reason, at.now
    at.touch()


def reversible(running: Refresh) -> bool:
    """Whether the group's configuration before the refresh is known by a version's number."""
    return running.desired is not None and running.previous is not None and running.previous[1].isdigit()


def roll_back(at: Pass, running: Refresh, reason: str) -> None:
    """Replace what the refresh launched by what the group had before."""
    running.rollback = {
        "RollbackReason": reason,
        "RollbackStartTime": at.now,
        "PercentageCompleteOnRollback": running.percent,
        "InstancesToUpdateOnRollback": len(_view(at, running)[0]),
    }
    assert running.previous is not None
    back = (running.previous[0], int(running.previous[1]))
    changed = [state for state in at.counted() if record.of_member(state).template != back]
    running.wanted = {state.instance.id for state in changed}
    running.total = len(running.wanted)
    running.status, running.reason, running.percent = refresh.ROLLING_BACK, reason, 0
    # Checkpoints are for the way forward.
    running.preferences = replace(running.preferences, checkpoints=())
    running.stage, running.paused = 0, None
    running.moved, running.seen = at.now, (-1, -1)
    at.touch()


def adopt(group: Any, template: tuple[str, str]) -> None:
    """Make a template the group's own."""
    identifier, version = template
    group.ec2_launch_template = group.ec2_backend.get_launch_template(identifier)
    group.launch_template_version = group.provided_launch_template_version = version


def matching(group: Any, state: InstanceState, desired: tuple[str, str] | None) -> bool:
    """Whether a member runs what a refresh would bring."""
    identifier, version = desired or launch.template_of(group)
    return record.of_member(state).template == (identifier, launch.number(group.ec2_backend, identifier, version))
