from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.queue.ready import ReadyQueue
from postroad.spool.message import Delivery, Message

TENANTS = ("a", "b", "c", "")


def message(tenant: str, deliveries: int = 1) -> Message:
    made = Message(1, 0.0, b"", (b"x@y",), 10, tenant=tenant)
    made.deliveries = tuple(Delivery(made, b"y", (0,)) for _ in range(deliveries))
    return made


def test_ten_messages_wait_for_ten_of_a_tenant_that_has_a_hundred_thousand() -> None:
    queue = ReadyQueue()
    for _ in range(100_000):
        queue.append(message("large").deliveries[0])
    for _ in range(10):
        queue.append(message("small").deliveries[0])
    out = [queue.popleft().message.tenant for _ in range(21)]
    assert Counter(out)["small"] == 10


@given(st.lists(st.tuples(st.sampled_from(TENANTS), st.integers(1, 4)), max_size=60))
def test_tenants_take_turns_and_each_keeps_its_order(plan: list[tuple[str, int]]) -> None:
    queue = ReadyQueue()
    waiting: dict[str, deque[Delivery]] = {}
    for tenant, count in plan:
        for delivery in message(tenant, count).deliveries:
            queue.append(delivery)
            waiting.setdefault(tenant, deque()).append(delivery)
    served: Counter[str] = Counter()
    last: Delivery | None = None
    while queue:
        first = queue[0]
        delivery = queue.popleft()
        tenant = delivery.message.tenant
        assert delivery is first
        assert delivery is waiting[tenant].popleft()
        if last is None or delivery.message is not last.message:
            served[tenant] += 1
            others = [served[name] for name, left in waiting.items() if left and name != tenant]
            assert all(served[tenant] <= count + 1 for count in others)
        last = delivery
    assert not any(waiting.values())


@given(st.lists(st.sampled_from(TENANTS), min_size=1, max_size=30), st.data())
def test_what_is_put_back_comes_next(tenants: list[str], data: st.DataObject) -> None:
    queue = ReadyQueue()
    for tenant in tenants:
        queue.append(message(tenant).deliveries[0])
    taken = [queue.popleft() for _ in range(data.draw(st.integers(1, len(tenants))))]
    queue.extendleft(reversed(taken[-1:]))
    assert queue[0] is taken[-1]
    assert len(queue) == len(tenants) - len(taken) + 1


@given(st.lists(st.tuples(st.sampled_from(TENANTS), st.booleans()), max_size=40))
def test_what_is_taken_out_is_gone_and_the_rest_stays(plan: list[tuple[str, bool]]) -> None:
    queue = ReadyQueue()
    items = [(message(tenant).deliveries[0], wanted) for tenant, wanted in plan]
    wanted_ones = {id(item) for item, wanted in items if wanted}
    for item, _ in items:
        queue.append(item)
    taken = queue.take(lambda item: id(item) in wanted_ones)
    assert set(map(id, taken)) == wanted_ones
    left = [queue.popleft() for _ in range(len(queue))]
    assert set(map(id, left)) == {id(item) for item, wanted in items if not wanted}
    assert not queue
    with pytest.raises(IndexError):
        queue.popleft()


def test_an_empty_queue_shows_nothing() -> None:
    queue = ReadyQueue()
    queue.append(message("a").deliveries[0])
    queue.clear()
    assert (len(queue), list(queue)) == (0, [])
    with pytest.raises(IndexError):
        queue[0]
