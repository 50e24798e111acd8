"""A suite's table says what was measured, beside whom, and how long it took."""

import pytest
from postroad_bench.result import Case
from postroad_bench.table import cases_table, number
from rich.console import Console


def test_a_case_is_one_line() -> None:
    cases = [
        Case(
            "relay", "messages/s", 3120.4, [3000.0, 3120.4], peer="postfix", peer_value=480.0, ratio=6.5, seconds=81.3
        ),
        Case("queued", "MiB resident", 963.0, [963.0]),
    ]
    console = Console(width=160, no_color=True)
    with console.capture() as captured:
        console.print(cases_table(cases))
    lines = [line.split() for line in captured.get().splitlines()]
    assert lines[1] == ["relay", "3,120", "messages/s", "3,000", "3,120", "postfix", "480", "6.5", "81", "s"]
    assert lines[2] == ["queued", "963", "MiB", "resident", "963", "-", "-", "-", "-"]


@pytest.mark.parametrize(
    ("value", "said"), [(None, "-"), (0.344, "0.344"), (6.37, "6.37"), (99.9, "99.9"), (1e6, "1,000,000")]
)
def test_a_number_has_the_digits_that_say_something(value: float | None, said: str) -> None:
    assert number(value) == said
