"""The haproxy.cfg of one node of a balancer.

A target group becomes two backends: one that looks at health, and one that doesn't, for when nobody is healthy
(fail-open). https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from postroad_region.balancer.model import Balancer, HealthCheck, Listener, Node, Target, TargetGroup

OPEN = "_open"
# An unhealthy target is probed this often: AWS's many checkers together probe more often than the interval says too.
UNHEALTHY_INTERVAL = "1s"
# A worker of before a reload ends with its last connection, and after this long whatever happens.
LONGEST_LEFTOVER = "1h"


@dataclass(frozen=True, slots=True)
class Files:
    """Where a node keeps what.

    Args:
        control: HAProxy's statistics socket.
        health: what the node knew of its targets; a new worker begins with it.
        certificates: the folder of certificates, each named by `certificate_name`.
    """

    control: Path
    health: Path
    certificates: Path


def certificate_name(pem: str) -> str:
    """The file name of a certificate: another content has another name, so a new one is a new configuration."""
    return hashlib.sha256(pem.encode()).hexdigest()[:32] + ".pem"


def digest_of(text: str) -> str:
    """What a running HAProxy tells as its description, so that it can be seen which configuration it has."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def configuration(balancer: Balancer, node: Node, files: Files) -> str:
    """The configuration, which names its own digest; equal for equal arguments."""
    body = "\n".join([*_defaults(), *_listeners(balancer, node, files), *_groups(balancer, node), ""])
    head = list(_head(files))
    return "\n".join([*head, f"    description {digest_of(body + ''.join(head))}", "", body])


def _head(files: Files) -> Iterator[str]:
    yield "global"
    yield "    user haproxy"
    yield "    group haproxy"
    yield "    nbthread 1"
    yield "    maxconn 5000"
    yield f"    stats socket {files.control} mode 600 level admin expose-fd listeners"
    yield f"    server-state-file {files.health}"
    yield f"    hard-stop-after {LONGEST_LEFTOVER}"
    yield "    mworker-max-reloads 50"
    yield "    ssl-default-bind-options no-tls-tickets"


def _defaults() -> Iterator[str]:
    yield "defaults"
    yield "    mode tcp"
    yield "    load-server-state-from-file global"
    yield "    timeout connect 4s"
    # A target that doesn't answer is passed over, as AWS's passive checks would.
    yield "    retries 2"
    yield "    option redispatch 1"
    yield ""


def _listeners(balancer: Balancer, node: Node, files: Files) -> Iterator[str]:
    groups = {group.arn: group for group in balancer.groups}
    for listener in balancer.listeners:
        yield f"frontend port_{listener.port}"
        yield f"    bind {node.address}:{listener.port}{_tls(listener, files)}"
        yield f"    timeout client {listener.idle}s"
        group = groups.get(listener.group)
        if group is not None:
            yield f"    use_backend {group.name}{OPEN} if {{ nbsrv({group.name}) eq 0 }}"
            yield f"    default_backend {group.name}"
        yield ""


def _tls(listener: Listener, files: Files) -> str:
    if listener.protocol != "TLS":
        return ""
    names = [files.certificates / certificate_name(pem) for pem in listener.certificates]
    certificates = "".join(f" crt {name}" for name in names)
    return f" ssl{certificates} ssl-min-ver {listener.oldest_tls}"


def _groups(balancer: Balancer, node: Node) -> Iterator[str]:
    for group in balancer.groups:
        idle = max((listener.idle for listener in balancer.listeners if listener.group == group.arn), default=350)
        targets = group.targets_of(node.zone)
        yield f"backend {group.name}"
        yield from _balance(group, idle)
        if group.check.enabled:
            yield from _check(group)
        for target in targets:
            yield _server(group, target) + _check_options(group)
        yield ""
        yield f"backend {group.name}{OPEN}"
        yield from _balance(group, idle)
        for target in targets:
            yield _server(group, target)
        yield ""


def _balance(group: TargetGroup, idle: int) -> Iterator[str]:
    # A flow goes where its hash falls: chance, seen from outside, and even in the long run.
    yield "    balance source" if group.sticky else "    balance random(1)"
    yield f"    timeout server {idle}s"


def _check(group: TargetGroup) -> Iterator[str]:
    check = group.check
    yield f"    timeout check {check.timeout}s"
    if check.protocol in ("HTTP", "HTTPS"):
        yield "    option httpchk"
        yield (
            f"    http-check send meth GET uri {check.path} ver HTTP/1.1"
            " hdr Host balancer hdr User-Agent ELB-HealthChecker/2.0 hdr Connection close"
        )
        yield f"    http-check expect status {check.codes}"


def _server(group: TargetGroup, target: Target) -> str:
    proxy = " send-proxy-v2" if group.proxy_protocol else ""
    # The balancer doesn't validate targets' certificates, as AWS's doesn't.
    tls = " ssl verify none" if group.protocol == "TLS" else ""
    return f"    server {target.id} {target.address}:{target.port}{proxy}{tls}"


def _check_options(group: TargetGroup) -> str:
    check = group.check
    if not check.enabled:
        return ""
    port = f" port {check.port}" if check.port is not None else ""
    # Probes carry the header too, without an address: what a target must be able to take.
    proxy = " check-send-proxy" if group.proxy_protocol else ""
    # Probes over TLS or not go by the check's own protocol.
    tls = " check-ssl verify none" if check.protocol == "HTTPS" else " no-check-ssl" if group.protocol == "TLS" else ""
    cut = " on-marked-down shutdown-sessions" if group.cuts_unhealthy else ""
    pace = f" inter {check.interval}s downinter {UNHEALTHY_INTERVAL} rise {check.rise} fall {check.fall}"
    return f" check{port}{pace}{proxy}{tls}{cut}"


def health_file(groups: Sequence[TargetGroup], zone: str, up: frozenset[tuple[str, str]]) -> str:
    """HAProxy's server states of version 1: who is up when a worker starts.

    Without it every target would be up until its first probe fails; AWS's begin without traffic.

    Args:
        up: backend and target of those that passed before.
    """
    lines = [
        _state_line(number, group, place, target, (group.name, target.id) in up)
        for number, group in enumerate(groups)
        if group.check.enabled
        for place, target in enumerate(group.targets_of(zone), 1)
    ]
    return "\n".join(["1", _STATE_HEADER, *lines, ""])


_STATE_HEADER = (
    "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state "
    "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr "
    "srv_agent_addr srv_agent_port"
)
_STOPPED, _RUNNING = 0, 2


def _state_line(number: int, group: TargetGroup, place: int, target: Target, up: bool) -> str:
    check: HealthCheck = group.check
    state = _RUNNING if up else _STOPPED
    health = check.rise + check.fall - 1 if up else 0
    tls = 1 if group.protocol == "TLS" else 0
    return (
        f"{number + 1000} {group.name} {place} {target.id} {target.address} {state} 0 1 1 0 1 0 {health} 6 0 0 0 - "
        f"{target.port} - {tls} {check.port or 0} - - 0"
    )


def up_in(text: str) -> frozenset[tuple[str, str]]:
    """Backend and target of those that a `health_file` says are up."""
    rows = [line.split() for line in text.splitlines() if line and not line.startswith(("#", "1\n")) and " " in line]
    return frozenset((row[1], row[3]) for row in rows if len(row) > 5 and row[5] == str(_RUNNING))
