"""The world's clock."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad_region.world.clock import DAY, Clock, Pace

HALF_HOUR_MONTH = 60.0


def test_by_default_it_shows_real_time(clock: Clock, time: Any) -> None:
    time.now += 1234.5
    assert clock.now() == time.now
    assert clock.since_start() == 1234.5


def test_a_month_passes_in_half_an_hour(make_clock: Callable[..., Clock], time: Any) -> None:
    clock = make_clock(HALF_HOUR_MONTH)
    time.now += 1800
    assert clock.since_start() == pytest.approx(30 * DAY)
    assert clock.real_seconds(DAY) == HALF_HOUR_MONTH


def test_another_pace_goes_on_from_the_same_moment(clock: Clock, time: Any) -> None:
    time.now += 100
    clock.set_day(864)
    assert clock.since_start() == pytest.approx(100)
    time.now += 1
    assert clock.since_start() == pytest.approx(200)


def test_it_goes_on_after_a_restart(make_clock: Callable[..., Clock], time: Any) -> None:
    first = make_clock(HALF_HOUR_MONTH)
    time.now += 60
    first.advance(3 * DAY)
    time.now += 60
    again = make_clock(HALF_HOUR_MONTH)
    assert again.now() == pytest.approx(first.now())
    assert again.since_start() == pytest.approx(5 * DAY)


def test_a_pace_set_by_hand_outlives_a_restart_and_gives_way_to_another_in_the_file(
    make_clock: Callable[..., Clock], time: Any
) -> None:
    make_clock().set_day(60)
    assert make_clock().day == 60
    assert make_clock(day=120).day == 120


def test_a_reset_is_back_to_real_time_and_the_file_s_pace(make_clock: Callable[..., Clock], time: Any) -> None:
    clock = make_clock()
    clock.set_day(60)
    clock.advance(DAY)
    clock.reset()
    assert (clock.now(), clock.day, clock.since_start()) == (time.now, DAY, 0)


@pytest.mark.parametrize("day", [0, -1, 86_401, float("nan")])
def test_a_pace_that_is_none_is_refused(clock: Clock, day: float) -> None:
    with pytest.raises(ValueError, match="day"):
        clock.set_day(day)


@pytest.mark.parametrize("span", [-1, float("inf"), float("nan")])
def test_it_is_not_set_back(clock: Clock, span: float) -> None:
    with pytest.raises(ValueError, match="advance"):
        clock.advance(span)


def test_a_spoilt_file_begins_anew(make_clock: Callable[..., Clock], tmp_path: Any, time: Any) -> None:
    (tmp_path / "clock.json").write_text("{")
    assert make_clock().now() == time.now


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(1, DAY))
def test_it_never_goes_back(earlier: float, more: float, day: float) -> None:
    pace = Pace(0, 0, day, 0, day)
    assert pace.at(earlier) <= pace.at(earlier + more)
