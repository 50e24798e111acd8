"""Elastic addresses, their reverse names, and network interfaces."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError
from ..resource import Resource, Task, delete_when_free, only, unless_gone
from ..schema import State, block, boolean, from_aws, integer, string, strings
from .ec2 import ADDRESSES, INTERFACES, create_tagged, describe, detach_address, tags_of, write_tags

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


_INTERFACE = (
    string("subnetId", required=True, replaces=True),
    string("description", default="Managed by Pulumi"),
    string("privateIp", aws="PrivateIpAddress", computed=True, replaces=True),
    strings("privateIps", aws=None, computed=True, imported=False),
    strings("securityGroups", aws=None, computed=True),
    boolean("sourceDestCheck", default=True),
    string("interfaceType", computed=True, replaces=True, imported=False),
    block(
        "connectionTrackingSpecification",
        aws=None,
        fields=(integer("tcpEstablishedTimeout"), integer("udpStreamTimeout"), integer("udpTimeout")),
    ),
)


def _create_interface(task: Task) -> str:
    parameters = task.parameters(_INTERFACE, "subnetId", "description", "privateIp")
    if task.get("securityGroups"):
        parameters["Groups"] = task.get("securityGroups")
    if task.get("privateIps"):
        first = task.get("privateIp") or task.inputs["privateIps"][0]
        parameters.pop("PrivateIpAddress", None)
        parameters["PrivateIpAddresses"] = [
            {"PrivateIpAddress": address, "Primary": address == first} for address in task.inputs["privateIps"]
        ]
    if task.get("connectionTrackingSpecification"):
        parameters["ConnectionTrackingSpecification"] = _tracking(task)
    path = ("NetworkInterface", "NetworkInterfaceId")
    return create_tagged(task, "create_network_interface", "network-interface", path, **parameters)


def _tracking(task: Task) -> dict[str, Any]:
    names = {"tcpEstablishedTimeout": "TcpEstablishedTimeout", "udpStreamTimeout": "UdpStreamTimeout"}
    names["udpTimeout"] = "UdpTimeout"
    given = task.get("connectionTrackingSpecification") or {}
    return {aws: int(given[name]) for name, aws in names.items() if given.get(name) is not None}


def _settle_interface(task: Task, identifier: str) -> None:
    def modify(**attribute: Any) -> None:
        task.cloud.call("ec2", "modify_network_interface_attribute", NetworkInterfaceId=identifier, **attribute)

    if task.touches("sourceDestCheck") and not (task.fresh and task.get("sourceDestCheck")):
        modify(SourceDestCheck={"Value": bool(task.get("sourceDestCheck"))})
    if task.fresh:
        return
    if task.touches("description"):
        modify(Description={"Value": task.get("description")})
    if task.touches("securityGroups"):
        modify(Groups=task.get("securityGroups"))
    if task.touches("connectionTrackingSpecification"):
        modify(ConnectionTrackingSpecification=_tracking(task))
    if task.touches("privateIps"):
        old, new = set(task.state.get("privateIps") or []), set(task.get("privateIps") or [])
        for operation, addresses in (("unassign", old - new), ("assign", new - old)):
            if addresses:
                parameters = {"NetworkInterfaceId": identifier, "PrivateIpAddresses": sorted(addresses)}
                task.cloud.call("ec2", f"{operation}_private_ip_addresses", **parameters)


def _read_interface(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    interface = describe(cloud, INTERFACES, identifier)
    if interface is None:
        return None
    tracking = interface.get("ConnectionTrackingConfiguration") or {}
    fields = {"tcpEstablishedTimeout": "TcpEstablishedTimeout", "udpStreamTimeout": "UdpStreamTimeout"}
    fields["udpTimeout"] = "UdpTimeout"
    return {
        **from_aws(_INTERFACE, interface),
        "privateIps": sorted(item["PrivateIpAddress"] for item in interface.get("PrivateIpAddresses") or []),
        "securityGroups": sorted(item["GroupId"] for item in interface.get("Groups") or []),
        "connectionTrackingSpecification": {n: tracking[aws] for n, aws in fields.items() if aws in tracking} or None,
        "macAddress": interface.get("MacAddress"),
        "ownerId": interface.get("OwnerId"),
        "privateDnsName": interface.get("PrivateDnsName") or None,
        "arn": cloud.arn("ec2", f"network-interface/{identifier}"),
        "tags": tags_of({"Tags": interface.get("TagSet")}),
    }


def _delete_interface(task: Task, identifier: str) -> None:
    interface = describe(task.cloud, INTERFACES, identifier)
    attachment = ((interface or {}).get("Attachment") or {}).get("AttachmentId")
    if attachment:
        try:
            task.cloud.call("ec2", "detach_network_interface", AttachmentId=attachment, Force=True)
        except AwsError as error:
            if not error.gone:
                raise
    delete_when_free(
        task,
        identifier,
        lambda: task.cloud.call("ec2", "delete_network_interface", NetworkInterfaceId=identifier),
        busy=("InvalidNetworkInterface.InUse", "InvalidParameterValue", "DependencyViolation"),
    )


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
        type="aws:ec2/networkInterface:NetworkInterface",
        properties=_INTERFACE,
        outputs=("arn", "macAddress", "ownerId", "privateDnsName"),
        create=_create_interface,
        settle=_settle_interface,
        read=_read_interface,
        delete=_delete_interface,
        write_tags=write_tags,
    ),
)
