"""`postroad-region disk HOST --full|--free SIZE|--inodes|--off`."""

from __future__ import annotations

from typing import Annotated

import typer

from postroad_region.commands.host import Host
from postroad_region.commands.injection import host_named, inject
from postroad_region.commands.quantities import octets
from postroad_region.errors import RegionError
from postroad_region.faults.model import Faults


def disk(
    name: Host,
    full: Annotated[bool, typer.Option("--full", help="Nothing is free: writes get ENOSPC.")] = False,
    free: Annotated[str, typer.Option("--free", metavar="SIZE", help="So much is left: 64M, 1G.")] = "",
    inodes: Annotated[bool, typer.Option("--inodes", help="No file can be made.")] = False,
    off: Annotated[bool, typer.Option("--off", help="Give the space back.")] = False,
) -> None:
    """Fill the volumes that are attached to a host."""
    if [full, bool(free), inodes, off].count(True) != 1:
        raise RegionError("say one of --full, --free SIZE, --inodes, --off")
    left = None if off or inodes else 0 if full else octets(free)
    host = host_named(name)
    if not host.volumes:
        raise RegionError(f"{host.inventory_name} has no volume of its own", remedy="its root disk can't be filled")

    def change(faults: Faults) -> Faults:
        for volume in host.volumes:
            faults = faults.with_disk(volume, free=left, inodes=inodes)
        return faults

    inject(change)
    said = "as it was" if off else "without a free inode" if inodes else f"filled, {left} octets are free"
    typer.echo(f"{', '.join(host.volumes)} of {host.inventory_name}: {said}")
