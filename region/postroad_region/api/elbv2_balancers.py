"""Network load balancers where moto isn't ELB: names, interfaces in the subnets, addresses.

A balancer has a network interface in each subnet, with the balancer's security groups, and an Elastic IP or a public
address if it faces the internet.
https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.ec2.utils import random_eip_association_id
from moto.elbv2.exceptions import DuplicateLoadBalancerName, ELBClientError, LoadBalancerNotFoundError
from moto.elbv2.models import AvailabilityZone, ELBv2Backend, FakeLoadBalancer

# Where Route 53 aliases to network load balancers point in us-east-1.
# https://docs.aws.amazon.com/general/latest/gr/elb.html
HOSTED_ZONE = "Z26RNL4JYFTOTI"
# Attributes of moto's load balancer: the interface of each subnet, and the mappings asked for.
_INTERFACES = "postroad_interfaces"
_MAPPINGS = "postroad_mappings"


def interfaces_of(balancer: Any) -> list[Any]:
    """The balancer's network interfaces, one a subnet."""
    backend = _backend(balancer)
    held: Mapping[str, str] = balancer.__dict__.get(_INTERFACES, {})
    return [backend.enis[eni] for eni in held.values() if eni in backend.enis]


def _backend(balancer: Any) -> Any:
    return balancer.subnets[0].ec2_backend


def _create(
    backend: Any,
    name: str,
    security_groups: list[str],
    subnet_ids: list[str],
    subnet_mappings: list[dict[str, str]] | None = None,
    scheme: str | None = None,
    loadbalancer_type: str | None = None,
    ip_address_type: str = "ipv4",
    tags: list[dict[str, str]] | None = None,
) -> Any:
    if any(balancer.name == name for balancer in backend.load_balancers.values()):
        raise DuplicateLoadBalancerName()
    network = loadbalancer_type == "network"
    if network:
        _check_groups(backend, security_groups)
    balancer = _original_create(
        backend,
        name,
        security_groups,
        subnet_ids,
        subnet_mappings,
        scheme or "internet-facing",
        loadbalancer_type,
        ip_address_type,
        None,
    )
    if network:
        _make_network(backend, balancer, subnet_mappings or [])
    backend.tagging_service.tag_resource(balancer.arn, tags)
    return balancer


def _make_network(backend: Any, balancer: Any, mappings: Sequence[Mapping[str, str]]) -> None:
    del backend.load_balancers[balancer.arn]
    balancer.arn = balancer.arn.replace(":loadbalancer/app/", ":loadbalancer/net/")
    number = balancer.arn.rsplit("/", 1)[-1]
    balancer.dns_name = f"{balancer.name}-{number}.elb.{backend.region_name}.amazonaws.com"
    balancer.canonical_hosted_zone_id = HOSTED_ZONE
    _place(balancer, balancer.subnets, mappings)
    backend.load_balancers[balancer.arn] = balancer


