"""Targets where moto isn't ELB: when they were registered, how they drain, and their health as the balancers see it.

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-register-targets.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from moto.elbv2.exceptions import InvalidTargetError, TargetGroupNotFoundError
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup

from postroad_region.api import clock
from postroad_region.balancer import health
from postroad_region.balancer.health import TargetState

NETWORK = ("TCP", "TLS", "UDP", "TCP_UDP")
REGISTERED = "Registered"
UNTIL = "Until"

# What the balancers see, by target group ARN and target; None where no balancers run: then every target is healthy, as
# in moto.
observed: Callable[[], Mapping[tuple[str, str], TargetState]] | None = None


def groups_in_use(backend: Any) -> dict[str, Any]:
    """The balancer that each target group in use belongs to, by the group's ARN."""
    return {
        arn: balancer
        for balancer in backend.load_balancers.values()
        for listener in balancer.listeners.values()
        for action in listener.default_actions
        for arn in backend._get_target_group_arns_from(action_data=action.data)
    }


def draining(group: Any) -> dict[str, float]:
    """When the deregistration delay of each deregistered target ends or ended."""
    left = {**group.terminated_targets, **group.deregistered_targets}
    return {name: target[UNTIL] for name, target in left.items() if UNTIL in target}


def _register(group: Any, targets: list[dict[str, Any]]) -> None:
    before = dict(group.targets)
    _original_register(group, targets)
    for target in targets:
        held = group.targets[target["Id"]]
        held[REGISTERED] = before.get(target["Id"], {}).get(REGISTERED, clock.now())
        group.terminated_targets.pop(target["Id"], None)


def _deregister(group: Any, targets: Iterable[Mapping[str, Any]]) -> None:
    """A target that isn't registered is passed over, as on AWS."""
    for target in targets:
        held = group.targets.pop(target["Id"], None)
        if held is not None:
            group.deregistered_targets[target["Id"]] = {**held, UNTIL: _end_of_delay(group)}


def _deregister_terminated(group: Any, instances: Iterable[str]) -> None:
    for instance in instances:
        held = group.targets.pop(instance, None)
        if held is not None:
            group.terminated_targets[instance] = {**held, UNTIL: _end_of_delay(group)}


def _end_of_delay(group: Any) -> float:
    return clock.now() + float(group.attributes["deregistration_delay.timeout_seconds"])


def _describe_health(backend: Any, target_group_arn: str, targets: list[dict[str, Any]]) -> list[FakeHealthStatus]:
    group = backend.target_groups.get(target_group_arn)
    if group is None:
        raise TargetGroupNotFoundError()
    leaving = {name: until for name, until in draining(group).items() if until > clock.now()}
    asked = targets or [*group.targets.values(), *({"Id": name} for name in leaving)]
    seen = observed() if observed is not None else None
    used = groups_in_use(backend)
    described = []
    for target in asked:
        if group.target_type == "instance" and not target["Id"].startswith("i-"):
            raise InvalidTargetError()
        state = _state(backend, group, target["Id"], leaving, used, seen)
        held = group.targets.get(target["Id"]) or {}
        port = target.get("Port") or held.get("Port") or group.port
        described.append(
            FakeHealthStatus(
                target["Id"], port, _health_port(group, port), state.state, state.reason, state.description
            )
        )
    return described


def _health_port(group: Any, port: Any) -> str:
    return str(port if group.health_check_port == "traffic-port" else group.health_check_port)


def _state(
    backend: Any,
    group: Any,
    name: str,
    leaving: Mapping[str, float],
    used: Mapping[str, Any],
    seen: Mapping[tuple[str, str], TargetState] | None,
) -> TargetState:
    if name not in group.targets:
        return health.DRAINING if name in leaving else health.NOT_REGISTERED
    if name.startswith("i-"):
        instance = backend.ec2_backend.get_instance_by_id(name)
        if instance is None or instance.state != "running":
            return health.INVALID
    if seen is None:
        return health.HEALTHY
    if group.arn not in used:
        return health.NOT_IN_USE
    return seen.get((group.arn, name), health.REGISTERING)


def _create_group(backend: Any, name: str, **kwargs: Any) -> Any:
    """A network load balancer's HTTP check takes 200 to 399 and asks for / unless told otherwise."""
    matcher = kwargs.get("matcher")
    group = _original_create_group(backend, name, **kwargs)
    if group.protocol in NETWORK:
        group.attributes |= {
            "deregistration_delay.connection_termination.enabled": "false",
            "preserve_client_ip.enabled": "true" if group.target_type == "instance" else "false",
            "proxy_protocol_v2.enabled": "false",
            "target_health_state.unhealthy.connection_termination.enabled": "true",
            "target_health_state.unhealthy.draining_interval_seconds": "0",
        }
    if group.protocol in NETWORK and group.health_check_protocol in ("HTTP", "HTTPS"):
        group.matcher = matcher or {"HttpCode": "200-399"}
        group.health_check_path = group.health_check_path or "/"
    return group


def _modify_group(
    backend: Any,
    arn: str,
    health_check_proto: str | None = None,
    health_check_port: str | None = None,
    health_check_path: str | None = None,
    health_check_interval: int | None = None,
    health_check_timeout: int | None = None,
    healthy_threshold_count: str | None = None,
    unhealthy_threshold_count: str | None = None,
    http_codes: str | None = None,
    health_check_enabled: Any = None,
) -> Any:
    """The matcher holds for the check's protocol, whatever the traffic's is."""
    group = _original_modify_group(
        backend,
        arn,
        health_check_proto,
        health_check_port,
        health_check_path,
        health_check_interval,
        health_check_timeout,
        healthy_threshold_count,
        unhealthy_threshold_count,
        http_codes,
        None if health_check_enabled is None else str(health_check_enabled).lower() == "true",
    )
    if http_codes and group.health_check_protocol in ("HTTP", "HTTPS"):
        group.matcher = {"HttpCode": http_codes}
    return group


_original_register = FakeTargetGroup.register
_original_create_group = ELBv2Backend.create_target_group
_original_modify_group = ELBv2Backend.modify_target_group
FakeTargetGroup.register = _register
FakeTargetGroup.deregister = _deregister
FakeTargetGroup.deregister_terminated_instances = _deregister_terminated
ELBv2Backend.describe_target_health = _describe_health
ELBv2Backend.create_target_group = _create_group
ELBv2Backend.modify_target_group = _modify_group
