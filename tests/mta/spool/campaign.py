"""A busy life of a spool: messages, outcomes, offers, orders, restarts; and what must be found after a crash."""

import asyncio
import os
import random
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from disk import Mark, RecordedDisk
from postroad.spool.log import Spool
from postroad.spool.message import Delivery, Message, Outcome, group_recipients
from postroad.spool.orders import Action, Order, Scope
from postroad.spool.record import Origin
from postroad.spool.segment import read_at, segment_path
from postroad.spool.standing import Offer, offered_record, orders_record, settled_record

SEGMENT = 3000
THERE = b"t" * 16
Recipient = tuple[int, int]
"""A message's id and the place of one of its recipients."""


def fatal(error: OSError) -> None:
    raise AssertionError(error)


def opened(folder: Path) -> Spool:
    return Spool(folder, fatal=fatal, segment_size=SEGMENT)


def abandon(opened: Spool) -> None:
    """What is left of a spool when its process is killed: its files, as the kernel has them."""
    spool: Any = opened
    spool._schedule_flush = spool._start_sync = lambda: None
    for waiting in (spool._appends, spool._outcomes, spool._copies, spool._in_sync, spool._waiting):
        waiting.clear()
    spool._reading.give_up()
    if spool._sync_timer is not None:
        spool._sync_timer.cancel()
    spool._committer.stop()
    if spool._writer is not None:
        os.close(spool._writer.fd)
    spool._lock.release()


