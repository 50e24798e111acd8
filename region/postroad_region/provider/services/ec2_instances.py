"""Instances that a program makes itself; those of Auto Scaling groups are AWS's."""

import base64
from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import ProviderError
from ..resource import Resource, Task, only, request_token, unless_gone
from ..schema import State, block, boolean, from_aws, integer, mapping, string, strings, to_aws
from ..tagging import to_pairs
from .ec2 import Document, create_tagged, tags_of, write_tags

_METADATA = block(
    "metadataOptions",
    computed=True,
    fields=(
        string("httpEndpoint", computed=True),
        string("httpProtocolIpv6", computed=True),
        integer("httpPutResponseHopLimit", computed=True),
        string("httpTokens", computed=True),
        string("instanceMetadataTags", computed=True),
    ),
)
_ROOT = block(
    "rootBlockDevice",
    aws=None,
    computed=True,
    imported=False,
    fields=(
        boolean("deleteOnTermination", default=True),
        boolean("encrypted", computed=True, replaces=True),
        integer("iops", computed=True),
        string("kmsKeyId", computed=True, replaces=True),
        integer("throughput", computed=True),
        integer("volumeSize", computed=True),
        string("volumeType", computed=True),
    ),
)
_TEMPLATE = block(
    "launchTemplate",
    kept=True,
    replaces=True,
    fields=(string("id", computed=True), string("name", computed=True), string("version", computed=True)),
)
_INSTANCE = (
    string("ami", aws="ImageId", computed=True, replaces=True),
    string("instanceType", computed=True),
    string("keyName", computed=True, replaces=True),
    string("subnetId", computed=True, replaces=True),
    string("availabilityZone", aws=None, computed=True, replaces=True),
    string("privateIp", aws="PrivateIpAddress", computed=True, replaces=True),
    boolean("associatePublicIpAddress", aws=None, computed=True, replaces=True, imported=False),
    strings("vpcSecurityGroupIds", aws=None, computed=True),
    string("iamInstanceProfile", aws=None, computed=True),
    string("userData", kept=True),
    string("userDataBase64", kept=True),
    boolean("userDataReplaceOnChange", kept=True, default=False),
    boolean("sourceDestCheck", default=True),
    boolean("disableApiTermination", aws=None, default=False),
    boolean("ebsOptimized", computed=True, replaces=True, imported=False),
    boolean("monitoring", aws=None, default=False),
    string("tenancy", aws=None, computed=True, replaces=True, imported=False),
    _METADATA,
    _ROOT,
    _TEMPLATE,
    mapping("volumeTags", kept=True, replaces=True),
    boolean("forceDestroy", kept=True, default=False),
)
_GONE = ("terminated", "shutting-down")


def _instance(cloud: Cloud, identifier: str) -> Document | None:
    filters = [{"Name": "instance-id", "Values": [identifier]}]
    reservations = cloud.call("ec2", "describe_instances", Filters=filters)["Reservations"]
    found: Document | None = only([item for group in reservations for item in group["Instances"]])
    return found


def _create_instance(task: Task) -> str:
    given = task.parameters(_INSTANCE, "ami", "instanceType", "keyName", "ebsOptimized", "metadataOptions")
    parameters: Document = {**given, "MinCount": 1, "MaxCount": 1, "ClientToken": request_token()}
    network: Document = task.parameters(_INSTANCE, "subnetId", "privateIp")
    groups = task.get("vpcSecurityGroupIds")
    if task.get("associatePublicIpAddress") is None:
        parameters.update(network, **({"SecurityGroupIds": groups} if groups else {}))
    else:
        # Only an interface's specification says whether the instance gets a public address.
        public = bool(task.get("associatePublicIpAddress"))
        interface = {"DeviceIndex": 0, "AssociatePublicIpAddress": public, **network}
        parameters["NetworkInterfaces"] = [{**interface, **({"Groups": groups} if groups else {})}]
    placement = {"AvailabilityZone": task.get("availabilityZone"), "Tenancy": task.get("tenancy")}
    if any(placement.values()):
        parameters["Placement"] = {key: value for key, value in placement.items() if value}
    if task.get("iamInstanceProfile"):
        parameters["IamInstanceProfile"] = {"Name": task.get("iamInstanceProfile")}
    if task.get("userData") or task.get("userDataBase64"):
        # boto3 encodes the text itself.
        encoded = task.get("userDataBase64")
        parameters["UserData"] = task.get("userData") or base64.b64decode(str(encoded)).decode()
    if task.get("disableApiTermination"):
        parameters["DisableApiTermination"] = True
    if task.get("monitoring"):
        parameters["Monitoring"] = {"Enabled": True}
    if task.get("launchTemplate"):
        names = {"id": "LaunchTemplateId", "name": "LaunchTemplateName", "version": "Version"}
        parameters["LaunchTemplate"] = {names[key]: value for key, value in task.inputs["launchTemplate"].items()}
    if task.get("rootBlockDevice"):
        parameters["BlockDeviceMappings"] = [
            {"DeviceName": _root_name(task), "Ebs": to_aws(_ROOT.fields, task.inputs["rootBlockDevice"])}
        ]
    return create_tagged(task, "run_instances", "instance", ("Instances", "InstanceId"), **parameters)


