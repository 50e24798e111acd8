"""Subnets where moto isn't EC2: zones are those of the region, and a reservation keeps its description.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.responses.subnets import Subnets

_LARGEST, _SMALLEST = 16, 28


def _create(
    backend: Any,
    vpc_id: str,
    cidr_block: str,
    ipv6_cidr_block: str | None = None,
    availability_zone: str | None = None,
    *args: Any,
    **kwargs: Any,
) -> Any:
    zone = availability_zone
    zones = [each.name for each in RegionsAndZonesBackend.zones[backend.region_name]]
    if zone and zone not in zones:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Value ({zone}) for parameter availabilityZone is invalid. Subnets can currently only be created in the "
            f"following availability zones: {', '.join(zones)}.",
        )
    _check_size(cidr_block)
    return _original_create(backend, vpc_id, cidr_block, ipv6_cidr_block, availability_zone, *args, **kwargs)


def _check_size(cidr_block: str) -> None:
    try:
        length = IPv4Network(cidr_block, strict=False).prefixlen
    except ValueError:
        return  # moto says so
    if not _LARGEST <= length <= _SMALLEST:
        raise EC2ClientError("InvalidSubnet.Range", f"The CIDR '{cidr_block}' is invalid.")


def _reserve(self: Subnets) -> ActionResult:
    result = _original_reserve(self)
    made: Any = result.result
    made["SubnetCidrReservation"].description = self._get_param("Description")
    # moto keeps each address of the range for its own choice of addresses, which `private_addresses` replaces; the
    # thousands of a /21 would be saved with every change.
    self.ec2_backend.get_subnet(made["SubnetCidrReservation"].subnet_id)._reserved_ips.clear()
    return result


_original_create = SubnetBackend.create_subnet
SubnetBackend.create_subnet = _create

_original_reserve = Subnets.create_subnet_cidr_reservation
Subnets.create_subnet_cidr_reservation = _reserve
