"""The engine: brings each group's members to what the group asks for, as far as it can go now.

It is called after every change of a group and in the daemon's loop, under the API's lock. All it knows is in the
groups, so that it may be killed between any two steps.
"""

from __future__ import annotations

import uuid
from typing import Any

import structlog
from moto.autoscaling.models import InstanceState, autoscaling_backends
from moto.core.exceptions import ServiceException

from postroad_region.api.autoscaling import (
    activities,
    health,
    hooks,
    launch,
    notifications,
    record,
    refresh,
    termination,
)
from postroad_region.api.autoscaling.activities import Activity
from postroad_region.api.autoscaling.observation import seen
from postroad_region.api.autoscaling.targets import deregister, register

log = structlog.get_logger("autoscaling")

# A launch that EC2 refused is tried again after this.
RETRY_SECONDS = 60.0
# More rounds than a member has states: a pass ends because nothing moves any more.
_MOST_ROUNDS = 20


def run(now: float) -> bool:
    """One pass over every group; whether anything changed."""
    changed = False
    for regions in list(autoscaling_backends.values()):
        for backend in list(regions.values()):
            for group in list(backend.autoscaling_groups.values()):
                changed |= Pass(group, now).run()
    return changed


class Pass:
    """What can be done for one group at one time."""

    def __init__(self, group: Any, now: float) -> None:
        self.group = group
        self.now = now
        self.record = record.of_group(group)
        self._moved = False

    def run(self) -> bool:
        """Go on until nothing moves; whether anything changed."""
        from postroad_region.api.autoscaling import refreshing

        changed = False
        for _ in range(_MOST_ROUNDS):
            self._moved = False
            for state in list(self.group.instance_states):
                self._advance(state)
            self._check_health()
            self._replace_unhealthy()
            refreshing.advance(self)
            self._fit()
            if not self._moved:
                return changed
            changed = True
        return changed

    def touch(self) -> None:
        """Note that something changed."""
        self._moved = True

    def suspended(self, *processes: str) -> bool:
        """Whether any of the processes is suspended."""
        held = {item["ProcessName"] for item in self.group.suspended_processes}
        return not held.isdisjoint(processes)

    def counted(self) -> list[InstanceState]:
        """The members that count towards the desired capacity."""
        return [state for state in self.group.instance_states if state.lifecycle_state in record.COUNTED]

    def terminate(self, state: InstanceState, cause: str, *, status: str = "") -> None:
        """Begin to take a member out."""
        if state.lifecycle_state.startswith(record.TERMINATING):
            return
        member = record.of_member(state)
        if member.activity is not None and member.activity.ended is None:
            member.activity.end(activities.CANCELLED, self.now, status)
        member.holds = {}
        state.lifecycle_state = record.TERMINATING
        deregister(self.group, state.instance.id)
        member.activity = self.record.begin(
            Activity(f"Terminating EC2 instance: {state.instance.id}", cause, self.now, details=_details(state))
        )
        self.touch()

    def order(self, states: list[InstanceState]) -> list[InstanceState]:
        """Members in the order in which the termination policies let them go, protected ones included."""
        by_id = {state.instance.id: state for state in states}
        candidates = [_candidate(state, protected=False) for state in states]
        chosen = termination.choose(candidates, len(candidates), self._policies(), launch.current(self.group))
        return [by_id[identifier] for identifier in chosen]

    def start(self, count: int, cause: str) -> None:
        """Launch members; what EC2 refuses is an activity that failed, tried again later."""
        if self.suspended("Launch") or self.now < self.record.retry:
            return
        for _ in range(count):
            try:
                state = launch.launch(self.group, self.now)
            except ServiceException as error:
                told = f"{error.message} Launching EC2 instance failed."
                failed = Activity("Launching a new EC2 instance.  Status Reason: " + told, cause, self.now)
                failed.end(activities.FAILED, self.now, told)
                self.record.begin(failed)
                self.record.retry = self.now + RETRY_SECONDS
                self.touch()
                log.warning("launch failed", group=self.group.name, reason=error.message)
                return
            begun = Activity(f"Launching a new EC2 instance: {state.instance.id}", cause, self.now)
            begun.details = _details(state)
            record.of_member(state).activity = self.record.begin(begun)
            self.record.owed = max(0, self.record.owed - 1)
            self.touch()

    def _policies(self) -> list[str]:
        return list(self.group.termination_policies or ["Default"])

    def _advance(self, state: InstanceState) -> None:
        match state.lifecycle_state:
            case record.PENDING:
                self._hold(state, hooks.LAUNCHING, record.PENDING_WAIT, record.PENDING_PROCEED)
            case record.PENDING_WAIT:
                self._await(state, record.PENDING_PROCEED)
            case record.PENDING_PROCEED:
                self._into_service(state)
            case record.TERMINATING:
                self._drain(state)
            case record.TERMINATING_WAIT:
                self._await(state, record.TERMINATING_PROCEED)
            case record.TERMINATING_PROCEED:
                self._end(state)

    def _hold(self, state: InstanceState, transition: str, waiting: str, proceeding: str) -> None:
        member = record.of_member(state)
        due = [
            hook
            for hook in self.group.autoscaling_backend.lifecycle_hooks.values()
            if hook.auto_scaling_group_name == self.group.name and hook.lifecycle_transition == transition
        ]
        if member.skip_hooks:
            due = []
        for hook in due:
            hold = hooks.hold(
                hook.name,
                str(uuid.uuid4()),
                timeout=int(hook.heartbeat_timeout),
                default=hook.default_result,
                now=self.now,
            )
            member.holds[hook.name] = hold
            notifications.held(self.group, hook, hold, state.instance.id, self.now)
        state.lifecycle_state = waiting if due else proceeding
        if due and member.activity is not None:
            member.activity.note(activities.WAITING, 50)
        self.touch()

    def _await(self, state: InstanceState, proceeding: str) -> None:
        member = record.of_member(state)
        match hooks.verdict(member.holds.values(), self.now):
            case hooks.Verdict.WAIT:
                return
            case hooks.Verdict.ABANDON if proceeding == record.PENDING_PROCEED:
                member.skip_hooks = True
                told = "The lifecycle action's result was ABANDON."
                self.terminate(state, activities.out_of_service(self.now, "an abandoned lifecycle action"), status=told)
            case _:
                member.holds = {}
                state.lifecycle_state = proceeding
                self.touch()

    def _into_service(self, state: InstanceState) -> None:
        member = record.of_member(state)
        state.lifecycle_state = record.IN_SERVICE
        member.in_service = self.now
        if not self.suspended("AddToLoadBalancer"):
            register(self.group, state.instance.id)
        if member.activity is not None:
            member.activity.end(activities.SUCCESSFUL, self.now)
        notifications.event(
            self.group,
            "EC2 Instance Launch Successful",
            {"AutoScalingGroupName": self.group.name, "EC2InstanceId": state.instance.id},
        )
        self.touch()

    def _drain(self, state: InstanceState) -> None:
        """Off the balancers first, then the hooks: connections are done when a hook's target is told."""
        member = record.of_member(state)
        draining = {instance for _, instance in seen.draining_targets()}
        if state.instance.id in draining:
            if member.activity is not None and member.activity.status != activities.DRAINING:
                member.activity.note(activities.DRAINING, 30)
                self.touch()
            return
        if state.instance.state == "terminated":
            member.skip_hooks = True
        self._hold(state, hooks.TERMINATING, record.TERMINATING_WAIT, record.TERMINATING_PROCEED)

    def _end(self, state: InstanceState) -> None:
        instance = state.instance
        if instance.state != "terminated":
            # Termination protection is against API calls, not against the group (EC2 user guide).
            instance.disable_api_termination = False
            self.group.ec2_backend.terminate_instances([instance.id])
        self.group.instance_states.remove(state)
        member = record.of_member(state)
        if member.activity is not None:
            member.activity.end(activities.SUCCESSFUL, self.now)
        notifications.event(
            self.group,
            "EC2 Instance Terminate Successful",
            {"AutoScalingGroupName": self.group.name, "EC2InstanceId": instance.id},
        )
        self.touch()

    def _check_health(self) -> None:
        if self.suspended("HealthCheck"):
            return
        targets, impaired = seen.unhealthy_targets(), seen.impaired_instances()
        arns = self.group.target_group_arns or []
        for state in self.counted():
            if state.health_status == "Unhealthy":
                continue
            member = record.of_member(state)
            signs = health.Signs(
                running=state.instance.state == "running",
                impaired=state.instance.id in impaired,
                unhealthy_target=any((arn, state.instance.id) in targets for arn in arns),
                in_service=member.in_service or self.now,
            )
            found = health.fault(
                signs,
                kind=str(self.group.health_check_type),
                grace=int(self.group.health_check_grace_period or 0),
                now=self.now,
            )
            if found:
                state.health_status, member.fault = "Unhealthy", found
                self.touch()

    def _replace_unhealthy(self) -> None:
        if self.suspended("ReplaceUnhealthy", "Terminate"):
            return
        lifetime = int(getattr(self.group, "max_instance_lifetime", 0) or 0)
        for state in self.counted():
            member = record.of_member(state)
            if state.health_status == "Unhealthy":
                self.record.owed += 1
                self.terminate(state, activities.out_of_service(self.now, member.fault or health.BY_USER))
            elif lifetime and self.now - member.launched > lifetime and self._all_in_service():
                self.terminate(state, activities.out_of_service(self.now, "max instance lifetime"))

    def _all_in_service(self) -> bool:
        counted = self.counted()
        return len(counted) >= self.group.desired_capacity and all(
            state.lifecycle_state == record.IN_SERVICE for state in counted
        )

    def _fit(self) -> None:
        """Launch what is missing, take out what is too much; a refresh may hold more than the desired capacity."""
        counted, desired = self.counted(), int(self.group.desired_capacity or 0)
        if len(counted) < desired:
            self.start(desired - len(counted), self._cause(len(counted), desired))
        running = self.record.refresh
        most = desired if running is None else refresh.most(desired, running.preferences)
        if len(counted) > most and not self.suspended("Terminate"):
            surplus = len(counted) - most
            chosen = termination.choose(
                [_candidate(state, protected=bool(state.protected_from_scale_in)) for state in counted],
                surplus,
                self._policies(),
                launch.current(self.group),
            )
            for state in counted:
                if state.instance.id in chosen:
                    cause = activities.shrank(self.now, self.record.reason, len(counted), desired, state.instance.id)
                    self.terminate(state, cause)

    def _cause(self, have: int, desired: int) -> str:
        if self.record.owed:
            return activities.replaced(self.now)
        if self.record.refresh is not None:
            return activities.refreshed(self.now)
        return activities.grew(self.now, self.record.reason, have, desired)


def _candidate(state: InstanceState, *, protected: bool) -> termination.Candidate:
    member = record.of_member(state)
    zone = str(state.availability_zone)
    return termination.Candidate(state.instance.id, zone, member.launched, member.template, protected)


def _details(state: InstanceState) -> dict[str, str]:
    return {"Subnet ID": str(state.instance.subnet_id), "Availability Zone": str(state.availability_zone)}
