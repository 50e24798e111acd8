"""Route tables, routes and their associations."""

import zlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError, ProviderError
from ..resource import Resource, Task, delete_when_free, unless_gone
from ..schema import State, string
from .ec2 import ROUTE_TABLES, Document, create_tagged, describe, tags_of, write_tags

_TABLE = (string("vpcId", required=True, replaces=True),)


def _create_table(task: Task) -> str:
    return create_tagged(
        task, "create_route_table", "route-table", ("RouteTable", "RouteTableId"), VpcId=task.get("vpcId")
    )


def _read_table(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    table = describe(cloud, ROUTE_TABLES, identifier)
    if table is None:
        return None
    return {
        "vpcId": table["VpcId"],
        "arn": cloud.arn("ec2", f"route-table/{identifier}"),
        "ownerId": table.get("OwnerId") or cloud.account,
        "tags": tags_of(table),
    }


def _delete_table(task: Task, identifier: str) -> None:
    table = describe(task.cloud, ROUTE_TABLES, identifier)
    for association in (table or {}).get("Associations") or []:
        if not association.get("Main"):
            number = association["RouteTableAssociationId"]
            unless_gone(partial(task.cloud.call, "ec2", "disassociate_route_table", AssociationId=number))
    delete_when_free(task, identifier, lambda: task.cloud.call("ec2", "delete_route_table", RouteTableId=identifier))


_DESTINATIONS = {
    "destinationCidrBlock": "DestinationCidrBlock",
    "destinationIpv6CidrBlock": "DestinationIpv6CidrBlock",
    "destinationPrefixListId": "DestinationPrefixListId",
}
_TARGETS = {
    "gatewayId": "GatewayId",
    "natGatewayId": "NatGatewayId",
    "networkInterfaceId": "NetworkInterfaceId",
    "transitGatewayId": "TransitGatewayId",
    "vpcPeeringConnectionId": "VpcPeeringConnectionId",
    "egressOnlyGatewayId": "EgressOnlyInternetGatewayId",
    "vpcEndpointId": "VpcEndpointId",
}
_ROUTE = (
    string("routeTableId", required=True, replaces=True),
    *(string(name, aws, replaces=True) for name, aws in _DESTINATIONS.items()),
    *(string(name, aws, computed=name == "networkInterfaceId") for name, aws in _TARGETS.items()),
)


def _destination(inputs: Mapping[str, Any]) -> tuple[str, str]:
    for name in _DESTINATIONS:
        if inputs.get(name):
            return name, str(inputs[name])
    raise ProviderError(f"the route has no destination: give one of {', '.join(_DESTINATIONS)}")


def _route_parameters(task: Task) -> dict[str, Any]:
    name, destination = _destination(task.inputs)
    targets = {aws: task.inputs[target] for target, aws in _TARGETS.items() if task.inputs.get(target)}
    if task.state and "NetworkInterfaceId" in targets and len(targets) > 1:
        del targets["NetworkInterfaceId"]
    if len(targets) != 1:
        raise ProviderError(f"a route to {destination} takes exactly one of {', '.join(_TARGETS)}; got {len(targets)}")
    return {"RouteTableId": task.get("routeTableId"), _DESTINATIONS[name]: destination, **targets}


def _create_route(task: Task) -> str:
    task.cloud.call("ec2", "create_route", repeated=("RouteAlreadyExists",), **_route_parameters(task))
    return _route_id(str(task.get("routeTableId")), _destination(task.inputs)[1])


def _settle_route(task: Task, identifier: str) -> None:
    if not task.fresh:
        task.cloud.call("ec2", "replace_route", **_route_parameters(task))


def _route_id(table: str, destination: str) -> str:
    return f"r-{table}{zlib.crc32(destination.encode())}"


def _read_route(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    if known.get("routeTableId"):
        table_id, destination = str(known["routeTableId"]), _destination(known)[1]
    else:
        table_id, _, destination = identifier.partition("_")
        if not destination:
            raise ProviderError(f"a route is imported as <route table>_<destination>, not {identifier!r}")
    route = _route(describe(cloud, ROUTE_TABLES, table_id), destination)
    if route is None:
        return None
    state: State = {name: route.get(aws) for name, aws in {**_DESTINATIONS, **_TARGETS}.items() if route.get(aws)}
    return {
        **state,
        "id": _route_id(table_id, destination),
        "routeTableId": table_id,
        "origin": route.get("Origin"),
        "state": route.get("State"),
        "instanceId": route.get("InstanceId"),
        "instanceOwnerId": route.get("InstanceOwnerId"),
    }


def _route(table: Document | None, destination: str) -> Document | None:
    for route in (table or {}).get("Routes") or []:
        if destination in (route.get(aws) for aws in _DESTINATIONS.values()):
            return dict(route)
    return None


def _delete_route(task: Task, identifier: str) -> None:
    name, destination = _destination(task.state)
    parameters = {"RouteTableId": task.state["routeTableId"], _DESTINATIONS[name]: destination}
    unless_gone(lambda: task.cloud.call("ec2", "delete_route", **parameters))


_ASSOCIATION = (
    string("routeTableId", required=True),
    string("subnetId", replaces=True),
    string("gatewayId", replaces=True),
)


def _create_association(task: Task) -> str:
    def find() -> str | None:
        found = _association(task.cloud, "", task.inputs)
        return str(found["RouteTableAssociationId"]) if found else None

    parameters = task.parameters(_ASSOCIATION)
    return task.cloud.creating(
        lambda: str(task.cloud.call("ec2", "associate_route_table", **parameters)["AssociationId"]), find
    )


def _association(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> Document | None:
    """The association by id, else by subnet or gateway: moving one to another table gives it a new id on AWS."""
    filters = [("association.route-table-association-id", identifier)]
    if known.get("subnetId"):
        filters.append(("association.subnet-id", str(known["subnetId"])))
    if known.get("gatewayId"):
        filters.append(("association.gateway-id", str(known["gatewayId"])))
    for name, value in filters:
        if not value:
            continue
        reply = cloud.call("ec2", "describe_route_tables", Filters=[{"Name": name, "Values": [value]}])
        for table in reply["RouteTables"]:
            for item in table.get("Associations") or []:
                if value in (item.get("RouteTableAssociationId"), item.get("SubnetId"), item.get("GatewayId")):
                    return {**item, "RouteTableId": table["RouteTableId"]}
    return None


def _settle_association(task: Task, identifier: str) -> None:
    if task.fresh:
        return
    found = _association(task.cloud, identifier, task.state)
    if found is None:
        raise ProviderError(f"{identifier} is gone: run `pulumi refresh`")
    task.cloud.call(
        "ec2",
        "replace_route_table_association",
        AssociationId=found["RouteTableAssociationId"],
        RouteTableId=task.get("routeTableId"),
    )


def _read_association(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    if not known and "/" in identifier:
        target, _, _ = identifier.partition("/")
        found = _association(cloud, "", {"subnetId" if target.startswith("subnet-") else "gatewayId": target})
    else:
        found = _association(cloud, identifier, known)
    if found is None or (found.get("AssociationState") or {}).get("State") == "disassociated":
        return None
    state: State = {"routeTableId": found["RouteTableId"]}
    if found.get("SubnetId"):
        state["subnetId"] = found["SubnetId"]
    if found.get("GatewayId"):
        state["gatewayId"] = found["GatewayId"]
    if not known:
        state["id"] = found["RouteTableAssociationId"]
    return state


def _delete_association(task: Task, identifier: str) -> None:
    found = _association(task.cloud, identifier, task.state)
    if found is None:
        return
    number = found["RouteTableAssociationId"]
    try:
        task.cloud.call("ec2", "disassociate_route_table", AssociationId=number)
    except AwsError as error:
        if not error.gone:
            raise


RESOURCES = (
    Resource(
        type="aws:ec2/routeTable:RouteTable",
        properties=_TABLE,
        outputs=("arn", "ownerId"),
        create=_create_table,
        read=_read_table,
        delete=_delete_table,
        write_tags=write_tags,
    ),
    Resource(
        type="aws:ec2/route:Route",
        properties=_ROUTE,
        outputs=("origin", "state", "instanceId", "instanceOwnerId"),
        create=_create_route,
        settle=_settle_route,
        read=_read_route,
        delete=_delete_route,
        one_of=(tuple(_DESTINATIONS),),
        delete_first=True,
        import_id="<route table>_<destination>",
    ),
    Resource(
        type="aws:ec2/routeTableAssociation:RouteTableAssociation",
        properties=_ASSOCIATION,
        outputs=(),
        create=_create_association,
        settle=_settle_association,
        read=_read_association,
        delete=_delete_association,
        one_of=(("subnetId", "gatewayId"),),
        delete_first=True,
        import_id="<subnet or gateway>/<route table>",
    ),
)