def _place(balancer: Any, subnets: Sequence[Any], mappings: Sequence[Mapping[str, str]]) -> None:
    """Have an interface in each subnet and in no other."""
    zones = [subnet.availability_zone for subnet in subnets]
    if len(set(zones)) < len(zones):
        raise ELBClientError(
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    asked = {mapping["SubnetId"]: dict(mapping) for mapping in mappings}
    kept: dict[str, str] = balancer.__dict__.setdefault(_INTERFACES, {})
    balancer.__dict__[_MAPPINGS] = asked
    wanted = {subnet.id for subnet in subnets}
    for subnet_id in [each for each in kept if each not in wanted]:
        _remove(_backend(balancer), kept.pop(subnet_id))
    for subnet in subnets:
        if subnet.id not in kept:
            kept[subnet.id] = _interface(balancer, subnet, asked.get(subnet.id, {}))


def _interface(balancer: Any, subnet: Any, mapping: Mapping[str, str]) -> str:
    backend = subnet.ec2_backend
    eip = None
    if mapping.get("AllocationId"):
        eip = backend.address_by_allocation([mapping["AllocationId"]])[0]
        if eip.eni is not None:
            raise ELBClientError(
                "ResourceInUse", f"The allocation ID '{mapping['AllocationId']}' is already associated"
            )
    number = balancer.arn.rsplit("/", 1)[-1]
    eni = backend.create_network_interface(
        subnet,
        mapping.get("PrivateIPv4Address"),
        group_ids=balancer.security_groups,
        description=f"ELB net/{balancer.name}/{number}",
    )
    if not balancer.security_groups:
        eni._group_set = []
    eni.requester_managed, eni.interface_type, eni.status = True, "network_load_balancer", "in-use"
    if eip is not None:
        eip.eni, eip.association_id = eni, random_eip_association_id()
        eni.public_ip = eip.public_ip
    elif balancer.scheme == "internet-facing":
        eni.public_ip_auto_assign = True
        eni.check_auto_public_ip()
    return str(eni.id)


def _remove(backend: Any, eni_id: str) -> None:
    eni = backend.enis.get(eni_id)
    if eni is None:
        return
    for eip in backend.addresses:
        if eip.eni is eni:
            backend.disassociate_address(address=eip.public_ip)
    eni.delete()


def _delete(backend: Any, arn: str) -> None:
    balancer = backend.load_balancers.get(arn)
    if balancer is None:
        return
    if balancer.attrs.get("deletion_protection.enabled") == "true":
        raise ELBClientError(
            "OperationNotPermitted", f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        )
    for eni in interfaces_of(balancer):
        _remove(_backend(balancer), eni.id)
    _original_delete(backend, arn)


def _set_subnets(backend: Any, arn: str, subnets: list[str], subnet_mappings: list[dict[str, Any]]) -> list[Any]:
    """A network load balancer may also have one zone, and zones may be taken from it."""
    balancer = backend.load_balancers.get(arn)
    if balancer is None:
        raise LoadBalancerNotFoundError()
    if balancer.type != "network":
        given: list[Any] = _original_set_subnets(backend, arn, subnets, subnet_mappings)
        return given
    wanted = [*subnets, *(mapping["SubnetId"] for mapping in subnet_mappings)]
    found = [backend.ec2_backend.get_subnet(subnet) for subnet in wanted]
    _place(balancer, found, subnet_mappings)
    balancer.subnets = found
    zones: list[Any] = balancer.availability_zones
    return zones


def _set_groups(backend: Any, arn: str, groups: list[str]) -> None:
    balancer = backend.load_balancers.get(arn)
    if balancer is not None and balancer.type == "network" and bool(balancer.security_groups) != bool(groups):
        raise ELBClientError(
            "InvalidConfigurationRequest",
            "You cannot set security groups on a load balancer that was created without security groups, nor take all "
            "of them from one that has some",
        )
    _original_set_groups(backend, arn, groups)
    if balancer is not None and balancer.type == "network":
        found = [backend.ec2_backend.get_security_group_from_id(group) for group in groups]
        for eni in interfaces_of(balancer):
            eni._group_set = list(found)


def _check_groups(backend: Any, groups: Sequence[str]) -> None:
    for group in groups:
        if backend.ec2_backend.get_security_group_from_id(group) is None:
            raise ELBClientError("InvalidSecurityGroup", f"Security group '{group}' does not exist")


def _zones(balancer: Any) -> list[AvailabilityZone]:
    """The zones, with the addresses that were asked for."""
    asked: Mapping[str, Mapping[str, str]] = balancer.__dict__.get(_MAPPINGS, {})
    zones = []
    for subnet in balancer.subnets:
        zone = AvailabilityZone(subnet)
        mapping = asked.get(subnet.id, {})
        address = {key: mapping[key] for key in ("AllocationId", "PrivateIPv4Address") if mapping.get(key)}
        if "AllocationId" in address:
            address["IpAddress"] = _backend(balancer).address_by_allocation([address["AllocationId"]])[0].public_ip
        zone.load_balancer_addresses = [address] if address else []
        zones.append(zone)
    return zones


_original_create = ELBv2Backend.create_load_balancer
_original_delete = ELBv2Backend.delete_load_balancer
_original_set_subnets = ELBv2Backend.set_subnets
_original_set_groups = ELBv2Backend.set_security_groups

ELBv2Backend.create_load_balancer = _create
ELBv2Backend.delete_load_balancer = _delete
ELBv2Backend.set_subnets = _set_subnets
ELBv2Backend.set_security_groups = _set_groups
FakeLoadBalancer.availability_zones = property(_zones)
