"""What the API says of network load balancers, as plain values: for the fabric, and for what runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from moto.acm.models import acm_backends
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends

from postroad_region.api import clock
from postroad_region.api.elbv2_balancers import interfaces_of
from postroad_region.api.elbv2_targets import REGISTERED, draining
from postroad_region.api.public_addresses import public_of
from postroad_region.balancer.balancers import PREFIX
from postroad_region.balancer.model import Balancer, Draining, HealthCheck, Listener, Node, Target, TargetGroup
from postroad_region.fabric.model import Interface, Rule, SecurityGroup, Subnet

ANYWHERE = (IPv4Network("0.0.0.0/0"),)
# What a balancer without security groups has: nothing is filtered.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html
UNFILTERED = SecurityGroup("sg-of-balancers-without", (Rule("all", None, ANYWHERE),), (Rule("all", None, ANYWHERE),))
# The policies' oldest version of TLS; all that aren't listed begin with 1.2.
OLDEST_TLS = {"ELBSecurityPolicy-TLS13-1-3-2021-06": "TLSv1.3"}
# For how long a deregistered target is spoken of after its delay: its connections may have to be cut.
AFTERMATH_SECONDS = 60.0


def node_name(eni_id: str) -> str:
    """The node that an interface belongs to; its network namespace has the same name."""
    return PREFIX + eni_id.removeprefix("eni-")


def interfaces(account: str, region: str, subnets: Mapping[str, Subnet]) -> tuple[Interface, ...]:
    """The balancers' interfaces; `instance_id` names the node. Its groups may contain `UNFILTERED`."""
    return tuple(
        Interface(
            id=eni.id,
            instance_id=node_name(eni.id),
            subnet=subnets[eni.subnet.id],
            addresses=(IPv4Address(eni.private_ip_address),),
            mac=eni.mac_address,
            groups=tuple(sorted(group.id for group in eni.group_set)) or (UNFILTERED.id,),
            public=tuple((IPv4Address(inside), IPv4Address(outside)) for inside, outside in public_of(eni)),
            kind="balancer",
        )
        for balancer in elbv2_backends[account][region].load_balancers.values()
        if balancer.type == "network"
        for eni in interfaces_of(balancer)
        if eni.subnet.id in subnets
    )


def balancers(account: str, region: str, subnets: Mapping[str, Subnet]) -> tuple[Balancer, ...]:
    """The network load balancers of the region."""
    backend = elbv2_backends[account][region]
    return tuple(
        _balancer(backend, balancer, subnets)
        for balancer in backend.load_balancers.values()
        if balancer.type == "network"
    )


def _balancer(backend: Any, balancer: Any, subnets: Mapping[str, Subnet]) -> Balancer:
    unsupported: list[str] = []
    listeners: dict[str, Listener] = {}
    for listener in balancer.listeners.values():
        made = _listener(backend, listener, unsupported)
        if made is not None:
            listeners[listener.arn] = made
    groups = dict.fromkeys(listener.group for listener in listeners.values() if listener.group)
    return Balancer(
        arn=balancer.arn,
        name=balancer.name,
        dns_name=balancer.dns_name,
        nodes=tuple(_node(eni) for eni in interfaces_of(balancer) if eni.subnet.id in subnets),
        listeners=tuple(listeners.values()),
        groups=tuple(_group(backend, balancer, backend.target_groups[arn], subnets, unsupported) for arn in groups),
        unsupported=tuple(unsupported),
    )


def _node(eni: Any) -> Node:
    public = next((IPv4Address(outside) for _, outside in public_of(eni)), None)
    return Node(node_name(eni.id), eni.subnet.availability_zone, IPv4Address(eni.private_ip_address), public)


def _listener(backend: Any, listener: Any, unsupported: list[str]) -> Listener | None:
    if listener.protocol not in ("TCP", "TLS"):
        unsupported.append(f"port {listener.port}: {listener.protocol} listeners aren't run")
        return None
    arns = [
        arn
        for action in listener.default_actions
        for arn in backend._get_target_group_arns_from(action_data=action.data)
        if arn in backend.target_groups
    ]
    if len(arns) > 1:
        unsupported.append(f"port {listener.port}: of several weighted target groups only the first gets traffic")
    certificates = tuple(pem for arn in listener.certificates if (pem := _pem(backend, arn, unsupported)))
    if listener.protocol == "TLS" and not certificates:
        return None
    return Listener(
        port=int(listener.port),
        protocol=listener.protocol,
        group=arns[0] if arns else "",
        certificates=certificates,
        oldest_tls=OLDEST_TLS.get(listener.ssl_policy or "", "TLSv1.2"),
        idle=int(listener.attributes["tcp.idle_timeout.seconds"]),
    )


