"""The plan of sending addresses: what they are called, and which proxy's interface has which.

A proxy is a slot: an interface with private addresses that a host takes, and that outlives it. Each slot has the
addresses that it was planned with; one that is moved gets a place behind those of the slot it moves to, so that no
other address has to change its place for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from postroad_infra.zone import letter, ordinal

SLOT_ADDRESSES = 64
"""Private addresses kept for a slot; no instance type takes more than 50 an interface."""


@dataclass(frozen=True, slots=True)
class PlannedAddress:
    """A sending address.

    Args:
        host: the host part of its EHLO name, and its name for good.
        zone: the zone that it was planned for.
        slot: the proxy's slot that has it.
        place: which of the slot's private addresses it maps to, from 0.
    """

    host: str
    zone: str
    slot: str
    place: int


@dataclass(frozen=True, slots=True)
class SendingPlan:
    """All slots and addresses of a stack.

    Args:
        zones: the zones that have proxies.
        proxies: slots in each zone.
        addresses: sending addresses that each slot is planned with.
        moved: addresses that another slot has than the one they were planned for: the slot by the address's host.
    """

    zones: Sequence[str]
    proxies: int
    addresses: int
    moved: Mapping[str, str]

    def slots(self) -> list[tuple[str, int, str]]:
        """Every slot: its zone, its number in the zone from 0, its name."""
        return [(zone, number, slot_name(zone, number)) for zone in self.zones for number in range(self.proxies)]

    def planned(self) -> list[PlannedAddress]:
        """Every address, in the order of zones and slots."""
        guests = dict.fromkeys((name for _, _, name in self.slots()), 0)
        planned = []
        for host, zone, home, place in self._at_home():
            slot = self.moved.get(host, home)
            if slot != home:
                place = self.addresses + guests[slot]
                guests[slot] += 1
            planned.append(PlannedAddress(host, zone, slot, place))
        return planned

    def places(self, slot: str) -> int:
        """How many private addresses a slot needs: its own, and those of the addresses moved to it."""
        return max([self.addresses, *(address.place + 1 for address in self.planned() if address.slot == slot)])

    def problems(self) -> Iterator[str]:
        """What is wrong with `moved`."""
        hosts = [host for host, _, _, _ in self._at_home()]
        slots = [name for _, _, name in self.slots()]
        for host, slot in self.moved.items():
            if host not in hosts:
                yield f"{host} isn't one of the addresses: {', '.join(hosts)}"
            if slot not in slots:
                yield f"{slot} isn't one of the proxies: {', '.join(slots)}"

    def _at_home(self) -> Iterator[tuple[str, str, str, int]]:
        for zone, number, slot in self.slots():
            for place in range(self.addresses):
                first = ordinal(f"mail-{letter(zone)}", number)
                yield first if place == 0 else f"{first}-ip{place + 1}", zone, slot, place


def slot_name(zone: str, number: int) -> str:
    """The name of a zone's proxy slot, counted from 0: `proxy-a`, `proxy-a-2` …"""
    return ordinal(f"proxy-{letter(zone)}", number)


def most_slots(kept: IPv4Network) -> int:
    """How many slots the range has room for that a zone's subnet keeps for them."""
    return kept.num_addresses // SLOT_ADDRESSES


def private_addresses(kept: IPv4Network, number: int, count: int) -> list[IPv4Address]:
    """The private addresses of a slot, counted from 0; the first is the interface's primary one.

    Raises:
        ValueError: the range has no room for the slot, or a slot has none for so many.
    """
    if number >= most_slots(kept):
        raise ValueError(f"{kept} has room for {most_slots(kept)} proxies of {SLOT_ADDRESSES} addresses")
    if count > SLOT_ADDRESSES:
        raise ValueError(f"a proxy has at most {SLOT_ADDRESSES} addresses, not {count}")
    first = int(kept.network_address) + number * SLOT_ADDRESSES
    return [IPv4Address(first + place) for place in range(count)]
