"""The network allowances of single hosts as a table of their own, with the counters that the ENA driver has.

The table is loaded anew only when the allowances change, and takes its counters over: other changes of the fabric leave
what is counted alone. Where AWS queues for a moment before it drops, the box drops; a host's bandwidth may be exceeded
for the first second.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-network-performance-ena.html
https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html#vpc-dns-limits
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from postroad_region import addresses
from postroad_region.command import run, succeeds
from postroad_region.fabric.chains import chain, dispatch, identifier, no_table, table
from postroad_region.fabric.security import ORIGINATOR, RESPONDER

TABLE = "postroad_limits"

RESOLVER = "linklocal_allowance_exceeded"
CONNTRACK = "conntrack_allowance_exceeded"
PPS = "pps_allowance_exceeded"
BANDWIDTH_IN = "bw_in_allowance_exceeded"
BANDWIDTH_OUT = "bw_out_allowance_exceeded"
COUNTERS = (BANDWIDTH_IN, BANDWIDTH_OUT, PPS, CONNTRACK, RESOLVER)

# Packets that may come at once before the rate counts: those of a twentieth of a second.
BURST_SHARE = 20
SMALLEST_BURST = 5


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a host may use of its network; None leaves it unlimited.

    Args:
        resolver_pps: packets a second and interface to the VPC resolver and the metadata service together.
        conntrack: flows that its security groups track at once.
        pps: packets a second, both ways together.
        bandwidth: octets a second, each way.
    """

    resolver_pps: int | None = None
    conntrack: int | None = None
    pps: int | None = None
    bandwidth: int | None = None


@dataclass(frozen=True, slots=True)
class LimitedHost:
    """A host with its links in the fabric and its allowance."""

    instance_id: str
    links: tuple[str, ...]
    allowance: Allowance


Counted = Mapping[str, tuple[int, int]]


def limits_table(hosts: Iterable[LimitedHost], resolvers: Iterable[IPv4Address], counted: Counted = {}) -> str:  # noqa: B006
    """The script for `nft -f`.

    Args:
        resolvers: the VPC resolvers' addresses.
        counted: packets and octets by counter, as `counters` reads them, to go on from.
    """
    listed = sorted(hosts, key=lambda host: host.instance_id)
    if not listed:
        return no_table(TABLE)
    return table(TABLE, _body(listed, sorted(resolvers), counted))


def counters() -> dict[str, tuple[int, int]]:
    """Packets and octets by counter name; empty where nobody is limited."""
    inside = ["ip", "netns", "exec", addresses.FABRIC, "nft"]
    if not succeeds([*inside, "list", "table", "ip", TABLE]):
        return {}
    listed = json.loads(run([*inside, "-j", "list", "counters", "table", "ip", TABLE]))
    found: list[dict[str, Any]] = [entry["counter"] for entry in listed["nftables"] if "counter" in entry]
    return {str(entry["name"]): (int(entry["packets"]), int(entry["bytes"])) for entry in found}


def counters_of(instance_id: str, counted: Counted) -> dict[str, int]:
    """One host's counters under the names that `ethtool -S` shows on AWS."""
    return {name: counted.get(counter(instance_id, name), (0, 0))[0] for name in COUNTERS}


def counter(instance_id: str, name: str) -> str:
    """The name of a host's counter in the table."""
    return f"{identifier(instance_id)}_{name}"


def _body(hosts: list[LimitedHost], resolvers: list[IPv4Address], counted: Counted) -> Iterator[str]:
    for host in hosts:
        yield from _objects(host, counted)
    for host in hosts:
        yield from _host_chains(host, resolvers)
    outward = [(f'"{link}"', f"jump sent_{identifier(h.instance_id)}") for h in hosts for link in h.links]
    inward = [(f'"{link}"', f"jump received_{identifier(h.instance_id)}") for h in hosts for link in h.links]
    tracked = [
        (f'"{link}"', f"jump tracked_{identifier(h.instance_id)}")
        for h in hosts
        if h.allowance.conntrack is not None
        for link in h.links
    ]
    # The card is the first on the way out of a host and the last on the way in.
    yield from chain("sent", dispatch("iifname", outward), hook=_hook("prerouting", "-350"))
    yield from chain("received", dispatch("oifname", inward), hook=_hook("postrouting", "350"))
    # After the security groups, which decide who tracks the flow.
    begun = [
        *(f"ct state new ct mark and {ORIGINATOR:#x} == {ORIGINATOR:#x} {r}" for r in dispatch("iifname", tracked)),
        *(f"ct state new ct mark and {RESPONDER:#x} == {RESPONDER:#x} {r}" for r in dispatch("oifname", tracked)),
    ]
    yield from chain("begun", begun, hook=_hook("forward", "filter + 10"))
    yield from chain("begun_to_services", begun[:1], hook=_hook("input", "filter + 10"))


def _objects(host: LimitedHost, counted: Counted) -> Iterator[str]:
    name, allowance = identifier(host.instance_id), host.allowance
    for each in COUNTERS:
        packets, octets = counted.get(counter(host.instance_id, each), (0, 0))
        yield from _object("counter", counter(host.instance_id, each), f"packets {packets} bytes {octets}")
    if allowance.pps is not None:
        rate = f"rate over {allowance.pps}/second burst {_burst(allowance.pps)} packets"
        yield from _object("limit", f"pps_{name}", rate)
    if allowance.bandwidth is not None:
        for way in ("in", "out"):
            yield from _object("limit", f"bw_{way}_{name}", f"rate over {allowance.bandwidth} bytes/second")


def _host_chains(host: LimitedHost, resolvers: list[IPv4Address]) -> Iterator[str]:
    name, allowance = identifier(host.instance_id), host.allowance
    counts = {each: f'counter name "{counter(host.instance_id, each)}" drop' for each in COUNTERS}
    packets = [f'limit name "pps_{name}" {counts[PPS]}'] if allowance.pps is not None else []
    way_in, way_out = (
        [f'limit name "bw_{way}_{name}" {counts[each]}'] if allowance.bandwidth is not None else []
        for way, each in (("in", BANDWIDTH_IN), ("out", BANDWIDTH_OUT))
    )
    local: list[str] = []
    if allowance.resolver_pps is not None:
        targets = ", ".join(str(address) for address in [*resolvers, addresses.METADATA])
        rate = f"limit rate over {allowance.resolver_pps}/second burst {_burst(allowance.resolver_pps)} packets"
        local = [f'iifname "{link}" ip daddr {{ {targets} }} {rate} {counts[RESOLVER]}' for link in host.links]
    yield from chain(f"sent_{name}", [*local, *way_out, *packets])
    yield from chain(f"received_{name}", [*way_in, *packets])
    if allowance.conntrack is not None:
        yield from chain(f"tracked_{name}", [f"ct count over {allowance.conntrack} {counts[CONNTRACK]}"])


def _object(kind: str, name: str, value: str) -> Iterator[str]:
    yield f"    {kind} {name} {{"
    yield f"        {value}"
    yield "    }"


def _burst(rate: int) -> int:
    return max(rate // BURST_SHARE, SMALLEST_BURST)


def _hook(name: str, priority: str) -> str:
    return f"type filter hook {name} priority {priority}; policy accept;"
