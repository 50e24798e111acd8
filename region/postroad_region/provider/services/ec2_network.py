"""VPCs, subnets and the addresses reserved in them, internet gateways."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError, ProviderError
from ..resource import Resource, Task, delete_when_free, only, unless_gone
from ..schema import State, boolean, from_aws, string
from .ec2 import GATEWAYS, SUBNETS, VPCS, create_tagged, describe, tags_of, write_tags

_VPC = (
    string("cidrBlock", computed=True, replaces=True),
    string("instanceTenancy", default="default"),
    boolean("enableDnsSupport", aws=None, default=True),
    boolean("enableDnsHostnames", aws=None, default=False),
    boolean("enableNetworkAddressUsageMetrics", aws=None, default=False),
)
_VPC_ATTRIBUTES = {
    "enableDnsSupport": "EnableDnsSupport",
    "enableDnsHostnames": "EnableDnsHostnames",
    "enableNetworkAddressUsageMetrics": "EnableNetworkAddressUsageMetrics",
}


def _create_vpc(task: Task) -> str:
    return create_tagged(task, "create_vpc", "vpc", ("Vpc", "VpcId"), **task.parameters(_VPC))


def _settle_vpc(task: Task, identifier: str) -> None:
    for name, attribute in _VPC_ATTRIBUTES.items():
        wanted = bool(task.get(name))
        if task.fresh and wanted is (name == "enableDnsSupport"):
            continue
        if task.touches(name):
            task.cloud.call("ec2", "modify_vpc_attribute", VpcId=identifier, **{attribute: {"Value": wanted}})
    if task.touches("instanceTenancy") and not task.fresh:
        task.cloud.call("ec2", "modify_vpc_tenancy", VpcId=identifier, InstanceTenancy=task.get("instanceTenancy"))


def _read_vpc(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    vpc = describe(cloud, VPCS, identifier)
    if vpc is None:
        return None
    state = from_aws(_VPC, vpc)
    for name, attribute in _VPC_ATTRIBUTES.items():
        key = attribute[:1].lower() + attribute[1:]
        reply = cloud.call("ec2", "describe_vpc_attribute", VpcId=identifier, Attribute=key)
        state[name] = bool(reply.get(attribute, {}).get("Value", False))
    here = [{"Name": "vpc-id", "Values": [identifier]}]
    main = {"Name": "association.main", "Values": ["true"]}
    table = only(cloud.call("ec2", "describe_route_tables", Filters=[*here, main])["RouteTables"]) or {}
    default = {"Name": "default", "Values": ["true"]}
    acl = only(cloud.call("ec2", "describe_network_acls", Filters=[*here, default])["NetworkAcls"]) or {}
    named = {"Name": "group-name", "Values": ["default"]}
    group = only(cloud.call("ec2", "describe_security_groups", Filters=[*here, named])["SecurityGroups"]) or {}
    return {
        **state,
        "arn": cloud.arn("ec2", f"vpc/{identifier}"),
        "ownerId": vpc.get("OwnerId"),
        "dhcpOptionsId": vpc.get("DhcpOptionsId"),
        "mainRouteTableId": table.get("RouteTableId"),
        "defaultRouteTableId": table.get("RouteTableId"),
        "defaultNetworkAclId": acl.get("NetworkAclId"),
        "defaultSecurityGroupId": group.get("GroupId"),
        "tags": tags_of(vpc),
    }


def _delete_vpc(task: Task, identifier: str) -> None:
    delete_when_free(task, identifier, lambda: task.cloud.call("ec2", "delete_vpc", VpcId=identifier))


_SUBNET = (
    string("vpcId", required=True, replaces=True),
    string("cidrBlock", replaces=True, required=True),
    string("availabilityZone", computed=True, replaces=True),
    string("availabilityZoneId", computed=True, replaces=True, imported=False),
    boolean("mapPublicIpOnLaunch", default=False),
    boolean("assignIpv6AddressOnCreation", default=False),
    boolean("enableDns64", default=False),
    boolean("enableResourceNameDnsARecordOnLaunch", aws=None, default=False),
    string("privateDnsHostnameTypeOnLaunch", aws=None, computed=True),
)


def _create_subnet(task: Task) -> str:
    parameters = task.parameters(_SUBNET, "vpcId", "cidrBlock", "availabilityZone", "availabilityZoneId")
    return create_tagged(task, "create_subnet", "subnet", ("Subnet", "SubnetId"), **parameters)


def _settle_subnet(task: Task, identifier: str) -> None:
    attributes: dict[str, Any] = {
        "mapPublicIpOnLaunch": "MapPublicIpOnLaunch",
        "assignIpv6AddressOnCreation": "AssignIpv6AddressOnCreation",
        "enableDns64": "EnableDns64",
        "enableResourceNameDnsARecordOnLaunch": "EnableResourceNameDnsARecordOnLaunch",
    }
    for name, attribute in attributes.items():
        if task.touches(name) and not (task.fresh and not task.get(name)):
            value = {"Value": bool(task.get(name))}
            task.cloud.call("ec2", "modify_subnet_attribute", SubnetId=identifier, **{attribute: value})
    if task.touches("privateDnsHostnameTypeOnLaunch"):
        kind = task.get("privateDnsHostnameTypeOnLaunch")
        task.cloud.call("ec2", "modify_subnet_attribute", SubnetId=identifier, PrivateDnsHostnameTypeOnLaunch=kind)


def _read_subnet(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    subnet = describe(cloud, SUBNETS, identifier)
    if subnet is None:
        return None
    names = subnet.get("PrivateDnsNameOptionsOnLaunch") or {}
    return {
        **from_aws(_SUBNET, subnet),
        "enableResourceNameDnsARecordOnLaunch": bool(names.get("EnableResourceNameDnsARecord", False)),
        "privateDnsHostnameTypeOnLaunch": names.get("HostnameType"),
        "arn": subnet.get("SubnetArn") or cloud.arn("ec2", f"subnet/{identifier}"),
        "ownerId": subnet.get("OwnerId"),
        "tags": tags_of(subnet),
    }


def _delete_subnet(task: Task, identifier: str) -> None:
    delete_when_free(task, identifier, lambda: task.cloud.call("ec2", "delete_subnet", SubnetId=identifier))


_GATEWAY = (string("vpcId", aws=None),)


def _create_gateway(task: Task) -> str:
    return create_tagged(task, "create_internet_gateway", "internet-gateway", ("InternetGateway", "InternetGatewayId"))


def _settle_gateway(task: Task, identifier: str) -> None:
    attached, wanted = task.state.get("vpcId"), task.get("vpcId")
    if attached and attached != wanted:
        _detach(task, identifier, attached)
    if wanted and attached != wanted:
        task.cloud.call(
            "ec2",
            "attach_internet_gateway",
            repeated=("Resource.AlreadyAssociated",),
            InternetGatewayId=identifier,
            VpcId=wanted,
        )


def _detach(task: Task, identifier: str, vpc: str) -> None:
    delete_when_free(
        task,
        f"{identifier} in {vpc}",
        lambda: _detach_once(task.cloud, identifier, vpc),
    )


def _detach_once(cloud: Cloud, identifier: str, vpc: str) -> None:
    cloud.call(
        "ec2",
        "detach_internet_gateway",
        repeated=("Gateway.NotAttached",),
        InternetGatewayId=identifier,
        VpcId=vpc,
    )


def _read_gateway(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    gateway = describe(cloud, GATEWAYS, identifier)
    if gateway is None:
        return None
    attachment = only(gateway.get("Attachments") or []) or {}
    return {
        "vpcId": attachment.get("VpcId"),
        "arn": cloud.arn("ec2", f"internet-gateway/{identifier}"),
        "ownerId": gateway.get("OwnerId") or cloud.account,
        "tags": tags_of(gateway),
    }


def _delete_gateway(task: Task, identifier: str) -> None:
    gateway = describe(task.cloud, GATEWAYS, identifier)
    for attachment in (gateway or {}).get("Attachments") or []:
        _detach(task, identifier, attachment["VpcId"])
    unless_gone(lambda: task.cloud.call("ec2", "delete_internet_gateway", InternetGatewayId=identifier))


_RESERVATION = (
    string("subnetId", required=True, replaces=True),
    string("cidrBlock", aws="Cidr", required=True, replaces=True),
    string("reservationType", required=True, replaces=True),
    string("description", replaces=True),
)


def _create_reservation(task: Task) -> str:
    def attempt() -> str:
        reply = task.cloud.call("ec2", "create_subnet_cidr_reservation", **task.parameters(_RESERVATION))
        return str(reply["SubnetCidrReservation"]["SubnetCidrReservationId"])

    def find() -> str | None:
        # No two reservations of a subnet overlap: the range names the one whose reply was lost.
        reply = task.cloud.call("ec2", "get_subnet_cidr_reservations", SubnetId=task.get("subnetId"))
        found = [
            item for item in reply.get("SubnetIpv4CidrReservations") or [] if item["Cidr"] == task.get("cidrBlock")
        ]
        return str(found[0]["SubnetCidrReservationId"]) if found else None

    return task.cloud.creating(attempt, find)


def _read_reservation(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    subnet, _, given = identifier.rpartition(":")
    subnet = str(known.get("subnetId") or subnet)
    if not subnet:
        raise ProviderError(f"a reservation is imported as <subnet id>:<reservation id>, not {identifier!r}")
    try:
        reply = cloud.call("ec2", "get_subnet_cidr_reservations", SubnetId=subnet)
    except AwsError as error:
        if error.gone:
            return None
        raise
    for found in reply.get("SubnetIpv4CidrReservations") or []:
        if found["SubnetCidrReservationId"] == given:
            state = {name: value for name, value in from_aws(_RESERVATION, found).items() if value}
            return {**state, "ownerId": found.get("OwnerId"), "id": given}
    return None


def _delete_reservation(task: Task, identifier: str) -> None:
    call = partial(task.cloud.call, "ec2", "delete_subnet_cidr_reservation", SubnetCidrReservationId=identifier)
    unless_gone(call)


RESOURCES = (
    Resource(
        type="aws:ec2/vpc:Vpc",
        properties=_VPC,
        outputs=(
            "arn",
            "ownerId",
            "dhcpOptionsId",
            "mainRouteTableId",
            "defaultRouteTableId",
            "defaultNetworkAclId",
            "defaultSecurityGroupId",
        ),
        create=_create_vpc,
        settle=_settle_vpc,
        read=_read_vpc,
        delete=_delete_vpc,
        write_tags=write_tags,
    ),
    Resource(
        type="aws:ec2/subnet:Subnet",
        properties=_SUBNET,
        outputs=("arn", "ownerId"),
        create=_create_subnet,
        settle=_settle_subnet,
        read=_read_subnet,
        delete=_delete_subnet,
        write_tags=write_tags,
    ),
    Resource(
        type="aws:ec2/internetGateway:InternetGateway",
        properties=_GATEWAY,
        outputs=("arn", "ownerId"),
        create=_create_gateway,
        settle=_settle_gateway,
        read=_read_gateway,
        delete=_delete_gateway,
        write_tags=write_tags,
    ),
    Resource(
        type="aws:ec2/subnetCidrReservation:SubnetCidrReservation",
        properties=_RESERVATION,
        outputs=("ownerId",),
        create=_create_reservation,
        read=_read_reservation,
        delete=_delete_reservation,
        import_id="<subnet id>:<reservation id>",
    ),
)
