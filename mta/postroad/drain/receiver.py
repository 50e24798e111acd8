"""Taking over messages of other spools."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec

from postroad.admin.http import AdminRequest, Answer
from postroad.drain.wire import FORMAT, Batch, BatchError, decode_batch
from postroad.metrics import MtaMetrics
from postroad.spool.errors import SpoolError
from postroad.spool.identity import SpoolIdentity
from postroad.spool.log import Spool
from postroad.spool.message import Message
from postroad.spool.record import Origin
from postroad.spool.standing import Received, received_record

GONE = 410
"""The batch was withdrawn, or is older than one that its sender has offered since."""
MISDIRECTED = 421
"""The request is for another spool."""


class _Withdrawal(msgspec.Struct):
    origin: str
    to: str
    batch: int


class Receiver:
    """Answers other MTAs: who this is, what it took of a batch, and that it takes nothing more of one.

    Args:
        submit: takes a message that is on disk.
        not_taking: status and reason while no batch is taken; None while they are.
        stopping: whether the spool takes no records any more.
        max_message: octets of the largest message that is taken.
        max_batch: octets of the largest batch of more than one.
    """

    def __init__(
        self,
        spool: Spool,
        identity: SpoolIdentity,
        submit: Callable[[Message], None],
        *,
        not_taking: Callable[[], tuple[int, str] | None],
        stopping: Callable[[], bool],
        max_message: int,
        max_batch: int,
        metrics: MtaMetrics,
        log: Any,
    ) -> None:
        self._spool = spool
        self._identity = identity
        self._submit = submit
        self._not_taking = not_taking
        self._stopping = stopping
        self._max_message = max_message
        self._max_batch = max_batch
        self._metrics = metrics
        self._log = log
        self._loop = asyncio.get_running_loop()
        # One request of an origin at a time: what one says of a batch holds when the next is judged.
        self._locks: dict[bytes, asyncio.Lock] = {}

    def greet(self, request: AdminRequest) -> Answer:
        """Who this is, and whether batches are taken; the last batch known of the spool that asks."""
        if (refusal := self._not_taking()) is not None:
            return self._refuse(*refusal)
        try:
            received = self._spool.standing.received.get(bytes.fromhex(request.parameters.get("origin", "")))
            facts = {"format": FORMAT, "max_message": self._max_message, "max_batch": self._max_batch}
            return self._answer({**facts, "last_batch": received.batch if received is not None else 0})
        except ValueError:
            return self._refuse(400, "origin must be hexadecimal")

    async def receive(self, request: AdminRequest) -> Answer:
        """Take a batch. The answer comes when what is taken would survive power loss."""
        try:
            batch = decode_batch(request.body)
        except BatchError as error:
            return self._refuse(400, f"no batch: {error}")
        request.body.clear()
        async with self._locks.setdefault(batch.origin, asyncio.Lock()):
            return await self._receive(batch, request.peer)

    async def _receive(self, batch: Batch, peer: str) -> Answer:
        if (refusal := self._not_taking()) is not None:
            return self._refuse(*refusal)
        if (misdirected := self._misdirected(batch.origin, batch.to)) is not None:
            return misdirected
        known = self._spool.standing.received.get(batch.origin)
        if known is not None and (batch.number < known.batch or (batch.number == known.batch and known.closed)):
            return self._refuse(GONE, f"batch {batch.number:x} is closed")
        before = known.ids if known is not None and known.batch == batch.number else set[int]()
        already = sorted(before.intersection(batch.messages))
        fresh = {id: message for id, message in batch.messages.items() if id not in before}
        errors = await asyncio.gather(*(self._take(batch, id, message, peer) for id, message in fresh.items()))
        taken = [id for id, error in zip(fresh, errors, strict=True) if error is None]
        full = next((str(error) for error in errors if error is not None), "")
        for outcome, ids in (("taken", taken), ("already", already), ("declined", batch.declined)):
            self._metrics.moved.labels("in", outcome).inc(len(ids))
        return self._answer({"taken": taken, "already": already, "declined": [*batch.declined.items()], "full": full})

    async def _take(self, batch: Batch, id: int, message: Message, peer: str) -> SpoolError | None:
        """Store one message as this spool's own."""
        message.id = self._spool.next_id()
        message.origin = Origin(batch.origin, batch.number, id, time.time())
        durable: asyncio.Future[SpoolError | None] = self._loop.create_future()
        self._spool.append(message, durable.set_result)
        error = await durable
        if error is None:
            message.content = None
            self._log.info(
                "transfer_in",
                queue_id=message.queue_id,
                peer=peer,
                origin=batch.origin.hex(),
                batch=f"{batch.number:x}",
                size=message.size,
                recipients=[
                    address.decode("utf-8", "replace") for part in message.deliveries for address in part.addresses
                ],
            )
            self._submit(message)
        return error

    async def withdraw(self, request: AdminRequest) -> Answer:
        """Take nothing more of a batch, from now on and for ever; what of it is here."""
        try:
            wanted = msgspec.json.decode(bytes(request.body), type=_Withdrawal)
            origin, to = bytes.fromhex(wanted.origin), bytes.fromhex(wanted.to)
        except ValueError as error:
            return self._refuse(400, f"no withdrawal: {error}")
        async with self._locks.setdefault(origin, asyncio.Lock()):
            if self._stopping():
                return self._refuse(503, "is shutting down")
            if (misdirected := self._misdirected(origin, to)) is not None:
                return misdirected
            received = self._spool.standing.received
            known = received.get(origin)
            if known is not None and known.batch > wanted.batch:
                return self._refuse(GONE, f"batch {wanted.batch:x} was over when batch {known.batch:x} came")
            if known is None or known.batch < wanted.batch:
                known = received[origin] = Received(wanted.batch)
            known.closed, known.when = True, time.time()
            await self._spool.noted(received_record(origin, known))
            self._log.info("withdrawn", origin=wanted.origin, batch=f"{wanted.batch:x}", taken=len(known.ids))
            return self._answer({"taken": sorted(known.ids)})

    def _misdirected(self, origin: bytes, to: bytes) -> Answer | None:
        try:
            here = self._identity()
        except SpoolError as error:
            return self._refuse(507, str(error))
        if to != here:
            return self._refuse(MISDIRECTED, f"is spool {here.hex()}, not {to.hex()}")
        if origin == here:
            return self._refuse(MISDIRECTED, "is this MTA itself")
        return None

    def _answer(self, data: dict[str, Any]) -> Answer:
        try:
            return Answer.json({"spool": self._identity().hex(), **data})
        except SpoolError as error:
            return self._refuse(507, str(error))

    @staticmethod
    def _refuse(status: int, reason: str) -> Answer:
        return Answer.json({"refused": reason, "error": reason}, status)
