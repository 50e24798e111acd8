"""Scaling activities: what happened to a group, in AWS's words.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-verify-scaling-activity.html
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from postroad_region.api.clock import moment, stamp

IN_PROGRESS, WAITING, DRAINING = "InProgress", "MidLifecycleAction", "WaitingForELBConnectionDraining"
SUCCESSFUL, FAILED, CANCELLED = "Successful", "Failed", "Cancelled"
KEPT = 100


@dataclass
class Activity:
    """One launch or termination, as it is saved; times in seconds since the epoch."""

    description: str
    cause: str
    started: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    ended: float | None = None
    status: str = IN_PROGRESS
    message: str = ""
    progress: int = 0
    details: dict[str, str] = field(default_factory=dict)

    def note(self, status: str, progress: int) -> None:
        """Say how far it is."""
        self.status, self.progress = status, progress

    def end(self, status: str, now: float, message: str = "") -> None:
        """Close it."""
        self.status, self.ended, self.message, self.progress = status, now, message, 100


def describe(activity: Activity, group: str, arn: str) -> dict[str, Any]:
    """The activity as DescribeScalingActivities answers it."""
    described: dict[str, Any] = {
        "ActivityId": activity.id,
        "AutoScalingGroupName": group,
        "AutoScalingGroupARN": arn,
        "Description": activity.description,
        "Cause": activity.cause,
        "StartTime": moment(activity.started),
        "StatusCode": activity.status,
        "Progress": activity.progress,
        "Details": json.dumps(activity.details),
    }
    if activity.ended is not None:
        described["EndTime"] = moment(activity.ended)
    if activity.message:
        described["StatusMessage"] = activity.message
    return described


def created(now: float, desired: int) -> str:
    """Why a group that was just made grows."""
    return (
        f"At {stamp(now)} a user request created an AutoScalingGroup changing the desired capacity from 0 to {desired}."
    )


def updated(now: float, low: int, high: int, old: int, new: int) -> str:
    """Why the desired capacity changed with the bounds."""
    return (
        f"At {stamp(now)} a user request update of AutoScalingGroup constraints to min: {low}, max: {high}, desired: "
        f"{new} changing the desired capacity from {old} to {new}."
    )


def was_set(now: float, old: int, new: int) -> str:
    """Why the desired capacity changed by SetDesiredCapacity."""
    return (
        f"At {stamp(now)} a user request explicitly set group desired capacity changing the desired capacity from "
        f"{old} to {new}."
    )


def by_policy(now: float, alarm: str, policy: str, old: int, new: int) -> str:
    """Why the desired capacity changed by a policy; without an alarm someone executed it."""
    who = f"a monitor alarm {alarm} in state ALARM triggered" if alarm else "a user request executed"
    return f"At {stamp(now)} {who} policy {policy} changing the desired capacity from {old} to {new}."


def scheduled(now: float, action: str, low: int, high: int, old: int, new: int) -> str:
    """Why the desired capacity changed by a scheduled action."""
    return (
        f"At {stamp(now)} a scheduled action {action} update of AutoScalingGroup constraints to min: {low}, max: "
        f"{high}, desired: {new} changing the desired capacity from {old} to {new}."
    )


def grew(now: float, reason: str, old: int, new: int) -> str:
    """The cause of a launch for capacity."""
    told = (
        f"At {stamp(now)} an instance was started in response to a difference between desired and actual capacity, "
        f"increasing the capacity from {old} to {new}."
    )
    return f"{reason}  {told}".strip()


def shrank(now: float, reason: str, old: int, new: int, instance: str) -> str:
    """The cause of a termination for capacity."""
    told = (
        f"At {stamp(now)} an instance was taken out of service in response to a difference between desired and actual "
        f"capacity, shrinking the capacity from {old} to {new}.  At {stamp(now)} instance {instance} was selected for "
        "termination."
    )
    return f"{reason}  {told}".strip()


def replaced(now: float) -> str:
    """The cause of a launch for an unhealthy instance."""
    return f"At {stamp(now)} an instance was launched in response to an unhealthy instance needing to be replaced."


def out_of_service(now: float, why: str) -> str:
    """The cause of a termination for another reason than capacity."""
    return f"At {stamp(now)} an instance was taken out of service in response to {why}."


def refreshed(now: float) -> str:
    """The cause of a launch in an instance refresh."""
    return f"At {stamp(now)} an instance was launched in response to an instance refresh."
