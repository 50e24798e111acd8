"""Listeners of network load balancers where moto isn't ELB: TLS.

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/create-tls-listener.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moto.elbv2.exceptions import DuplicateListenerError, ELBClientError, LoadBalancerNotFoundError
from moto.elbv2.models import ELBv2Backend, FakeAction

# What a listener has that names none: https://docs.aws.amazon.com/elasticloadbalancing/latest/network/describe-ssl-policies.html
DEFAULT_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
_MOTOS_DEFAULT = "ELBSecurityPolicy-2016-08"


def _create(
    backend: Any,
    load_balancer_arn: str,
    protocol: str,
    port: Any,
    ssl_policy: str | None,
    certificate: str | None,
    actions: list[dict[str, Any]],
    *args: Any,
    **kwargs: Any,
) -> Any:
    balancer = backend.load_balancers.get(load_balancer_arn)
    if balancer is None:
        raise LoadBalancerNotFoundError()
    if any(str(listener.port) == str(port) for listener in balancer.listeners.values()):
        raise DuplicateListenerError()
    if balancer.type == "network":
        _check(backend, protocol, [certificate] if certificate else [])
        if protocol != "TLS":
            ssl_policy = None
        elif ssl_policy == _MOTOS_DEFAULT:
            ssl_policy = DEFAULT_POLICY
    return _original_create(
        backend, load_balancer_arn, protocol, port, ssl_policy, certificate, actions, *args, **kwargs
    )


def _modify(
    backend: Any,
    arn: str,
    port: Any = None,
    protocol: str | None = None,
    ssl_policy: str | None = None,
    certificates: list[dict[str, Any]] | None = None,
    actions: list[dict[str, Any]] | None = None,
) -> Any:
    listener = backend.describe_listeners(load_balancer_arn=None, listener_arns=[arn])[0]
    if ":listener/net/" not in arn:
        return _original_modify(backend, arn, port, protocol, ssl_policy, certificates, actions)
    given = [each["CertificateArn"] for each in certificates or []]
    becomes = protocol or listener.protocol
    held = given or list(listener.certificates)
    _check(backend, becomes, held)
    wanted = [FakeAction(action) for action in actions or []]
    backend._validate_actions(wanted)
    if port is not None:
        listener.port = port
    listener.protocol = becomes
    listener.certificates = held if becomes == "TLS" else []
    listener.certificate = listener.certificates[0] if listener.certificates else None
    listener.ssl_policy = (ssl_policy or listener.ssl_policy or DEFAULT_POLICY) if becomes == "TLS" else None
    if wanted:
        listener.default_actions = wanted
        listener._default_rule[0].actions = wanted
    return listener


def _check(backend: Any, protocol: str, certificates: Sequence[str]) -> None:
    if protocol == "TLS" and not certificates:
        raise ELBClientError("CertificateNotFound", "A certificate must be specified for TLS listeners")
    if protocol != "TLS" and certificates:
        raise ELBClientError(
            "InvalidConfigurationRequest", f"Certificates cannot be specified for {protocol} listeners"
        )
    for certificate in certificates:
        if not backend._certificate_exists(certificate_arn=certificate):
            raise ELBClientError("CertificateNotFound", f"Certificate '{certificate}' not found")


_original_create = ELBv2Backend.create_listener
_original_modify = ELBv2Backend.modify_listener
ELBv2Backend.create_listener = _create
ELBv2Backend.modify_listener = _modify
