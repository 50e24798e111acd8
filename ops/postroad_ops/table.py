"""The table of a stack: what runs where, of which release, how it feels, and what was delivered."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from postroad_ops.hosts import Host

COLOURS = {"ready": "green", "not ready": "yellow", "no answer": "red", "stopped": "red"}


def hosts_table(hosts: list[Host]) -> Table:
    """One line a host."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("tier", "host", "zone", "address", "public", "release", "health"):
        table.add_column(column)
    for host in hosts:
        colour = COLOURS.get(host.health, "")
        health = f"[{colour}]{host.health}[/]" if colour else host.health
        table.add_row(
            host.tier,
            f"{host.name} {host.instance}",
            host.zone,
            host.address,
            host.public or "-",
            host.release or "-",
            health,
        )
    return table


def providers_table(counts: dict[str, Any]) -> Table:
    """One line a provider: what it accepted, refused and put off."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("provider", "accepted", "other verdicts", "from"):
        table.add_column(column, justify="right" if column == "accepted" else "left")
    for name, provider in counts["providers"].items():
        verdicts = dict(provider["verdicts"])
        accepted = verdicts.pop("accepted", 0)
        others = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())) or "-"
        table.add_row(name, f"{accepted:,}", others, " ".join(sorted(provider["sources"])) or "-")
    return table


def show(console: Console, hosts: list[Host], counts: dict[str, Any] | None) -> None:
    """Print the region as a person wants to see it."""
    console.print(hosts_table(hosts), soft_wrap=True)
    if counts is not None:
        console.print()
        console.print(providers_table(counts), soft_wrap=True)
