"""Load balancers, as far as network load balancers need them, and what they share with their listeners and targets."""

from collections.abc import Callable, Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError, ProviderError
from ..resource import Autoname, Resource, Task, only, unless_gone
from ..schema import (
    Kind,
    Property,
    State,
    block_set,
    boolean,
    from_aws,
    integer,
    string,
    strings,
    to_aws,
)
from ..tagging import from_pairs, to_pairs

Document = dict[str, Any]


def tags(cloud: Cloud, arn: str) -> dict[str, str]:
    reply = cloud.call("elbv2", "describe_tags", ResourceArns=[arn])
    return from_pairs((only(reply["TagDescriptions"]) or {}).get("Tags"))


def write_tags(cloud: Cloud, identifier: str, state: Mapping[str, Any], add: dict[str, str], remove: list[str]) -> None:
    if remove:
        cloud.call("elbv2", "remove_tags", ResourceArns=[identifier], TagKeys=remove)
    if add:
        cloud.call("elbv2", "add_tags", ResourceArns=[identifier], Tags=to_pairs(add))


def get(cloud: Cloud, operation: str, key: str, **parameters: Any) -> Document | None:
    try:
        found: Document | None = only(cloud.call("elbv2", operation, **parameters)[key])
    except AwsError as error:
        if error.gone:
            return None
        raise
    return found


def create(task: Task, operation: str, key: str, arn: str, find: Callable[[], str | None], **parameters: Any) -> str:
    """Create with tags; a lost reply is settled by the name (or, for a listener, the port), which AWS keeps unique."""
    if task.tags:
        parameters["Tags"] = to_pairs(task.tags)
    return task.cloud.creating(lambda: str(task.cloud.call("elbv2", operation, **parameters)[key][0][arn]), find)


def attributes(names: Mapping[str, Property], task: Task) -> list[dict[str, str]]:
    """The attributes to write: on create those that are given, on update those that changed."""
    return [
        {"Key": key, "Value": text(task.get(prop.name))}
        for key, prop in names.items()
        if task.touches(prop.name) and task.get(prop.name) is not None
    ]


def text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def attribute_state(names: Mapping[str, Property], attributes: list[dict[str, str]]) -> State:
    found = {item["Key"]: item.get("Value", "") for item in attributes}
    state: State = {}
    for key, prop in names.items():
        text = found.get(key, "")
        if text == "":
            continue
        state[prop.name] = (
            text == "true" if prop.kind is Kind.BOOLEAN else int(text) if prop.kind is Kind.INTEGER else text
        )
    return state


_BALANCER_ATTRIBUTES = {
    "deletion_protection.enabled": boolean("enableDeletionProtection", aws=None, default=False),
    "load_balancing.cross_zone.enabled": boolean("enableCrossZoneLoadBalancing", aws=None, computed=True),
    "dns_record.client_routing_policy": string("dnsRecordClientRoutingPolicy", aws=None, computed=True),
    "idle_timeout.timeout_seconds": integer("idleTimeout", aws=None, computed=True),
}
_MAPPINGS = block_set(
    "subnetMappings",
    aws=None,
    computed=True,
    replaces=True,
    imported=False,
    fields=(
        string("subnetId", required=True),
        string("allocationId"),
        string("privateIpv4Address", aws="PrivateIPv4Address"),
        string("ipv6Address", aws="IPv6Address"),
        string("outpostId", aws=None, computed=True),
    ),
)
_BALANCER = (
    string("name", replaces=True),
    string("namePrefix", kept=True, replaces=True),
    string("loadBalancerType", aws="Type", default="application", replaces=True),
    boolean("internal", aws=None, computed=True, replaces=True),
    string("ipAddressType", computed=True),
    strings("subnets", computed=True),
    strings("securityGroups", computed=True),
    _MAPPINGS,
    *_BALANCER_ATTRIBUTES.values(),
)


