"""What waits of one tenant and campaign for one domain."""

from collections.abc import Iterator
from typing import NamedTuple

from postroad.spool.message import Delivery


class QueueKey(NamedTuple):
    """What a scheduled queue is named by."""

    tenant: str
    campaign: str
    domain: bytes


class DestinationQueue:
    """Deliveries of one key that wait for their time, as a chain in the order they came.

    Counts and the last reply are kept; the oldest is looked up when somebody asks after it has gone.
    """

    __slots__ = ("_first", "_last", "_oldest", "_stale", "count", "key", "last_reply", "recipients")

    def __init__(self, key: QueueKey) -> None:
        self.key = key
        self.count = 0
        self.recipients = 0
        self.last_reply = ""
        self._first: Delivery | None = None
        self._last: Delivery | None = None
        self._oldest = float("inf")
        """No message that waits is older; `_stale` if that one waits no longer."""
        self._stale = False

    def __iter__(self) -> Iterator[Delivery]:
        delivery = self._first
        while delivery is not None:
            following = delivery.after
            yield delivery
            delivery = following

    @property
    def oldest(self) -> float:
        """Unix time at which the oldest message was accepted; infinite if none waits."""
        if self._stale:
            self._oldest = min((delivery.message.received for delivery in self), default=float("inf"))
            self._stale = False
        return self._oldest

    @property
    def next_due(self) -> float:
        """Unix time of the next attempt; infinite if none waits."""
        return min((delivery.due for delivery in self), default=float("inf"))

    def add(self, delivery: Delivery) -> None:
        """A delivery waits. Octets that many have in common are kept once."""
        delivery.queue = self
        delivery.domain = self.key.domain
        if delivery.reply == self.last_reply:
            delivery.reply = self.last_reply
        elif delivery.reply:
            self.last_reply = delivery.reply
        delivery.before = self._last
        if self._last is None:
            self._first = delivery
        else:
            self._last.after = delivery
            sender = self._last.message.sender
            if delivery.message.sender == sender:
                delivery.message.sender = sender
        if delivery.message.received <= self._oldest:
            self._oldest = delivery.message.received
            self._stale = False
        self._last = delivery
        self.count += 1
        self.recipients += len(delivery.recipients)

    def drop(self, delivery: Delivery) -> None:
        """A delivery waits no longer."""
        before, after = delivery.before, delivery.after
        if before is None:
            self._first = after
        else:
            before.after = after
        if after is None:
            self._last = before
        else:
            after.before = before
        delivery.queue = delivery.before = delivery.after = None
        if delivery.message.received == self._oldest:
            self._stale = True
        self.count -= 1
        self.recipients -= len(delivery.recipients)
