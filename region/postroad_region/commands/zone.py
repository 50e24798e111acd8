"""`postroad-region zone down|up ZONE`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from postroad_region.commands.injection import inject, zone_named


class State(StrEnum):
    """Where a zone is to be."""

    DOWN = "down"
    UP = "up"


def zone(
    state: Annotated[State, typer.Argument(help="down: its hosts and balancers reach nobody, each other neither.")],
    name: Annotated[str, typer.Argument(metavar="ZONE", help="A letter or a whole name: a, us-east-1a.")],
) -> None:
    """Take a zone down, or up again."""
    found = zone_named(name)
    inject(lambda faults: faults.with_zone(found, down=state is State.DOWN))
    typer.echo(f"zone {found} is {state.value}")
