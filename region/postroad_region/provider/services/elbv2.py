"""Load balancers, target groups and listeners, as far as network load balancers need them."""

from collections.abc import Callable, Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError, ProviderError
from ..resource import Autoname, Resource, Task, delete_when_free, only, unless_gone
from ..schema import (
    Kind,
    Property,
    State,
    block,
    block_set,
    blocks,
    boolean,
    flag,
    from_aws,
    integer,
    string,
    strings,
    to_aws,
)
from ..tagging import from_pairs, to_pairs

Document = dict[str, Any]


def _tags(cloud: Cloud, arn: str) -> dict[str, str]:
    reply = cloud.call("elbv2", "describe_tags", ResourceArns=[arn])
    return from_pairs((only(reply["TagDescriptions"]) or {}).get("Tags"))


def _write_tags(
    cloud: Cloud, identifier: str, state: Mapping[str, Any], add: dict[str, str], remove: list[str]
) -> None:
    if remove:
        cloud.call("elbv2", "remove_tags", ResourceArns=[identifier], TagKeys=remove)
    if add:
        cloud.call("elbv2", "add_tags", ResourceArns=[identifier], Tags=to_pairs(add))


def _get(cloud: Cloud, operation: str, key: str, **parameters: Any) -> Document | None:
    try:
        found: Document | None = only(cloud.call("elbv2", operation, **parameters)[key])
    except AwsError as error:
        if error.gone:
            return None
        raise
    return found


def _create(task: Task, operation: str, key: str, arn: str, find: Callable[[], str | None], **parameters: Any) -> str:
    """Create with tags; a lost reply is settled by the name (or, for a listener, the port), which AWS keeps unique."""
    if task.tags:
        parameters["Tags"] = to_pairs(task.tags)
    return task.cloud.creating(lambda: str(task.cloud.call("elbv2", operation, **parameters)[key][0][arn]), find)


def _attributes(names: Mapping[str, Property], task: Task) -> list[dict[str, str]]:
    """The attributes to write: on create those that are given, on update those that changed."""
    return [
        {"Key": key, "Value": _text(task.get(prop.name))}
        for key, prop in names.items()
        if task.touches(prop.name) and task.get(prop.name) is not None
    ]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _attribute_state(names: Mapping[str, Property], attributes: list[dict[str, str]]) -> State:
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
        found = _get(task.cloud, "describe_load_balancers", "LoadBalancers", Names=[task.get("name")])
        return str(found["LoadBalancerArn"]) if found else None

    return _create(task, "create_load_balancer", "LoadBalancers", "LoadBalancerArn", find, **parameters)


def _balancer(cloud: Cloud, arn: str) -> Document | None:
    return _get(cloud, "describe_load_balancers", "LoadBalancers", LoadBalancerArns=[arn])


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
    attributes = _attributes(_BALANCER_ATTRIBUTES, task)
    if attributes:
        task.cloud.call("elbv2", "modify_load_balancer_attributes", LoadBalancerArn=identifier, Attributes=attributes)


def _read_balancer(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    balancer = _balancer(cloud, identifier)
    if balancer is None:
        return None
    attributes = cloud.call("elbv2", "describe_load_balancer_attributes", LoadBalancerArn=identifier)
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
        **_attribute_state(_BALANCER_ATTRIBUTES, attributes["Attributes"]),
        "arn": identifier,
        "arnSuffix": identifier.partition(":loadbalancer/")[2],
        "dnsName": balancer["DNSName"],
        "vpcId": balancer.get("VpcId"),
        "zoneId": balancer.get("CanonicalHostedZoneId"),
        "tags": _tags(cloud, identifier),
    }


def _delete_balancer(task: Task, identifier: str) -> None:
    unless_gone(lambda: task.cloud.call("elbv2", "delete_load_balancer", LoadBalancerArn=identifier))
    task.cloud.wait_until(
        lambda: _balancer(task.cloud, identifier) is None, seconds=task.patience, what=f"{identifier} to be deleted"
    )


