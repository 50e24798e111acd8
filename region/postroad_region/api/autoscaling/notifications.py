"""Telling a lifecycle hook's target, and EventBridge, what happens to an instance.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/prepare-for-lifecycle-notifications.html
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import structlog
from moto.core.exceptions import ServiceException
from moto.events.models import events_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from werkzeug.exceptions import HTTPException

from postroad_region.api.autoscaling.hooks import LAUNCHING, Hold
from postroad_region.api.clock import stamp

log = structlog.get_logger("autoscaling")

_REFUSALS = (ServiceException, HTTPException, KeyError)


def held(group: Any, hook: Any, hold: Hold, instance: str, now: float) -> None:
    """Tell that an instance waits for a hook."""
    launching = hook.lifecycle_transition == LAUNCHING
    common = {
        "LifecycleActionToken": hold.token,
        "AutoScalingGroupName": group.name,
        "LifecycleHookName": hook.name,
        "EC2InstanceId": instance,
        "LifecycleTransition": hook.lifecycle_transition,
        "Origin": "EC2" if launching else "AutoScalingGroup",
        "Destination": "AutoScalingGroup" if launching else "EC2",
    }
    metadata = getattr(hook, "notification_metadata", None)
    if metadata:
        common["NotificationMetadata"] = metadata
    if hook.notification_target_arn:
        send(group, hook.notification_target_arn, {**_envelope(group, now), **common})
    kind = "EC2 Instance-launch Lifecycle Action" if launching else "EC2 Instance-terminate Lifecycle Action"
    event(group, kind, common)


def tested(group: Any, target: str, now: float) -> None:
    """The message that AWS sends when a hook gets a target."""
    message = {**_envelope(group, now), "Event": "autoscaling:TEST_NOTIFICATION"}
    send(group, target, {**message, "AutoScalingGroupName": group.name, "AutoScalingGroupARN": group.arn})


def _envelope(group: Any, now: float) -> dict[str, str]:
    return {
        "AccountId": group.account_id,
        "RequestId": str(uuid.uuid4()),
        "Service": "AWS Auto Scaling",
        "Time": stamp(now),
    }


def send(group: Any, target: str, message: dict[str, Any]) -> None:
    """Put a message into the queue or topic that an ARN names; one that is gone is logged, as nobody can be told."""
    service, name = target.split(":")[2], target.split(":")[-1]
    body = json.dumps(message)
    try:
        if service == "sqs":
            sqs_backends[group.account_id][group.region].send_message(name, body)
        else:
            sns_backends[group.account_id][group.region].publish(
                message=body, arn=target, subject=f"Auto Scaling: Lifecycle action for group {group.name}"
            )
    except _REFUSALS as error:
        log.warning("notification lost", target=target, reason=str(error))


def event(group: Any, kind: str, detail: dict[str, Any]) -> None:
    """Put an event on the default bus."""
    entry = {
        "Source": "aws.autoscaling",
        "DetailType": kind,
        "Detail": json.dumps(detail),
        "Resources": [group.arn],
    }
    try:
        events_backends[group.account_id][group.region].put_events([entry])
    except _REFUSALS as error:
        log.warning("event lost", kind=kind, reason=str(error))