def _root_name(task: Task) -> str:
    images = task.cloud.call("ec2", "describe_images", ImageIds=[task.get("ami")])["Images"]
    return str(images[0].get("RootDeviceName") or "/dev/xvda") if images else "/dev/xvda"


def _settle_instance(task: Task, identifier: str) -> None:
    if task.fresh:
        _wait_for(task, identifier, "running")
        if task.get("volumeTags"):
            volumes = [device["Ebs"]["VolumeId"] for device in _devices(_instance(task.cloud, identifier))]
            task.cloud.call("ec2", "create_tags", Resources=volumes, Tags=to_pairs(task.inputs["volumeTags"]))
        if not task.get("sourceDestCheck"):
            _modify(task, identifier, SourceDestCheck={"Value": False})
        return
    if task.touches("userData", "userDataBase64") or task.touches("instanceType"):
        _change_stopped(task, identifier)
    if task.touches("sourceDestCheck"):
        _modify(task, identifier, SourceDestCheck={"Value": bool(task.get("sourceDestCheck"))})
    if task.touches("disableApiTermination"):
        _modify(task, identifier, DisableApiTermination={"Value": bool(task.get("disableApiTermination"))})
    if task.touches("vpcSecurityGroupIds"):
        _modify(task, identifier, Groups=task.get("vpcSecurityGroupIds"))
    if task.touches("monitoring"):
        operation = "monitor_instances" if task.get("monitoring") else "unmonitor_instances"
        task.cloud.call("ec2", operation, InstanceIds=[identifier])
    if task.touches("metadataOptions") and task.get("metadataOptions"):
        options = to_aws(_METADATA.fields, task.inputs["metadataOptions"])
        task.cloud.call("ec2", "modify_instance_metadata_options", InstanceId=identifier, **options)
    if task.touches("iamInstanceProfile"):
        _change_profile(task, identifier)
    if task.touches("rootBlockDevice") and not task.fresh:
        raise ProviderError("a changed rootBlockDevice needs a new instance with this provider: replace it")


def _modify(task: Task, identifier: str, **attribute: Any) -> None:
    task.cloud.call("ec2", "modify_instance_attribute", InstanceId=identifier, **attribute)


def _change_stopped(task: Task, identifier: str) -> None:
    """What EC2 changes only on a stopped instance: its type and user data."""
    task.cloud.call("ec2", "stop_instances", InstanceIds=[identifier])
    _wait_for(task, identifier, "stopped")
    if task.touches("instanceType"):
        _modify(task, identifier, InstanceType={"Value": task.get("instanceType")})
    if task.touches("userData", "userDataBase64"):
        encoded = task.get("userDataBase64")
        content = base64.b64decode(str(encoded)) if encoded else str(task.get("userData") or "").encode()
        _modify(task, identifier, UserData={"Value": content})
    task.cloud.call("ec2", "start_instances", repeated=("IncorrectInstanceState",), InstanceIds=[identifier])
    _wait_for(task, identifier, "running")


def _change_profile(task: Task, identifier: str) -> None:
    filters = [{"Name": "instance-id", "Values": [identifier]}]
    found = task.cloud.call("ec2", "describe_iam_instance_profile_associations", Filters=filters)
    for item in found["IamInstanceProfileAssociations"]:
        task.cloud.call("ec2", "disassociate_iam_instance_profile", AssociationId=item["AssociationId"])
    if task.get("iamInstanceProfile"):
        profile = {"Name": task.get("iamInstanceProfile")}
        task.cloud.call("ec2", "associate_iam_instance_profile", IamInstanceProfile=profile, InstanceId=identifier)