_GROUP_ATTRIBUTES = {
    "deregistration_delay.timeout_seconds": integer("deregistrationDelay", aws=None, default=300),
    "deregistration_delay.connection_termination.enabled": boolean("connectionTermination", aws=None, computed=True),
    "load_balancing.cross_zone.enabled": string("loadBalancingCrossZoneEnabled", aws=None, computed=True),
    "preserve_client_ip.enabled": flag("preserveClientIp", aws=None, computed=True),
    "proxy_protocol_v2.enabled": boolean("proxyProtocolV2", aws=None, default=False),
}
_HEALTH = (
    boolean("enabled", aws="HealthCheckEnabled", default=True),
    integer("healthyThreshold", aws="HealthyThresholdCount", default=3),
    integer("unhealthyThreshold", aws="UnhealthyThresholdCount", default=3),
    integer("interval", aws="HealthCheckIntervalSeconds", default=30),
    integer("timeout", aws="HealthCheckTimeoutSeconds", computed=True),
    string("protocol", aws="HealthCheckProtocol", default="HTTP"),
    string("port", aws="HealthCheckPort", default="traffic-port"),
    string("path", aws="HealthCheckPath", computed=True),
    string("matcher", aws=None, computed=True),
)
_GROUP = (
    string("name", replaces=True),
    string("namePrefix", kept=True, replaces=True),
    integer("port", replaces=True),
    string("protocol", replaces=True),
    string("protocolVersion", computed=True, replaces=True, imported=False),
    string("targetType", default="instance", replaces=True),
    string("vpcId", replaces=True),
    string("ipAddressType", computed=True, replaces=True),
    block("healthCheck", aws=None, computed=True, fields=_HEALTH),
    *_GROUP_ATTRIBUTES.values(),
)


def _health(task: Task) -> Document:
    given = task.get("healthCheck")
    if not given:
        return {}
    parameters = to_aws(_HEALTH, given)
    if given.get("matcher"):
        parameters["Matcher"] = {"HttpCode": given["matcher"]}
    return parameters


def _create_group(task: Task) -> str:
    names = ("name", "port", "protocol", "protocolVersion", "targetType", "vpcId", "ipAddressType")
    parameters = {**task.parameters(_GROUP, *names), **_health(task)}

    def find() -> str | None:
        found = _get(task.cloud, "describe_target_groups", "TargetGroups", Names=[task.get("name")])
        return str(found["TargetGroupArn"]) if found else None

    return _create(task, "create_target_group", "TargetGroups", "TargetGroupArn", find, **parameters)


def _settle_group(task: Task, identifier: str) -> None:
    if not task.fresh and task.touches("healthCheck"):
        task.cloud.call("elbv2", "modify_target_group", TargetGroupArn=identifier, **_health(task))
    attributes = _attributes(_GROUP_ATTRIBUTES, task)
    if attributes:
        task.cloud.call("elbv2", "modify_target_group_attributes", TargetGroupArn=identifier, Attributes=attributes)


def _read_group(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    group = _get(cloud, "describe_target_groups", "TargetGroups", TargetGroupArns=[identifier])
    if group is None:
        return None
    attributes = cloud.call("elbv2", "describe_target_group_attributes", TargetGroupArn=identifier)["Attributes"]
    health = from_aws(_HEALTH, group)
    if (group.get("Matcher") or {}).get("HttpCode"):
        health["matcher"] = group["Matcher"]["HttpCode"]
    state = _attribute_state(_GROUP_ATTRIBUTES, attributes)
    return {
        **from_aws(_GROUP, group),
        "name": group["TargetGroupName"],
        "healthCheck": health,
        "proxyProtocolV2": False,
        **state,
        "arn": identifier,
        "arnSuffix": identifier.rpartition(":")[2],
        "tags": _tags(cloud, identifier),
    }


def _delete_group(task: Task, identifier: str) -> None:
    delete_when_free(
        task,
        identifier,
        lambda: task.cloud.call("elbv2", "delete_target_group", TargetGroupArn=identifier),
        busy=("ResourceInUse",),
    )


_ACTIONS = blocks(
    "defaultActions",
    required=True,
    fields=(
        string("type", required=True),
        integer("order", computed=True),
        string("targetGroupArn", computed=True),
        block(
            "forward",
            aws="ForwardConfig",
            computed=True,
            fields=(
                block_set(
                    "targetGroups",
                    required=True,
                    fields=(
                        string("arn", aws="TargetGroupArn", required=True),
                        integer("weight", computed=True),
                    ),
                ),
            ),
        ),
    ),
)
_LISTENER = (
    string("loadBalancerArn", required=True, replaces=True),
    integer("port"),
    string("protocol", computed=True),
    string("sslPolicy", computed=True),
    string("certificateArn", aws=None),
    string("alpnPolicy", aws=None),
    integer("tcpIdleTimeoutSeconds", aws=None, computed=True),
    _ACTIONS,
)


def _listener_parameters(task: Task) -> Document:
    parameters = task.parameters(_LISTENER, "port", "protocol", "sslPolicy", "defaultActions")
    if task.get("certificateArn"):
        parameters["Certificates"] = [{"CertificateArn": task.get("certificateArn")}]
    if task.get("alpnPolicy"):
        parameters["AlpnPolicy"] = [task.get("alpnPolicy")]
    return parameters


def _create_listener(task: Task) -> str:
    balancer = task.get("loadBalancerArn")

    def find() -> str | None:
        for item in task.cloud.pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=balancer):
            if item.get("Port") == task.get("port"):
                return str(item["ListenerArn"])
        return None

    parameters = {**_listener_parameters(task), "LoadBalancerArn": balancer}
    return _create(task, "create_listener", "Listeners", "ListenerArn", find, **parameters)


