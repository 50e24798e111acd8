"""What is at rest is encrypted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from postroad_infra.policies.resource import UNKNOWN, Resource, Violation, block, blocks, is_yes

BUCKET = "aws:s3/bucket:Bucket"
BUCKET_ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
BUCKET_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def encryption_at_rest(resource: Resource) -> Iterator[str]:
    """Volumes, those that hosts are launched with, and queues are encrypted."""
    props = resource.props
    match resource.type:
        case "aws:ebs/volume:Volume":
            if not is_yes(props.get("encrypted")):
                yield "the volume isn't encrypted; set encrypted=True"
        case "aws:ec2/launchTemplate:LaunchTemplate":
            yield from _template(resource)
        case "aws:ec2/instance:Instance":
            volumes = [block(props.get("rootBlockDevice")), *blocks(props.get("ebsBlockDevices"))]
            if "launchTemplate" not in props and not all(is_yes(volume.get("encrypted")) for volume in volumes):
                yield "a volume of the host isn't encrypted; set encrypted=True on its block devices"
        case "aws:sqs/queue:Queue":
            if not (is_yes(props.get("sqsManagedSseEnabled")) or props.get("kmsMasterKeyId")):
                yield "the queue isn't encrypted; set sqs_managed_sse_enabled=True"


def _template(resource: Resource) -> Iterator[str]:
    mappings = resource.props.get("blockDeviceMappings")
    if mappings is UNKNOWN:
        return
    volumes = [(mapping.get("deviceName"), block(mapping["ebs"])) for mapping in blocks(mappings) if "ebs" in mapping]
    if not volumes:
        yield "hosts boot whatever the image says, perhaps unencrypted; name the root volume with encrypted"
    for device, ebs in volumes:
        if not is_yes(ebs.get("encrypted")):
            yield f'the volume {device} isn\'t encrypted; set encrypted="true"'


def buckets_are_closed(resources: Sequence[Resource]) -> Iterator[Violation]:
    """Every bucket says how it is encrypted, and blocks public access in all four ways."""
    for bucket in (resource for resource in resources if resource.type == BUCKET):
        if not any(_concerns(resource, bucket) for resource in resources if resource.type == BUCKET_ENCRYPTION):
            yield bucket, "the bucket has no BucketServerSideEncryptionConfiguration"
        closing = [resource for resource in resources if resource.type == BUCKET_BLOCK and _concerns(resource, bucket)]
        if not any(all(is_yes(resource.props.get(way)) for way in BLOCKS) for resource in closing):
            yield bucket, "the bucket has no BucketPublicAccessBlock that blocks all four ways"


def _concerns(resource: Resource, bucket: Resource) -> bool:
    return bucket.key in resource.references.get("bucket", ())
