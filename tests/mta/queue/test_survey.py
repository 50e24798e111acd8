import pytest
from postroad.queue.scheduled import ScheduledQueue
from postroad.queue.survey import By, Order, top
from postroad.spool.message import Delivery, Message

PLAN = [
    ("acme", "autumn", b"y.test", 10.0, "450 later"),
    ("acme", "autumn", b"y.test", 11.0, "450 later"),
    ("acme", "spring", b"z.test", 12.0, "451 not now"),
    ("other", "", b"y.test", 5.0, "450 later"),
]


@pytest.fixture
def queue() -> ScheduledQueue:
    made = ScheduledQueue()
    for tenant, campaign, domain, received, reply in PLAN:
        message = Message(1, received, b"", (b"a@y", b"b@y"), 0, tenant=tenant, campaign=campaign)
        made.push(Delivery(message, domain, (0, 1), due=received + 1.0, reply=reply))
    return made


@pytest.mark.parametrize(
    ("by", "first", "found"),
    [
        (By.QUEUE, Order.COUNT, [(("acme", "autumn", "y.test"), 2), (("acme", "spring", "z.test"), 1)]),
        (By.QUEUE, Order.AGE, [(("other", "", "y.test"), 1), (("acme", "autumn", "y.test"), 2)]),
        (By.TENANT, Order.COUNT, [(("acme",), 3), (("other",), 1)]),
        (By.CAMPAIGN, Order.AGE, [(("other", ""), 1), (("acme", "autumn"), 2)]),
        (By.DOMAIN, Order.COUNT, [(("y.test",), 3), (("z.test",), 1)]),
        (By.REPLY, Order.COUNT, [(("450 later",), 3), (("451 not now",), 1)]),
    ],
)
def test_the_top_of_what_waits(
    queue: ScheduledQueue, by: By, first: Order, found: list[tuple[tuple[str, ...], int]]
) -> None:
    rows = top(queue.queues.values(), by=by, first=first, limit=2)
    assert [(row.name, row.deliveries) for row in rows] == found
    assert all(row.recipients == 2 * row.deliveries for row in rows)


def test_a_sum_knows_its_oldest_its_next_and_its_last_reply(queue: ScheduledQueue) -> None:
    (row,) = top(queue.queues.values(), by=By.DOMAIN, limit=1)
    assert (row.oldest, row.next_due, row.last_reply) == (5.0, 11.0, "450 later")
