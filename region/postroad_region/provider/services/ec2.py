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
    """A describe call that takes ids: boto3's method, its parameter, where its reply holds the items, their id."""

    operation: str
    parameter: str
    key: str
    id_key: str


VPCS = Listing("describe_vpcs", "VpcIds", "Vpcs", "VpcId")
SUBNETS = Listing("describe_subnets", "SubnetIds", "Subnets", "SubnetId")
GATEWAYS = Listing("describe_internet_gateways", "InternetGatewayIds", "InternetGateways", "InternetGatewayId")
ROUTE_TABLES = Listing("describe_route_tables", "RouteTableIds", "RouteTables", "RouteTableId")
GROUPS = Listing("describe_security_groups", "GroupIds", "SecurityGroups", "GroupId")
RULES = Listing("describe_security_group_rules", "SecurityGroupRuleIds", "SecurityGroupRules", "SecurityGroupRuleId")
ACLS = Listing("describe_network_acls", "NetworkAclIds", "NetworkAcls", "NetworkAclId")
ADDRESSES = Listing("describe_addresses", "AllocationIds", "Addresses", "AllocationId")
VOLUMES = Listing("describe_volumes", "VolumeIds", "Volumes", "VolumeId")
ENDPOINTS = Listing("describe_vpc_endpoints", "VpcEndpointIds", "VpcEndpoints", "VpcEndpointId")
INTERFACES = Listing("describe_network_interfaces", "NetworkInterfaceIds", "NetworkInterfaces", "NetworkInterfaceId")
TEMPLATES = Listing("describe_launch_templates", "LaunchTemplateIds", "LaunchTemplates", "LaunchTemplateId")


@dataclass(slots=True)
class _Queue:
    """Ids waiting to be asked for; while one request is under way the next ones gather."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: dict[str, list[Future[Document | None]]] = field(default_factory=dict)
    busy: bool = False


_queues: "weakref.WeakKeyDictionary[Cloud, dict[Listing, _Queue]]" = weakref.WeakKeyDictionary()
_queues_lock = threading.Lock()
MOST_IDS = 100
"""Ids in one call, well below what any of these calls takes."""


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
            found = _ask(cloud, listing, list(batch))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is every waiter's
            for futures in batch.values():
                for future in futures:
                    future.set_exception(error)
            continue
        for key, futures in batch.items():
            for future in futures:
                future.set_result(found.get(key))


def _ask(cloud: Cloud, listing: Listing, identifiers: list[str]) -> dict[str, Document]:
    """The items by id. One missing id makes AWS refuse the whole call; then each is asked for by itself."""
    try:
        reply = cloud.call("ec2", listing.operation, **{listing.parameter: identifiers})
    except AwsError as error:
        if not (error.gone or error.code.endswith(".Malformed")):
            raise
        if len(identifiers) == 1:
            return {}
        found: dict[str, Document] = {}
        for identifier in identifiers:
            found.update(_ask(cloud, listing, [identifier]))
        return found
    return {item[listing.id_key]: item for item in reply[listing.key]}


def detach_address(cloud: Cloud, association: str | None) -> None:
    """Disassociate an elastic address, if it is associated."""
    if association:
        unless_gone(lambda: cloud.call("ec2", "disassociate_address", AssociationId=association))
