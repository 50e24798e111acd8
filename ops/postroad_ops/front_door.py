"""Where mail is handed in: the stack's front door, by the addresses of its nodes; else its MTAs themselves."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

from postroad_ops import hosts, places

SUBMISSION_PORT = 587
# TLS from the first octet first of all (RFC 8314).
PREFERRED_PORTS = (465, 587)


@dataclass(frozen=True, slots=True)
class Door:
    """A place that takes mail.

    Args:
        name: what its certificate says; empty where there is no TLS.
    """

    address: str
    port: int = SUBMISSION_PORT
    name: str = ""

    def tls(self) -> ssl.SSLContext:
        """What a client trusts here: the region's own authority."""
        return ssl.create_default_context(cafile=str(places.region_state() / "ca" / "ca.crt"))


def doors(stack: str) -> list[Door]:
    """One door for each node of the stack's front door; none where the stack has no balancer that listens with TLS.

    By the private addresses of its interfaces, which the controller reaches whether the balancer faces the internet or
    not: its name leads to public addresses if it does.
    """
    balancers, certificates = hosts.client("elbv2", stack), hosts.client("acm", stack)
    found = []
    for balancer in hosts.patiently(balancers.describe_load_balancers)["LoadBalancers"]:
        arn = balancer["LoadBalancerArn"]
        if balancer["Type"] != "network" or _tags(balancers, arn).get("Environment") != stack:
            continue
        listener = _listener(balancers.describe_listeners(LoadBalancerArn=arn)["Listeners"])
        if listener is None:
            continue
        certificate = listener["Certificates"][0]["CertificateArn"]
        described = hosts.patiently(lambda: certificates.describe_certificate(CertificateArn=certificate))  # noqa: B023
        name = described["Certificate"]["DomainName"]
        found += [Door(address, int(listener["Port"]), name) for address in _addresses(stack, arn)]
    return found


def _listener(listeners: list[dict[str, Any]]) -> dict[str, Any] | None:
    by_port = {int(each["Port"]): each for each in listeners if each["Protocol"] == "TLS" and each.get("Certificates")}
    return next((by_port[port] for port in PREFERRED_PORTS if port in by_port), None)


def _addresses(stack: str, arn: str) -> list[str]:
    """As AWS documents it: the interfaces' description names the balancer."""
    filters = [{"Name": "description", "Values": [f"ELB {arn.partition(':loadbalancer/')[2]}"]}]
    ec2 = hosts.client("ec2", stack)
    described = hosts.patiently(lambda: ec2.describe_network_interfaces(Filters=filters))["NetworkInterfaces"]
    return sorted(each["PrivateIpAddress"] for each in described)


def _tags(client: Any, arn: str) -> dict[str, str]:
    described = hosts.patiently(lambda: client.describe_tags(ResourceArns=[arn]))["TagDescriptions"]
    return {tag["Key"]: tag["Value"] for each in described for tag in each["Tags"]}
