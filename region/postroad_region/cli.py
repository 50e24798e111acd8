"""`postroad-region`: starts, shows and removes the region in a box."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console

from postroad_region.commands import disk, faults, host, internet, limit, partition, zone
from postroad_region.errors import RegionError
from postroad_region.paths import paths

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
console = Console(stderr=True)


@app.command()
def up() -> None:
    """Start the region; what runs already is taken up."""
    from postroad_region import lifecycle

    lifecycle.up(paths(), lambda step: console.print(f"region: {step}", highlight=False))


@app.command()
def down() -> None:
    """Remove the region and all it started, nothing else."""
    from postroad_region import lifecycle

    lifecycle.down(paths(), lambda step: console.print(f"region: removing {step}", highlight=False))


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """What the daemon says of itself."""
    from postroad_region import daemon

    found = daemon.status()
    if found is None:
        raise RegionError("no region runs on this machine", remedy="run: make up")
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for key, value in found.items():
            typer.echo(f"{key:10} {value}")


@app.command()
def watch() -> None:
    """The region as `make status` shows it, kept on the screen until Ctrl-C."""
    program = Path(sys.executable).with_name("postroad-ops")
    if not program.exists():
        raise RegionError(f"there is no {program}", remedy="run: make env")
    os.execv(program, [str(program), "status", "--watch"])  # noqa: S606 - our own program, nothing of a shell


@app.command()
def image() -> None:
    """Have the hosts' base image, and print its name."""
    from postroad_region.hypervisor import base_image

    typer.echo(base_image.ensure(paths().images))


@app.command()
def env() -> None:
    """Print the environment that points AWS clients at the region: eval "$(postroad-region env)"."""
    from postroad_region import lifecycle

    for key, value in lifecycle.environment(paths()).items():
        typer.echo(f"export {key}={shlex.quote(value)}")


@app.command()
def serve() -> None:
    """Run the daemon in the foreground."""
    from postroad_region.daemon import Daemon

    Daemon(paths()).run()


@app.command()
def supervise() -> None:
    """Run the daemon, again whenever it ends."""
    from postroad_region import supervisor

    raise typer.Exit(supervisor.supervise())


for command in (
    limit.limit,
    zone.zone,
    partition.partition,
    disk.disk,
    host.freeze,
    host.thaw,
    host.kill,
    faults.faults,
    internet.world,
    internet.incident,
    internet.clock,
):
    app.command()(command)


def main() -> None:
    """The command's entry: a fault is one line."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        app()
    except RegionError as error:
        console.print(f"postroad-region: {error}", style="red", highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
