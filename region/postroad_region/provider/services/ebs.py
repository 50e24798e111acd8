"""EBS volumes and their attachment to instances."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError, ProviderError
from ..resource import Resource, Task, delete_when_free, only, request_token, unless_gone
from ..schema import State, boolean, from_aws, integer, string
from .ec2 import VOLUMES, create_tagged, describe, tags_of, write_tags

_VOLUME = (
    string("availabilityZone", required=True, replaces=True),
    boolean("encrypted", computed=True, replaces=True),
    integer("iops", computed=True),
    string("kmsKeyId", computed=True, replaces=True),
    boolean("multiAttachEnabled", default=False, replaces=True),
    integer("size", computed=True),
    string("snapshotId", computed=True, replaces=True),
    integer("throughput", computed=True),
    string("type", aws="VolumeType", computed=True),
    boolean("finalSnapshot", kept=True, default=False),
)


def _create_volume(task: Task) -> str:
    if task.get("size") is None and task.get("snapshotId") is None:
        raise ProviderError("a volume takes size or snapshotId; got neither")
    parameters = task.parameters(_VOLUME)
    if not parameters.get("MultiAttachEnabled"):
        parameters.pop("MultiAttachEnabled", None)
    parameters["ClientToken"] = request_token()
    return create_tagged(task, "create_volume", "volume", ("VolumeId",), **parameters)


def _settle_volume(task: Task, identifier: str) -> None:
    if not task.fresh and task.touches("iops", "size", "throughput", "type"):
        names = sorted(task.changed & {"iops", "size", "throughput", "type"})
        task.cloud.call("ec2", "modify_volume", VolumeId=identifier, **task.parameters(_VOLUME, *names))
        task.cloud.wait_until(
            lambda: _modified(task.cloud, identifier), seconds=task.patience, what=f"{identifier} to be modified"
        )
    task.cloud.wait_until(
        lambda: (describe(task.cloud, VOLUMES, identifier) or {}).get("State") in ("available", "in-use"),
        seconds=task.patience,
        what=f"{identifier} to be available",
    )


def _modified(cloud: Cloud, identifier: str) -> bool:
    reply = cloud.call("ec2", "describe_volumes_modifications", VolumeIds=[identifier])
    states = [item["ModificationState"] for item in reply["VolumesModifications"]]
    if "failed" in states[-1:]:
        raise ProviderError(f"{identifier} couldn't be modified")
    return not states or states[-1] in ("optimizing", "completed")


def _read_volume(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    volume = describe(cloud, VOLUMES, identifier)
    if volume is None or volume["State"] in ("deleting", "deleted"):
        return None
    created = volume.get("CreateTime")
    return {
        **{name: value for name, value in from_aws(_VOLUME, volume).items() if value != ""},
        "createTime": created.isoformat() if created else None,
        "arn": cloud.arn("ec2", f"volume/{identifier}"),
        "tags": tags_of(volume),
    }


def _delete_volume(task: Task, identifier: str) -> None:
    if task.state.get("finalSnapshot"):
        task.cloud.call("ec2", "create_snapshot", VolumeId=identifier, Description=f"final of {identifier}")
    delete_when_free(
        task,
        identifier,
        lambda: task.cloud.call("ec2", "delete_volume", VolumeId=identifier),
        busy=("VolumeInUse", "DependencyViolation"),
    )
    task.cloud.wait_until(
        lambda: _read_volume(task.cloud, identifier, {}) is None,
        seconds=task.patience,
        what=f"{identifier} to be deleted",
    )


_ATTACHMENT = (
    string("deviceName", aws="Device", required=True, replaces=True),
    string("instanceId", required=True, replaces=True),
    string("volumeId", required=True, replaces=True),
    boolean("forceDetach", kept=True, default=False),
    boolean("skipDestroy", kept=True, default=False),
    boolean("stopInstanceBeforeDetaching", kept=True, default=False),
)


def _attachment(cloud: Cloud, volume_id: str, instance: str) -> dict[str, Any] | None:
    volume = describe(cloud, VOLUMES, volume_id) or {}
    found: dict[str, Any] | None = only(
        [item for item in volume.get("Attachments") or [] if item["InstanceId"] == instance]
    )
    return found if found and found.get("State") != "detached" else None


def _attachment_id(inputs: Mapping[str, Any]) -> str:
    return f"{inputs['deviceName']}:{inputs['volumeId']}:{inputs['instanceId']}"


def _create_attachment(task: Task) -> str:
    volume, instance = task.inputs["volumeId"], task.inputs["instanceId"]
    if _attachment(task.cloud, volume, instance) is None:
        task.cloud.call("ec2", "attach_volume", repeated=("VolumeInUse",), **task.parameters(_ATTACHMENT))
    task.cloud.wait_until(
        lambda: (_attachment(task.cloud, volume, instance) or {}).get("State") == "attached",
        seconds=task.patience,
        what=f"{volume} to be attached to {instance}",
    )
    return _attachment_id(task.inputs)


def _read_attachment(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    if not known.get("volumeId"):
        parts = identifier.split(":")
        if len(parts) != 3:
            raise ProviderError(f"an attachment is imported as <device>:<volume>:<instance>, not {identifier!r}")
        known = dict(zip(("deviceName", "volumeId", "instanceId"), parts, strict=True))
    found = _attachment(cloud, str(known["volumeId"]), str(known["instanceId"]))
    if found is None:
        return None
    return {**from_aws(_ATTACHMENT, found), "volumeId": known["volumeId"]}


def _delete_attachment(task: Task, identifier: str) -> None:
    if task.state.get("skipDestroy"):
        return
    volume, instance = task.state["volumeId"], task.state["instanceId"]
    if task.state.get("stopInstanceBeforeDetaching"):
        unless_gone(lambda: task.cloud.call("ec2", "stop_instances", InstanceIds=[instance]))
        waiter = {"Name": "instance-id", "Values": [instance]}
        task.cloud.wait_until(
            lambda: all(
                item["State"]["Name"] in ("stopped", "terminated")
                for group in task.cloud.call("ec2", "describe_instances", Filters=[waiter])["Reservations"]
                for item in group["Instances"]
            ),
            seconds=task.patience,
            what=f"{instance} to stop",
        )
    if _attachment(task.cloud, volume, instance) is None:
        return
    force = bool(task.state.get("forceDetach"))
    try:
        task.cloud.call("ec2", "detach_volume", VolumeId=volume, InstanceId=instance, Force=force)
    except AwsError as error:
        if not error.gone and error.code not in ("IncorrectState", "InvalidAttachment.NotFound"):
            raise
    task.cloud.wait_until(
        lambda: _attachment(task.cloud, volume, instance) is None,
        seconds=task.patience,
        what=f"{volume} to be detached from {instance}",
    )


RESOURCES = (
    Resource(
        type="aws:ebs/volume:Volume",
        properties=_VOLUME,
        outputs=("arn", "createTime"),
        create=_create_volume,
        settle=_settle_volume,
        read=_read_volume,
        delete=_delete_volume,
        write_tags=write_tags,
    ),
    Resource(
        type="aws:ec2/volumeAttachment:VolumeAttachment",
        properties=_ATTACHMENT,
        outputs=(),
        create=_create_attachment,
        read=_read_attachment,
        delete=_delete_attachment,
        delete_first=True,
        import_id="<device>:<volume>:<instance>",
    ),
)
