"""The scheduled queue: deliveries that wait for their time."""

import heapq
from collections.abc import Iterator

from postroad.spool.message import Delivery


class ScheduledQueue:
    """Deliveries ordered by due time; those of one instant come out in the order they went in."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Delivery]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[Delivery]:
        return (delivery for _, _, delivery in self._heap)

    def push(self, delivery: Delivery) -> None:
        """Let a delivery wait until its `due`."""
        self._count += 1
        heapq.heappush(self._heap, (delivery.due, self._count, delivery))

    @property
    def next_due(self) -> float | None:
        """Unix time at which the first one is due; None if nothing waits."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float, limit: int) -> list[Delivery]:
        """Up to `limit` deliveries that are due at `now`, earliest first."""
        due: list[Delivery] = []
        while self._heap and self._heap[0][0] <= now and len(due) < limit:
            due.append(heapq.heappop(self._heap)[2])
        return due

    def make_due(self, now: float) -> int:
        """Make everything due at `now`; how many that are."""
        waiting = len(self._heap)
        self._heap = [(min(due, now), count, delivery) for due, count, delivery in self._heap]
        heapq.heapify(self._heap)
        return waiting
