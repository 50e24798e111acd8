"""Private addresses of subnets and interfaces, and how many an interface of an instance type may hold.

https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AvailableIpPerENI.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2 import models as ec2_models
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import elastic_network_interfaces, instances
from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.subnets import Subnet
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces
from postroad_infra import instance_types


def taken() -> set[str]:
    """Every private address that an interface holds."""
    return {
        str(entry["PrivateIpAddress"])
        for regions in ec2_models.ec2_backends.values()
        for backend in regions.values()
        for eni in backend.enis.values()
        for entry in eni.private_ip_addresses
    }


def _reserved() -> list[IPv4Network]:
    """The ranges that subnet CIDR reservations keep for those who ask for an address of them."""
    return [
        IPv4Network(str(reservation.cidr))
        for regions in ec2_models.ec2_backends.values()
        for backend in regions.values()
        for zone in backend.subnets.values()
        for subnet in zone.values()
        for reservation in subnet._cidr_reservations
    ]


def free_address(cidr: str | None = None, ipv6: bool = False, also_taken: Set[str] = frozenset()) -> str:
    """The lowest free private address of a subnet; AWS keeps the first four and the last, and gives out none of those
    that a subnet CIDR reservation holds.

    https://docs.aws.amazon.com/vpc/latest/userguide/subnet-cidr-reservation.html
    """
    if cidr is None or ipv6:
        raise EC2ClientError("InvalidParameterValue", "An IPv4 subnet is needed.")
    network, held, reserved = IPv4Network(cidr), taken() | also_taken, _reserved()
    for number in range(4, network.num_addresses - 1):
        candidate = IPv4Address(int(network.network_address) + number)
        if str(candidate) not in held and not any(candidate in block for block in reserved):
            return str(candidate)
    raise EC2ClientError("InsufficientFreeAddressesInSubnet", "There are not enough free addresses in the subnet.")


def check_count(instance_type: str, count: int) -> None:
    """Refuse more private addresses than an interface of the type holds.

    Raises:
        EC2ClientError: `PrivateIpAddressLimitExceeded`.
    """
    facts = instance_types.find(instance_type)
    if facts and count > facts.addresses_per_interface:
        raise EC2ClientError("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")


def _subnet_address(subnet: Any, instance: Any) -> str:
    """The lowest free address of a subnet; moto's own generator starts over when the state is loaded."""
    address = free_address(str(subnet.cidr), also_taken=set(subnet._subnet_ips))
    subnet._subnet_ips[address] = instance
    return address


def _check_given(subnet: Any, given: Iterable[str]) -> None:
    network, held = IPv4Network(subnet.cidr_block), taken()
    reserved = {str(network.network_address + number) for number in range(4)} | {str(network.broadcast_address)}
    for address in given:
        if IPv4Address(address) not in network:
            raise EC2ClientError(
                "InvalidParameterValue", f"Address {address} does not fall within the subnet's address range"
            )
        if address in held or address in reserved:
            raise EC2ClientError("InvalidIPAddress.InUse", f"Address {address} is in use.")


def _assign(self: ElasticNetworkInterfaces) -> ActionResult:
    eni = self.ec2_backend.get_network_interface(self._get_param("NetworkInterfaceId"))
    held = [entry["PrivateIpAddress"] for entry in eni.private_ip_addresses]
    given = [address for address in self._get_param("PrivateIpAddresses", []) if address not in held]
    count = self._get_int_param("SecondaryPrivateIpAddressCount", 0)
    if eni.instance is not None:
        check_count(eni.instance.instance_type, len(held) + len(given) + count)
    _check_given(eni.subnet, given)
    for _ in range(count):
        given.append(free_address(eni.subnet.cidr_block, also_taken=set(given)))
    eni.private_ip_addresses.extend({"Primary": False, "PrivateIpAddress": address} for address in given)
    return ActionResult(
        {
            "NetworkInterfaceId": eni.id,
            "AssignedPrivateIpAddresses": [{"PrivateIpAddress": address} for address in given],
        }
    )


def _address_of(entry: Any) -> Any:
    return entry["PrivateIpAddress"] if isinstance(entry, Mapping) else entry


def _create(
    backend: Any,
    subnet: Any,
    private_ip_address: Any,
    private_ip_addresses: list[Any] | None = None,
    *args: Any,
    **kwargs: Any,
) -> Any:
    count = kwargs.pop("secondary_ips_count", None)
    asked = [str(_address_of(entry)) for entry in private_ip_addresses or []]
    in_subnet = backend.get_subnet(subnet) if isinstance(subnet, str) else subnet
    _check_given(in_subnet, {*asked, *([str(private_ip_address)] if private_ip_address else [])})
    eni = _original_create(backend, subnet, private_ip_address, private_ip_addresses, *args, **kwargs)
    if count:
        # moto draws all of them before it notes one.
        for _ in range(int(count)):
            eni.private_ip_addresses.append({"Primary": False, "PrivateIpAddress": free_address(eni.subnet.cidr_block)})
    return eni


def _run_instances(backend: Any, image_id: str, count: int, *args: Any, **kwargs: Any) -> Any:
    """Instances with the secondary addresses that the call or its launch template asks for."""
    specifications = kwargs.get("nics") or []
    instance_type = kwargs.get("instance_type")
    if kwargs.get("launch_template"):
        data = backend._get_template_from_args(kwargs["launch_template"]).data
        specifications = specifications or data.get("NetworkInterfaces") or []
        if kwargs.get("is_instance_type_default"):
            instance_type = data.get("InstanceType") or instance_type
    for specification in specifications:
        given = len(specification.get("PrivateIpAddresses") or []) or 1
        check_count(str(instance_type), given + int(specification.get("SecondaryPrivateIpAddressCount") or 0))
    reservation = _original_run(backend, image_id, count, *args, **kwargs)
    for instance in reservation.instances:
        for specification in specifications:
            eni = instance.nics.get(int(specification.get("DeviceIndex") or 0))
            if eni is not None:
                _add_secondary(eni, specification)
    return reservation


def _add_secondary(eni: Any, specification: Mapping[str, Any]) -> None:
    held = [entry["PrivateIpAddress"] for entry in eni.private_ip_addresses]
    listed = [entry["PrivateIpAddress"] for entry in specification.get("PrivateIpAddresses") or []]
    given = [address for address in listed if address not in held]
    _check_given(eni.subnet, given)
    for _ in range(int(specification.get("SecondaryPrivateIpAddressCount") or 0)):
        given.append(free_address(eni.subnet.cidr_block, also_taken=set(given)))
    eni.private_ip_addresses.extend({"Primary": False, "PrivateIpAddress": address} for address in given)


_original_create = NetworkInterfaceBackend.create_network_interface
_original_run = InstanceBackend.run_instances

elastic_network_interfaces.random_private_ip = free_address
instances.random_private_ip = free_address
Subnet.get_available_subnet_ip = _subnet_address
InstanceBackend.run_instances = _run_instances
NetworkInterfaceBackend.create_network_interface = _create
ElasticNetworkInterfaces.assign_private_ip_addresses = _assign
