"""VPC endpoints, peering connections and flow logs."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import ProviderError
from ..resource import Resource, Task, only, request_token, unless_gone
from ..schema import State, block, boolean, document, from_aws, integer, string, strings
from .ec2 import ENDPOINTS, Document, create_tagged, describe, tags_of, write_tags

_ENDPOINT = (
    string("vpcId", required=True, replaces=True),
    string("serviceName", required=True, replaces=True),
    string("vpcEndpointType", default="Gateway", replaces=True),
    document("policy", aws="PolicyDocument", computed=True),
    strings("routeTableIds", computed=True),
    strings("subnetIds", computed=True),
    strings("securityGroupIds", aws=None, computed=True),
    boolean("privateDnsEnabled", computed=True),
    string("ipAddressType", computed=True, imported=False),
    boolean("autoAccept", kept=True),
)
_SETS = {
    "routeTableIds": ("AddRouteTableIds", "RemoveRouteTableIds"),
    "subnetIds": ("AddSubnetIds", "RemoveSubnetIds"),
    "securityGroupIds": ("AddSecurityGroupIds", "RemoveSecurityGroupIds"),
}


def _create_endpoint(task: Task) -> str:
    parameters = task.parameters(_ENDPOINT)
    if task.get("securityGroupIds"):
        parameters["SecurityGroupIds"] = task.get("securityGroupIds")
    path = ("VpcEndpoint", "VpcEndpointId")
    return create_tagged(task, "create_vpc_endpoint", "vpc-endpoint", path, ClientToken=request_token(), **parameters)


def _settle_endpoint(task: Task, identifier: str) -> None:
    if not task.fresh:
        parameters: Document = {}
        for name, (add, remove) in _SETS.items():
            if task.touches(name):
                wanted, old = set(task.get(name) or []), set(task.state.get(name) or [])
                parameters.update({add: sorted(wanted - old)} if wanted - old else {})
                parameters.update({remove: sorted(old - wanted)} if old - wanted else {})
        if task.touches("policy"):
            parameters.update({"PolicyDocument": task.get("policy")} if task.get("policy") else {"ResetPolicy": True})
        if task.touches("privateDnsEnabled"):
            parameters["PrivateDnsEnabled"] = bool(task.get("privateDnsEnabled"))
        if parameters:
            task.cloud.call("ec2", "modify_vpc_endpoint", VpcEndpointId=identifier, **parameters)

    def available() -> bool:
        found = describe(task.cloud, ENDPOINTS, identifier) or {}
        if found.get("State", "").lower() in ("failed", "rejected"):
            raise ProviderError(f"{identifier} is {found['State']}")
        return found.get("State", "").lower() in ("available", "pendingacceptance")

    task.cloud.wait_until(available, seconds=task.patience, what=f"{identifier} to be available")


def _read_endpoint(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    endpoint = describe(cloud, ENDPOINTS, identifier)
    if endpoint is None or endpoint.get("State", "").lower() in ("deleting", "deleted"):
        return None
    gateway = endpoint.get("VpcEndpointType") == "Gateway"
    prefixes: Document = {}
    if gateway:
        filters = [{"Name": "prefix-list-name", "Values": [endpoint["ServiceName"]]}]
        prefixes = only(cloud.call("ec2", "describe_prefix_lists", Filters=filters)["PrefixLists"]) or {}
    return {
        **from_aws(_ENDPOINT, endpoint),
        "securityGroupIds": sorted(item["GroupId"] for item in endpoint.get("Groups") or []),
        "networkInterfaceIds": sorted(endpoint.get("NetworkInterfaceIds") or []),
        "dnsEntries": [
            {"dnsName": item.get("DnsName"), "hostedZoneId": item.get("HostedZoneId")}
            for item in endpoint.get("DnsEntries") or []
        ],
        "prefixListId": prefixes.get("PrefixListId"),
        "cidrBlocks": sorted(prefixes.get("Cidrs") or []),
        "state": endpoint.get("State"),
        "ownerId": endpoint.get("OwnerId") or cloud.account,
        "requesterManaged": bool(endpoint.get("RequesterManaged", False)),
        "arn": cloud.arn("ec2", f"vpc-endpoint/{identifier}"),
        "tags": tags_of(endpoint),
    }


def _delete_endpoint(task: Task, identifier: str) -> None:
    unless_gone(lambda: task.cloud.call("ec2", "delete_vpc_endpoints", VpcEndpointIds=[identifier]))
    task.cloud.wait_until(
        lambda: _read_endpoint(task.cloud, identifier, {}) is None,
        seconds=task.patience,
        what=f"{identifier} to be deleted",
    )


_SIDE = (boolean("allowRemoteVpcDnsResolution", aws="AllowDnsResolutionFromRemoteVpc", computed=True),)
_PEERING = (
    string("vpcId", required=True, replaces=True),
    string("peerVpcId", required=True, replaces=True),
    string("peerOwnerId", computed=True, replaces=True),
    string("peerRegion", computed=True, replaces=True, imported=False),
    boolean("autoAccept", kept=True),
    block("accepter", aws=None, computed=True, fields=_SIDE),
    block("requester", aws=None, computed=True, fields=_SIDE),
)
_OVER = ("deleted", "deleting", "expired", "failed", "rejected")


def _peering(cloud: Cloud, identifier: str) -> Document | None:
    filters = [{"Name": "vpc-peering-connection-id", "Values": [identifier]}]
    found = only(cloud.call("ec2", "describe_vpc_peering_connections", Filters=filters)["VpcPeeringConnections"])
    return dict(found) if found and found["Status"]["Code"] not in _OVER else None


def _create_peering(task: Task) -> str:
    path = ("VpcPeeringConnection", "VpcPeeringConnectionId")
    parameters = task.parameters(_PEERING)
    return create_tagged(task, "create_vpc_peering_connection", "vpc-peering-connection", path, **parameters)


def _settle_peering(task: Task, identifier: str) -> None:
    pending = (_peering(task.cloud, identifier) or {}).get("Status", {}).get("Code") != "active"
    if task.get("autoAccept") and pending:
        task.cloud.call("ec2", "accept_vpc_peering_connection", VpcPeeringConnectionId=identifier)
        task.cloud.wait_until(
            lambda: (_peering(task.cloud, identifier) or {}).get("Status", {}).get("Code") == "active",
            seconds=task.patience,
            what=f"{identifier} to be active",
        )
    options: Document = {}
    for side in ("accepter", "requester"):
        allowed = (task.get(side) or {}).get("allowRemoteVpcDnsResolution")
        if task.touches(side) and allowed is not None:
            key = f"{side.capitalize()}PeeringConnectionOptions"
            options[key] = {"AllowDnsResolutionFromRemoteVpc": bool(allowed)}
    if options:
        task.cloud.call("ec2", "modify_vpc_peering_connection_options", VpcPeeringConnectionId=identifier, **options)


def _allows(side: Document) -> bool:
    return bool((side.get("PeeringOptions") or {}).get("AllowDnsResolutionFromRemoteVpc", False))


def _read_peering(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    peering = _peering(cloud, identifier)
    if peering is None:
        return None
    accepter, requester = peering["AccepterVpcInfo"], peering["RequesterVpcInfo"]
    sides = {
        name: {"allowRemoteVpcDnsResolution": _allows(info)}
        for name, info in (("accepter", accepter), ("requester", requester))
    }
    return {
        **sides,
        "vpcId": requester["VpcId"],
        "peerVpcId": accepter["VpcId"],
        "peerOwnerId": accepter.get("OwnerId"),
        "peerRegion": accepter.get("Region") or cloud.region,
        "acceptStatus": peering["Status"]["Code"],
        "tags": tags_of(peering),
    }


def _delete_peering(task: Task, identifier: str) -> None:
    parameters = {"VpcPeeringConnectionId": identifier}
    unless_gone(lambda: task.cloud.call("ec2", "delete_vpc_peering_connection", **parameters))
    task.cloud.wait_until(
        lambda: _peering(task.cloud, identifier) is None, seconds=task.patience, what=f"{identifier} to be deleted"
    )


_SUBJECTS = {"vpcId": "VPC", "subnetId": "Subnet", "eniId": "NetworkInterface"}
_FLOW_LOG = (
    *(string(name, aws=None, replaces=True) for name in _SUBJECTS),
    string("trafficType", replaces=True),
    string("iamRoleArn", aws="DeliverLogsPermissionArn", replaces=True),
    string("logDestination", computed=True, replaces=True),
    string("logDestinationType", default="cloud-watch-logs", replaces=True),
    string("logFormat", computed=True, replaces=True),
    integer("maxAggregationInterval", default=600, replaces=True),
    block(
        "destinationOptions",
        replaces=True,
        fields=(
            string("fileFormat", default="plain-text"),
            boolean("hiveCompatiblePartitions", default=False),
            boolean("perHourPartition", default=False),
        ),
    ),
)


def _create_flow_log(task: Task) -> str:
    parameters = task.parameters(_FLOW_LOG)
    for name, kind in _SUBJECTS.items():
        if task.get(name):
            parameters.update(ResourceIds=[task.get(name)], ResourceType=kind)
    parameters["ClientToken"] = request_token()
    return create_tagged(task, "create_flow_logs", "vpc-flow-log", ("FlowLogIds",), **parameters)


def _read_flow_log(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    filters = [{"Name": "flow-log-id", "Values": [identifier]}]
    log = only(cloud.call("ec2", "describe_flow_logs", Filters=filters)["FlowLogs"])
    if log is None:
        return None
    subject = str(log["ResourceId"])
    prefix = subject.partition("-")[0]
    return {
        **from_aws(_FLOW_LOG, log),
        {"vpc": "vpcId", "subnet": "subnetId"}.get(prefix, "eniId"): subject,
        "arn": cloud.arn("ec2", f"vpc-flow-log/{identifier}"),
        "tags": tags_of(log),
    }


def _delete_flow_log(task: Task, identifier: str) -> None:
    unless_gone(lambda: task.cloud.call("ec2", "delete_flow_logs", FlowLogIds=[identifier]))


RESOURCES = (
    Resource(
        type="aws:ec2/vpcEndpoint:VpcEndpoint",
        properties=_ENDPOINT,
        outputs=(
            "arn",
            "cidrBlocks",
            "dnsEntries",
            "networkInterfaceIds",
            "ownerId",
            "prefixListId",
            "requesterManaged",
            "state",
        ),
        create=_create_endpoint,
        settle=_settle_endpoint,
        read=_read_endpoint,
        delete=_delete_endpoint,
        write_tags=write_tags,
    ),
    Resource(
        type="aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
        properties=_PEERING,
        outputs=("acceptStatus",),
        create=_create_peering,
        settle=_settle_peering,
        read=_read_peering,
        delete=_delete_peering,
        write_tags=write_tags,
        volatile=("acceptStatus",),
    ),
    Resource(
        type="aws:ec2/flowLog:FlowLog",
        properties=_FLOW_LOG,
        outputs=("arn",),
        create=_create_flow_log,
        read=_read_flow_log,
        delete=_delete_flow_log,
        write_tags=write_tags,
        one_of=(tuple(_SUBJECTS),),
    ),
)
