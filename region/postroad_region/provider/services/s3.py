"""S3 buckets and what is set on them."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError
from ..resource import Autoname, Resource, Task, delete_when_free, only, unless_gone
from ..schema import State, block, blocks, boolean, document, from_aws, string, to_aws
from ..tagging import from_pairs, to_pairs

_BUCKET = (
    string("bucket", replaces=True),
    string("bucketPrefix", kept=True, replaces=True),
    boolean("forceDestroy", kept=True, default=False),
    boolean("objectLockEnabled", aws=None, default=False, replaces=True),
)
_HOSTED_ZONES = {
    "us-east-1": "Z3AQBSTGFYJSTF",
    "us-east-2": "Z2O1EMRO9K5GLX",
    "us-west-2": "Z3BJ6K6RIION7M",
    "eu-west-1": "Z1BKCTXD74EZPE",
    "eu-central-1": "Z21DNDUVLTQW6Q",
}


def _get(cloud: Cloud, operation: str, bucket: str) -> dict[str, Any] | None:
    """A read of something on a bucket, or None if it (or the bucket) isn't there."""
    try:
        return cloud.call("s3", operation, Bucket=bucket)
    except AwsError as error:
        if (
            error.gone
            or error.code == "ServerSideEncryptionConfigurationNotFoundError"
            or "NotFoundError" in error.code
        ):
            return None
        raise


def _create_bucket(task: Task) -> str:
    name = str(task.get("bucket"))
    parameters: dict[str, Any] = {"Bucket": name}
    if task.cloud.region != "us-east-1":
        parameters["CreateBucketConfiguration"] = {"LocationConstraint": task.cloud.region}
    if task.get("objectLockEnabled"):
        parameters["ObjectLockEnabledForBucket"] = True
    task.cloud.call("s3", "create_bucket", repeated=("BucketAlreadyOwnedByYou",), **parameters)
    return name


def _settle_bucket(task: Task, identifier: str) -> None:
    if task.fresh and task.tags:
        _write_tags(task.cloud, identifier, {}, task.tags, [])


def _read_bucket(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    if _get(cloud, "head_bucket", identifier) is None:
        return None
    lock = _get(cloud, "get_object_lock_configuration", identifier) or {}
    enabled = (lock.get("ObjectLockConfiguration") or {}).get("ObjectLockEnabled") == "Enabled"
    return {
        "bucket": identifier,
        "objectLockEnabled": enabled,
        "arn": f"arn:aws:s3:::{identifier}",
        "bucketDomainName": f"{identifier}.s3.amazonaws.com",
        "bucketRegionalDomainName": f"{identifier}.s3.{cloud.region}.amazonaws.com",
        "bucketRegion": cloud.region,
        "hostedZoneId": _HOSTED_ZONES.get(cloud.region),
        "tags": _tags(cloud, identifier),
    }


def _tags(cloud: Cloud, bucket: str) -> dict[str, str]:
    return from_pairs((_get(cloud, "get_bucket_tagging", bucket) or {}).get("TagSet"))


def _write_tags(
    cloud: Cloud, identifier: str, state: Mapping[str, Any], add: dict[str, str], remove: list[str]
) -> None:
    """S3 only replaces the whole set, so others' tags are read first and written back."""
    tags = {key: value for key, value in _tags(cloud, identifier).items() if key not in remove}
    tags.update(add)
    if tags:
        cloud.call("s3", "put_bucket_tagging", Bucket=identifier, Tagging={"TagSet": to_pairs(tags)})
    else:
        cloud.call("s3", "delete_bucket_tagging", Bucket=identifier)


def _delete_bucket(task: Task, identifier: str) -> None:
    if task.state.get("forceDestroy"):
        _empty(task.cloud, identifier)
    delete_when_free(
        task, identifier, lambda: task.cloud.call("s3", "delete_bucket", Bucket=identifier), busy=("OperationAborted",)
    )


def _empty(cloud: Cloud, bucket: str) -> None:
    """Delete every version of every object."""
    while True:
        reply = _get(cloud, "list_object_versions", bucket) or {}
        items = [*(reply.get("Versions") or []), *(reply.get("DeleteMarkers") or [])]
        if not items:
            return
        doomed = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in items]
        cloud.call("s3", "delete_objects", Bucket=bucket, Delete={"Objects": doomed, "Quiet": True})


_POLICY = (string("bucket", required=True, replaces=True), document("policy", required=True))


def _put_policy(task: Task) -> None:
    task.cloud.call("s3", "put_bucket_policy", **task.parameters(_POLICY))


