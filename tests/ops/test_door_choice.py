"""A client goes to its own door, and to another one for a while after its own didn't work."""

from postroad_ops.door_choice import SHUN_SECONDS, DoorChoice
from postroad_ops.front_door import Door

A, B, C = Door("10.0.0.1"), Door("10.0.0.2"), Door("10.0.0.3")


class Clock:
    """Time that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_everybody_has_a_door_of_their_own() -> None:
    choice = DoorChoice([A, B, C])
    assert [choice.choose(preferred) for preferred in range(3)] == [A, B, C]


def test_a_door_that_did_not_work_is_left_for_a_while_and_tried_again() -> None:
    clock = Clock()
    choice = DoorChoice([A, B, C], clock=clock)
    choice.shun(A)
    assert choice.choose(0) == B
    clock.now += SHUN_SECONDS
    assert choice.choose(0) == A


def test_when_none_works_the_one_shunned_first_is_tried_first() -> None:
    clock = Clock()
    choice = DoorChoice([A, B, C], clock=clock)
    for door in (B, C, A):
        choice.shun(door)
        clock.now += 0.1
    assert choice.choose(0) == B