def _create_balancer(task: Task) -> str:
    parameters = task.parameters(_BALANCER, "name", "loadBalancerType", "ipAddressType", "securityGroups", "subnets")
    parameters["Scheme"] = "internal" if task.get("internal") else "internet-facing"
    if task.get("subnetMappings"):
        parameters.pop("Subnets", None)
        parameters["SubnetMappings"] = [to_aws(_MAPPINGS.fields, item) for item in task.inputs["subnetMappings"]]

    def find() -> str | None:
        found = get(task.cloud, "describe_load_balancers", "LoadBalancers", Names=[task.get("name")])
        return str(found["LoadBalancerArn"]) if found else None

    return create(task, "create_load_balancer", "LoadBalancers", "LoadBalancerArn", find, **parameters)


def _balancer(cloud: Cloud, arn: str) -> Document | None:
    return get(cloud, "describe_load_balancers", "LoadBalancers", LoadBalancerArns=[arn])


def _settle_balancer(task: Task, identifier: str) -> None:
    def active() -> bool:
        state = ((_balancer(task.cloud, identifier) or {}).get("State") or {}).get("Code")
        if state == "failed":
            raise ProviderError(f"{identifier} failed to start")
        return state in ("active", "active_impaired")

    task.cloud.wait_until(active, seconds=task.patience, what=f"{identifier} to be active")
    if not task.fresh:
        parameters = {"LoadBalancerArn": identifier}
        if task.touches("subnets"):
            task.cloud.call("elbv2", "set_subnets", **parameters, Subnets=task.get("subnets"))
        if task.touches("securityGroups"):
            groups = task.get("securityGroups") or []
            task.cloud.call("elbv2", "set_security_groups", **parameters, SecurityGroups=groups)
        if task.touches("ipAddressType"):
            kind = task.get("ipAddressType")
            task.cloud.call("elbv2", "set_ip_address_type", **parameters, IpAddressType=kind)
    wanted = attributes(_BALANCER_ATTRIBUTES, task)
    if wanted:
        task.cloud.call("elbv2", "modify_load_balancer_attributes", LoadBalancerArn=identifier, Attributes=wanted)


def _read_balancer(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    balancer = _balancer(cloud, identifier)
    if balancer is None:
        return None
    reply = cloud.call("elbv2", "describe_load_balancer_attributes", LoadBalancerArn=identifier)
    zones = balancer.get("AvailabilityZones") or []
    mappings = [
        {"subnetId": zone["SubnetId"], **from_aws(_MAPPINGS.fields, address)}
        for zone in zones
        for address in zone.get("LoadBalancerAddresses") or [{}]
    ]
    return {
        **from_aws(_BALANCER, balancer),
        "name": balancer["LoadBalancerName"],
        "internal": balancer.get("Scheme") == "internal",
        "subnets": sorted(zone["SubnetId"] for zone in zones),
        "subnetMappings": sorted(mappings, key=lambda item: str(item["subnetId"])),
        **attribute_state(_BALANCER_ATTRIBUTES, reply["Attributes"]),
        "arn": identifier,
        "arnSuffix": identifier.partition(":loadbalancer/")[2],
        "dnsName": balancer["DNSName"],
        "vpcId": balancer.get("VpcId"),
        "zoneId": balancer.get("CanonicalHostedZoneId"),
        "tags": tags(cloud, identifier),
    }


def _delete_balancer(task: Task, identifier: str) -> None:
    unless_gone(lambda: task.cloud.call("elbv2", "delete_load_balancer", LoadBalancerArn=identifier))
    task.cloud.wait_until(
        lambda: _balancer(task.cloud, identifier) is None, seconds=task.patience, what=f"{identifier} to be deleted"
    )


RESOURCES = (
    Resource(
        type="aws:lb/loadBalancer:LoadBalancer",
        properties=_BALANCER,
        outputs=("arn", "arnSuffix", "dnsName", "vpcId", "zoneId"),
        create=_create_balancer,
        settle=_settle_balancer,
        read=_read_balancer,
        delete=_delete_balancer,
        write_tags=write_tags,
        autoname=Autoname(longest=32),
        import_id="the ARN",
    ),
)
