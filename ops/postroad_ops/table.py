"""The region in tables: what runs, of which release, how it feels; what leads in and out, and what was delivered."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from postroad_ops.faults import OperationError
from postroad_ops.hosts import Host
from postroad_ops.status import Region, SendingAddress, TargetGroup

COLOURS = {"ready": "green", "not ready": "yellow", "no answer": "red", "stopped": "red"}
STATE_COLOURS = {"healthy": "green", "unhealthy": "red", "draining": "yellow", "initial": "yellow"}

# Below so many columns the whole table of hosts would be folded.
NARROW = 130


def _table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left")
    return table


def _coloured(text: str, colours: dict[str, str], word: str | None = None) -> str:
    colour = colours.get(word or text, "")
    return f"[{colour}]{text}[/]" if colour else text


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def hosts_table(hosts: list[Host], *, narrow: bool = False) -> Table:
    """One line a host; `narrow` leaves out what says least at a glance."""
    columns = ("tier", "host", "zone", "address", "public", "release", "queued", "sessions", "health")
    shown = ("host", "zone", "address", "queued", "sessions", "health") if narrow else columns
    table = _table(*shown, right=("queued", "sessions"))
    for host in hosts:
        cells = {
            "tier": host.tier,
            "host": host.name if narrow else f"{host.name} {host.instance}",
            "zone": host.zone[-1:] if narrow else host.zone,
            "address": host.address,
            "public": host.public or "-",
            "release": host.release or "-",
            "queued": _count(host.queued),
            "sessions": _count(host.sessions),
            "health": _coloured(host.health, COLOURS),
        }
        table.add_row(*(cells[column] for column in shown))
    return table


def addresses_table(addresses: list[SendingAddress]) -> Table:
    """One line a sending address."""
    table = _table("sends from", "name", "zone", "pool", "held by")
    for entry in addresses:
        holder = entry.holder or "[red]nobody[/]"
        table.add_row(entry.address, entry.name or "-", entry.zone or "-", entry.pool or "-", holder)
    return table


def front_door_table(groups: list[TargetGroup]) -> Table:
    """One line a listener."""
    table = _table("front door", "listener", "leads to", "targets")
    for group in groups:
        states = [_coloured(f"{count} {state}", STATE_COLOURS, state) for state, count in sorted(group.states.items())]
        reasons = [f"{name}: {reason}" for name, reason in sorted(group.unwell.items()) if reason]
        told = ", ".join(states) or "[red]none[/]"
        table.add_row(group.dns_name, group.listener, group.group, " ".join([told, *reasons]))
    return table


def providers_table(counts: dict[str, Any]) -> Table:
    """One line a provider: what it accepted, refused and put off."""
    table = _table("provider", "accepted", "other verdicts", "from", right=("accepted",))
    for name, provider in counts["providers"].items():
        verdicts = dict(provider["verdicts"])
        accepted = verdicts.pop("accepted", 0)
        others = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(verdicts.items())) or "-"
        if accepted or verdicts:
            table.add_row(name, f"{accepted:,}", others, " ".join(sorted(provider["sources"])) or "-")
    return table


def picture(region: Region, *, width: int = NARROW) -> Group:
    """All tables that have something to say, the faults last; `width` in columns of the terminal."""
    parts: list[Any] = [hosts_table(region.hosts, narrow=width < NARROW)]
    if region.front_door:
        parts += ["", front_door_table(region.front_door)]
    if region.addresses:
        parts += ["", addresses_table(region.addresses)]
    providers = providers_table(region.providers)
    if providers.row_count:
        parts += ["", providers]
    for subject, reason in region.faults.items():
        parts.append(f"[red]{subject}: {reason}[/]")
    parts += [f"[yellow]injected: {fault}[/]" for fault in region.injected]
    return Group(*parts)


def show(console: Console, region: Region) -> None:
    """Print the region as a person wants to see it."""
    console.print(picture(region), soft_wrap=True)


def watch(console: Console, look: Callable[[], Region], *, every: float) -> None:
    """Keep the picture on the screen until interrupted; a region that doesn't answer for a while is waited for."""
    seen: Any = "looking"
    shown = seen
    try:
        with Live(shown, console=console, screen=console.is_terminal, auto_refresh=False) as live:
            while True:
                try:
                    shown = seen = picture(look(), width=console.width)
                except OperationError as error:
                    shown = Group(seen, f"[red]{error}[/]")
                live.update(shown, refresh=True)
                time.sleep(every)
    except KeyboardInterrupt:
        console.print(shown, soft_wrap=True)
