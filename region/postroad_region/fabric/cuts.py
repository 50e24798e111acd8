"""Injected cuts, a table of their own before all else: links that are down, zones that don't reach each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from postroad_region.fabric.chains import chain, identifier, named_set, no_table, quoted, table
from postroad_region.fabric.model import Interface

TABLE = "postroad_faults"


def cuts_table(
    interfaces: Iterable[Interface],
    *,
    zones_down: Iterable[str] = (),
    instances_down: Iterable[str] = (),
    partitions: Iterable[tuple[str, str]] = (),
) -> str:
    """The script for `nft -f`.

    Args:
        zones_down: zones (`us-east-1a`) whose interfaces neither send nor receive, among each other neither.
        instances_down: ids of instances of which the same holds.
        partitions: pairs of zones between which no packet passes.
    """
    listed = list(interfaces)
    zones, instances, pairs = set(zones_down), set(instances_down), sorted(partitions)
    if not (zones or instances or pairs):
        return no_table(TABLE)
    down = sorted(i.link for i in listed if i.subnet.zone in zones or i.instance_id in instances)
    return table(TABLE, _body(listed, down, pairs))


def _body(interfaces: list[Interface], down: list[str], pairs: list[tuple[str, str]]) -> Iterator[str]:
    yield named_set("down", "ifname", quoted(down))
    for zone in sorted({zone for pair in pairs for zone in pair}):
        members = sorted(interface.link for interface in interfaces if interface.subnet.zone == zone)
        yield named_set(_zone(zone), "ifname", quoted(members))
    yield from chain("sent", ["iifname @down counter drop"], hook=_hook("prerouting", "-400"))
    yield from chain("received", ["oifname @down counter drop"], hook=_hook("postrouting", "400"))
    between = [
        f"iifname @{_zone(sender)} oifname @{_zone(receiver)} counter drop"
        for one, other in pairs
        for sender, receiver in ((one, other), (other, one))
    ]
    yield from chain("between", between, hook=_hook("forward", "-400"))


def _zone(zone: str) -> str:
    return f"zone_{identifier(zone)}"


def _hook(name: str, priority: str) -> str:
    return f"type filter hook {name} priority {priority}; policy accept;"
