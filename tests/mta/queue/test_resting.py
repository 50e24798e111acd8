from postroad.queue.resting import RestingMessages
from postroad.queue.scheduled import ScheduledQueue
from postroad.spool.message import Delivery, Message


def message(id: int, *domains: bytes, size: int = 10) -> Message:
    made = Message(id, 0.0, b"", tuple(b"a@" + domain for domain in domains), size)
    made.deliveries = [Delivery(made, domain, (index,)) for index, domain in enumerate(domains)]
    return made


class Queues:
    def __init__(self, *messages: Message) -> None:
        self.scheduled = ScheduledQueue()
        self.resting = RestingMessages(self.scheduled)
        for item in messages:
            for delivery in item.deliveries:
                self.scheduled.push(delivery)
        self.resting.begin(messages)

    def take(self, count: int = 100, octets: int = 1 << 20, smaller_than: int = 1 << 20) -> list[int]:
        taken = self.resting.take(lambda item: item.size < smaller_than, count=count, octets=octets)
        return [item.id for item in taken]


def test_batches_are_bounded_in_count_and_octets() -> None:
    queues = Queues(*(message(id, b"y", size=40_000) for id in range(1, 8)))
    assert queues.take(count=2) == [1, 2]
    assert queues.take(octets=100_000) == [3, 4]
    assert queues.take(octets=1) == [5]
    assert queues.take() == [6, 7]
    assert queues.take() == []
    assert len(queues.scheduled) == 0


def test_a_message_with_a_delivery_under_way_comes_when_that_has_ended() -> None:
    item = message(1, b"y", b"z")
    queues = Queues(item)
    told: list[bool] = []
    queues.resting.told = lambda: told.append(True)
    (under_way,) = queues.scheduled.pop_due(10.0, 1)
    assert queues.take() == []
    queues.scheduled.push(under_way)
    queues.resting.note(under_way)
    assert told == [True]
    assert queues.take() == [1]


def test_what_one_does_not_want_stays_for_others() -> None:
    queues = Queues(message(1, b"y", size=500), message(2, b"y"))
    assert queues.take(smaller_than=100) == [2]
    assert queues.take(smaller_than=100) == []
    assert queues.take() == [1]


def test_a_message_that_came_to_rest_twice_is_taken_once() -> None:
    item = message(1, b"y")
    queues = Queues(item)
    queues.resting.note(item.deliveries[0])
    assert queues.take() == [1]
    assert queues.take() == []


def test_a_finished_message_is_not_taken() -> None:
    item = message(1, b"y")
    queues = Queues(item)
    queues.scheduled.pop_due(10.0, 1)
    item.deliveries = ()
    assert queues.take() == []


def test_nothing_can_be_taken_once_deliveries_begin_again() -> None:
    queues = Queues(message(1, b"y"))
    queues.resting.end()
    assert queues.take() == []
    assert len(queues.scheduled) == 1
