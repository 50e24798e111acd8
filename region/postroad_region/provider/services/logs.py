"""CloudWatch log groups."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..resource import Autoname, Resource, Task, only, unless_gone
from ..schema import State, boolean, from_aws, integer, string

_GROUP = (
    string("name", aws="logGroupName", replaces=True),
    string("namePrefix", kept=True, replaces=True),
    integer("retentionInDays", aws="retentionInDays", default=0),
    string("kmsKeyId", aws="kmsKeyId"),
    string("logGroupClass", aws="logGroupClass", computed=True, replaces=True),
    boolean("skipDestroy", kept=True, default=False),
)


def _create_group(task: Task) -> str:
    parameters = task.parameters(_GROUP, "name", "kmsKeyId", "logGroupClass")
    task.cloud.call(
        "logs",
        "create_log_group",
        repeated=("ResourceAlreadyExistsException",),
        **parameters,
        **({"tags": task.tags} if task.tags else {}),
    )
    return str(task.get("name"))


def _settle_group(task: Task, identifier: str) -> None:
    if task.touches("retentionInDays"):
        days = int(task.get("retentionInDays") or 0)
        if days:
            task.cloud.call("logs", "put_retention_policy", logGroupName=identifier, retentionInDays=days)
        elif not task.fresh:
            task.cloud.call("logs", "delete_retention_policy", logGroupName=identifier)
    if task.touches("kmsKeyId") and not task.fresh:
        if task.get("kmsKeyId"):
            task.cloud.call("logs", "associate_kms_key", logGroupName=identifier, kmsKeyId=task.get("kmsKeyId"))
        else:
            task.cloud.call("logs", "disassociate_kms_key", logGroupName=identifier)


def _read_group(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    groups = cloud.call("logs", "describe_log_groups", logGroupNamePrefix=identifier)["logGroups"]
    group = only([item for item in groups if item["logGroupName"] == identifier])
    if group is None:
        return None
    arn = group["arn"].removesuffix(":*")
    state = from_aws(_GROUP, group)
    state.setdefault("retentionInDays", 0)
    tags = cloud.call("logs", "list_tags_for_resource", resourceArn=arn).get("tags") or {}
    return {**state, "arn": arn, "tags": tags}


def _write_tags(
    cloud: Cloud, identifier: str, state: Mapping[str, Any], add: dict[str, str], remove: list[str]
) -> None:
    if remove:
        cloud.call("logs", "untag_resource", resourceArn=state["arn"], tagKeys=remove)
    if add:
        cloud.call("logs", "tag_resource", resourceArn=state["arn"], tags=add)


def _delete_group(task: Task, identifier: str) -> None:
    if not task.state.get("skipDestroy"):
        unless_gone(lambda: task.cloud.call("logs", "delete_log_group", logGroupName=identifier))


RESOURCES = (
    Resource(
        type="aws:cloudwatch/logGroup:LogGroup",
        properties=_GROUP,
        outputs=("arn",),
        create=_create_group,
        settle=_settle_group,
        read=_read_group,
        delete=_delete_group,
        write_tags=_write_tags,
        autoname=Autoname(longest=512),
        import_id="the group's name",
    ),
)
