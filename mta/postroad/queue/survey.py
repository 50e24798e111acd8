"""What waits for its time, summed up: without a look at every message, however many there are."""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from postroad.queue.destination import DestinationQueue


class By(Enum):
    """What scheduled queues are summed up by."""

    QUEUE = "queue"
    """Tenant, campaign and domain together."""
    TENANT = "tenant"
    CAMPAIGN = "campaign"
    DOMAIN = "domain"
    REPLY = "reply"
    """The last reply of a queue."""


class Order(Enum):
    """Which come first."""

    COUNT = "count"
    AGE = "age"


@dataclass(slots=True)
class Sum:
    """Queues that have something in common."""

    name: tuple[str, ...]
    deliveries: int = 0
    recipients: int = 0
    oldest: float = float("inf")
    """Unix time at which the oldest message was accepted."""
    last_reply: str = ""
    """Of the largest of the queues."""
    largest: DestinationQueue | None = None

    @property
    def next_due(self) -> float:
        """Unix time of the next attempt of the largest of the queues."""
        return self.largest.next_due if self.largest is not None else float("inf")


_NAMES: dict[By, Callable[[DestinationQueue], tuple[str, ...]]] = {
    By.QUEUE: lambda queue: (queue.key.tenant, queue.key.campaign, _text(queue.key.domain)),
    By.TENANT: lambda queue: (queue.key.tenant,),
    By.CAMPAIGN: lambda queue: (queue.key.tenant, queue.key.campaign),
    By.DOMAIN: lambda queue: (_text(queue.key.domain),),
    By.REPLY: lambda queue: (queue.last_reply,),
}


def top(queues: Iterable[DestinationQueue], *, by: By, first: Order = Order.COUNT, limit: int = 20) -> list[Sum]:
    """The sums with the most deliveries, or the oldest message, at most `limit` of them."""
    sums: dict[tuple[str, ...], Sum] = {}
    name_of = _NAMES[by]
    for queue in queues:
        name = name_of(queue)
        entry = sums.get(name)
        if entry is None:
            entry = sums[name] = Sum(name)
        entry.deliveries += queue.count
        entry.recipients += queue.recipients
        entry.oldest = min(entry.oldest, queue.oldest)
        if entry.largest is None or queue.count > entry.largest.count:
            entry.largest, entry.last_reply = queue, queue.last_reply
    if first is Order.AGE:
        return heapq.nsmallest(limit, sums.values(), key=lambda entry: entry.oldest)
    return heapq.nlargest(limit, sums.values(), key=lambda entry: entry.deliveries)


def _text(domain: bytes) -> str:
    return domain.decode("utf-8", "replace")
