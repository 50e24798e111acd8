"""Outcomes: what the replies to a delivery make of it, in the log, the metrics and the events."""

import random
import time
from typing import Any, Protocol

from postroad.metrics import MtaMetrics
from postroad.queue.bouncer import Bouncer
from postroad.queue.resident import ResidentContent
from postroad.queue.retry import RetryPolicy, next_due
from postroad.smtp.replies import Reply
from postroad.spool.errors import SpoolError
from postroad.spool.log import Spool
from postroad.spool.message import Delivery, Message, Outcome


class Waiting(Protocol):
    """Who lets deliveries wait."""

    def wait(self, delivery: Delivery, due: float) -> None:
        """Let a delivery wait until `due`, in Unix time."""

    def postpone(self, delivery: Delivery, reason: str) -> None:
        """Try again soon without counting an attempt."""

    def spawn(self, work: Any) -> None:
        """Run a coroutine beside."""


class Settlement:
    """Settles deliveries: delivered, to be tried again, or failed."""

    def __init__(
        self,
        owner: Waiting,
        *,
        spool: Spool,
        policy: RetryPolicy,
        bouncer: Bouncer,
        resident: ResidentContent,
        metrics: MtaMetrics,
        log: Any,
    ) -> None:
        self._owner = owner
        self._spool = spool
        self._policy = policy
        self._bouncer = bouncer
        self._resident = resident
        self._metrics = metrics
        self._log = log

    def settle(self, delivery: Delivery, replies: tuple[Reply, ...], host: str, facts: dict[str, Any]) -> None:
        """Sort recipients by their replies; each sort goes its own way from here on."""
        if len(replies) == 1 and replies[0].positive:
            # As most are: one recipient, one reply.
            self._delivered(delivery, {delivery.recipients[0]: replies[0]}, facts)
            return
        sorts: dict[str, list[int]] = {}
        words: dict[int, Reply] = {}
        for index, reply in zip(delivery.recipients, replies, strict=True):
            sort = "delivered" if reply.positive else "failed" if reply.permanent else "deferred"
            sorts.setdefault(sort, []).append(index)
            words[index] = reply
        parts = delivery.split(list(sorts.values()))
        for sort, part in zip(sorts, parts, strict=True):
            said = {index: words[index] for index in part.recipients}
            if sort == "delivered":
                self._delivered(part, said, facts)
            elif sort == "failed":
                self._fail(part, said, host, facts)
            else:
                self._defer(part, said, host, facts)

    def _delivered(self, part: Delivery, said: dict[int, Reply], facts: dict[str, Any]) -> None:
        self._spool.record_outcome(part, Outcome.DELIVERED)
        self._metrics.delivered.inc(len(said))
        self._report("delivery", part, next(iter(said.values())), facts)
        self.finish(part.message)

    def _defer(self, part: Delivery, said: dict[int, Reply], host: str, facts: dict[str, Any]) -> None:
        """Try again later; when the message has had its time, it has failed."""
        message = part.message
        now = time.time()
        reply = next(reversed(said.values()))
        part.attempts += 1
        part.reply = str(reply)[:500]
        due = next_due(now, message.received, part.attempts, policy=self._policy, jitter=random.random())
        self._metrics.deferred.inc(len(said))
        self._resident.release(message)
        if due is None:
            self._report("deferral", part, reply, facts)
            self._fail(part, said, host, {"expired": True})
            return
        was_due, part.due = part.due, due
        if message.dsn is not None:
            self._owner.spawn(self._bouncer.delayed(part, said, host, was_due=was_due))
        self._spool.record_outcome(part, Outcome.DEFERRED)
        self._report("deferral", part, reply, facts, next_attempt_in=round(due - now, 1))
        self._owner.wait(part, due)

    def _fail(self, part: Delivery, said: dict[int, Reply], host: str, facts: dict[str, Any]) -> None:
        """Tell the sender, then forget these recipients; in this order, so that no failure goes untold."""

        def told(error: SpoolError | None) -> None:
            if error is not None:
                self._owner.postpone(part, f"the bounce could not be stored: {error}")
                return
            self._spool.record_outcome(part, Outcome.BOUNCED)
            self._metrics.bounced.inc(len(said))
            self._report("bounce", part, next(iter(said.values())), facts)
            self.finish(part.message)

        self._owner.spawn(self._bouncer.tell_sender(part, said, host, told))

    def finish(self, message: Message) -> None:
        """Forget a message of which nothing is open."""
        if not message.deliveries:
            self._resident.release(message)
            self._metrics.finished.inc()

    def _report(self, event: str, part: Delivery, reply: Reply, facts: dict[str, Any], **more: Any) -> None:
        message = part.message
        self._log.info(
            event,
            queue_id=message.queue_id,
            sender=message.sender.decode("utf-8", "replace"),
            recipients=[address.decode("utf-8", "replace") for address in part.addresses],
            reply=str(reply),
            attempts=part.attempts if event == "deferral" else part.attempts + 1,
            age=round(time.time() - message.received, 3),
            **facts,
            **more,
        )

    def fail(self, delivery: Delivery, reply: Reply, *, silent: bool = False) -> None:
        """A delivery of which nothing is under way is over; its sender is told unless `silent`."""
        said = dict.fromkeys(delivery.recipients, reply)
        if not silent:
            self._fail(delivery, said, "", {})
            return
        self._spool.record_outcome(delivery, Outcome.BOUNCED)
        self._report("discard", delivery, reply, {})
        self.finish(delivery.message)
