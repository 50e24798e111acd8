"""The scheduled queue: deliveries that wait for their time."""

import heapq
from collections.abc import Iterator

from postroad.spool.message import Delivery


class ScheduledQueue:
    """Deliveries ordered by due time; those of one instant come out in the order they went in.

    A delivery's `ticket` says that it waits here. One that was taken out early leaves its place behind, which is
    passed over.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Delivery]] = []
        self._count = 0
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def __iter__(self) -> Iterator[Delivery]:
        return (delivery for _, ticket, delivery in self._heap if delivery.ticket == ticket)

    def push(self, delivery: Delivery) -> None:
        """Let a delivery wait until its `due`."""
        self._count += 1
        delivery.ticket = self._count
        self._waiting += 1
        heapq.heappush(self._heap, (delivery.due, self._count, delivery))

    def remove(self, delivery: Delivery) -> None:
        """Let a delivery that waits here wait no longer."""
        assert delivery.ticket
        delivery.ticket = 0
        self._waiting -= 1
        if not self._waiting:
            self._heap.clear()

    @property
    def next_due(self) -> float | None:
        """Unix time at which the first one is due; None if nothing waits."""
        self._drop_left_places()
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float, limit: int) -> list[Delivery]:
        """Up to `limit` deliveries that are due at `now`, earliest first."""
        due: list[Delivery] = []
        while len(due) < limit and (next_due := self.next_due) is not None and next_due <= now:
            delivery = self._heap[0][2]
            self.remove(delivery)
            due.append(delivery)
        return due

    def make_due(self, now: float) -> int:
        """Make everything due at `now`; how many that are."""
        self._heap = [
            (min(due, now), ticket, delivery) for due, ticket, delivery in self._heap if delivery.ticket == ticket
        ]
        heapq.heapify(self._heap)
        return len(self._heap)

    def _drop_left_places(self) -> None:
        while self._heap and self._heap[0][2].ticket != self._heap[0][1]:
            heapq.heappop(self._heap)
