"""KMS keys and aliases."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError
from ..resource import Autoname, Resource, Task, only, request_token, unless_gone
from ..schema import State, boolean, document, from_aws, integer, string

_KEY = (
    string("description", computed=True),
    string("keyUsage", default="ENCRYPT_DECRYPT", replaces=True),
    string("customerMasterKeySpec", aws="KeySpec", default="SYMMETRIC_DEFAULT", replaces=True),
    document("policy", aws=None, computed=True, imported=False),
    boolean("isEnabled", aws="Enabled", default=True),
    boolean("enableKeyRotation", aws=None, default=False),
    integer("rotationPeriodInDays", aws=None, computed=True),
    boolean("multiRegion", default=False, replaces=True),
    integer("deletionWindowInDays", kept=True),
    boolean("bypassPolicyLockoutSafetyCheck", kept=True, default=False),
)
_MARK = "postroad:request"


def _create_key(task: Task) -> str:
    """KMS has no token and a key no name: a tag that goes with the create finds a key whose reply was lost."""
    token = request_token()
    parameters = task.parameters(_KEY, "description", "keyUsage", "customerMasterKeySpec", "multiRegion")
    if task.get("policy"):
        parameters["Policy"] = task.get("policy")
    tags = [{"TagKey": key, "TagValue": value} for key, value in {**task.tags, _MARK: token}.items()]

    def attempt() -> str:
        return str(task.cloud.call("kms", "create_key", Tags=tags, **parameters)["KeyMetadata"]["KeyId"])

    def find() -> str | None:
        for key in task.cloud.pages("kms", "list_keys", "Keys"):
            if _tags(task.cloud, key["KeyId"]).get(_MARK) == token:
                return str(key["KeyId"])
        return None

    identifier = task.cloud.creating(attempt, find)
    task.cloud.call("kms", "untag_resource", KeyId=identifier, TagKeys=[_MARK])
    return identifier


def _tags(cloud: Cloud, identifier: str) -> dict[str, str]:
    tags = cloud.call("kms", "list_resource_tags", KeyId=identifier).get("Tags") or []
    return {tag["TagKey"]: tag["TagValue"] for tag in tags}


def _settle_key(task: Task, identifier: str) -> None:
    if task.touches("enableKeyRotation", "rotationPeriodInDays"):
        if task.get("enableKeyRotation"):
            period = task.get("rotationPeriodInDays")
            more = {"RotationPeriodInDays": int(period)} if period else {}
            task.cloud.call("kms", "enable_key_rotation", KeyId=identifier, **more)
        elif not task.fresh:
            task.cloud.call("kms", "disable_key_rotation", KeyId=identifier)
    if task.touches("isEnabled") and not (task.fresh and task.get("isEnabled")):
        operation = "enable_key" if task.get("isEnabled") else "disable_key"
        task.cloud.call("kms", operation, KeyId=identifier)
    if task.fresh:
        return
    if task.touches("description"):
        description = task.get("description") or ""
        task.cloud.call("kms", "update_key_description", KeyId=identifier, Description=description)
    if task.touches("policy"):
        task.cloud.call("kms", "put_key_policy", KeyId=identifier, PolicyName="default", Policy=task.get("policy"))


def _read_key(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    try:
        key = cloud.call("kms", "describe_key", KeyId=identifier)["KeyMetadata"]
    except AwsError as error:
        if error.gone:
            return None
        raise
    if key["KeyState"] == "PendingDeletion":
        return None
    rotation: dict[str, Any] = {}
    if key.get("KeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT":
        rotation = cloud.call("kms", "get_key_rotation_status", KeyId=identifier)
    policy = cloud.call("kms", "get_key_policy", KeyId=identifier, PolicyName="default")["Policy"]
    return {
        **from_aws(_KEY, key),
        "policy": policy,
        "enableKeyRotation": bool(rotation.get("KeyRotationEnabled", False)),
        "rotationPeriodInDays": rotation.get("RotationPeriodInDays"),
        "keyId": key["KeyId"],
        "arn": key["Arn"],
        "tags": _tags(cloud, identifier),
        "id": key["KeyId"],
    }


def _write_tags(
    cloud: Cloud, identifier: str, state: Mapping[str, Any], add: dict[str, str], remove: list[str]
) -> None:
    if remove:
        cloud.call("kms", "untag_resource", KeyId=identifier, TagKeys=remove)
    if add:
        tags = [{"TagKey": key, "TagValue": value} for key, value in add.items()]
        cloud.call("kms", "tag_resource", KeyId=identifier, Tags=tags)


def _delete_key(task: Task, identifier: str) -> None:
    """Keys are never deleted at once: AWS schedules it; to the stack the key is gone."""
    if _read_key(task.cloud, identifier, {}) is None:
        return
    days = int(task.state.get("deletionWindowInDays") or 30)
    unless_gone(lambda: task.cloud.call("kms", "schedule_key_deletion", KeyId=identifier, PendingWindowInDays=days))


_PREFIX = "alias/"
_ALIAS = (
    string("name", aws="AliasName", replaces=True),
    string("namePrefix", kept=True, replaces=True),
    string("targetKeyId", required=True, same=lambda a, b: a.rpartition("/")[2] == b.rpartition("/")[2]),
)


def _create_alias(task: Task) -> str:
    task.cloud.call("kms", "create_alias", repeated=("AlreadyExistsException",), **task.parameters(_ALIAS))
    return str(task.get("name"))


def _settle_alias(task: Task, identifier: str) -> None:
    if not task.fresh:
        task.cloud.call("kms", "update_alias", AliasName=identifier, TargetKeyId=task.get("targetKeyId"))


def _read_alias(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    aliases = cloud.pages("kms", "list_aliases", "Aliases")
    alias = only([item for item in aliases if item["AliasName"] == identifier])
    if alias is None:
        return None
    target = alias["TargetKeyId"]
    return {
        "name": identifier,
        "targetKeyId": target,
        "arn": alias["AliasArn"],
        "targetKeyArn": cloud.arn("kms", f"key/{target}"),
    }


def _delete_alias(task: Task, identifier: str) -> None:
    unless_gone(lambda: task.cloud.call("kms", "delete_alias", AliasName=identifier))


RESOURCES = (
    Resource(
        type="aws:kms/key:Key",
        properties=_KEY,
        outputs=("arn", "keyId"),
        create=_create_key,
        settle=_settle_key,
        read=_read_key,
        delete=_delete_key,
        write_tags=_write_tags,
        import_id="the key id",
    ),
    Resource(
        type="aws:kms/alias:Alias",
        properties=_ALIAS,
        outputs=("arn", "targetKeyArn"),
        create=_create_alias,
        settle=_settle_alias,
        read=_read_alias,
        delete=_delete_alias,
        autoname=Autoname(longest=256, before=_PREFIX),
        import_id="the alias, with `alias/`",
    ),
)
