"""What all EC2 resources share: creation that never doubles, tags, and describes that travel together."""

import contextlib
import threading
import weakref
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError, ProviderError
from ..resource import Task, request_token, unless_gone
from ..tagging import REQUEST_TAG, from_pairs, to_pairs

Document = dict[str, Any]


def create_tagged(task: Task, operation: str, kind: str, path: tuple[str, ...], **parameters: Any) -> str:
    """Create an EC2 resource with its tags and return its id.

    A tag with a unique value goes along and is removed after the reply. When the reply is lost, the resource is looked
    for by that tag before anything is created again.

    Args:
        task: what to create.
        operation: boto3's method.
        kind: EC2's name of the resource type in tag specifications.
        path: where in the reply the id is.
        parameters: of the method.
    """
    token = request_token()
    tags = to_pairs({**task.tags, REQUEST_TAG: token})

    def attempt() -> str:
        specification = [{"ResourceType": kind, "Tags": tags}]
        reply: Any = task.cloud.call("ec2", operation, TagSpecifications=specification, **parameters)
        for key in path:
            reply = reply[0][key] if isinstance(reply, list) else reply[key]
        return str(reply[0] if isinstance(reply, list) else reply)

    def find() -> str | None:
        filters = [{"Name": "key", "Values": [REQUEST_TAG]}, {"Name": "value", "Values": [token]}]
        found = task.cloud.call("ec2", "describe_tags", Filters=filters)["Tags"]
        return str(found[0]["ResourceId"]) if found else None

    identifier = task.cloud.creating(attempt, find)
    # What remains of it is never reported, so a failure here may pass.
    with contextlib.suppress(ProviderError):
        task.cloud.call("ec2", "delete_tags", Resources=[identifier], Tags=[{"Key": REQUEST_TAG}])
    return identifier


def write_tags(cloud: Cloud, identifier: str, state: Mapping[str, Any], add: dict[str, str], remove: list[str]) -> None:
    """Add and remove tags of anything in EC2 whose id is the resource's id."""
    if remove:
        cloud.call("ec2", "delete_tags", Resources=[identifier], Tags=[{"Key": key} for key in remove])
    if add:
        cloud.call("ec2", "create_tags", Resources=[identifier], Tags=to_pairs(add))


def tags_of(document: Mapping[str, Any]) -> dict[str, str]:
    """The tags in a describe's item."""
    return from_pairs(document.get("Tags"))


@dataclass(frozen=True, slots=True)
class Listing:
    """A describe call that finds resources by id through a filter, so that a missing one is no error."""

    operation: str
    key: str
    id_key: str
    filter: str


VPCS = Listing("describe_vpcs", "Vpcs", "VpcId", "vpc-id")
SUBNETS = Listing("describe_subnets", "Subnets", "SubnetId", "subnet-id")
GATEWAYS = Listing("describe_internet_gateways", "InternetGateways", "InternetGatewayId", "internet-gateway-id")
ROUTE_TABLES = Listing("describe_route_tables", "RouteTables", "RouteTableId", "route-table-id")
GROUPS = Listing("describe_security_groups", "SecurityGroups", "GroupId", "group-id")
RULES = Listing("describe_security_group_rules", "SecurityGroupRules", "SecurityGroupRuleId", "security-group-rule-id")
ACLS = Listing("describe_network_acls", "NetworkAcls", "NetworkAclId", "network-acl-id")
ADDRESSES = Listing("describe_addresses", "Addresses", "AllocationId", "allocation-id")
VOLUMES = Listing("describe_volumes", "Volumes", "VolumeId", "volume-id")
ENDPOINTS = Listing("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", "vpc-endpoint-id")
INTERFACES = Listing("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId", "network-interface-id")
TEMPLATES = Listing("describe_launch_templates", "LaunchTemplates", "LaunchTemplateId", "launch-template-id")


@dataclass(slots=True)
class _Queue:
    """Ids waiting to be asked for; while one request is under way the next ones gather."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: dict[str, list[Future[Document | None]]] = field(default_factory=dict)
    busy: bool = False


_queues: "weakref.WeakKeyDictionary[Cloud, dict[Listing, _Queue]]" = weakref.WeakKeyDictionary()
_queues_lock = threading.Lock()
MOST_IDS = 190
"""Values that EC2 takes in one filter: 200."""


def describe(cloud: Cloud, listing: Listing, identifier: str) -> Document | None:
    """The item with this id, or None. Requests of several threads for the same kind share one call."""
    with _queues_lock:
        queue = _queues.setdefault(cloud, {}).setdefault(listing, _Queue())
    future: Future[Document | None] = Future()
    with queue.lock:
        queue.waiting.setdefault(identifier, []).append(future)
        leads = not queue.busy
        queue.busy = True
    if leads:
        _serve(cloud, listing, queue)
    return future.result()


def _serve(cloud: Cloud, listing: Listing, queue: _Queue) -> None:
    """Answer what waits, round by round, until nothing does."""
    while True:
        with queue.lock:
            batch = {key: queue.waiting.pop(key) for key in list(queue.waiting)[:MOST_IDS]}
            if not batch:
                queue.busy = False
                return
        try:
            filters = [{"Name": listing.filter, "Values": list(batch)}]
            items = (
                cloud.pages("ec2", listing.operation, listing.key, Filters=filters)
                if _paged(cloud, listing)
                else cloud.call("ec2", listing.operation, Filters=filters)[listing.key]
            )
            found = {item[listing.id_key]: item for item in items}
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is every waiter's
            for futures in batch.values():
                for future in futures:
                    future.set_exception(error)
            continue
        for key, futures in batch.items():
            for future in futures:
                future.set_result(found.get(key))


def _paged(cloud: Cloud, listing: Listing) -> bool:
    return bool(cloud.clients.get("ec2", cloud.region).can_paginate(listing.operation))


def detach_address(cloud: Cloud, association: str | None) -> None:
    """Disassociate an elastic address, if it is associated."""
    if association:
        unless_gone(lambda: cloud.call("ec2", "disassociate_address", AssociationId=association))


def refused(error: AwsError, *codes: str) -> bool:
    """Whether AWS's answer is one of these codes."""
    return error.code in codes
