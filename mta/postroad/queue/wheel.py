"""A timer wheel: deliveries by the second in which they are due."""

import heapq
import math
from collections import deque

from postroad.spool.message import Delivery

_COMPACT = 64
"""Places left behind in a bucket before it is worth rewriting."""


class Bucket:
    """Deliveries that are due within one second, in the order they came until somebody asks for the first."""

    __slots__ = ("in_order", "items", "left", "since")

    def __init__(self) -> None:
        self.items: list[Delivery] = []
        self.left = 0
        """Places whose delivery waits here no longer."""
        self.in_order = False
        """Whether the items lie last due first."""
        self.since: float | None = None
        """Unix time from which on all of it is due, whatever the items say."""

    def add(self, delivery: Delivery) -> None:
        """One more; behind others that are due at the same time."""
        if self.in_order:
            self.items.reverse()
            self.in_order = False
        self.items.append(delivery)
        delivery.slot = self

    def drop(self, delivery: Delivery) -> None:
        """A delivery waits here no longer; its place is left behind."""
        delivery.slot = None
        self.left += 1
        if self.left > _COMPACT and 2 * self.left > len(self.items):
            self.items = [item for item in self.items if item.slot is self]
            self.left = 0

    def first(self) -> Delivery | None:
        """The first one that waits."""
        if not self.in_order:
            self.items.sort(key=_due)
            self.items.reverse()
            self.in_order = True
        while self.items:
            if self.items[-1].slot is self:
                return self.items[-1]
            self.items.pop()
            self.left -= 1
        return None


def _due(delivery: Delivery) -> float:
    return delivery.due


class TimerWheel:
    """Deliveries come out when they are due, earliest first; those of one instant in the order they went in.

    A push costs the same however many wait: only the seconds that have a bucket are kept in a heap.
    """

    def __init__(self) -> None:
        self._buckets: dict[int, Bucket] = {}
        self._seconds: list[int] = []
        self._flushed: deque[Bucket] = deque()

    def push(self, delivery: Delivery) -> None:
        """Let a delivery wait until its `due`."""
        second = math.floor(delivery.due)
        bucket = self._buckets.get(second)
        if bucket is None:
            bucket = self._buckets[second] = Bucket()
            heapq.heappush(self._seconds, second)
        bucket.add(delivery)

    @property
    def next_due(self) -> float | None:
        """Unix time at which the first one is due; None if nothing waits."""
        found = self._first()
        if found is None:
            return None
        bucket, delivery = found
        return delivery.due if bucket.since is None else min(delivery.due, bucket.since)

    def pop_due(self, now: float) -> Delivery | None:
        """The first delivery, if it is due at `now`."""
        found = self._first()
        if found is None:
            return None
        bucket, delivery = found
        if delivery.due > now and bucket.since is None:
            return None
        bucket.items.pop()
        delivery.slot = None
        return delivery

    def make_due(self, now: float) -> None:
        """Make all that waits due at `now`, in the order of what was due first."""
        for second in sorted(self._seconds):
            bucket = self._buckets[second]
            bucket.since = now
            self._flushed.append(bucket)
        self._buckets.clear()
        self._seconds.clear()

    def clear(self) -> None:
        """Forget the places of deliveries that wait no longer, if none waits."""
        self._buckets.clear()
        self._seconds.clear()
        self._flushed.clear()

    def _first(self) -> tuple[Bucket, Delivery] | None:
        while self._flushed:
            if (delivery := self._flushed[0].first()) is not None:
                return self._flushed[0], delivery
            self._flushed.popleft()
        while self._seconds:
            bucket = self._buckets[self._seconds[0]]
            if (delivery := bucket.first()) is not None:
                return bucket, delivery
            del self._buckets[heapq.heappop(self._seconds)]
        return None