class Campaign:
    """Does what an MTA does, at random, and marks on the disk what it was promised."""

    def __init__(self, folder: Path, disk: RecordedDisk, rng: random.Random) -> None:
        self._disk = disk
        self._rng = rng
        self._folder = folder
        self._live: dict[int, Message] = {}
        self._offered: dict[int, set[int]] = {}
        self._numbers = 0
        self.spool: Spool

    async def run(self, steps: int) -> None:
        self.spool = opened(self._folder)
        await self.spool.recover()
        actions: list[tuple[int, Callable[[], Any]]] = [
            (8, self._accept), (10, self._settle_one), (3, self._pause), (3, self._promise), (1, self._offer),
            (1, self._end_offer), (1, self._receive), (1, self._order), (1, self._rewrite),
            (1, self._restart), (1, self._kill), (1, self._finish_all),
        ]  # fmt: skip
        choices = [action for weight, action in actions for _ in range(weight)]
        for _ in range(steps):
            await self._rng.choice(choices)()
        await self.spool.close()

    async def _accept(self, origin: Origin | None = None) -> None:
        for _ in range(1 if origin is not None else self._rng.randint(1, 4)):
            body = self._rng.randbytes(self._rng.choice((20, 300, 1400)))
            recipients = tuple(b"r%d@%s.test" % (n, b"yz"[n % 2 : n % 2 + 1]) for n in range(self._rng.randint(1, 3)))
            message = Message(self.spool.next_id(), 100.0, b"a@x.test", recipients, len(body), content=(body,))
            message.origin = origin
            message.deliveries = [
                Delivery(message, domain, places, due=100.0) for domain, places in group_recipients(recipients)
            ]
            self.spool.append(
                message, lambda error, message=message, origin=origin: self._accepted(message, origin, error)
            )
        await asyncio.sleep(0)

    def _accepted(self, message: Message, origin: Origin | None, error: Any) -> None:
        assert error is None
        message.content = None
        self._live[message.id] = message
        self._disk.mark("acked", [(message.id, place) for place in range(len(message.recipients))])
        if origin is not None:
            self._disk.mark("received", origin.id)

    async def _settle_one(self) -> None:
        free = [message for message in self._live.values() if not self._is_offered(message.id)]
        if not free:
            return
        message = self._rng.choice(free)
        delivery = self._rng.choice(message.deliveries)
        half = len(delivery.recipients) // 2
        if half and self._rng.random() < 0.5:
            delivery = self._rng.choice(
                delivery.split([list(delivery.recipients[:half]), list(delivery.recipients[half:])])
            )
        places = [(message.id, place) for place in delivery.recipients]
        if self._rng.random() < 0.35:
            delivery.attempts += 1
            delivery.due, delivery.reply = 100.0 + delivery.attempts, "450 later"
            self._disk.mark("tried", (places, delivery.attempts))
            self.spool.record_outcome(delivery, Outcome.DEFERRED)
        else:
            self._disk.mark("ended", places)
            self.spool.record_outcome(delivery, self._rng.choice((Outcome.DELIVERED, Outcome.BOUNCED)))
        self._forget_finished()

    async def _finish_all(self) -> None:
        """Several segments go at once."""
        for message in list(self._live.values()):
            for delivery in () if self._is_offered(message.id) else message.deliveries:
                self._disk.mark("ended", [(message.id, place) for place in delivery.recipients])
                self.spool.record_outcome(delivery, Outcome.DELIVERED)
        self._forget_finished()
        await self._promise()

    def _forget_finished(self) -> None:
        self._live = {id: message for id, message in self._live.items() if message.deliveries}

    async def _pause(self) -> None:
        await asyncio.sleep(self._rng.choice((0.0, 0.001, 0.002)))

    async def _promise(self) -> None:
        """All that was recorded so far is durable when this one returns."""
        begun = len(self._disk.events)
        await self.spool.noted(orders_record(self.spool.standing.orders.values()))
        self._disk.mark("promised", begun)

    def _is_offered(self, id: int) -> bool:
        return any(id in ids for ids in self._offered.values())

    async def _offer(self) -> None:
        free = [message.id for message in self._live.values() if not self._is_offered(message.id)]
        ids = tuple(self._rng.sample(free, min(len(free), 3)))
        if self._offered or not ids:
            return
        offer = Offer(self.spool.next_id(), THERE, "10.0.0.1:8025", ids)
        self._offered[offer.number] = set(ids)
        self.spool.standing.offers[offer.number] = offer
        await self.spool.noted(offered_record(offer))
        self._disk.mark("offered", (offer.number, ids))

    async def _end_offer(self) -> None:
        for number, ids in list(self._offered.items()):
            taken = {id for id in ids if self._rng.random() < 0.7}
            self._disk.mark("taken", (number, taken))
            for id in taken:
                message = self._live.pop(id)
                self._disk.mark("ended", [(id, place) for item in message.deliveries for place in item.recipients])
                self.spool.finish(message)
            del self._offered[number], self.spool.standing.offers[number]
            self.spool.note(settled_record(number, taken))

    async def _receive(self) -> None:
        self._numbers += 1
        await self._accept(Origin(THERE, 1, self._numbers, time.time()))

    async def _order(self) -> None:
        orders = self.spool.standing.orders
        if orders and self._rng.random() < 0.5:
            orders.popitem()
        else:
            number = self.spool.next_id()
            orders[number] = Order(number, Action.SUSPEND, Scope(tenant="acme"), "because", 0.0, 1e11)
        self._disk.mark("ordering", None)
        await self.spool.noted(orders_record(orders.values()))
        self._disk.mark("ordered", set(orders))

    async def _rewrite(self) -> None:
        if self._live:
            message = self._rng.choice(list(self._live.values()))
            message.campaign = "autumn"
            await self.spool.rewrite(message)

    async def _restart(self) -> None:
        await self.spool.close()
        await self._begin()
        # What was closed in peace is all there.
        self._disk.mark("promised", len(self._disk.events))

    async def _kill(self) -> None:
        """The process ends at once; what it had written is in the page cache."""
        abandon(self.spool)
        await self._begin()

    async def _begin(self) -> None:
        self.spool = opened(self._folder)
        if self._rng.random() < 0.5:
            await self._accept()
        found = await self.spool.recover()
        new = {message.id: message for message in self._live.values() if message.id in self.spool.messages}
        self._live = {message.id: message for message in found}
        self._live |= {id: item for id, item in new.items() if item is self.spool.messages[id]}
        self._offered = {
            number: {id for id in offer.ids if id in self._live} for number, offer in self.spool.standing.offers.items()
        }
        # What is here now counts from here on, also if its end had been begun.
        left = [
            (id, place)
            for id, message in self._live.items()
            for item in message.deliveries
            for place in item.recipients
        ]
        self._disk.mark("alive", left)
        self._disk.mark("standing", (set(self._offered), set(self.spool.standing.orders)))


