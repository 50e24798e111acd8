"""`postroad-bench`: run a suite, keep its result, print it."""

from __future__ import annotations

import importlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from postroad_bench.machine import machine
from postroad_bench.result import Case, write
from postroad_bench.table import cases_table

RESULTS = Path(__file__).resolve().parents[1] / "results"
SUITES = {"mta": "postroad_bench.mta.suite", "region": "postroad_bench.region", "soak": "postroad_bench.soak"}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def run(
    suite: Annotated[str, typer.Option(help=f"One of: {', '.join(SUITES)}.")],
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Rounds of each case.")] = 3,
    case: Annotated[
        list[str] | None, typer.Option(help="Only this case, beside the last results; may be repeated.")
    ] = None,
) -> None:
    """Measure, and print a table; the last line printed is the whole result as JSON."""
    console = Console(stderr=True)
    if suite not in SUITES:
        console.print(f"postroad-bench: there is no suite {suite!r}; choose of: {', '.join(SUITES)}", style="red")
        raise typer.Exit(2)
    facts = machine()
    measure: Callable[[int, list[str]], Iterator[Case]] = importlib.import_module(SUITES[suite]).measure
    cases = []
    began = time.monotonic()
    for found in measure(rounds, case or []):
        now = time.monotonic()
        cases.append(replace(found, seconds=round(now - began, 1)))
        began = now
        console.print(
            f"{found.name}: [bold]{found.value:g} {found.unit}[/]  rounds {list(found.rounds)}", highlight=False
        )
    if not cases:
        console.print(f"postroad-bench: suite {suite} has no case {', '.join(case or [])}", style="red")
        raise typer.Exit(2)
    console.print(cases_table(cases))
    typer.echo(write(RESULTS, suite, facts, cases, whole=not case))


def main() -> None:
    """The command's entry: a fault is one line, and who is told to end takes along what it started."""
    from postroad_ops.faults import OperationError

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app()
    except OperationError as error:
        Console(stderr=True).print(f"postroad-bench: {error}", style="red", highlight=False, markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