def _wait_for(task: Task, identifier: str, wanted: str) -> None:
    def reached() -> bool:
        instance = _instance(task.cloud, identifier)
        state = instance["State"]["Name"] if instance else "missing"
        if wanted == "running" and state in _GONE:
            reason = ((instance or {}).get("StateReason") or {}).get("Message", "no reason given")
            raise ProviderError(f"{identifier} ended while starting: {reason}")
        return bool(state == wanted)

    task.cloud.wait_until(reached, seconds=task.patience, what=f"{identifier} to be {wanted}")


def _devices(instance: Document | None) -> list[Document]:
    return [item for item in (instance or {}).get("BlockDeviceMappings") or [] if item.get("Ebs")]


def _root(cloud: Cloud, instance: Document) -> State | None:
    for device in _devices(instance):
        if device["DeviceName"] == instance.get("RootDeviceName"):
            number = device["Ebs"]["VolumeId"]
            filters = [{"Name": "volume-id", "Values": [number]}]
            volume = only(cloud.call("ec2", "describe_volumes", Filters=filters)["Volumes"]) or {}
            return {
                "deleteOnTermination": bool(device["Ebs"].get("DeleteOnTermination")),
                "deviceName": device["DeviceName"],
                "volumeId": number,
                "volumeSize": volume.get("Size"),
                "volumeType": volume.get("VolumeType"),
                "encrypted": volume.get("Encrypted"),
                "iops": volume.get("Iops"),
                "throughput": volume.get("Throughput"),
            }
    return None


def _read_instance(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    instance = _instance(cloud, identifier)
    if instance is None or instance["State"]["Name"] in _GONE:
        return None
    attribute = cloud.call(
        "ec2", "describe_instance_attribute", InstanceId=identifier, Attribute="disableApiTermination"
    )
    profile = (instance.get("IamInstanceProfile") or {}).get("Arn", "")
    placement = instance.get("Placement") or {}
    interface = only(instance.get("NetworkInterfaces") or []) or {}
    root = _root(cloud, instance) or {}
    return {
        **from_aws(_INSTANCE, instance),
        "availabilityZone": placement.get("AvailabilityZone"),
        "tenancy": placement.get("Tenancy"),
        "vpcSecurityGroupIds": sorted(item["GroupId"] for item in instance.get("SecurityGroups") or []),
        "iamInstanceProfile": profile.rpartition("/")[2] or None,
        "disableApiTermination": bool((attribute.get("DisableApiTermination") or {}).get("Value", False)),
        "monitoring": (instance.get("Monitoring") or {}).get("State") in ("enabled", "pending"),
        "associatePublicIpAddress": known.get("associatePublicIpAddress", bool(instance.get("PublicIpAddress"))),
        "rootBlockDevice": {key: value for key, value in root.items() if value is not None} or None,
        "instanceState": instance["State"]["Name"],
        "primaryNetworkInterfaceId": interface.get("NetworkInterfaceId"),
        "privateDns": instance.get("PrivateDnsName") or None,
        "publicDns": instance.get("PublicDnsName") or None,
        "publicIp": instance.get("PublicIpAddress") or None,
        "arn": cloud.arn("ec2", f"instance/{identifier}"),
        "tags": tags_of(instance),
    }


def _delete_instance(task: Task, identifier: str) -> None:
    if task.state.get("forceDestroy") and task.state.get("disableApiTermination"):
        unless_gone(lambda: _modify(task, identifier, DisableApiTermination={"Value": False}))
    unless_gone(lambda: task.cloud.call("ec2", "terminate_instances", InstanceIds=[identifier]))
    task.cloud.wait_until(
        lambda: (
            (_instance(task.cloud, identifier) or {"State": {"Name": "terminated"}})["State"]["Name"] == "terminated"
        ),
        seconds=task.patience,
        what=f"{identifier} to be terminated",
    )


RESOURCES = (
    Resource(
        type="aws:ec2/instance:Instance",
        properties=_INSTANCE,
        outputs=(
            "arn",
            "instanceState",
            "primaryNetworkInterfaceId",
            "privateDns",
            "publicDns",
            "publicIp",
        ),
        create=_create_instance,
        settle=_settle_instance,
        read=_read_instance,
        delete=_delete_instance,
        write_tags=write_tags,
        volatile=("publicDns", "publicIp"),
    ),
)