class Promises:
    """What must be found and what mustn't, as marked so far."""

    def __init__(self) -> None:
        self.acked: set[Recipient] = set()
        self.begun: dict[Recipient, int] = {}
        self.ended: set[Recipient] = set()
        self.attempts: dict[Recipient, int] = {}
        self._tried: list[tuple[int, Recipient, int]] = []
        self.offers: dict[int, set[int]] = {}
        self.taken: dict[int, set[int]] = {}
        self.received: set[int] = set()
        self.orders: set[int] | None = set()

    def note(self, index: int, mark: Mark) -> None:
        about = mark.about
        match mark.what:
            case "acked":
                self.acked.update(about)
            case "ended":
                self.begun.update(dict.fromkeys(about, index))
            case "tried":
                self._tried += [(index, recipient, about[1]) for recipient in about[0]]
            case "promised":
                self.ended.update(recipient for recipient, begun in self.begun.items() if begun < about)
                for tried, recipient, attempts in self._tried:
                    if tried < about:
                        self.attempts[recipient] = max(attempts, self.attempts.get(recipient, 0))
            case "alive":
                # The end of these was lost with the process that had begun it.
                for recipient in about:
                    self.begun.pop(recipient, None)
                self._tried.clear()
            case "offered":
                self.offers[about[0]] = set(about[1])
            case "taken":
                self.taken[about[0]] = about[1]
                self.offers.pop(about[0], None)
            case "standing":
                self.offers = {number: ids for number, ids in self.offers.items() if number in about[0]}
                self.taken = {number: ids for number, ids in self.taken.items() if number not in about[0]}
            case "received":
                self.received.add(about)
            case "ordering":
                self.orders = None
            case "ordered":
                self.orders = about

    def check(self, found: "Found") -> None:
        """See whether all promises are kept.

        Raises:
            AssertionError: one isn't.
        """
        left = found.left
        lost = self.acked - self.begun.keys() - left.keys()
        assert not lost, f"lost: {lost}"
        risen = self.ended & left.keys()
        assert not risen, f"delivered, recorded, and here again: {risen}"
        for recipient, attempts in self.attempts.items():
            assert recipient not in left or left[recipient] >= attempts, f"attempts forgotten: {recipient}"
        self._check_standing(found)

    def _check_standing(self, found: "Found") -> None:
        here = {id for id, _ in found.left}
        assert self.offers.keys() <= found.offers, "an open offer is forgotten"
        for number, ids in self.taken.items():
            assert number in found.offers or not ids & here, "taken, settled, and here again"
        assert self.received <= found.received
        assert self.orders is None or self.orders == found.orders


@dataclass(frozen=True, slots=True)
class Found:
    """What a spool knows once it has recovered."""

    left: dict[Recipient, int]
    """Attempts so far, of each recipient that isn't done."""
    offers: set[int]
    received: set[int]
    orders: set[int]


def recovered(folder: Path) -> Found:
    """Start a spool, and end it as a kill does.

    Raises:
        AssertionError: a message would be sent damaged.
    """
    spool = opened(folder)
    try:
        messages = spool.take_recovered()
        for message in messages:
            location = message.location
            assert location is not None
            body = read_at(segment_path(folder, location.segment), location.offset, location.size)
            assert zlib.crc32(body) == location.check, f"message {message.id} would be sent damaged"
        left = {
            (message.id, place): delivery.attempts
            for message in messages
            for delivery in message.deliveries
            for place in delivery.recipients
        }
        standing = spool.standing
        received = standing.received[THERE].ids if THERE in standing.received else set()
        return Found(left, set(standing.offers), set(received), set(standing.orders))
    finally:
        abandon(spool)
