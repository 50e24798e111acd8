"""The bucket that hosts install from: an apt repository and releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from postroad_infra.settings.project import Protection
from postroad_infra.tags import Tags


def read_policy(bucket_arn: str, endpoint_ids: Sequence[str]) -> dict[str, Any]:
    """Who may read: whoever comes through one of the VPC endpoints, without credentials; nobody else by this policy.

    Without TLS too, from inside: apt and the first boot fetch over plain HTTP before a host trusts any certificate
    authority, the way stays inside AWS's network, and what they fetch is verified by signature (apt's Release file, a
    release's `.sig`). From anywhere else TLS is demanded. S3 doesn't count a policy bound to fixed endpoints as
    public, so it goes together with the public access block.
    """
    objects = f"{bucket_arn}/*"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ReadThroughTheEndpoints",
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": objects,
                "Condition": {"StringEquals": {"aws:SourceVpce": list(endpoint_ids)}},
            },
            {
                "Sid": "TlsFromAnywhereElse",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [bucket_arn, objects],
                "Condition": {
                    "Bool": {"aws:SecureTransport": "false"},
                    "StringNotEquals": {"aws:SourceVpce": list(endpoint_ids)},
                },
            },
        ],
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactsBucketArgs:
    """The bucket's name, the endpoints that may read from it, and how it is protected."""

    bucket: str
    endpoint_ids: Sequence[pulumi.Input[str]]
    protection: Protection
    tags: Tags


class ArtifactsBucket(pulumi.ComponentResource):
    """A versioned, encrypted bucket without public access; without protection it goes with all it holds."""

    def __init__(self, name: str, args: ArtifactsBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:network:ArtifactsBucket", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        bucket = aws.s3.Bucket(
            name,
            bucket=args.bucket,
            force_destroy=not args.protection.protect,
            tags=args.tags.of(tier="network", name=name),
            opts=args.protection.options(self),
        )
        aws.s3.BucketVersioning(name, bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=mine)
        aws.s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=bucket.id,
            # S3's own keys: a KMS key would shut out the anonymous readers behind the endpoint.
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=mine,
        )
        aws.s3.BucketOwnershipControls(
            name, bucket=bucket.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=mine
        )
        block = aws.s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=mine,
        )
        aws.s3.BucketPolicy(
            name,
            bucket=bucket.id,
            policy=pulumi.Output.json_dumps(
                pulumi.Output.all(bucket.arn, *args.endpoint_ids).apply(lambda known: read_policy(known[0], known[1:]))
            ),
            # S3 answers 409 to policy calls made at the same time.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[block]),
        )
        self.bucket: pulumi.Output[str] = bucket.bucket
        self.register_outputs({"bucket": self.bucket})
