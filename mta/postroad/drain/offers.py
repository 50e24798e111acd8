"""Batches that were offered to other spools, until it is known what became of them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from postroad.metrics import MtaMetrics
from postroad.queue.dispatcher import Dispatcher
from postroad.spool.log import Spool
from postroad.spool.message import Message
from postroad.spool.standing import Offer, offered_record, settled_record


@dataclass(slots=True, eq=False)
class OpenOffer:
    """A batch whose fate isn't known; nobody delivers its messages."""

    offer: Offer
    messages: dict[int, Message]
    doubtful: bool
    """A request for it may have been carried out that wasn't answered."""
    withdraw: bool = False
    """The other spool is to close it."""


class OpenOffers:
    """Keeps offers in the log and in memory: first the record, then the request, then the record of its end."""

    def __init__(self, spool: Spool, dispatcher: Dispatcher, *, metrics: MtaMetrics, log: Any) -> None:
        self._spool = spool
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._log = log
        self._open: dict[int, OpenOffer] = {}
        metrics.offered.set_function(lambda: self.messages)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def messages(self) -> int:
        """Messages in all open offers."""
        return sum(len(item.messages) for item in self._open.values())

    @property
    def addresses(self) -> set[str]:
        """Where batches were offered that are open."""
        return {item.offer.address for item in self._open.values()}

    def recover(self, messages: Iterable[Message]) -> list[Message]:
        """Take up the offers that the log knows; the messages that are free."""
        known = self._spool.messages
        offered: set[int] = set()
        for offer in list(self._spool.standing.offers.values()):
            held = {id: known[id] for id in offer.ids if id in known}
            offered |= held.keys()
            item = self._open[offer.number] = OpenOffer(offer, held, doubtful=True)
            if not held:
                self.settle(item, ())  # all were taken, only the record of the end is missing
        return [message for message in messages if message.id not in offered]

    def at(self, address: str) -> OpenOffer | None:
        """The open offer that was made there."""
        return next((item for item in self._open.values() if item.offer.address == address), None)

    def to(self, spool: bytes) -> bool:
        """Whether an offer to a spool is open. It may have one at a time: the next tells it that this one is over."""
        return any(item.offer.spool == spool for item in self._open.values())

    async def make(self, number: int, spool: bytes, address: str, messages: Collection[Message]) -> OpenOffer:
        """Record an offer; once this returns, a request may be made for it."""
        offer = Offer(number, spool, address, tuple(message.id for message in messages))
        item = OpenOffer(offer, {message.id: message for message in messages}, doubtful=False)
        self._open[number] = item
        self._spool.standing.offers[number] = offer
        await self._spool.noted(offered_record(offer))
        return item

    def settle(self, item: OpenOffer, taken: Collection[int]) -> None:
        """End an offer: the other spool has `taken`, the rest is here."""
        offer = item.offer
        gone = [item.messages.pop(id) for id in taken]
        for message in gone:
            self._log.info(
                "transfer_out", queue_id=message.queue_id, target=offer.address, to=offer.spool.hex(),
                batch=f"{offer.number:x}",
            )  # fmt: skip
        self._metrics.moved.labels("out", "taken").inc(len(gone))
        self._metrics.moved.labels("out", "returned").inc(len(item.messages))
        self._dispatcher.gone(gone)
        del self._open[offer.number]
        del self._spool.standing.offers[offer.number]
        self._spool.note(settled_record(offer.number, taken))
        self._dispatcher.give_back(item.messages.values())
