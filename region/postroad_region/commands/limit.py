"""`postroad-region limit [HOST …]`: what a host's network may carry, and what was above it."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Any

import typer

from postroad_region.commands.injection import faults_file, host_named, inject, inventory
from postroad_region.commands.quantities import octets_per_second
from postroad_region.errors import RegionError
from postroad_region.fabric import limits
from postroad_region.fabric.limits import Allowance
from postroad_region.fabric.tracked import tracked_flows
from postroad_region.faults.inventory import HostName


def limit(
    name: Annotated[str, typer.Argument(metavar="[HOST]", help="None: list all that are limited.")] = "",
    resolver_pps: Annotated[
        int | None, typer.Option(min=1, help="Packets a second and interface to the VPC resolver; AWS has 1024.")
    ] = None,
    conntrack: Annotated[int | None, typer.Option(min=1, help="Tracked flows at once.")] = None,
    pps: Annotated[int | None, typer.Option(min=1, help="Packets a second, both ways together.")] = None,
    bandwidth: Annotated[str, typer.Option(metavar="RATE", help="Each way: 750Mbit, 2.5Gbit.")] = "",
    off: Annotated[bool, typer.Option("--off", help="No limits.")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Limit a host's network as EC2 does, or show what is limited and what was dropped."""
    given: dict[str, Any] = {"resolver_pps": resolver_pps, "conntrack": conntrack, "pps": pps}
    given["bandwidth"] = octets_per_second(bandwidth) if bandwidth else None
    wanted = {key: value for key, value in given.items() if value is not None}
    if not name:
        if wanted or off:
            raise RegionError("say which host", remedy="postroad-region limit HOST …")
        _show(_all(), as_json=as_json, listed=True)
        return
    host = host_named(name)
    if off:
        inject(lambda faults: faults.with_limit(host.instance_id, None))
    elif wanted:
        inject(
            lambda faults: faults.with_limit(
                host.instance_id,
                dataclasses.replace(faults.limits.get(host.instance_id, Allowance()), **wanted),
            )
        )
    _show([_state(host, faults_file().read().limits.get(host.instance_id, Allowance()))], as_json=as_json, listed=False)


def _all() -> list[dict[str, Any]]:
    limited = faults_file().read().limits
    hosts = {host.instance_id: host for host in inventory().hosts()} if limited else {}
    return [_state(hosts[instance], each) for instance, each in limited.items() if instance in hosts]


def _state(host: HostName, allowance: Allowance) -> dict[str, Any]:
    counters = limits.counters_of(host.instance_id, limits.counters())
    if allowance.conntrack is not None:
        counters["conntrack_allowance_available"] = max(allowance.conntrack - tracked_flows(host.addresses), 0)
    return {
        "host": host.inventory_name,
        "instance": host.instance_id,
        "allowance": {key: value for key, value in dataclasses.asdict(allowance).items() if value is not None},
        "counters": counters,
    }


def _show(states: list[dict[str, Any]], *, as_json: bool, listed: bool) -> None:
    if as_json:
        typer.echo(json.dumps(states if listed else states[0]))
        return
    if not states:
        typer.echo("no host is limited")
    for state in states:
        allowed = ", ".join(f"{key} {value}" for key, value in state["allowance"].items()) or "no limits"
        typer.echo(f"{state['host']:24} {allowed}")
        for key, value in state["counters"].items():
            typer.echo(f"    {key:34} {value}")