def _pem(backend: Any, arn: str, unsupported: list[str]) -> str:
    """Certificate, chain and key; empty for a certificate that can't be used (yet)."""
    issued = acm_backends[backend.account_id][backend.region_name]._certificates.get(arn)
    if issued is not None:
        issued.check()
        if issued.status != "ISSUED":
            unsupported.append(f"certificate {arn} is {issued.status}")
            return ""
        return f"{issued.cert.decode().strip()}\n{issued.key.decode().strip()}\n"
    uploaded = iam_backends[backend.account_id]["aws"].get_certificate_by_arn(arn)
    if uploaded is None:
        unsupported.append(f"certificate {arn} doesn't exist")
        return ""
    chain = f"{uploaded.cert_chain.strip()}\n" if uploaded.cert_chain else ""
    return f"{uploaded.cert_body.strip()}\n{chain}{uploaded.private_key.strip()}\n"


def _group(
    backend: Any, balancer: Any, group: Any, subnets: Mapping[str, Subnet], unsupported: list[str]
) -> TargetGroup:
    attributes = group.attributes
    cross_zone = str(attributes["load_balancing.cross_zone.enabled"])
    if cross_zone == "use_load_balancer_configuration":
        cross_zone = str(balancer.attrs["load_balancing.cross_zone.enabled"])
    if str(attributes.get("preserve_client_ip.enabled", group.target_type == "instance")).lower() == "true":
        unsupported.append(
            f"target group {group.name}: preserve_client_ip.enabled; targets see the balancer's address in the box"
        )
    check = _check(group)
    return TargetGroup(
        arn=group.arn,
        targets=tuple(t for each in group.targets.values() if (t := _target(backend, group, each, subnets))),
        draining=tuple(
            Draining(name, until)
            for name, until in draining(group).items()
            if until > clock.now() - AFTERMATH_SECONDS and name not in group.targets
        ),
        check=check,
        protocol="TLS" if group.protocol == "TLS" else "TCP",
        cross_zone=cross_zone == "true",
        proxy_protocol=_true(attributes, "proxy_protocol_v2.enabled", "false"),
        terminates=_true(attributes, "deregistration_delay.connection_termination.enabled", "false"),
        cuts_unhealthy=_true(attributes, "target_health_state.unhealthy.connection_termination.enabled", "true"),
        sticky=_true(attributes, "stickiness.enabled", "false"),
    )


def _true(attributes: Mapping[str, Any], key: str, default: str) -> bool:
    return str(attributes.get(key, default)).lower() == "true"


def _check(group: Any) -> HealthCheck:
    port = str(group.health_check_port)
    check = HealthCheck(
        protocol=group.health_check_protocol,
        port=None if port == "traffic-port" else int(port),
        interval=int(group.health_check_interval_seconds),
        timeout=int(group.health_check_timeout_seconds),
        rise=int(group.healthy_threshold_count),
        fall=int(group.unhealthy_threshold_count),
        enabled=bool(group.health_check_enabled),
    )
    if check.protocol in ("HTTP", "HTTPS"):
        return replace(check, path=group.health_check_path or "/", codes=str(group.matcher["HttpCode"]))
    return check


def _target(backend: Any, group: Any, held: Mapping[str, Any], subnets: Mapping[str, Subnet]) -> Target | None:
    """The target if it can be reached: an instance that runs, or an address."""
    name, registered = str(held["Id"]), float(held.get(REGISTERED, 0.0))
    if group.target_type != "instance":
        address = IPv4Address(name)
        zone = next((subnet.zone for subnet in subnets.values() if address in subnet.network), "")
        return Target(name, address, int(held["Port"]), zone, registered)
    instance = ec2_backends[backend.account_id][backend.region_name].get_instance_by_id(name)
    if instance is None or instance.state != "running":
        return None
    address = IPv4Address(instance.nics[0].private_ip_address)
    return Target(name, address, int(held["Port"]), str(instance.availability_zone), registered)
