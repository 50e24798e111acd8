"""Target groups and listeners."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..resource import Autoname, Resource, Task, delete_when_free, only, unless_gone
from ..schema import State, block, block_set, blocks, boolean, flag, from_aws, integer, string, to_aws
from .elbv2 import Document, attribute_state, attributes, create, get, tags, text, write_tags

_GROUP_ATTRIBUTES = {
    "deregistration_delay.timeout_seconds": integer("deregistrationDelay", aws=None, default=300),
    "deregistration_delay.connection_termination.enabled": boolean("connectionTermination", aws=None, computed=True),
    "load_balancing.cross_zone.enabled": string("loadBalancingCrossZoneEnabled", aws=None, computed=True),
    "preserve_client_ip.enabled": flag("preserveClientIp", aws=None, computed=True),
    "proxy_protocol_v2.enabled": boolean("proxyProtocolV2", aws=None, default=False),
}
# What becomes of connections to a target that became unhealthy.
_UNHEALTHY_ATTRIBUTES = {
    "target_health_state.unhealthy.connection_termination.enabled": boolean(
        "enableUnhealthyConnectionTermination", aws=None, required=True
    ),
    "target_health_state.unhealthy.draining_interval_seconds": integer(
        "unhealthyDrainingInterval", aws=None, default=0
    ),
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
    blocks("targetHealthStates", aws=None, computed=True, fields=tuple(_UNHEALTHY_ATTRIBUTES.values())),
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
        found = get(task.cloud, "describe_target_groups", "TargetGroups", Names=[task.get("name")])
        return str(found["TargetGroupArn"]) if found else None

    return create(task, "create_target_group", "TargetGroups", "TargetGroupArn", find, **parameters)


def _settle_group(task: Task, identifier: str) -> None:
    if not task.fresh and task.touches("healthCheck"):
        task.cloud.call("elbv2", "modify_target_group", TargetGroupArn=identifier, **_health(task))
    wanted = attributes(_GROUP_ATTRIBUTES, task)
    if task.touches("targetHealthStates") and task.get("targetHealthStates"):
        unhealthy = task.get("targetHealthStates")[0]
        wanted += [
            {"Key": key, "Value": text(unhealthy[prop.name])}
            for key, prop in _UNHEALTHY_ATTRIBUTES.items()
            if unhealthy.get(prop.name) is not None
        ]
    if wanted:
        task.cloud.call("elbv2", "modify_target_group_attributes", TargetGroupArn=identifier, Attributes=wanted)


def _read_group(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    group = get(cloud, "describe_target_groups", "TargetGroups", TargetGroupArns=[identifier])
    if group is None:
        return None
    told = cloud.call("elbv2", "describe_target_group_attributes", TargetGroupArn=identifier)["Attributes"]
    health = from_aws(_HEALTH, group)
    if (group.get("Matcher") or {}).get("HttpCode"):
        health["matcher"] = group["Matcher"]["HttpCode"]
    state = attribute_state(_GROUP_ATTRIBUTES, told)
    unhealthy = attribute_state(_UNHEALTHY_ATTRIBUTES, told)
    if unhealthy:
        state["targetHealthStates"] = [unhealthy]
    return {
        **from_aws(_GROUP, group),
        "name": group["TargetGroupName"],
        "healthCheck": health,
        "proxyProtocolV2": False,
        **state,
        "arn": identifier,
        "arnSuffix": identifier.rpartition(":")[2],
        "tags": tags(cloud, identifier),
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
    return create(task, "create_listener", "Listeners", "ListenerArn", find, **parameters)


def _settle_listener(task: Task, identifier: str) -> None:
    if not task.fresh and task.changed - {"tcpIdleTimeoutSeconds"}:
        task.cloud.call("elbv2", "modify_listener", ListenerArn=identifier, **_listener_parameters(task))
    if task.touches("tcpIdleTimeoutSeconds") and task.get("tcpIdleTimeoutSeconds") is not None:
        attribute = {"Key": "tcp.idle_timeout.seconds", "Value": str(task.get("tcpIdleTimeoutSeconds"))}
        task.cloud.call("elbv2", "modify_listener_attributes", ListenerArn=identifier, Attributes=[attribute])


def _read_listener(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    listener = get(cloud, "describe_listeners", "Listeners", ListenerArns=[identifier])
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
        "tags": tags(cloud, identifier),
    }


def _delete_listener(task: Task, identifier: str) -> None:
    unless_gone(lambda: task.cloud.call("elbv2", "delete_listener", ListenerArn=identifier))


RESOURCES = (
    Resource(
        type="aws:lb/targetGroup:TargetGroup",
        properties=_GROUP,
        outputs=("arn", "arnSuffix"),
        create=_create_group,
        settle=_settle_group,
        read=_read_group,
        delete=_delete_group,
        write_tags=write_tags,
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
        write_tags=write_tags,
        import_id="the ARN",
    ),
)
