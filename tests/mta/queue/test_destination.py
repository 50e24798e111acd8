from hypothesis import given
from hypothesis import strategies as st
from postroad.queue.destination import DestinationQueue, QueueKey
from postroad.spool.message import Delivery, Message


def delivery(received: float, reply: str = "") -> Delivery:
    made = Message(1, received, b"", (b"a@y",), 0)
    return Delivery(made, b"y", (0,), due=received + 1.0, reply=reply)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 9), st.booleans()), max_size=40))
def test_counts_the_oldest_and_the_next_are_those_of_what_waits(plan: list[tuple[float, int, bool]]) -> None:
    queue = DestinationQueue(QueueKey("", "", b"y"))
    waiting: list[Delivery] = []
    for received, place, add in plan:
        if add or not waiting:
            waiting.append(delivery(received))
            queue.add(waiting[-1])
        else:
            item = waiting.pop(place % len(waiting))
            queue.drop(item)
            if place % 2:
                waiting.append(item)
                queue.add(item)
        assert list(map(id, queue)) == list(map(id, waiting))
        assert (queue.count, queue.recipients) == (len(waiting), len(waiting))
        if place % 3 == 0:
            assert queue.oldest == min((item.message.received for item in waiting), default=float("inf"))
    assert queue.oldest == min((item.message.received for item in waiting), default=float("inf"))
    assert queue.next_due == min((item.due for item in waiting), default=float("inf"))


def test_what_many_have_in_common_is_kept_once() -> None:
    queue = DestinationQueue(QueueKey("", "", b"y"))
    items = [delivery(1.0, "".join(("450 ", "later"))) for _ in range(3)]
    for item in items:
        item.message.sender = b"".join((b"a@", b"x.test"))
        queue.add(item)
    assert len({id(item.message.sender) for item in items}) == 1
    assert queue.last_reply == "450 later"
    assert len({id(item.reply) for item in items}) == 1
