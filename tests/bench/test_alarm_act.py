"""When in a period a data point is put."""

import pytest
from postroad_bench.alarm_act import next_at


@pytest.mark.parametrize(
    ("now", "phase", "expected"),
    [(100.0, 0.5, 105.0), (104.95, 0.5, 115.0), (106.0, 0.1, 111.0), (109.95, 0.1, 111.0), (100.0, 0.9, 109.0)],
)
def test_it_is_put_at_the_next_moment_of_its_phase(now: float, phase: float, expected: float) -> None:
    assert next_at(now, period=10, phase=phase) == pytest.approx(expected)
