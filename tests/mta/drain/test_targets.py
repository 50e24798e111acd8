import pytest
from postroad.drain.targets import State, Target, keeps_delivering, why_not_moving

A, U, R, X = State.ASKING, State.USABLE, State.REFUSES, State.UNREACHABLE


@pytest.mark.parametrize(
    ("states", "draining", "keep", "unmovable", "delivers"),
    [
        ([], False, True, False, True),
        ([U], False, False, False, True),
        ([], True, False, False, True),
        ([A], True, True, False, False),
        ([U], True, True, False, False),
        ([U, X], True, True, False, False),
        ([R, X], True, True, False, True),
        ([R, X], True, False, False, False),
        ([R, A], True, True, False, False),
        ([U], True, True, True, True),
        ([U], True, False, True, False),
        ([U, A], True, True, True, False),
    ],
)
def test_whether_delivery_goes_on(
    states: list[State], draining: bool, keep: bool, unmovable: bool, delivers: bool
) -> None:
    found = keeps_delivering(states, draining=draining, keep_delivering=keep, only_unmovable_left=unmovable)
    assert found is delivers


def test_a_drain_that_does_not_move_says_why() -> None:
    asking, usable = Target("a:1"), Target("b:1", U)
    refusing, silent = Target("c:1", R, "is draining itself"), Target("d:1", X, "connection refused")
    assert why_not_moving([refusing, usable]) == ""
    assert why_not_moving([refusing, asking]) == ""
    assert "is delivered from here" in why_not_moving([])
    assert why_not_moving([refusing, silent]) == (
        "no target takes mail: c:1 is draining itself; d:1 connection refused"
    )
