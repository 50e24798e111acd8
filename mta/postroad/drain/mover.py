"""Moving messages to one other MTA, batch by batch."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from postroad.drain.client import Done
from postroad.drain.offers import OpenOffer, OpenOffers
from postroad.drain.targets import State, Target
from postroad.drain.verdict import (
    Answered,
    Next,
    NotSent,
    OfferAnswer,
    Refused,
    Settle,
    Unanswered,
    Withdrawn,
    judge_offer,
    judge_withdrawal,
)
from postroad.drain.wire import FORMAT, encode_batch
from postroad.metrics import MtaMetrics
from postroad.queue.dispatcher import Dispatcher
from postroad.settings.mta import DrainSettings
from postroad.spool.errors import SpoolError
from postroad.spool.identity import SIZE
from postroad.spool.log import Spool
from postroad.spool.message import Message

Content = list[tuple[Message, bytes]]


@dataclass(slots=True)
class Source:
    """What is moved from, shared by the movers of all targets."""

    spool: Spool
    identity: bytes
    dispatcher: Dispatcher
    offers: OpenOffers
    settings: DrainSettings
    metrics: MtaMetrics
    log: Any
    state_changed: Callable[[Target], None]
    nothing_to_move: Callable[[], None]
    """Called when a target that takes mail takes nothing of what is left."""
    unreadable: dict[int, str] = field(default_factory=dict)
    """Messages that can't be read from disk, with the reason."""


class Peer(Protocol):
    """Another MTA's admin port."""

    async def ask(self, method: str, path: str, body: Sequence[bytes] = ()) -> Done | Refused | NotSent | Unanswered:
        """Make one request."""


