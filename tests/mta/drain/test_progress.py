from dataclasses import replace

import pytest
from postroad.drain.progress import Progress
from postroad.drain.targets import State, Target

SAFE = Progress(
    draining=True, since=1.0, messages=0, offered=0, in_flight=0, sessions=0, doors_closed=True, delivering=False,
    synced=True, unreadable=0, unmovable="",
)  # fmt: skip


def test_nothing_here_and_nobody_coming_is_safe() -> None:
    assert SAFE.safe
    assert SAFE.waiting_for([Target("a:1", State.USABLE)]) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"draining": False}, "no drain: start one with postroad drain --to HOST"),
        ({"messages": 3}, "3 messages in the spool"),
        ({"sessions": 2}, "2 sessions"),
        ({"in_flight": 1}, "1 deliveries under way"),
        ({"doors_closed": False}, "new sessions are still taken"),
        ({"synced": False}, "the last records are on their way to the disk"),
    ],
)
def test_each_thing_that_is_left_makes_it_unsafe_and_is_named(change: dict[str, int], reason: str) -> None:
    state = replace(SAFE, **change)
    assert not state.safe
    assert state.waiting_for([Target("a:1", State.USABLE)]) == [reason]


def test_what_is_offered_and_unanswered_is_named_with_its_target() -> None:
    state = replace(SAFE, messages=5, offered=5)
    assert not state.safe
    assert state.waiting_for([Target("a:1", State.UNREACHABLE, "timed out")]) == [
        "5 messages in the spool",
        "no target takes mail: a:1 timed out",
        "5 messages were offered, and it isn't known who has them (a:1: timed out)",
    ]


def test_what_cannot_be_moved_is_named() -> None:
    state = replace(SAFE, messages=1, unreadable=1, unmovable="a:1 takes none of them: 1f cannot be read")
    assert state.waiting_for([Target("a:1", State.USABLE)]) == [
        "1 messages in the spool",
        "a:1 takes none of them: 1f cannot be read",
        "1 messages cannot be read from disk: keep the volume, see the log",
    ]
