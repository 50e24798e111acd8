"""`postroad-ops`: what the Makefile's targets call."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console

from postroad_ops import package as packaging
from postroad_ops.faults import OperationError

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
app.add_typer(packaging.app, name="package")
# Wide enough for the table where the output isn't a terminal.
console = Console(width=None if sys.stdout.isatty() else 150)
errors = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]


@app.command()
def up(verbose: Annotated[bool, typer.Option("-v", "--verbose")] = False) -> None:
    """From whatever is there to delivered mail."""
    from postroad_ops.lock import operation
    from postroad_ops.up import up as bring_up

    with operation("up"):
        bring_up(console, verbose=verbose)


@app.command()
def down() -> None:
    """Remove the region and all it started."""
    from postroad_ops import places
    from postroad_ops.lock import operation
    from postroad_ops.steps import Steps

    with operation("down"):
        steps = Steps(console, places.ROOT / ".cache" / "down.log")
        steps.run("region removed", [places.program("postroad-region"), "down"], remedy="run: make down")


@app.command()
def status(
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep it on the screen until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two looks.")] = 2.0,
) -> None:
    """The region: hosts, front door, addresses, releases, health, queues, providers."""
    from postroad_ops import status as region
    from postroad_ops import table

    if as_json:
        typer.echo(json.dumps(region.look().as_dict()))
    elif watch:
        table.watch(console, region.look, every=every)
    else:
        table.show(console, region.look())


@app.command()
def send(
    count: Annotated[int, typer.Option(min=1, max=10_000_000)] = 100,
    domain: str = "gmail.test",
    rate: Annotated[float | None, typer.Option(min=0.1, help="Messages a second at most.")] = None,
    octets: Annotated[int, typer.Option(min=64, max=1_000_000)] = 2048,
    as_json: Json = False,
) -> None:
    """Mail through the front door, then what became of it."""
    from postroad_ops import delivery, up

    report = delivery.send(up.submission(), count, sender=up.SENDER, domain=domain, rate=rate, octets=octets)
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        delivery.show(console, report)
    if not report.complete:
        missing = report.asked - report.delivered
        raise OperationError(f"{missing} of {report.asked} messages weren't delivered, {report.twice} came twice",
                             remedy="see: make status")  # fmt: skip


@app.command()
def lifecycle(
    stack: Annotated[str, typer.Option()] = "local",
    once: Annotated[bool, typer.Option("--once", help="Deal with what waits, and end.")] = False,
) -> None:
    """Drain every MTA that its Auto Scaling group takes out, and let it go; until Ctrl-C."""
    from postroad_ops.lifecycle import run

    run(stack, once=once)


@app.command()
def plan(stack: Annotated[str, typer.Option()] = "local") -> None:
    """`pulumi preview` of every project of a stack, with policies."""
    from postroad_ops.plan import plan as preview

    preview(console, stack)


@app.command()
def test(stages: Annotated[list[str] | None, typer.Argument(help="Only these stages.")] = None) -> None:
    """Everything that must hold, fast to slow."""
    from postroad_ops import suite

    suite.run(console, only=stages or ())


@app.command()
def check() -> None:
    """Lint and types only."""
    from postroad_ops import suite

    suite.run(console, only=["checks"])


@app.command()
def deploy(release: Annotated[str, typer.Option()]) -> None:
    """Move every host to a release, batch by batch; what fails is taken back."""
    from postroad_ops.moves import deploy as move

    move(console, release)


@app.command()
def rollback() -> None:
    """Back to the release before."""
    from postroad_ops.moves import rollback as move

    move(console)


def main() -> None:
    """The command's entry: a fault is one line."""
    try:
        app()
    except OperationError as error:
        errors.print(f"postroad: {error}", style="red", highlight=False, soft_wrap=True, markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        errors.print("postroad: interrupted; the same command continues", highlight=False)
        sys.exit(130)


if __name__ == "__main__":
    main()