def _settle_listener(task: Task, identifier: str) -> None:
    if not task.fresh and task.changed - {"tcpIdleTimeoutSeconds"}:
        task.cloud.call("elbv2", "modify_listener", ListenerArn=identifier, **_listener_parameters(task))
    if task.touches("tcpIdleTimeoutSeconds") and task.get("tcpIdleTimeoutSeconds") is not None:
        attribute = {"Key": "tcp.idle_timeout.seconds", "Value": str(task.get("tcpIdleTimeoutSeconds"))}
        task.cloud.call("elbv2", "modify_listener_attributes", ListenerArn=identifier, Attributes=[attribute])


def _read_listener(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    listener = _get(cloud, "describe_listeners", "Listeners", ListenerArns=[identifier])
    if listener is None:
        return None
    certificate = only(listener.get("Certificates") or []) or {}
    state = from_aws(_LISTENER, listener)
    if known.get("tcpIdleTimeoutSeconds"):
        found = cloud.call("elbv2", "describe_listener_attributes", ListenerArn=identifier)["Attributes"]
        values = {item["Key"]: item["Value"] for item in found}
        if values.get("tcp.idle_timeout.seconds"):
            state["tcpIdleTimeoutSeconds"] = int(values["tcp.idle_timeout.seconds"])
    return {
        **state,
        "certificateArn": certificate.get("CertificateArn"),
        "alpnPolicy": only(listener.get("AlpnPolicy") or []),
        "arn": identifier,
        "tags": _tags(cloud, identifier),
    }


def _delete_listener(task: Task, identifier: str) -> None:
    unless_gone(lambda: task.cloud.call("elbv2", "delete_listener", ListenerArn=identifier))


RESOURCES = (
    Resource(
        type="aws:lb/loadBalancer:LoadBalancer",
        properties=_BALANCER,
        outputs=("arn", "arnSuffix", "dnsName", "vpcId", "zoneId"),
        create=_create_balancer,
        settle=_settle_balancer,
        read=_read_balancer,
        delete=_delete_balancer,
        write_tags=_write_tags,
        autoname=Autoname(longest=32),
        import_id="the ARN",
    ),
    Resource(
        type="aws:lb/targetGroup:TargetGroup",
        properties=_GROUP,
        outputs=("arn", "arnSuffix"),
        create=_create_group,
        settle=_settle_group,
        read=_read_group,
        delete=_delete_group,
        write_tags=_write_tags,
        autoname=Autoname(longest=32),
        import_id="the ARN",
    ),
    Resource(
        type="aws:lb/listener:Listener",
        properties=_LISTENER,
        outputs=("arn",),
        create=_create_listener,
        settle=_settle_listener,
        read=_read_listener,
        delete=_delete_listener,
        write_tags=_write_tags,
        import_id="the ARN",
    ),
)
