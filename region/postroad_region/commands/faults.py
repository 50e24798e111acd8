"""`postroad-region faults`: what is injected, and its end."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from postroad_region.commands.injection import faults_file, inject, inventory
from postroad_region.faults.model import Faults


def faults(
    clear: Annotated[bool, typer.Option("--clear", help="Take all of it back, limits too.")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Show what is injected, each with the command that takes it back."""
    found = inject(lambda _: Faults()) if clear else faults_file().read()
    if as_json:
        typer.echo(json.dumps(found.document()))
        return
    for line in _lines(found) or ["nothing is injected"]:
        typer.echo(line)


def _lines(found: Faults) -> list[str]:
    hosts = inventory().hosts() if found.document() else []
    names = {host.instance_id: host.inventory_name for host in hosts}
    owners = {volume: host.inventory_name for host in hosts for volume in host.volumes}
    rows: list[tuple[str, str]] = []
    rows += [(f"zone {zone} is down", f"zone up {zone}") for zone in sorted(found.zones_down)]
    rows += [(f"{a} and {b} are cut from each other", f"partition {a} {b} --off") for a, b in sorted(found.partitions)]
    rows += [(f"{names.get(i, i)} is frozen", f"thaw {names.get(i, i)}") for i in sorted(found.frozen)]
    rows += [(f"{names.get(i, i)} is dead", f"kill {names.get(i, i)} --off") for i in sorted(found.killed)]
    rows += [_disk(volume, f"{free} octets left free", owners) for volume, free in sorted(found.disks.items())]
    rows += [_disk(volume, "no inode is free", owners) for volume in sorted(found.inodes)]
    rows += [(f"{names.get(i, i)} is limited", f"limit {names.get(i, i)} --off") for i in sorted(found.limits)]
    return [f"{what:56} postroad-region {undo}" for what, undo in rows]


def _disk(volume: str, what: str, owners: dict[str, Any]) -> tuple[str, str]:
    owner = owners.get(volume)
    return f"{owner or 'detached'} {volume}: {what}", f"disk {owner} --off" if owner else "faults --clear"
