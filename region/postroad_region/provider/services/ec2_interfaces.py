"""Network interfaces."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError
from ..resource import Resource, Task, delete_when_free
from ..schema import State, block, boolean, from_aws, integer, string, strings
from .ec2 import INTERFACES, create_tagged, describe, tags_of, write_tags

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
