"""`postroad-region partition ZONE ZONE`."""

from __future__ import annotations

from typing import Annotated

import typer

from postroad_region.commands.injection import inject, zone_named
from postroad_region.errors import RegionError


def partition(
    one: Annotated[str, typer.Argument(metavar="ZONE")],
    other: Annotated[str, typer.Argument(metavar="ZONE")],
    off: Annotated[bool, typer.Option("--off", help="Join them again.")] = False,
) -> None:
    """Let no packet pass between two zones."""
    first, second = zone_named(one), zone_named(other)
    if first == second:
        raise RegionError(f"{first} can't be cut from itself", remedy=f"did you mean: postroad-region zone down {one}")
    inject(lambda faults: faults.with_partition(first, second, cut=not off))
    typer.echo(f"{first} and {second} are {'joined' if off else 'cut from each other'}")
