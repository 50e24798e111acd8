"""SNS topics."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError
from ..resource import Autoname, Resource, Task, unless_gone
from ..schema import Kind, State, boolean, document, integer, string
from ..tagging import from_pairs, to_pairs

_TOPIC = (
    string("name", aws=None, replaces=True),
    string("namePrefix", kept=True, replaces=True),
    string("displayName"),
    document("policy", computed=True),
    document("deliveryPolicy"),
    string("kmsMasterKeyId"),
    boolean("fifoTopic", default=False, replaces=True),
    boolean("contentBasedDeduplication", default=False),
    integer("signatureVersion", computed=True),
    string("tracingConfig", computed=True),
)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _create_topic(task: Task) -> str:
    """A topic of the same name and attributes is the same topic, so repeating the call is harmless."""
    attributes = {"FifoTopic": "true"} if task.get("fifoTopic") else {}
    reply = task.cloud.call(
        "sns", "create_topic", Name=task.get("name"), Attributes=attributes, Tags=to_pairs(task.tags)
    )
    return str(reply["TopicArn"])


def _settle_topic(task: Task, identifier: str) -> None:
    for prop in _TOPIC:
        if prop.aws and task.touches(prop.name) and prop.name != "fifoTopic":
            value = task.get(prop.name)
            if task.fresh and value is False:
                continue
            task.cloud.call(
                "sns",
                "set_topic_attributes",
                TopicArn=identifier,
                AttributeName=prop.aws,
                AttributeValue=_text(value),
            )


def _read_topic(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    try:
        found = cloud.call("sns", "get_topic_attributes", TopicArn=identifier)["Attributes"]
    except AwsError as error:
        if error.gone or error.code == "NotFound":
            return None
        raise
    state: State = {}
    for prop in _TOPIC:
        text = found.get(prop.aws) if prop.aws else None
        if text not in (None, ""):
            state[prop.name] = text == "true" if prop.kind is Kind.BOOLEAN else text
            if prop.kind is Kind.INTEGER:
                state[prop.name] = int(text)
    tags = cloud.call("sns", "list_tags_for_resource", ResourceArn=identifier)["Tags"]
    return {
        **state,
        "name": identifier.rpartition(":")[2],
        "arn": found["TopicArn"],
        "owner": found.get("Owner"),
        "tags": from_pairs(tags),
    }


def _write_tags(
    cloud: Cloud, identifier: str, state: Mapping[str, Any], add: dict[str, str], remove: list[str]
) -> None:
    if remove:
        cloud.call("sns", "untag_resource", ResourceArn=identifier, TagKeys=remove)
    if add:
        cloud.call("sns", "tag_resource", ResourceArn=identifier, Tags=to_pairs(add))


def _delete_topic(task: Task, identifier: str) -> None:
    unless_gone(lambda: task.cloud.call("sns", "delete_topic", TopicArn=identifier))


RESOURCES = (
    Resource(
        type="aws:sns/topic:Topic",
        properties=_TOPIC,
        outputs=("arn", "owner"),
        create=_create_topic,
        settle=_settle_topic,
        read=_read_topic,
        delete=_delete_topic,
        write_tags=_write_tags,
        autoname=Autoname(longest=256, suffix=lambda inputs: ".fifo" if inputs.get("fifoTopic") else ""),
        import_id="the ARN",
    ),
)
