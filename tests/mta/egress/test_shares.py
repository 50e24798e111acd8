import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.egress.shares import Budget, growth, may_open, must_yield, to_shed


@pytest.mark.parametrize(
    ("waiting", "finished", "connections"),
    [
        (0, 100, 0),  # nothing to send
        (1, 100, 1),
        (5, 100, 3),  # a few messages deserve few connections
        (1000, 0, 2),  # it has shown nothing yet
        (1000, 5, 7),
        (1000, 100, 20),  # and now it has
    ],
)
def test_a_site_earns_its_connections(waiting: int, finished: int, connections: int) -> None:
    assert growth(waiting, finished, limit=20) == connections


@pytest.mark.parametrize(
    ("budget", "mine", "stalls", "allowed"),
    [
        (Budget(100, used=10, sites=5), 9, False, True),  # plenty: no one counts
        (Budget(100, used=10, sites=5), 9, True, True),
        (Budget(100, used=100, sites=5), 0, False, False),  # nothing left
        (Budget(100, used=80, sites=5), 19, False, True),  # short: an even share
        (Budget(100, used=80, sites=5), 20, False, False),
        (Budget(100, used=80, sites=500), 0, False, True),  # more sites than connections: one each, in turn
        (Budget(100, used=80, sites=500), 1, False, False),
        (Budget(100, used=80, sites=50, stalled=24), 0, True, True),  # who stalls may be tried again,
        (Budget(100, used=80, sites=50, stalled=24), 1, True, False),  # with one connection each
        (Budget(100, used=80, sites=50, stalled=25), 0, True, False),  # and a quarter of all together
        (Budget(1, used=0), 0, False, True),
        (Budget(1, used=0), 0, True, True),
    ],
)
def test_who_may_open_one_more(budget: Budget, mine: int, stalls: bool, allowed: bool) -> None:
    assert may_open(budget, mine=mine, stalls=stalls) is allowed


@pytest.mark.parametrize(
    ("budget", "mine", "messages", "yields"),
    [
        (Budget(100, used=100, sites=5), 21, 1, True),
        (Budget(100, used=100, sites=5), 20, 1000, False),
        (Budget(100, used=100, sites=500), 1, 19, False),
        (Budget(100, used=100, sites=500), 1, 20, True),  # who has none waits for a turn of twenty messages
    ],
)
def test_who_gives_one_up_for_those_that_wait(budget: Budget, mine: int, messages: int, yields: bool) -> None:
    assert must_yield(budget, mine=mine, messages=messages) is yields


@pytest.mark.parametrize(
    ("budget", "count"),
    [
        (Budget(100, used=100, stalled=100), 75),
        (Budget(100, used=100, stalled=25), 0),
        (Budget(100, used=50, stalled=50), 0),  # nobody needs them
        (Budget(1, used=1, stalled=1), 0),
    ],
)
def test_what_is_taken_from_sites_that_stall(budget: Budget, count: int) -> None:
    assert to_shed(budget) == count


@given(st.integers(1, 1000), st.integers(0, 1000), st.integers(1, 2000), st.integers(0, 1000))
def test_a_site_without_any_connection_may_have_a_free_one_unless_it_stalls(
    limit: int, used: int, sites: int, stalled: int
) -> None:
    budget = Budget(limit, used, sites, stalled)
    assert may_open(budget, mine=0, stalls=False) is (used < limit)
