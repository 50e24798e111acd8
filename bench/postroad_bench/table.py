"""A suite's cases as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from postroad_bench.result import Case


def cases_table(cases: Sequence[Case]) -> Table:
    """One line a case: what the rounds came to, who was measured beside it, and how long it took."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("case", "value", "unit", "rounds", "beside it", "its value", "ratio", "took"):
        table.add_column(column, justify="right" if column in ("value", "its value", "ratio", "took") else "left")
    for case in cases:
        table.add_row(
            case.name,
            number(case.value),
            case.unit,
            " ".join(map(number, case.rounds)),
            case.peer or "-",
            number(case.peer_value),
            number(case.ratio),
            "-" if case.seconds is None else f"{case.seconds:.0f} s",
        )
    return table


def number(value: float | None) -> str:
    """With as many digits as say something."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
