"""When a cut is over, read off the times of acceptance."""

import pytest
from postroad_bench.region import recovery


def steady(*seconds: int, rate: int = 10) -> list[float]:
    return [second + number / rate for second in seconds for number in range(rate)]


@pytest.mark.parametrize(
    ("accepted_at", "expected"),
    [
        (steady(0, 1, 2, 3, 4, 5, 6, 7), 0.0),
        (steady(0, 1, 2, 6, 7), 3.5),
        (steady(0, 1, 2, 3, 6, 7), 3.5),
        (steady(0, 1, 2), 0.0),
        ([*steady(0, 1, 2), 9.0], 6.5),
    ],
)
def test_it_is_over_with_the_first_full_second_after_a_poor_one(accepted_at: list[float], expected: float) -> None:
    assert recovery(accepted_at, 2.5, rate=10) == pytest.approx(expected)
