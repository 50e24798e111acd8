"""What the engine keeps beside moto's groups and members; it is saved with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from moto.autoscaling.models import FakeAutoScalingGroup, InstanceState

from postroad_region.api.autoscaling.activities import KEPT, Activity
from postroad_region.api.autoscaling.hooks import Hold
from postroad_region.api.autoscaling.refresh import ACTIVE, Refresh

_RECORD = "postroad_record"
PENDING, PENDING_WAIT, PENDING_PROCEED = "Pending", "Pending:Wait", "Pending:Proceed"
IN_SERVICE, STANDBY = "InService", "Standby"
TERMINATING, TERMINATING_WAIT, TERMINATING_PROCEED = "Terminating", "Terminating:Wait", "Terminating:Proceed"
COUNTED = (PENDING, PENDING_WAIT, PENDING_PROCEED, IN_SERVICE)


@dataclass
class Member:
    """A member of a group; times in seconds since the epoch.

    Args:
        template: id and version that it was launched from.
        holds: of the transition that it is in, by hook.
        fault: why it is unhealthy.
        skip_hooks: it goes without termination hooks: its launch was abandoned, or it is gone already.
    """

    launched: float
    in_service: float = 0.0
    template: tuple[str, int] = ("", 0)
    holds: dict[str, Hold] = field(default_factory=dict)
    activity: Activity | None = None
    fault: str = ""
    skip_hooks: bool = False


@dataclass
class Record:
    """A group.

    Args:
        activities: newest first.
        refreshes: newest first.
        reason: what last changed the desired capacity, for the causes of activities.
        owed: how many launches replace unhealthy instances.
        retry: no launch before this time, after one that failed.
        cooldown: no simple scaling before this time.
    """

    activities: list[Activity] = field(default_factory=list)
    refreshes: list[Refresh] = field(default_factory=list)
    reason: str = ""
    owed: int = 0
    retry: float = 0.0
    cooldown: float = 0.0

    def begin(self, activity: Activity) -> Activity:
        """Note an activity; the oldest finished ones are forgotten."""
        self.activities.insert(0, activity)
        del self.activities[KEPT:]
        return activity

    @property
    def refresh(self) -> Refresh | None:
        """The refresh under way."""
        return next((refresh for refresh in self.refreshes if refresh.status in ACTIVE), None)


def of_group(group: FakeAutoScalingGroup) -> Record:
    """The group's record."""
    found: Record = group.__dict__.setdefault(_RECORD, Record())
    return found


def of_member(state: InstanceState) -> Member:
    """The member's record; of one that an earlier version launched, what can be told."""
    if _RECORD not in state.__dict__:
        launched = state.instance.launch_time.timestamp()
        state.__dict__[_RECORD] = Member(launched=launched, in_service=launched, template=_template_of(state))
    found: Member = state.__dict__[_RECORD]
    return found


def _template_of(state: InstanceState) -> tuple[str, int]:
    group = state.auto_scaling_group
    template = group.ec2_launch_template if group is not None else None
    if template is None:
        return ("", 0)
    return (str(template.id), int(template.get_version(group.launch_template_version).number))


def remember(state: InstanceState, member: Member) -> None:
    """Give a new member its record."""
    state.__dict__[_RECORD] = member


def _launch_template(state: InstanceState) -> dict[str, Any] | None:
    """The template and version that the instance was launched from, as DescribeAutoScalingGroups tells it."""
    group = state.auto_scaling_group
    identifier, version = of_member(state).template
    if group is None or not identifier:
        return None
    template = group.ec2_backend.launch_templates.get(identifier)
    name = {"LaunchTemplateName": template.name} if template is not None else {}
    return {"LaunchTemplateId": identifier, "Version": str(version), **name}


InstanceState.launch_template = property(_launch_template)
