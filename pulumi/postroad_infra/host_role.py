"""The identity of a tier's hosts."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from postroad_infra.tags import Tags


@dataclass(frozen=True, kw_only=True, slots=True)
class HostRoleArgs:
    """The tier whose hosts take the role."""

    tier: str
    tags: Tags


class HostRole(pulumi.ComponentResource):
    """A role and its instance profile, without any permission.

    Artifacts are read through the endpoint without credentials, volumes and addresses are attached from the operator's
    side: a host that is broken into can change nothing in the account.
    """

    def __init__(self, name: str, args: HostRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:security:HostRole", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        physical = f"postroad-{args.tags.environment}-{name}"
        tags = args.tags.of(tier=args.tier, name=name)
        role = aws.iam.Role(
            name,
            name=physical,
            description=f"What hosts of the tier {args.tier} may do.",
            assume_role_policy=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
                    ],
                }
            ),
            tags=tags,
            opts=mine,
        )
        profile = aws.iam.InstanceProfile(name, name=physical, role=role.name, tags=tags, opts=mine)
        self.profile_arn: pulumi.Output[str] = profile.arn
        self.register_outputs({"profile_arn": self.profile_arn})
