"""Elastic addresses, what they are associated with, and their reverse names."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..resource import Resource, Task, delete_when_free, only, unless_gone
from ..schema import State, boolean, from_aws, string
from .ec2 import ADDRESSES, create_tagged, describe, detach_address, tags_of, write_tags

_ADDRESS = (
    string("domain", computed=True, replaces=True),
    string("address", kept=True, replaces=True),
    string("instance", aws="InstanceId", computed=True, imported=False),
    string("networkInterface", aws="NetworkInterfaceId", computed=True, imported=False),
    string("associateWithPrivateIp", kept=True),
    string("publicIpv4Pool", computed=True, replaces=True, imported=False),
    string("networkBorderGroup", computed=True, replaces=True, imported=False),
)


def _create_address(task: Task) -> str:
    parameters = task.parameters(_ADDRESS, "domain", "publicIpv4Pool", "networkBorderGroup")
    parameters.setdefault("Domain", "vpc")
    if task.get("address"):
        parameters["Address"] = task.get("address")
    return create_tagged(task, "allocate_address", "elastic-ip", ("AllocationId",), **parameters)


def _settle_address(task: Task, identifier: str) -> None:
    """Associate only if the program says with what: else whoever associates it (Ansible) is left alone."""
    if not task.touches("instance", "networkInterface", "associateWithPrivateIp"):
        return
    parameters: dict[str, Any] = {"AllocationId": identifier}
    if task.get("networkInterface"):
        parameters["NetworkInterfaceId"] = task.get("networkInterface")
    elif task.get("instance"):
        parameters["InstanceId"] = task.get("instance")
    else:
        return
    if task.get("associateWithPrivateIp"):
        parameters["PrivateIpAddress"] = task.get("associateWithPrivateIp")
    task.cloud.call("ec2", "associate_address", AllowReassociation=True, **parameters)


def _read_address(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    address = describe(cloud, ADDRESSES, identifier)
    if address is None:
        return None
    public, private = address["PublicIp"], address.get("PrivateIpAddress")
    zone = "compute-1" if cloud.region == "us-east-1" else f"{cloud.region}.compute"
    local = "ec2" if cloud.region == "us-east-1" else f"{cloud.region}.compute"
    return {
        **{name: value for name, value in from_aws(_ADDRESS, address).items() if value},
        "allocationId": identifier,
        "associationId": address.get("AssociationId") or None,
        "publicIp": public,
        "publicDns": f"ec2-{public.replace('.', '-')}.{zone}.amazonaws.com",
        "privateIp": private or None,
        "privateDns": f"ip-{private.replace('.', '-')}.{local}.internal" if private else None,
        "arn": cloud.arn("ec2", f"elastic-ip/{identifier}"),
        "tags": tags_of(address),
    }


def _delete_address(task: Task, identifier: str) -> None:
    address = describe(task.cloud, ADDRESSES, identifier)
    if address is None:
        return
    detach_address(task.cloud, address.get("AssociationId"))
    delete_when_free(
        task,
        identifier,
        lambda: task.cloud.call("ec2", "release_address", AllocationId=identifier),
        busy=("InvalidIPAddress.InUse", "AuthFailure", "DependencyViolation"),
    )


_REVERSE = (string("allocationId", required=True, replaces=True), string("domainName", required=True))


def _create_reverse(task: Task) -> str:
    identifier = str(task.get("allocationId"))
    _set_reverse(task, identifier)
    return identifier


def _settle_reverse(task: Task, identifier: str) -> None:
    if not task.fresh:
        _set_reverse(task, identifier)


def _set_reverse(task: Task, identifier: str) -> None:
    task.cloud.call("ec2", "modify_address_attribute", AllocationId=identifier, DomainName=task.get("domainName"))
    task.cloud.wait_until(
        lambda: _reverse_is_settled(task.cloud, identifier),
        seconds=task.patience,
        what=f"the reverse name of {identifier}",
    )


def _attribute(cloud: Cloud, identifier: str) -> dict[str, Any]:
    reply = cloud.call("ec2", "describe_addresses_attribute", AllocationIds=[identifier], Attribute="domain-name")
    return only(reply["Addresses"]) or {}


def _reverse_is_settled(cloud: Cloud, identifier: str) -> bool:
    return (_attribute(cloud, identifier).get("PtrRecordUpdate") or {}).get("Status") not in ("PENDING", "pending")


def _read_reverse(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    record = _attribute(cloud, identifier).get("PtrRecord")
    if not record:
        return None
    name = record.rstrip(".")
    declared = str(known.get("domainName") or "")
    return {
        "allocationId": identifier,
        "domainName": declared if declared.rstrip(".") == name else name,
        "ptrRecord": record,
    }


def _delete_reverse(task: Task, identifier: str) -> None:
    parameters = {"AllocationId": identifier, "Attribute": "domain-name"}
    unless_gone(lambda: task.cloud.call("ec2", "reset_address_attribute", **parameters))


_ASSOCIATION = (
    string("allocationId", computed=True, replaces=True),
    string("instanceId", computed=True, replaces=True, imported=False),
    string("networkInterfaceId", computed=True, replaces=True),
    string("privateIpAddress", computed=True, replaces=True),
    string("publicIp", computed=True, replaces=True, imported=False),
    boolean("allowReassociation", kept=True, replaces=True),
)


def _create_association(task: Task) -> str:
    parameters = task.parameters(_ASSOCIATION)
    # An Elastic IP of a VPC is named by its allocation alone.
    if task.get("allocationId"):
        parameters.pop("PublicIp", None)
    if task.get("networkInterfaceId"):
        parameters.pop("InstanceId", None)
    # AWS moves an address unless it is told not to; the provider tells it so unless the program wants the move.
    parameters["AllowReassociation"] = bool(task.get("allowReassociation"))
    return str(task.cloud.call("ec2", "associate_address", **parameters)["AssociationId"])


def _read_association(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    filters = [{"Name": "association-id", "Values": [identifier]}]
    address = only(cloud.call("ec2", "describe_addresses", Filters=filters)["Addresses"])
    return (
        None if address is None else {name: value for name, value in from_aws(_ASSOCIATION, address).items() if value}
    )


def _delete_association(task: Task, identifier: str) -> None:
    unless_gone(lambda: task.cloud.call("ec2", "disassociate_address", AssociationId=identifier))


RESOURCES = (
    Resource(
        type="aws:ec2/eip:Eip",
        properties=_ADDRESS,
        outputs=("allocationId", "arn", "associationId", "privateDns", "privateIp", "publicDns", "publicIp"),
        create=_create_address,
        settle=_settle_address,
        read=_read_address,
        delete=_delete_address,
        write_tags=write_tags,
        import_id="the allocation id",
    ),
    Resource(
        type="aws:ec2/eipDomainName:EipDomainName",
        properties=_REVERSE,
        outputs=("ptrRecord",),
        create=_create_reverse,
        settle=_settle_reverse,
        read=_read_reverse,
        delete=_delete_reverse,
        import_id="the allocation id",
        volatile=("ptrRecord",),
    ),
    Resource(
        type="aws:ec2/eipAssociation:EipAssociation",
        properties=_ASSOCIATION,
        outputs=(),
        create=_create_association,
        read=_read_association,
        delete=_delete_association,
        import_id="the association id",
    ),
)
