from hypothesis import given
from hypothesis import strategies as st
from postroad.queue.scheduled import ScheduledQueue
from postroad.spool.message import Delivery, Message


def delivery(due: float) -> Delivery:
    return Delivery(Message(1, 0.0, b"", (b"a@b",), 0), b"b", (0,), due=due)


@given(st.lists(st.floats(0, 100)), st.floats(0, 100))
def test_what_is_due_comes_out_earliest_first_and_nothing_else(dues: list[float], now: float) -> None:
    queue = ScheduledQueue()
    for due in dues:
        queue.push(delivery(due))
    out = [item.due for item in queue.pop_due(now, 1000)]
    assert out == sorted(due for due in dues if due <= now)
    assert len(queue) == len(dues) - len(out)


def test_flush_makes_everything_due_in_the_order_in_which_it_was() -> None:
    queue = ScheduledQueue()
    items = [delivery(due) for due in (50.0, 40.0, 5.0)]
    for item in items:
        queue.push(item)
    assert queue.make_due(10.0) == 3
    assert queue.next_due == 5.0
    assert queue.pop_due(10.0, 10) == [items[2], items[1], items[0]]
    assert queue.next_due is None


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans(), st.booleans())))
def test_what_was_taken_out_early_does_not_come_out_unless_it_went_in_again(
    plan: list[tuple[float, bool, bool]],
) -> None:
    queue = ScheduledQueue()
    items = [delivery(due) for due, _, _ in plan]
    for item in items:
        queue.push(item)
    expected = []
    for item, (_, removed, again) in zip(items, plan, strict=True):
        if removed:
            queue.remove(item)
        if removed and again:
            queue.push(item)
        if again or not removed:
            expected.append(item)
    assert len(queue) == len(expected)
    assert set(map(id, queue)) == set(map(id, expected))
    assert queue.next_due == min((item.due for item in expected), default=None)
    out = queue.pop_due(100.0, 1000)
    assert [item.due for item in out] == sorted(item.due for item in expected)
    assert set(map(id, out)) == set(map(id, expected))
    assert all(item.slot is None for item in items)
