"""What a spool knows besides its messages, and must still know when the segments that said it are gone.

Each new segment begins with these records, so the oldest ones can be removed as ever.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from postroad.spool.orders import Order, Orders
from postroad.spool.record import Origin, Record, RecordKind, encode_record

REMEMBER = 90 * 86400.0
"""Seconds that a sender's last batch is remembered: three times as long as a message may be tried at all."""


class DrainOrder(msgspec.Struct, array_like=True, frozen=True):
    """The spool is to be moved away; none of `targets` means that it is only to be delivered."""

    targets: tuple[str, ...]
    """HOST:PORT of the admin ports of other MTAs."""
    since: float
    """Unix time of the order."""
    host: str = ""
    """The machine id of the host that goes (machine-id(5)): on another one the order means nothing. Empty: any host."""


class Offer(msgspec.Struct, array_like=True, frozen=True):
    """A batch that another spool may have taken: its messages are delivered by nobody until that is known."""

    number: int
    spool: bytes
    """Identity of the other spool."""
    address: str
    """HOST:PORT where it was."""
    ids: tuple[int, ...]


@dataclass(slots=True)
class Received:
    """The last batch of one other spool. It offers the next one only when it knows what became of this one."""

    batch: int
    ids: set[int] = field(default_factory=set)
    """Messages that were taken, by their ids there."""
    closed: bool = False
    """Nothing more is taken of this batch: the sender has its messages back."""
    when: float = 0.0


class _OrderMeta(msgspec.Struct, array_like=True):
    order: DrainOrder | None


class _SettledMeta(msgspec.Struct, array_like=True):
    taken: tuple[int, ...]


class _ReceivedMeta(msgspec.Struct, array_like=True):
    spool: bytes
    ids: tuple[int, ...]
    closed: bool
    when: float


_decode_order = msgspec.msgpack.Decoder(_OrderMeta).decode
_decode_offer = msgspec.msgpack.Decoder(Offer).decode
_decode_orders = msgspec.msgpack.Decoder(Orders).decode
_decode_settled = msgspec.msgpack.Decoder(_SettledMeta).decode
_decode_received = msgspec.msgpack.Decoder(_ReceivedMeta).decode


class Standing:
    """The drain order, open offers to other spools, what was received of them, and orders on queued mail."""

    def __init__(self) -> None:
        self.order: DrainOrder | None = None
        self.offers: dict[int, Offer] = {}
        self.received: dict[bytes, Received] = {}
        self.orders: dict[int, Order] = {}

    @property
    def empty(self) -> bool:
        """Whether there is nothing to be kept."""
        return self.order is None and not self.offers and not self.received and not self.orders

    def took(self, origin: Origin) -> None:
        """A message of another spool is in the log."""
        known = self.received.get(origin.spool)
        if known is None or known.batch < origin.batch:
            known = self.received[origin.spool] = Received(origin.batch)
        if known.batch == origin.batch:
            known.ids.add(origin.id)
            known.when = max(known.when, origin.taken)

    def replay(self, record: Record) -> None:
        """Take up a record of the log; others than those of this module change nothing.

        Raises:
            msgspec.DecodeError: its meta isn't what it should be.
        """
        match record.kind:
            case RecordKind.DRAIN:
                self.order = _decode_order(record.meta).order
            case RecordKind.OFFERED:
                self.offers[record.id] = _decode_offer(record.meta)
            case RecordKind.SETTLED:
                self.offers.pop(record.id, None)
            case RecordKind.RECEIVED:
                self._replay_received(record.id, _decode_received(record.meta))
            case RecordKind.ORDERS:
                self.orders = {order.number: order for order in _decode_orders(record.meta).orders}
            case _:
                pass

    def _replay_received(self, batch: int, meta: _ReceivedMeta) -> None:
        known = self.received.get(meta.spool)
        if known is None or known.batch < batch:
            self.received[meta.spool] = Received(batch, set(meta.ids), meta.closed, meta.when)
        elif known.batch == batch:
            known.ids.update(meta.ids)
            known.closed = known.closed or meta.closed
            known.when = max(known.when, meta.when)

    def records(self, now: float) -> bytes:
        """All of it as records; orders that are over and batches received `REMEMBER` ago are forgotten."""
        self.orders = {number: order for number, order in self.orders.items() if now < order.until}
        for spool, received in list(self.received.items()):
            if received.when + REMEMBER < now:
                del self.received[spool]
        return b"".join(
            (
                order_record(self.order) if self.order is not None else b"",
                *(offered_record(offer) for offer in self.offers.values()),
                *(received_record(spool, received) for spool, received in self.received.items()),
                orders_record(self.orders.values()) if self.orders else b"",
            )
        )


def order_record(order: DrainOrder | None) -> bytes:
    """The spool is to be moved away; None ends that."""
    return encode_record(RecordKind.DRAIN, 0, _OrderMeta(order))


def orders_record(orders: Iterable[Order]) -> bytes:
    """These orders on queued mail stand, and no others."""
    return encode_record(RecordKind.ORDERS, 0, Orders(tuple(orders)))


def offered_record(offer: Offer) -> bytes:
    """A batch is about to be offered."""
    return encode_record(RecordKind.OFFERED, offer.number, offer)


def settled_record(number: int, taken: Iterable[int]) -> bytes:
    """What became of a batch is known: the other spool has `taken`, and the rest is here.

    The ids are part of this record: a crash may leave a later record and tear those before it.
    """
    return encode_record(RecordKind.SETTLED, number, _SettledMeta(tuple(taken)))


def taken_by(settled: Record) -> tuple[int, ...]:
    """The messages that another spool has, from the record that says so."""
    return _decode_settled(settled.meta).taken if settled.meta else ()


def received_record(spool: bytes, received: Received) -> bytes:
    """What was taken of another spool's last batch."""
    meta = _ReceivedMeta(spool, tuple(received.ids), received.closed, received.when)
    return encode_record(RecordKind.RECEIVED, received.batch, meta)
