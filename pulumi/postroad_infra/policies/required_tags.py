"""Every resource says what it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from postroad_infra.policies.resource import UNKNOWN, Resource, blocks, is_yes
from postroad_infra.tags import REQUIRED

GROUP = "aws:autoscaling/group:Group"

# AWS has no tags for these. A type that isn't here is expected to have them, so a new one is decided on, not forgotten.
WITHOUT_TAGS = frozenset(
    {
        "aws:acm/certificateValidation:CertificateValidation",
        "aws:autoscaling/lifecycleHook:LifecycleHook",
        "aws:ec2/eipAssociation:EipAssociation",
        "aws:ec2/eipDomainName:EipDomainName",
        "aws:ec2/networkAclRule:NetworkAclRule",
        "aws:ec2/route:Route",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "aws:ec2/subnetCidrReservation:SubnetCidrReservation",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "aws:kms/alias:Alias",
        "aws:route53/record:Record",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:s3/bucketVersioning:BucketVersioning",
        "aws:servicequotas/serviceQuota:ServiceQuota",
    }
)

ZONAL = frozenset(
    {GROUP, "aws:ebs/volume:Volume", "aws:ec2/instance:Instance", "aws:ec2/subnet:Subnet"},
)
"""What lies in one zone carries `Zone`, too."""


def _tags(resource: Resource) -> Mapping[str, Any] | None:
    """The tags by key; None while they aren't known."""
    tags = resource.props.get("tags")
    if tags is UNKNOWN:
        return None
    if resource.type == GROUP:
        return {str(tag.get("key")): tag.get("value") for tag in blocks(tags)}
    return tags if isinstance(tags, Mapping) else {}


def required_tags(resource: Resource) -> Iterator[str]:
    """A resource that can be tagged has all required tags with a value, and hosts inherit those of their group."""
    if not resource.type.startswith("aws:") or resource.type in WITHOUT_TAGS:
        return
    tags = _tags(resource)
    if tags is None:
        return
    needed = (*REQUIRED, "Zone") if resource.type in ZONAL else REQUIRED
    missing = [key for key in needed if tags.get(key) in (None, "")]
    if missing:
        yield f"the tags {', '.join(missing)} are missing; give it tags=tags.of(…)"
    if resource.type == GROUP:
        kept = [
            str(tag.get("key"))
            for tag in blocks(resource.props.get("tags"))
            if not is_yes(tag.get("propagateAtLaunch"))
        ]
        if kept:
            yield f"the tags {', '.join(kept)} don't reach the hosts; set propagate_at_launch"
