"""Counting by the hour."""

from hypothesis import given
from hypothesis import strategies as st
from postroad_region.world.decisions.limits import SlidingCount, Tries


def test_what_was_sent_an_hour_ago_counts_no_more() -> None:
    count = SlidingCount(3600)
    count.add("a", 1000, 5)
    count.add("a", 2000)
    assert count.within("a", 2000) == 6
    assert count.within("a", 1000 + 3600 + 60) == 1
    assert count.within("a", 2000 + 3600 + 60) == 0
    assert count.within("b", 2000) == 0


def test_an_hour_may_be_short() -> None:
    count = SlidingCount(6)
    count.add("a", 100.0)
    assert count.within("a", 105.0) == 1
    assert count.within("a", 106.2) == 0


@given(st.lists(st.floats(0, 20_000), max_size=50), st.floats(0, 20_000))
def test_the_count_is_right_to_within_a_sixtieth(times: list[float], asked: float) -> None:
    times = sorted(time for time in times if time <= asked)
    count = SlidingCount(3600)
    for time in times:
        count.add("a", time)
    surely = sum(asked - time < 3540 for time in times)
    perhaps = sum(asked - time <= 3600 for time in times)
    assert surely <= count.within("a", asked) <= perhaps


def test_tries_are_counted_by_key_and_the_oldest_forgotten() -> None:
    tries = Tries()
    for number in range(100_001):
        tries.add((str(number),))
    tries.add(("5",))
    assert [tries[("0",)], tries[("1",)], tries[("5",)]] == [0, 1, 2]
