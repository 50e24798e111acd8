"""A message in the spool, and the deliveries that are still to be made of it."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Optional

import msgspec

from postroad.smtp.envelope import DsnRequest
from postroad.spool.record import Origin

if TYPE_CHECKING:
    from postroad.queue.destination import DestinationQueue
    from postroad.queue.wheel import Bucket


class Outcome(Enum):
    """What became of a delivery."""

    DELIVERED = auto()
    BOUNCED = auto()
    DEFERRED = auto()


class Location(msgspec.Struct, eq=False, gc=False):
    """Where a message's body lies on disk; compaction moves it."""

    segment: int
    offset: int
    size: int
    check: int


class Delivery(msgspec.Struct, eq=False):
    """Recipients of one message that go to one domain, with their common schedule."""

    message: "Message"
    domain: bytes
    recipients: tuple[int, ...]
    """Indexes into the message's recipients."""
    attempts: int = 0
    due: float = 0.0
    """Unix time of the next attempt."""
    reply: str = ""
    """Why the last attempt failed."""
    slot: Optional["Bucket"] = None
    """Its place in the scheduled queue; None while it isn't there."""
    queue: Optional["DestinationQueue"] = None
    """The queue of its tenant, campaign and domain, while it waits there; its neighbours in it follow."""
    before: Optional["Delivery"] = None
    after: Optional["Delivery"] = None
    suspended: int = 0
    """Number of the order that suspended it last."""

    @property
    def addresses(self) -> list[bytes]:
        """The recipients' addresses."""
        recipients = self.message.recipients
        return [recipients[index] for index in self.recipients]

    def split(self, groups: list[list[int]]) -> "list[Delivery]":
        """One delivery per group of this one's recipients; the first is this one, narrowed."""
        if len(groups) == 1:
            return [self]
        more = [
            Delivery(self.message, self.domain, tuple(group), self.attempts, self.due, self.reply)
            for group in groups[1:]
        ]
        self.message.deliveries = (*self.message.deliveries, *more)
        self.recipients = tuple(groups[0])
        return [self, *more]


class Message(msgspec.Struct, eq=False):
    """An accepted message: its envelope in memory, its body on disk."""

    id: int
    received: float
    """Unix time of acceptance."""
    sender: bytes
    recipients: tuple[bytes, ...]
    size: int
    eight_bit: bool = False
    smtputf8: bool = False
    location: Location | None = None
    content: tuple[bytes, ...] | None = None
    """The body while it is also in memory (until the first attempt ends)."""
    deliveries: Sequence[Delivery] = ()
    """What is still open; the message is finished when this is empty. Replaced, never changed."""
    accepted_as: int = 0
    """Its id in the spool that accepted it; 0 if that is this one."""
    origin: Origin | None = None
    """Which spool it was taken from, until it is in the log."""
    tenant: str = ""
    """Whose mail it is; empty for mail of no tenant."""
    campaign: str = ""
    dsn: DsnRequest | None = None

    @property
    def queue_id(self) -> str:
        """The id as people see it: that of the 250, wherever the message is moved to."""
        return f"{self.accepted_as or self.id:x}"

    def close(self, delivery: Delivery) -> None:
        """A delivery is over."""
        if len(self.deliveries) == 1 and self.deliveries[0] is delivery:
            self.deliveries = ()
        else:
            self.deliveries = tuple(item for item in self.deliveries if item is not delivery)

    @property
    def moved_octets(self) -> int:
        """About what it takes to hand it to another spool, envelope and schedules included."""
        envelope = sum(map(len, self.recipients)) + 16 * len(self.recipients)
        return self.size + envelope + 640 * (len(self.deliveries) + 1)


MAX_RECIPIENTS = 100
"""Recipients of one delivery: what every server must take in one transaction (RFC 5321 4.5.3.1.8)."""


def group_recipients(recipients: tuple[bytes, ...]) -> list[tuple[bytes, tuple[int, ...]]]:
    """Indexes of recipients by the domain that they go to, at most `MAX_RECIPIENTS` together."""
    if len(recipients) == 1:
        return [(recipients[0].rpartition(b"@")[2].lower(), (0,))]
    groups: dict[bytes, list[int]] = {}
    for index, recipient in enumerate(recipients):
        groups.setdefault(recipient.rpartition(b"@")[2].lower(), []).append(index)
    return [
        (domain, tuple(indexes[first : first + MAX_RECIPIENTS]))
        for domain, indexes in groups.items()
        for first in range(0, len(indexes), MAX_RECIPIENTS)
    ]
