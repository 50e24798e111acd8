"""`postroad-region world`, `incident`, `clock`: look at the providers, and steer them."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from postroad_region import addresses
from postroad_region.errors import RegionError
from postroad_region.paths import paths
from postroad_region.world import WorldProcess


def process() -> WorldProcess:
    """The world that runs."""
    place = paths()
    enter = ["nsenter", f"--net=/run/netns/{addresses.INTERNET}"]
    return WorldProcess(place.state / "world", place.run, enter, ca_dir=place.state / "ca")


def world(
    path: Annotated[str, typer.Argument(help="E.g. /counts, /providers, /reputation, /metrics.")] = "/counts",
) -> None:
    """Ask the providers; docs/region/world.md lists what they answer."""
    _show(process().get(path if path.startswith("/") else f"/{path}"))


def incident(
    kind: Annotated[str | None, typer.Argument(help="outage, throttle, blocklist, … ; without it: list.")] = None,
    settings: Annotated[
        list[str] | None, typer.Argument(help="name=value, e.g. provider=outlook duration=10m how=hang.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="End the incident of this id.")] = None,
) -> None:
    """List incidents, begin one, or end one early."""
    if end is not None:
        _show(process().delete(f"/incidents/{end}"))
    elif kind is None:
        running = process().get("/incidents")["running"]
        _show(running if running else "no incident")
    else:
        _show(process().post(f"/incidents?{urlencode({'kind': kind, **_pairs(settings or [])})}"))


def clock(
    day: Annotated[str | None, typer.Option(help="How long a day of the world takes, e.g. 60 or 1d.")] = None,
    advance: Annotated[str | None, typer.Option(help="Jump ahead, e.g. 12h.")] = None,
) -> None:
    """Show the world's clock, change its pace, or jump."""
    given = {name: value for name, value in (("day", day), ("advance", advance)) if value is not None}
    _show(process().post(f"/clock?{urlencode(given)}") if given else process().get("/clock"))


def _pairs(settings: list[str]) -> dict[str, str]:
    """Raises RegionError: one isn't `name=value`."""
    pairs = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not name or not equals:
            raise RegionError(f"{setting!r} isn't name=value", remedy="write e.g. provider=outlook duration=10m")
        pairs[name] = value
    return pairs


def _show(found: Any) -> None:
    typer.echo(found if isinstance(found, str) else json.dumps(found, indent=2))
