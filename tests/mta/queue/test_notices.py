import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.queue.bouncer import crosses, wants
from postroad.smtp.envelope import DsnRequest, Notify
from postroad.spool.message import Message


def about(*notify: int) -> Message:
    dsn = DsnRequest(notify=notify) if notify else None
    return Message(1, 0.0, b"a@x.test", (b"b@y.test", b"c@y.test"), 10, dsn=dsn)


@pytest.mark.parametrize(
    ("notify", "event", "wanted"),
    [
        ((), Notify.FAILURE, True),
        ((), Notify.DELAY, False),
        ((), Notify.SUCCESS, False),
        ((0, Notify.NEVER), Notify.FAILURE, True),
        ((Notify.NEVER, 0), Notify.FAILURE, False),
        ((Notify.SUCCESS, 0), Notify.FAILURE, False),
        ((Notify.SUCCESS | Notify.DELAY, 0), Notify.DELAY, True),
        ((Notify.SUCCESS | Notify.DELAY, 0), Notify.SUCCESS, True),
    ],
)
def test_a_sender_hears_of_what_it_asked_for_and_of_failures_if_it_said_nothing(
    notify: tuple[int, ...], event: Notify, wanted: bool
) -> None:
    assert wants(about(*notify), 0, event) is wanted


@given(st.lists(st.floats(0.1, 1e5), min_size=1, max_size=30), st.floats(1, 1e6))
def test_a_delay_is_told_at_most_once_and_never_missed(waits: list[float], after: float) -> None:
    due, told = 0.0, 0
    for wait in waits:
        told += crosses(0.0, due, due + wait, after=after)
        due += wait
    assert told == (after <= due)


def test_no_delay_is_told_where_it_is_switched_off() -> None:
    assert not crosses(0.0, 0.0, 10.0, after=0.0)
