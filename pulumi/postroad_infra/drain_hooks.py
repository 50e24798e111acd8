"""Scale-in waits until a spool is empty: a lifecycle hook for each group of MTAs, and the queue that tells of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from postroad_infra.mail_tiers import MTA
from postroad_infra.tags import Tags

HOOK = "drain"
TRANSITION = "autoscaling:EC2_INSTANCE_TERMINATING"
# What nobody took in so long is no news any more: the hook's own timeouts are over.
RETENTION_S = 2 * 24 * 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class DrainHooksArgs:
    """The names of the groups by their logical names.

    Args:
        heartbeat_s: seconds that an instance waits for the next sign of whoever drains it.
    """

    groups: Mapping[str, pulumi.Input[str]]
    heartbeat_s: int
    tags: Tags


class DrainHooks(pulumi.ComponentResource):
    """An MTA that its group wants to terminate is kept in `Terminating:Wait`, and a message says so.

    `postroad-ops lifecycle` reads the queue, drains, and lets go. Where nobody reads it the wait ends by itself; the
    spool's volume outlives its host in any case.
    """

    def __init__(self, name: str, args: DrainHooksArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:mail:DrainHooks", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        physical = f"postroad-{args.tags.environment}-{name}"
        tags = args.tags.of(tier=MTA, name=name)
        queue = aws.sqs.Queue(
            name,
            name=physical,
            message_retention_seconds=RETENTION_S,
            sqs_managed_sse_enabled=True,
            tags=tags,
            opts=mine,
        )
        role = aws.iam.Role(
            name,
            name=physical,
            description="Lets Auto Scaling tell that an MTA waits to be drained.",
            assume_role_policy=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "autoscaling.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            ),
            tags=tags,
            opts=mine,
        )
        allowed = aws.iam.RolePolicy(
            name,
            role=role.name,
            policy=queue.arn.apply(
                lambda arn: json.dumps(
                    {
                        "Version": "2012-10-17",
                        "Statement": [
                            {"Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:GetQueueUrl"], "Resource": arn}
                        ],
                    }
                )
            ),
            opts=mine,
        )
        for group, physical_group in args.groups.items():
            aws.autoscaling.LifecycleHook(
                f"{name}-{group}",
                name=HOOK,
                autoscaling_group_name=physical_group,
                lifecycle_transition=TRANSITION,
                heartbeat_timeout=args.heartbeat_s,
                default_result="CONTINUE",
                notification_target_arn=queue.arn,
                role_arn=role.arn,
                # AWS sends a test message when it makes the hook, so the role must be able to.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[allowed]),
            )
        self.queue_url: pulumi.Output[str] = queue.url
        self.register_outputs({"queue_url": self.queue_url})
