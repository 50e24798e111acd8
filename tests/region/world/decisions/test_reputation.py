"""A source's standing: it grows slowly and falls fast."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad_region.world.decisions.reputation import (
    Event,
    Record,
    Standing,
    advanced,
    allowance,
    damage,
    newcomer,
    observed,
    score,
    standing,
)
from postroad_region.world.definition.limits import ReputationPolicy

DAY = 86_400.0
POLICY = ReputationPolicy()
TODAY = Record(10, 0.5)
NOON = 10.5 * DAY


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({}, 0.0),
        ({"accepted": 1000}, 0.0),
        # Complaints: one in a thousand is borne, each further one in a thousand costs a tenth.
        ({"accepted": 1000, "complaints": 1}, 0.0),
        ({"accepted": 1000, "complaints": 2}, 0.1),
        ({"accepted": 1000, "complaints": 4}, 0.3),
        ({"accepted": 1000, "complaints": 100}, 1.0),
        # A single one among few isn't a hundred per cent.
        ({"accepted": 1, "complaints": 1}, 0.4),
        # They come days after their messages.
        ({"accepted": 0, "usual": 10_000, "complaints": 10}, 0.0),
        # Unknown recipients: two in a hundred are borne.
        ({"accepted": 98, "unknown": 2}, 0.0),
        ({"accepted": 90, "unknown": 10}, 0.32),
        ({"accepted": 50, "unknown": 50}, 1.0),
        ({"accepted": 0, "unknown": 1}, 0.0),
        # Traps cost whatever the volume is.
        ({"accepted": 100_000, "traps": 1}, 0.15),
        ({"accepted": 100_000, "traps": 3}, 0.45),
        ({"accepted": 1000, "complaints": 2, "traps": 1}, 0.25),
    ],
)
def test_what_a_day_costs(seen: dict[str, int], expected: float) -> None:
    record = replace(TODAY, **seen)
    assert damage(record, POLICY) == pytest.approx(expected)
    assert score(record, POLICY) == pytest.approx(0.5 * (1 - expected))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (Record(10, 0.3), 500),
        (Record(10, 0.3, usual=100), 500),
        (Record(10, 0.3, usual=1000), 2000),
        (Record(10, 1.0, usual=50_000), 100_000),
        # Below throttle_below the history counts no more.
        (Record(10, 0.1, usual=50_000), 250),
        (Record(10, 0.0, usual=50_000), 0),
    ],
)
def test_how_much_a_day_may_bring(record: Record, expected: float) -> None:
    assert allowance(record, POLICY) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("record", "now", "expected"),
    [
        (Record(10, 0.3, accepted=499), NOON, Standing.GOOD),
        (Record(10, 0.3, accepted=500), NOON, Standing.THROTTLED),
        (Record(10, 0.3, usual=1000, accepted=500), NOON, Standing.GOOD),
        (Record(10, 0.1, usual=1000, accepted=249), NOON, Standing.GOOD),
        (Record(10, 0.1, usual=1000, accepted=250), NOON, Standing.THROTTLED),
        (Record(10, 0.04), NOON, Standing.BLOCKED),
        (Record(10, 0.5, accepted=1000, complaints=100), NOON, Standing.BLOCKED),
        (Record(10, 0.9, usual=1000, blocked_until=NOON + 1), NOON, Standing.BLOCKED),
        (Record(10, 0.9, usual=1000, blocked_until=NOON), NOON, Standing.GOOD),
    ],
)
def test_what_a_source_may_do(record: Record, now: float, expected: Standing) -> None:
    assert standing(record, now, POLICY) == expected


@pytest.mark.parametrize(
    ("record", "days", "expected"),
    [
        # A clean day of some size brings a share of what is missing.
        (Record(10, 0.5, accepted=50), 1, Record(11, 0.54, usual=50)),
        (Record(10, 0.5, accepted=49), 1, Record(11, 0.5, usual=49)),
        # Damage stays.
        (Record(10, 0.5, accepted=1000, traps=2), 1, Record(11, 0.35, usual=1000)),
        # The usual volume is the best of late, and fades without mail.
        (Record(10, 0.5, usual=1000, accepted=10), 1, Record(11, 0.5, usual=900)),
        (Record(10, 0.5, usual=1000), 1, Record(11, 0.5, usual=900)),
        (Record(10, 0.5, usual=1000, accepted=2000), 3, Record(13, 0.54, usual=2000 * 0.9**2)),
        # Not yet another day.
        (Record(10, 0.5, accepted=7), 0, Record(10, 0.5, accepted=7)),
        (Record(10, 0.5, blocked_until=99.0), 1, Record(11, 0.5, blocked_until=99.0)),
    ],
)
def test_a_day_is_closed(record: Record, days: int, expected: Record) -> None:
    after = advanced(record, (10 + days) * DAY + 1, POLICY)
    assert after.day == expected.day
    assert after.morning == pytest.approx(expected.morning)
    assert after.usual == pytest.approx(expected.usual)
    assert (after.accepted, after.traps, after.blocked_until) == (expected.accepted, 0, expected.blocked_until)


def test_who_keeps_pushing_is_blocked_and_loses_half() -> None:
    record = Record(10, 0.3, accepted=500)
    record = observed(record, Event.PUSHED, NOON, POLICY, count=1000)
    assert standing(record, NOON, POLICY) == Standing.THROTTLED
    record = observed(record, Event.PUSHED, NOON, POLICY)
    assert standing(record, NOON, POLICY) == Standing.BLOCKED
    assert record.morning == 0.15
    tomorrow = advanced(record, NOON + DAY, POLICY)
    assert standing(tomorrow, NOON + DAY, POLICY) == Standing.GOOD
    assert allowance(tomorrow, POLICY) == pytest.approx(375)


def test_a_warm_up_that_doubles_every_day_is_never_throttled() -> None:
    record = newcomer(0, POLICY)
    volume = 400
    for day in range(12):
        now = day * DAY + 1
        record = advanced(record, now, POLICY)
        assert volume <= allowance(record, POLICY), f"day {day}"
        record = observed(record, Event.ACCEPTED, now, POLICY, count=volume)
        volume *= 2
    assert volume > 1_000_000


def test_trust_of_a_month_is_lost_in_a_day_and_takes_weeks_to_come_back() -> None:
    record = newcomer(0, POLICY)
    for day in range(30):
        record = observed(record, Event.ACCEPTED, day * DAY + 1, POLICY, count=1000)
    record = advanced(record, 30 * DAY, POLICY)
    good = record.morning
    assert good > 0.9
    record = observed(record, Event.ACCEPTED, 30 * DAY + 1, POLICY, count=1000)
    record = observed(record, Event.TRAP, 30 * DAY + 1, POLICY, count=5)
    record = advanced(record, 31 * DAY, POLICY)
    assert record.morning < 0.25
    days = 31
    while record.morning < good:
        record = observed(record, Event.ACCEPTED, days * DAY + 1, POLICY, count=100)
        days += 1
        record = advanced(record, days * DAY, POLICY)
    assert days - 31 > 20


EVENTS = st.lists(st.tuples(st.sampled_from(list(Event)), st.integers(0, 5000), st.floats(0, 3 * DAY)), max_size=40)


@given(EVENTS)
def test_whatever_happens_the_score_is_a_share_and_the_allowance_no_less_than_none(
    events: list[tuple[Event, int, float]],
) -> None:
    record, now = newcomer(0, POLICY), 0.0
    for event, count, later in events:
        now += later
        record = observed(record, event, now, POLICY, count=count)
        assert 0 <= score(record, POLICY) <= 1
        assert allowance(record, POLICY) >= 0
        assert record.usual >= 0


@given(EVENTS, st.sampled_from([Event.COMPLAINT, Event.UNKNOWN, Event.TRAP]))
def test_harm_never_helps(events: list[tuple[Event, int, float]], harm: Event) -> None:
    record, now = newcomer(0, POLICY), 0.0
    for event, count, later in events:
        now += later
        record = observed(record, event, now, POLICY, count=count)
    assert score(observed(record, harm, now, POLICY), POLICY) <= score(record, POLICY)
