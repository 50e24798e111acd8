"""Where flow logs go: one group in CloudWatch Logs, and the role that may write to it."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from postroad_infra.tags import Tags


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowLogDestinationArgs:
    """How long records are kept (days) and over how long each sums up (seconds)."""

    retention_days: int
    interval_s: int
    tags: Tags


class FlowLogDestination(pulumi.ComponentResource):
    """A log group that the VPC flow log service may write to, and nothing else by this role."""

    def __init__(self, name: str, args: FlowLogDestinationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:network:FlowLogDestination", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        tags = args.tags.of(tier="network", name=name)
        physical = f"postroad-{args.tags.environment}-{name}"
        self._interval_s = args.interval_s
        self._group = aws.cloudwatch.LogGroup(
            name,
            name=f"/postroad/{args.tags.environment}/{name}",
            retention_in_days=args.retention_days,
            tags=tags,
            opts=mine,
        )
        self._role = aws.iam.Role(
            name,
            name=physical,
            description="Lets VPC flow logs write to their log group.",
            assume_role_policy=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "vpc-flow-logs.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            ),
            tags=tags,
            opts=mine,
        )
        self._policy = aws.iam.RolePolicy(
            name,
            name="write-flow-logs",
            role=self._role.id,
            policy=pulumi.Output.json_dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                            "Resource": pulumi.Output.concat(self._group.arn, ":*"),
                        }
                    ],
                }
            ),
            opts=mine,
        )
        self.register_outputs({"log_group": self._group.name})

    def record(self, name: str, vpc_id: pulumi.Input[str], tags: Tags, opts: pulumi.ResourceOptions) -> None:
        """Record a VPC's flows, accepted and refused, as a resource `name` with the options of the caller."""
        aws.ec2.FlowLog(
            name,
            vpc_id=vpc_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=self._group.arn,
            iam_role_arn=self._role.arn,
            max_aggregation_interval=self._interval_s,
            tags=tags.of(tier="network", name=name),
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[self._policy])),
        )
