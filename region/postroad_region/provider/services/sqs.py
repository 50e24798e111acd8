"""SQS queues."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError
from ..resource import Autoname, Resource, Task, unless_gone
from ..schema import Kind, Property, State, boolean, document, integer, string

_QUEUE = (
    string("name", aws=None, replaces=True),
    string("namePrefix", kept=True, replaces=True),
    integer("delaySeconds", default=0),
    integer("maxMessageSize", aws="MaximumMessageSize", computed=True),
    integer("messageRetentionSeconds", aws="MessageRetentionPeriod", default=345600),
    integer("receiveWaitTimeSeconds", aws="ReceiveMessageWaitTimeSeconds", default=0),
    integer("visibilityTimeoutSeconds", aws="VisibilityTimeout", default=30),
    boolean("fifoQueue", default=False, replaces=True),
    boolean("contentBasedDeduplication", default=False),
    string("deduplicationScope", computed=True),
    string("fifoThroughputLimit", computed=True),
    document("policy", computed=True),
    document("redrivePolicy"),
    document("redriveAllowPolicy"),
    string("kmsMasterKeyId"),
    integer("kmsDataKeyReusePeriodSeconds", computed=True),
    boolean("sqsManagedSseEnabled", computed=True),
)
_FIFO_ONLY = frozenset({"fifoQueue", "contentBasedDeduplication"})


def _attributes(task: Task, names: frozenset[str] | set[str]) -> dict[str, str]:
    """The attributes as SQS takes them, all texts; one that the program dropped becomes empty."""
    attributes = {}
    for prop in _QUEUE:
        if prop.aws is None or prop.name not in names or (prop.name in _FIFO_ONLY and not task.get("fifoQueue")):
            continue
        value = task.get(prop.name)
        if value is None and task.fresh:
            continue
        attributes[prop.aws] = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return attributes


def _create_queue(task: Task) -> str:
    """A queue of the same name and attributes is the same queue, so repeating the call is harmless."""
    attributes = _attributes(task, frozenset(prop.name for prop in _QUEUE))
    reply = task.cloud.call(
        "sqs", "create_queue", QueueName=task.get("name"), Attributes=attributes, tags=dict(task.tags)
    )
    return str(reply["QueueUrl"])


def _settle_queue(task: Task, identifier: str) -> None:
    if not task.fresh and task.changed:
        attributes = _attributes(task, task.changed)
        if attributes:
            task.cloud.call("sqs", "set_queue_attributes", QueueUrl=identifier, Attributes=attributes)


def _value(prop: Property, text: str) -> Any:
    if prop.kind is Kind.BOOLEAN:
        return text == "true"
    return int(text) if prop.kind is Kind.INTEGER else text


def _read_queue(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    try:
        reply = cloud.call("sqs", "get_queue_attributes", QueueUrl=identifier, AttributeNames=["All"])
    except AwsError as error:
        if error.gone:
            return None
        raise
    found = reply["Attributes"]
    state = {p.name: _value(p, found[p.aws]) for p in _QUEUE if p.aws and found.get(p.aws) not in (None, "")}
    tags = cloud.call("sqs", "list_queue_tags", QueueUrl=identifier).get("Tags") or {}
    return {
        **state,
        "name": identifier.rpartition("/")[2],
        "arn": found["QueueArn"],
        "url": identifier,
        "tags": tags,
    }


def _write_tags(
    cloud: Cloud, identifier: str, state: Mapping[str, Any], add: dict[str, str], remove: list[str]
) -> None:
    if remove:
        cloud.call("sqs", "untag_queue", QueueUrl=identifier, TagKeys=remove)
    if add:
        cloud.call("sqs", "tag_queue", QueueUrl=identifier, Tags=add)


def _delete_queue(task: Task, identifier: str) -> None:
    unless_gone(lambda: task.cloud.call("sqs", "delete_queue", QueueUrl=identifier))


RESOURCES = (
    Resource(
        type="aws:sqs/queue:Queue",
        properties=_QUEUE,
        outputs=("arn", "url"),
        create=_create_queue,
        settle=_settle_queue,
        read=_read_queue,
        delete=_delete_queue,
        write_tags=_write_tags,
        autoname=Autoname(longest=80, suffix=lambda inputs: ".fifo" if inputs.get("fifoQueue") else ""),
        import_id="the queue's URL",
    ),
)