def _read_policy(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    reply = _get(cloud, "get_bucket_policy", identifier)
    return {"bucket": identifier, "policy": reply["Policy"]} if reply else None


_BLOCK = (
    boolean("blockPublicAcls", default=False),
    boolean("blockPublicPolicy", default=False),
    boolean("ignorePublicAcls", default=False),
    boolean("restrictPublicBuckets", default=False),
)
_ACCESS = (
    string("bucket", aws=None, required=True, replaces=True),
    boolean("skipDestroy", kept=True, default=False),
    *_BLOCK,
)


def _put_access(task: Task) -> None:
    task.cloud.call(
        "s3",
        "put_public_access_block",
        Bucket=task.get("bucket"),
        PublicAccessBlockConfiguration=to_aws(_BLOCK, task.inputs),
    )


def _read_access(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    reply = _get(cloud, "get_public_access_block", identifier)
    if reply is None:
        return None
    return {"bucket": identifier, **from_aws(_BLOCK, reply["PublicAccessBlockConfiguration"])}


def _delete_access(task: Task, identifier: str) -> None:
    if not task.state.get("skipDestroy"):
        unless_gone(lambda: task.cloud.call("s3", "delete_public_access_block", Bucket=identifier))


_VERSIONING = (
    string("bucket", aws=None, required=True, replaces=True),
    string("expectedBucketOwner", kept=True, replaces=True),
    block(
        "versioningConfiguration",
        aws=None,
        required=True,
        fields=(string("status", required=True), string("mfaDelete", aws="MFADelete", computed=True)),
    ),
)


def _put_versioning(task: Task) -> None:
    fields = _VERSIONING[2].fields
    wanted = to_aws(fields, task.inputs["versioningConfiguration"])
    if wanted.get("Status") == "Disabled":
        # "Disabled" is a bucket that never had versions: there is no call for it.
        return
    task.cloud.call("s3", "put_bucket_versioning", Bucket=task.get("bucket"), VersioningConfiguration=wanted)


def _read_versioning(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    reply = _get(cloud, "get_bucket_versioning", identifier)
    if reply is None:
        return None
    declared = (known.get("versioningConfiguration") or {}).get("status")
    if "Status" not in reply and declared != "Disabled":
        return None
    state = {"status": reply.get("Status", "Disabled")}
    if reply.get("MFADelete"):
        state["mfaDelete"] = reply["MFADelete"]
    return {"bucket": identifier, "versioningConfiguration": state}


def _delete_versioning(task: Task, identifier: str) -> None:
    if (task.state.get("versioningConfiguration") or {}).get("status") == "Enabled":
        suspended = {"Status": "Suspended"}
        unless_gone(
            lambda: task.cloud.call("s3", "put_bucket_versioning", Bucket=identifier, VersioningConfiguration=suspended)
        )


_RULES = blocks(
    "rules",
    required=True,
    fields=(
        block(
            "applyServerSideEncryptionByDefault",
            fields=(
                string("sseAlgorithm", aws="SSEAlgorithm", required=True),
                string("kmsMasterKeyId", aws="KMSMasterKeyID"),
            ),
        ),
        boolean("bucketKeyEnabled"),
    ),
)
_ENCRYPTION = (
    string("bucket", aws=None, required=True, replaces=True),
    string("expectedBucketOwner", kept=True, replaces=True),
    _RULES,
)


def _put_encryption(task: Task) -> None:
    task.cloud.call(
        "s3",
        "put_bucket_encryption",
        Bucket=task.get("bucket"),
        ServerSideEncryptionConfiguration=to_aws([_RULES], task.inputs),
    )


def _read_encryption(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    reply = _get(cloud, "get_bucket_encryption", identifier)
    if reply is None:
        return None
    return {"bucket": identifier, **from_aws([_RULES], reply["ServerSideEncryptionConfiguration"])}


_OWNERSHIP = (
    string("bucket", aws=None, required=True, replaces=True),
    block("rule", aws=None, required=True, fields=(string("objectOwnership", required=True),)),
)


def _put_ownership(task: Task) -> None:
    rules = [to_aws(_OWNERSHIP[1].fields, task.inputs["rule"])]
    task.cloud.call(
        "s3", "put_bucket_ownership_controls", Bucket=task.get("bucket"), OwnershipControls={"Rules": rules}
    )


def _read_ownership(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    reply = _get(cloud, "get_bucket_ownership_controls", identifier)
    rule = only(((reply or {}).get("OwnershipControls") or {}).get("Rules") or [])
    return {"bucket": identifier, "rule": from_aws(_OWNERSHIP[1].fields, rule)} if rule else None


def _setting(token: str, properties: Any, put: Any, read: Any, delete: Any) -> Resource:
    """A type that is a setting of a bucket: its id is the bucket's name, creating and changing it are the same call."""

    def create(task: Task) -> str:
        put(task)
        return str(task.get("bucket"))

    def settle(task: Task, identifier: str) -> None:
        if not task.fresh:
            put(task)

    return Resource(
        type=token,
        properties=properties,
        outputs=(),
        create=create,
        settle=settle,
        read=read,
        delete=delete,
        delete_first=True,
        import_id="the bucket's name",
    )


def _deleter(operation: str) -> Any:
    def delete(task: Task, identifier: str) -> None:
        unless_gone(partial(task.cloud.call, "s3", operation, Bucket=identifier))

    return delete


RESOURCES = (
    Resource(
        type="aws:s3/bucket:Bucket",
        properties=_BUCKET,
        outputs=("arn", "bucketDomainName", "bucketRegion", "bucketRegionalDomainName", "hostedZoneId"),
        create=_create_bucket,
        settle=_settle_bucket,
        read=_read_bucket,
        delete=_delete_bucket,
        write_tags=_write_tags,
        autoname=Autoname("bucket", "bucketPrefix", longest=63, lower=True),
        import_id="the bucket's name",
    ),
    _setting("aws:s3/bucketPolicy:BucketPolicy", _POLICY, _put_policy, _read_policy, _deleter("delete_bucket_policy")),
    _setting(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", _ACCESS, _put_access, _read_access, _delete_access
    ),
    _setting(
        "aws:s3/bucketVersioning:BucketVersioning",
        _VERSIONING,
        _put_versioning,
        _read_versioning,
        _delete_versioning,
    ),
    _setting(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        _ENCRYPTION,
        _put_encryption,
        _read_encryption,
        _deleter("delete_bucket_encryption"),
    ),
    _setting(
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        _OWNERSHIP,
        _put_ownership,
        _read_ownership,
        _deleter("delete_bucket_ownership_controls"),
    ),
)
