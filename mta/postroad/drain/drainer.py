"""The drain of this MTA: begun, watched, taken back."""

import asyncio
import contextlib
import time
import traceback
from collections.abc import Callable, Collection, Iterable
from typing import Any

from postroad.drain.mover import Mover, Peer, Source
from postroad.drain.offers import OpenOffers
from postroad.drain.progress import Progress
from postroad.drain.targets import State, Target, keeps_delivering
from postroad.ingress.doors import Doors
from postroad.metrics import MtaMetrics
from postroad.queue.dispatcher import Dispatcher
from postroad.settings.mta import DrainSettings
from postroad.settings.units import Endpoint, parse_admin_endpoint
from postroad.spool.identity import SpoolIdentity
from postroad.spool.log import Spool
from postroad.spool.message import Message
from postroad.spool.standing import DrainOrder, order_record


class Drainer:
    """Carries out the order to drain that stands in the spool, also after a restart.

    Args:
        cut_after: seconds that deliveries under way have before the end of DATA.
        connect: how a target is asked.
    """

    def __init__(
        self,
        spool: Spool,
        identity: SpoolIdentity,
        dispatcher: Dispatcher,
        doors: Doors,
        *,
        settings: DrainSettings,
        cut_after: float,
        connect: Callable[[Endpoint], Peer],
        metrics: MtaMetrics,
        log: Any,
    ) -> None:
        self._spool = spool
        self._identity = identity
        self._dispatcher = dispatcher
        self._doors = doors
        self._settings = settings
        self._cut_after = cut_after
        self._connect = connect
        self._metrics = metrics
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._offers = OpenOffers(spool, dispatcher, metrics=metrics, log=log)
        self._source: Source | None = None
        self._targets: dict[str, Target] = {}
        self._movers: dict[str, Mover] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._close_doors: asyncio.TimerHandle | None = None
        self._cut: asyncio.TimerHandle | None = None
        self._unmovable = ""
        self._stopped = False
        dispatcher.resting.told = self._work_came
        metrics.draining.set_function(lambda: float(self.draining))

    @property
    def draining(self) -> bool:
        """Whether the spool is to be moved away."""
        return self._spool.standing.order is not None

    def take_up(self, messages: Iterable[Message]) -> None:
        """Go on where the process before ended, and hand the messages that are free to the dispatcher."""
        free = self._offers.recover(messages)
        if self.draining or len(self._offers):
            self._log.info("drain_goes_on", offered=self._offers.messages)
            self._apply()
        self._dispatcher.restore(free)

    async def begin(self, targets: Iterable[str]) -> None:
        """Drain to these targets, whatever the order was before; returns when that would survive power loss.

        Raises:
            ValueError: one of them is no host and port.
            SpoolError: the spool has no identity that it could show.
        """
        addresses = tuple(dict.fromkeys(str(parse_admin_endpoint(target)) for target in targets))
        self._identity()
        before = self._spool.standing.order
        order = DrainOrder(addresses, before.since if before is not None else time.time())
        self._spool.standing.order = order
        for target in self._targets.values():
            target.declined.clear()
            target.state = State.ASKING
        self._log.info("drain_began", targets=addresses, queued=len(self._dispatcher.messages))
        self._apply()
        await self._spool.noted(order_record(order))

    async def cancel(self) -> None:
        """Take mail and deliver again; what was offered waits until it is known who has it."""
        self._spool.standing.order = None
        self._log.info("drain_cancelled", queued=len(self._dispatcher.messages), offered=self._offers.messages)
        self._apply()
        await self._spool.noted(order_record(None))

    async def take_back(self, address: str) -> int:
        """Deliver from here what was offered to a target that will never answer; how many messages.

        Those that it had taken are delivered twice, unless its spool is lost.
        """
        address = str(parse_admin_endpoint(address))
        await self._stop_movers([address])
        count = 0
        while (item := self._offers.at(address)) is not None:
            count += len(item.messages)
            self._log.warning("offer_taken_back", target=address, messages=[m.queue_id for m in item.messages.values()])
            self._offers.settle(item, ())
        self._apply()
        return count

    async def stop(self) -> None:
        """End what goes on; the next process finds the order and open offers in the log."""
        self._stopped = True
        for timer in (self._close_doors, self._cut):
            if timer is not None:
                timer.cancel()
        await self._stop_movers(list(self._tasks))

    def progress(self) -> dict[str, Any]:
        """How far it is, for JSON."""
        order = self._spool.standing.order
        source = self._source
        now = Progress(
            draining=order is not None,
            since=order.since if order is not None else 0.0,
            messages=len(self._dispatcher.messages),
            offered=self._offers.messages,
            in_flight=self._dispatcher.in_flight,
            sessions=self._doors.sessions,
            doors_closed=self._doors.closed,
            delivering=not self._dispatcher.held,
            synced=self._spool.synced,
            unreadable=len(source.unreadable.keys() & self._dispatcher.messages.keys()) if source is not None else 0,
            unmovable=self._unmovable,
        )
        return now.as_dict(self._targets.values())

    def _apply(self) -> None:
        """Make everything as the order and the open offers want it."""
        if self._stopped:
            return
        order = self._spool.standing.order
        addresses = {*(order.targets if order is not None else ()), *self._offers.addresses}
        for address in addresses:
            self._targets.setdefault(address, Target(address))
        for address in list(self._targets.keys() - addresses):
            if address not in self._tasks:
                del self._targets[address]
        self._move_doors(order)
        self._judge_deliveries()
        for address in addresses - self._tasks.keys():
            self._start_mover(address)
        self._wake()

    def _move_doors(self, order: DrainOrder | None) -> None:
        if self._close_doors is not None:
            self._close_doors.cancel()
            self._close_doors = None
        if order is None:
            self._doors.open()
        else:
            wait = max(0.0, order.since + self._settings.accept_for - time.time())
            self._close_doors = self._loop.call_later(min(wait, self._settings.accept_for), self._doors.close)

    def _judge_deliveries(self) -> None:
        """Hold deliveries, or let them begin."""
        order = self._spool.standing.order
        targets = [self._targets[address] for address in order.targets] if order is not None else []
        self._unmovable = self._why_unmovable([target for target in targets if target.usable])
        if keeps_delivering(
            [target.state for target in targets],
            draining=order is not None,
            keep_delivering=self._settings.keep_delivering,
            only_unmovable_left=bool(self._unmovable),
        ):
            self._dispatcher.release()
        elif not self._dispatcher.held:
            self._dispatcher.hold()
            if self._cut is not None:
                self._cut.cancel()
            self._cut = self._loop.call_later(self._cut_after, self._cut_deliveries)

    def _why_unmovable(self, usable: Collection[Target]) -> str:
        """Why no usable target takes any message that is left; empty if one may."""
        messages = self._dispatcher.messages
        unreadable = self._source.unreadable if self._source is not None else {}
        left = len(messages) - self._offers.messages
        if not left or not usable or any(len(item.declined) + len(unreadable) < left for item in usable):
            return ""
        reason = ""
        for item in usable:
            for message in messages.values():
                if message.deliveries and message.id not in item.declined and message.id not in unreadable:
                    return ""
                if not reason and message.deliveries:
                    why = item.declined.get(message.id) or "cannot be read"
                    reason = f"{item.address} takes none of them: {message.queue_id} {why}"
        return reason

    def _cut_deliveries(self) -> None:
        if self._dispatcher.held:
            self._dispatcher.cut()

    def _start_mover(self, address: str) -> None:
        source = self._source
        if source is None:
            source = self._source = Source(
                self._spool,
                self._identity(),
                self._dispatcher,
                self._offers,
                self._settings,
                self._metrics,
                self._log,
                self._state_changed,
                self._judge_deliveries,
            )
        target = self._targets[address]
        mover = self._movers[address] = Mover(
            target,
            source,
            client=self._connect(parse_admin_endpoint(address)),
            wanted=lambda: self._wants(address),
            is_twin=lambda spool: self._has_twin(address, spool),
        )
        task = self._tasks[address] = self._loop.create_task(mover.run())
        task.add_done_callback(lambda task: self._mover_ended(address, task))

    def _mover_ended(self, address: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(address) is task:
            del self._tasks[address], self._movers[address]
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._apply()
            return
        self._log.error("mover_failed", target=address, trace="".join(traceback.format_exception(error)))
        self._targets[address].state = State.UNREACHABLE
        self._targets[address].reason = f"could not be served: {error!r}"
        self._loop.call_later(self._settings.retry, self._apply)

    async def _stop_movers(self, addresses: list[str]) -> None:
        tasks = [self._tasks[address] for address in addresses if address in self._tasks]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _wants(self, address: str) -> bool:
        order = self._spool.standing.order
        return order is not None and address in order.targets

    def _has_twin(self, address: str, spool: bytes) -> bool:
        return any(
            other.spool == spool and other.state is State.USABLE and other.address != address
            for other in self._targets.values()
        )

    def _state_changed(self, target: Target) -> None:
        self._judge_deliveries()
        for address, mover in self._movers.items():
            if address != target.address:
                mover.wake()

    def _work_came(self) -> None:
        for mover in self._movers.values():
            mover.work_came()

    def _wake(self) -> None:
        for mover in self._movers.values():
            mover.wake()