class Mover:
    """Serves one target until nothing is wanted of it.

    Args:
        wanted: whether messages are to be moved to the target; what was offered to it is settled in any case.
        is_twin: whether another target is the same spool.
    """

    def __init__(
        self,
        target: Target,
        source: Source,
        *,
        client: Peer,
        wanted: Callable[[], bool],
        is_twin: Callable[[bytes], bool],
    ) -> None:
        self._target = target
        self._source = source
        self._client = client
        self._wanted = wanted
        self._is_twin = is_twin
        self._wake = asyncio.Event()
        self._idle = False

    def wake(self) -> None:
        """Look again at what there is to do."""
        self._wake.set()

    def work_came(self) -> None:
        """There is a message to move; a target that takes none isn't asked earlier for that."""
        if self._idle:
            self._wake.set()

    async def run(self) -> None:
        """Greet, move, settle; ends once the target isn't wanted and nothing is open there."""
        while True:
            offer = self._source.offers.at(self._target.address)
            if offer is not None:
                await self._resolve(offer)
            elif not self._wanted():
                return
            elif not self._target.usable:
                await self._greet()
            elif not await self._move_next():
                self._source.nothing_to_move()
                self._idle = True
                await self._rest()
                self._idle = False
            if self._target.state in (State.REFUSES, State.UNREACHABLE):
                await self._rest()

    async def _rest(self) -> None:
        # Not wait_for: before Python 3.12 it swallows a cancellation that comes together with the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._source.settings.retry):
                await self._wake.wait()
        self._wake.clear()

    async def _greet(self) -> None:
        """Ask the target who it is and whether it takes mail."""
        answer = await self._client.ask("GET", f"/spool/receive?origin={self._source.identity.hex()}")
        if not isinstance(answer, Done):
            self._judge_state(answer)
            return
        target = self._target
        try:
            target.spool = bytes.fromhex(answer.data["spool"])
            target.last_batch = int(answer.data["last_batch"])
            target.max_message = int(answer.data["max_message"])
            target.max_batch = int(answer.data["max_batch"])
            known_format = int(answer.data["format"]) == FORMAT
        except (KeyError, TypeError, ValueError):
            known_format = False
        if not known_format or len(target.spool) != SIZE:
            self._set_state(State.REFUSES, "speaks another version of the transfer")
        elif target.spool == self._source.identity:
            self._set_state(State.REFUSES, "is this MTA itself")
        elif self._is_twin(target.spool):
            self._set_state(State.REFUSES, "is a target under another address too")
        else:
            self._set_state(State.USABLE, "")

    async def _move_next(self) -> bool:
        """Offer the next batch; whether there was one."""
        source, target = self._source, self._target
        if source.offers.to(target.spool):
            return False  # made under another address
        settings = source.settings
        messages = source.dispatcher.resting.take(
            self._fits, count=settings.batch_messages, octets=min(settings.batch_octets, target.max_batch)
        )
        if not messages:
            return False
        try:
            content = await self._read(messages)
        except BaseException:
            source.dispatcher.give_back(messages)
            raise
        readable = {message.id for message, _ in content}
        source.dispatcher.give_back([message for message in messages if message.id not in readable])
        if content:
            number = max(source.spool.next_id(), target.last_batch + 1)
            offer = await source.offers.make(number, target.spool, target.address, [message for message, _ in content])
            await self._resolve(offer, content)
        return True

    def _fits(self, message: Message) -> bool:
        """Whether the target may take a message."""
        if message.size > self._target.max_message:
            self._target.declined[message.id] = f"larger than the {self._target.max_message} octets that it takes"
        return message.id not in self._target.declined and message.id not in self._source.unreadable

    async def _read(self, messages: Collection[Message]) -> Content:
        """The bodies, as far as they can be read."""
        content: Content = []
        for message in messages:
            try:
                kept = message.content
                body = b"".join(kept) if kept is not None else await self._source.spool.read(message)
                content.append((message, body))
            except (SpoolError, OSError) as error:
                self._source.unreadable[message.id] = str(error)
                self._source.log.error("spool_unreadable", queue_id=message.queue_id, error=str(error))
        return content

    async def _resolve(self, item: OpenOffer, content: Content | None = None) -> None:
        """Go on with an open offer: settle it, or learn that this isn't possible yet."""
        step: Settle | Next = Next.ASK_AGAIN
        if self._wanted() and not item.withdraw:
            if content is None:
                content = await self._read(item.messages.values())
            # What can't be read any more can't be offered again, but may have been taken.
            step = await self._offer(item, content) if len(content) == len(item.messages) else Next.WITHDRAW
        elif not item.doubtful:
            step = Settle(frozenset())
        else:
            step = Next.WITHDRAW
        if step is Next.WITHDRAW:
            item.withdraw = True
            step = await self._withdraw(item)
        if isinstance(step, Settle):
            self._target.moved += len(step.taken)
            self._source.offers.settle(item, step.taken)

    async def _offer(self, item: OpenOffer, content: Content) -> Settle | Next:
        offer = item.offer
        doubtful, item.doubtful = item.doubtful, True
        batch = encode_batch(offer.number, self._source.identity, offer.spool, content)
        answer = _read_answer(await self._client.ask("POST", "/spool/receive", batch), offer.spool)
        if not isinstance(answer, Unanswered):
            item.doubtful = doubtful
        if isinstance(answer, Answered):
            self._target.declined |= answer.declined
        self._judge_state(answer)
        return judge_offer(answer, item.messages, doubtful=doubtful)

    async def _withdraw(self, item: OpenOffer) -> Settle | Next:
        offer = item.offer
        body = b'{"origin":"%s","to":"%s","batch":%d}' % (
            self._source.identity.hex().encode(),
            offer.spool.hex().encode(),
            offer.number,
        )
        answer = await self._client.ask("POST", "/spool/withdraw", (body,))
        if not isinstance(answer, Done):
            self._judge_state(answer)
            return judge_withdrawal(answer, item.messages)
        taken = _ids(answer.data.get("taken"))
        if taken is None or answer.data.get("spool") != offer.spool.hex():
            self._set_state(State.REFUSES, "answers as another spool than the one that was offered a batch")
            return Next.WITHDRAW
        if self._target.state is State.UNREACHABLE:
            self._set_state(State.ASKING, "")
        self._source.log.info("offer_withdrawn", target=offer.address, batch=f"{offer.number:x}", taken=len(taken))
        return judge_withdrawal(Withdrawn(taken), item.messages)

    def _judge_state(self, answer: OfferAnswer) -> None:
        match answer:
            case Answered(full=""):
                if not self._target.usable:
                    self._set_state(State.ASKING, "")  # it answers again: who is it?
            case Answered(full=reason) | Refused(reason):
                self._set_state(State.REFUSES, reason)
            case NotSent(reason) | Unanswered(reason):
                self._set_state(State.UNREACHABLE, reason)

    def _set_state(self, state: State, reason: str) -> None:
        target = self._target
        if (target.state, target.reason) != (state, reason):
            target.state, target.reason = state, reason
            self._source.log.info("drain_target", target=target.address, state=state.value, reason=reason)
            self._source.state_changed(target)


def _read_answer(answer: Done | Refused | NotSent | Unanswered, spool: bytes) -> OfferAnswer:
    """What an answer to an offer says; what isn't an answer of that spool's says nothing."""
    if not isinstance(answer, Done):
        return answer
    data = answer.data
    taken, already = _ids(data.get("taken")), _ids(data.get("already"))
    if taken is None or already is None or data.get("spool") != spool.hex():
        return Unanswered("answers as another spool than the one that was offered a batch")
    try:
        declined = {int(id): str(reason) for id, reason in data.get("declined", ())}
    except (TypeError, ValueError):
        declined = {}
    return Answered(taken | already, declined, str(data.get("full", "")))


def _ids(value: Any) -> frozenset[int] | None:
    if isinstance(value, list) and all(isinstance(id, int) for id in value):
        return frozenset(value)
    return None
