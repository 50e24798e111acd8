"""The scheduled queues: deliveries that wait for their time, by tenant, campaign and domain."""

from collections.abc import Iterator

from postroad.queue.destination import DestinationQueue, QueueKey
from postroad.queue.wheel import TimerWheel
from postroad.spool.message import Delivery


class ScheduledQueue:
    """Deliveries that wait until their `due`; a delivery's `slot` says that it does."""

    def __init__(self) -> None:
        self._wheel = TimerWheel()
        self._waiting = 0
        self.queues: dict[tuple[str, str, bytes], DestinationQueue] = {}
        """Those in which something waits."""

    def __len__(self) -> int:
        return self._waiting

    def __iter__(self) -> Iterator[Delivery]:
        for queue in list(self.queues.values()):
            yield from queue

    def push(self, delivery: Delivery) -> None:
        """Let a delivery wait until its `due`."""
        message = delivery.message
        key = (message.tenant, message.campaign, delivery.domain)
        queue = self.queues.get(key)
        if queue is None:
            queue = self.queues[key] = DestinationQueue(QueueKey(*key))
        queue.add(delivery)
        self._wheel.push(delivery)
        self._waiting += 1

    def remove(self, delivery: Delivery) -> None:
        """Let a delivery that waits here wait no longer."""
        assert delivery.slot is not None
        delivery.slot.drop(delivery)
        self._left(delivery)

    @property
    def next_due(self) -> float | None:
        """Unix time at which the first one is due; None if nothing waits."""
        return self._wheel.next_due

    def pop_due(self, now: float, limit: int) -> list[Delivery]:
        """Up to `limit` deliveries that are due at `now`, earliest first."""
        due: list[Delivery] = []
        while len(due) < limit and (delivery := self._wheel.pop_due(now)) is not None:
            self._left(delivery)
            due.append(delivery)
        return due

    def make_due(self, now: float) -> int:
        """Make everything due at `now`; how many that are."""
        self._wheel.make_due(now)
        return self._waiting

    def _left(self, delivery: Delivery) -> None:
        queue = delivery.queue
        assert queue is not None
        queue.drop(delivery)
        if not queue.count:
            del self.queues[queue.key]
        self._waiting -= 1
        if not self._waiting:
            self._wheel.clear()
