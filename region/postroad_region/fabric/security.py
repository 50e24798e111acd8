"""Security groups as nftables chains: each side of a flow tracked by its own rules, or judged packet by packet.

Two bits of the connection mark say which side tracks the flow. With both set a packet passes at the first rule; a side
that doesn't track judges each packet by its rules as they are now.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from postroad_region import addresses
from postroad_region.fabric.chains import chain, dispatch, identifier, named_set
from postroad_region.fabric.model import Fabric, Interface, Rule
from postroad_region.fabric.tracking import ANYWHERE, Permission, combined, permissions

UPLINK = "uplink"
INTERNET = "internet0"

# Of the connection mark: the side that began the flow tracks it; the other side does.
ORIGINATOR = 0x1
RESPONDER = 0x2
BOTH = ORIGINATOR | RESPONDER


@dataclass(frozen=True, slots=True)
class Profile:
    """The interfaces that have the same security groups, and the rules of those together.

    Args:
        balancer: they are load balancers': what passes is always tracked, and without groups all passes.
    """

    name: str
    groups: tuple[str, ...]
    balancer: bool
    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...]


def profiles(fabric: Fabric) -> dict[str, Profile]:
    """The profile of each interface, by its link."""
    known = {group.id: group for group in fabric.groups}
    made: dict[tuple[tuple[str, ...], bool], Profile] = {}
    for groups, balancer in sorted({_kind(interface) for interface in fabric.interfaces}):
        ingress, egress = combined(known[group] for group in groups if group in known)
        made[groups, balancer] = Profile(f"profile{len(made)}", groups, balancer, ingress, egress)
    return {interface.link: made[_kind(interface)] for interface in fabric.interfaces}


def security_chains(fabric: Fabric) -> Iterator[str]:
    """The sets and chains that `forward`, `input` and `output` go to: `again`, `leave` and `enter`."""
    of = profiles(fabric)
    for group in fabric.groups:
        members = sorted(str(a) for i in fabric.interfaces if group.id in i.groups for a in i.addresses)
        yield named_set(identifier(group.id), "ipv4_addr", members)
    balancers = sorted(f'"{i.link}"' for i in fabric.interfaces if i.kind == "balancer")
    yield named_set("balancers", "ifname", balancers)
    yield from chain("tracked_in", [_tracks(RESPONDER), "accept"])
    yield from chain("untracked_in", [f"iifname @balancers {_tracks(RESPONDER)}", "accept"])
    for profile in _distinct(of):
        yield from chain(f"in_{profile.name}", _rules(profile, inward=True))
    yield from chain("enter", [
        f"ct direction original ct mark and {RESPONDER:#x} == {RESPONDER:#x} accept",
        f"ct direction reply ct mark and {ORIGINATOR:#x} == {ORIGINATOR:#x} accept",
        f"ip daddr {addresses.SERVICES} accept",
        # Nobody begins a flow to the controller: only replies pass, by the rules above.
        f'oifname "{INTERNET}" goto tracked_in',
        *dispatch("oifname", ((f'"{link}"', f"goto in_{profile.name}") for link, profile in of.items())),
        "counter drop",
    ])  # fmt: skip
    yield from chain("tracked_out", [_tracks(ORIGINATOR), "goto enter"])
    yield from chain("untracked_out", [f"oifname @balancers {_tracks(ORIGINATOR)}", "goto enter"])
    for profile in _distinct(of):
        yield from chain(f"out_{profile.name}", _rules(profile, inward=False))
    leave = dispatch("iifname", ((f'"{link}"', f"goto out_{profile.name}") for link, profile in of.items()))
    # What comes from the internet or the controller has no group on its own side.
    yield from chain("leave", [*leave, f'iifname {{ "{INTERNET}", "{UPLINK}" }} goto tracked_out', "counter drop"])
    yield from chain("again", [
        f"ct direction original ct mark and {ORIGINATOR:#x} == {ORIGINATOR:#x} goto enter",
        f"ct direction reply ct mark and {RESPONDER:#x} == {RESPONDER:#x} goto enter",
        "goto leave",
    ])  # fmt: skip


def _kind(interface: Interface) -> tuple[tuple[str, ...], bool]:
    return tuple(sorted(interface.groups)), interface.kind == "balancer"


def _distinct(of: dict[str, Profile]) -> list[Profile]:
    return sorted(set(of.values()), key=lambda profile: int(profile.name.removeprefix("profile")))


def _tracks(side: int) -> str:
    # Replies don't begin to track a flow that began untracked.
    return f"ct direction original ct mark set ct mark or {side:#x}"


def _rules(profile: Profile, *, inward: bool) -> Iterator[str]:
    way = "in" if inward else "out"
    if profile.balancer and not profile.groups:
        yield f"goto tracked_{way}"
        return
    rules, replies = (profile.ingress, profile.egress) if inward else (profile.egress, profile.ingress)
    # Without a look at the replies all is tracked.
    for permission in permissions(rules, () if profile.balancer else replies):
        verdict = f"goto tracked_{way}" if permission.tracked else f"goto untracked_{way}"
        yield f"{_match(permission, 'saddr' if inward else 'daddr')}{verdict}"
    yield "counter drop"


def _match(permission: Permission, field: str) -> str:
    side = ""
    if permission.group:
        side = f"ip {field} @{identifier(permission.group)} "
    elif permission.network is not None and permission.network != ANYWHERE:
        side = f"ip {field} {permission.network} "
    return side + protocol_match(permission.protocol, permission.ports)


def protocol_match(protocol: str, ports: tuple[int, int] | None) -> str:
    """The match of a protocol with its destination ports, or with type and code for ICMP; ends with a blank."""
    if protocol == "all":
        return ""
    if ports is None or protocol not in ("tcp", "udp", "icmp"):
        return f"meta l4proto {protocol} "
    first, last = ports
    if protocol == "icmp":
        return f"icmp type {first} " + ("" if last < 0 else f"icmp code {last} ")
    if ports == (0, 65535):
        return f"meta l4proto {protocol} "
    return f"{protocol} dport {first} " if first == last else f"{protocol} dport {first}-{last} "
