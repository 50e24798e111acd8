"""The addresses of a VPC: which subnet lies where.

The VPC's range is cut into 16 equal blocks. Zone a has the blocks 0 (private) and 1 (public), zone b 2 and 3, and so
on to zone g; the place depends on the zone's letter alone, so a zone that comes or goes moves no other. Block 14 is
spare; the last /24 of the VPC, in block 15, is the management subnet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network

from postroad_infra.zone import letter

BLOCK_BITS = 4
ZONE_LETTERS = "abcdefg"
MANAGEMENT_PREFIX = 24
# AWS takes /16 to /28 for a VPC; below /20 a block would be smaller than the management subnet.
WIDEST_PREFIX, NARROWEST_PREFIX = 16, 20


class SubnetKind(StrEnum):
    """Whether hosts of a subnet have public addresses and a route to the internet."""

    PRIVATE = "private"
    PUBLIC = "public"
    MANAGEMENT = "management"


@dataclass(frozen=True, slots=True)
class PlannedSubnet:
    """A subnet as it shall be; `name` is unique within the VPC and stable."""

    name: str
    kind: SubnetKind
    zone: str
    cidr: IPv4Network

    @property
    def kept(self) -> IPv4Network:
        """The upper half: for interfaces that ask for their addresses, apart from hosts that take what there is."""
        return list(self.cidr.subnets(prefixlen_diff=1))[1]


@dataclass(frozen=True, slots=True)
class AddressPlan:
    """Where the subnets of the VPC with the range `cidr` lie.

    Raises:
        ValueError: the range is wider than /16 or narrower than /20.
    """

    cidr: IPv4Network

    def __post_init__(self) -> None:
        if not WIDEST_PREFIX <= self.cidr.prefixlen <= NARROWEST_PREFIX:
            raise ValueError(f"{self.cidr} must be a /{WIDEST_PREFIX} to a /{NARROWEST_PREFIX}")

    def subnet(self, kind: SubnetKind, zone: str) -> PlannedSubnet:
        """The private or public subnet of a zone.

        Raises:
            ValueError: the zone's letter has no block.
        """
        slot = ZONE_LETTERS.find(letter(zone))
        if slot < 0:
            raise ValueError(
                f"zone {zone} has no block of addresses: zones end in {ZONE_LETTERS[0]} to {ZONE_LETTERS[-1]}"
            )
        block = slot * 2 + (kind is SubnetKind.PUBLIC)
        size = 1 << (32 - self.cidr.prefixlen - BLOCK_BITS)
        cidr = IPv4Network((int(self.cidr.network_address) + block * size, self.cidr.prefixlen + BLOCK_BITS))
        return PlannedSubnet(name=f"{kind}-{letter(zone)}", kind=kind, zone=zone, cidr=cidr)

    def management(self, zone: str) -> PlannedSubnet:
        """The subnet from which operators reach hosts: the VPC's last /24."""
        last = int(self.cidr.broadcast_address) + 1 - (1 << (32 - MANAGEMENT_PREFIX))
        return PlannedSubnet(
            name=str(SubnetKind.MANAGEMENT),
            kind=SubnetKind.MANAGEMENT,
            zone=zone,
            cidr=IPv4Network((last, MANAGEMENT_PREFIX)),
        )

    def subnets(self, kinds: Iterable[SubnetKind], zones: Sequence[str]) -> list[PlannedSubnet]:
        """All subnets of a VPC, zone by zone; the management subnet, if asked for, lies in the first zone."""
        wanted = list(kinds)
        planned = [self.subnet(kind, zone) for zone in zones for kind in wanted if kind is not SubnetKind.MANAGEMENT]
        if SubnetKind.MANAGEMENT in wanted:
            planned.append(self.management(zones[0]))
        return planned


def overlaps(ranges: Sequence[IPv4Network]) -> list[tuple[IPv4Network, IPv4Network]]:
    """The pairs of ranges that share an address."""
    return [(one, other) for place, one in enumerate(ranges) for other in ranges[place + 1 :] if one.overlaps(other)]
