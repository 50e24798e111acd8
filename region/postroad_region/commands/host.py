"""`postroad-region freeze|thaw|kill HOST`."""

from __future__ import annotations

from typing import Annotated

import typer

from postroad_region.commands.injection import host_named, inject

Host = Annotated[str, typer.Argument(metavar="HOST", help="Instance id, inventory name (mta-a-1f2e3) or Name tag.")]


def freeze(name: Host) -> None:
    """Stop all of a host's processes where they are: it is alive and answers nothing."""
    host = host_named(name)
    inject(lambda faults: faults.with_frozen(host.instance_id, frozen=True))
    typer.echo(f"{host.inventory_name} is frozen; let it go on by: postroad-region thaw {host.inventory_name}")


def thaw(name: Host) -> None:
    """Let a frozen host go on."""
    host = host_named(name)
    inject(lambda faults: faults.with_frozen(host.instance_id, frozen=False))
    typer.echo(f"{host.inventory_name} goes on")


def kill(
    name: Host, off: Annotated[bool, typer.Option("--off", help="The hardware is whole again; it boots.")] = False
) -> None:
    """Fail a host's hardware: it is gone at once, and its status checks are impaired."""
    host = host_named(name)
    inject(lambda faults: faults.with_killed(host.instance_id, killed=not off))
    typer.echo(f"{host.inventory_name} {'boots' if off else 'is dead; its status checks are impaired'}")
