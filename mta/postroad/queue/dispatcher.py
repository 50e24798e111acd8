"""The dispatcher: takes every delivery from acceptance through routes, sites and retries to its last outcome."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterable
from typing import Any

from postroad.egress.session import EgressSession
from postroad.egress.site import Site
from postroad.metrics import MtaMetrics
from postroad.queue.bouncer import Bouncer
from postroad.queue.resident import ResidentContent
from postroad.queue.resting import RestingMessages
from postroad.queue.retry import RetryPolicy, next_due
from postroad.queue.scheduled import ScheduledQueue
from postroad.routing.route import NoRoute, Route, Router
from postroad.smtp.replies import Reply, local_reply
from postroad.spool.errors import SpoolError
from postroad.spool.log import Spool
from postroad.spool.message import Delivery, Message, Outcome

PROXY_WAIT = 10.0
"""Seconds until mail is tried again that no proxy took: a fault on this side doesn't count as an attempt."""
BOUNCE_WAIT = 60.0
"""Seconds until a failure is told again whose notification found no room in the spool."""
_BATCH = 500


class Dispatcher:
    """Owns the queues.

    Args:
        new_site: makes the site of a route, with this dispatcher as its owner.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        router: Router,
        new_site: Callable[[Route, "Dispatcher"], Site],
        policy: RetryPolicy,
        bouncer: Bouncer,
        resident: ResidentContent,
        metrics: MtaMetrics,
        log: Any,
    ) -> None:
        self._spool = spool
        self._router = router
        self._new_site = new_site
        self._policy = policy
        self._bouncer = bouncer
        self._resident = resident
        self._metrics = metrics
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._scheduled = ScheduledQueue()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._lookups: dict[bytes, list[Delivery]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.sites: dict[str, Site] = {}
        self.messages: dict[int, Message] = {}
        """All that is not finished, by id."""
        self._draining = False
        self._held = False
        self.resting = RestingMessages(self._scheduled)
        """What can be taken while deliveries are held, by somebody who will `give_back` it or have it `gone`."""
        self._no_sites = asyncio.Event()
        metrics.queued.set_function(lambda: len(self.messages))
        metrics.scheduled.set_function(lambda: len(self._scheduled))
        metrics.ready.set_function(lambda: sum(site.waiting for site in self.sites.values()))

    def submit(self, message: Message) -> None:
        """Deliver a message that is on disk."""
        self.messages[message.id] = message
        self._resident.admit(message)
        if self._draining:
            return  # the next start finds it in the log
        for delivery in list(message.deliveries):
            if self._held:
                self._rest(delivery)
            else:
                self._start(delivery)

    def restore(self, messages: Iterable[Message]) -> None:
        """Take up messages that the log held, or another spool; each delivery when it is due."""
        for message in messages:
            self.messages[message.id] = message
            for delivery in message.deliveries:
                self._rest(delivery)
        self._arm()

    def keep(self, messages: Iterable[Message]) -> None:
        """Know messages, but make no delivery of them until `give_back`."""
        for message in messages:
            self.messages[message.id] = message

    def hold(self) -> None:
        """Begin no delivery until `release`; those under way end."""
        if self._held:
            return
        self._held = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for site in list(self.sites.values()):
            for delivery in site.drain():
                self._rest(delivery)
        self.resting.begin(self.messages.values())

    def release(self) -> None:
        """Deliver again."""
        if not self._held:
            return
        self._held = False
        self.resting.end()
        for site in list(self.sites.values()):
            site.resume()
        self._arm()

    @property
    def held(self) -> bool:
        """Whether no delivery begins."""
        return self._held

    @property
    def in_flight(self) -> int:
        """Deliveries under way."""
        return sum(site.busy for site in self.sites.values())

    def cut(self) -> None:
        """Cut the connections of held sites, but for those that only wait for the reply to a message."""
        for site in list(self.sites.values()):
            site.abort(keep_awaiting_dot=True)

    def give_back(self, messages: Iterable[Message]) -> None:
        """Messages that were taken, or kept, are to be delivered."""
        self.restore(messages)

    def gone(self, messages: Iterable[Message]) -> None:
        """Messages that were taken are another spool's: they are finished here."""
        for message in messages:
            self._spool.finish(message)
            self._finish(message)

    def flush(self) -> int:
        """Make everything due now; how many deliveries that are."""
        count = self._scheduled.make_due(time.time())
        self._arm()
        return count

    @property
    def scheduled(self) -> int:
        """Deliveries that wait for their time."""
        return len(self._scheduled)

    def scheduled_deliveries(self) -> Iterable[Delivery]:
        """All of them, in no order."""
        return iter(self._scheduled)

    async def drain(self, grace: float, dot_timeout: float) -> None:
        """End deliveries: none begins, those under way get `grace` seconds, those whose message is sent `dot_timeout`.

        What is not delivered stays on disk and is taken up by the next start.
        """
        self._draining = True
        if self._timer is not None:
            self._timer.cancel()
        for site in list(self.sites.values()):
            site.drain()
        for seconds, keep_awaiting_dot in ((grace, True), (dot_timeout, False)):
            if self.sites:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._no_sites.wait(), seconds)
            for site in list(self.sites.values()):
                site.abort(keep_awaiting_dot=keep_awaiting_dot)
        for task in list(self._tasks):
            task.cancel()

    def _arm(self) -> None:
        """Wake up when the first scheduled delivery is due."""
        due = self._scheduled.next_due
        if due is None or self._draining or self._held:
            return
        if self._timer is not None:
            if self._timer_due <= due:
                return
            self._timer.cancel()
        self._timer_due = due
        # At most a minute at a time: the wall clock may be set, the loop's doesn't follow.
        self._timer = self._loop.call_later(min(max(0.0, due - time.time()), 60.0), self._wake)

    def _wake(self) -> None:
        self._timer = None
        for delivery in self._scheduled.pop_due(time.time(), _BATCH):
            self._start(delivery)
        self._arm()

    def _start(self, delivery: Delivery) -> None:
        """Find the way for a delivery whose time has come."""
        route = self._router.known(delivery.domain)
        if route is not None:
            self._routed(delivery, route)
            return
        waiting = self._lookups.get(delivery.domain)
        if waiting is not None:
            waiting.append(delivery)
            return
        self._lookups[delivery.domain] = [delivery]
        self._spawn(self._look_up(delivery.domain))

    async def _look_up(self, domain: bytes) -> None:
        route = await self._router.find(domain)
        for delivery in self._lookups.pop(domain):
            self._routed(delivery, route)

    def _routed(self, delivery: Delivery, route: Route | NoRoute) -> None:
        if self._draining:
            return
        if self._held:
            self._rest(delivery)
            return
        if isinstance(route, NoRoute):
            self._settle(delivery, tuple(route.reply for _ in delivery.recipients), "", {})
            return
        site = self.sites.get(route.site)
        if site is None:
            site = self.sites[route.site] = self._new_site(route, self)
        else:
            site.route = route  # addresses may have changed
        site.put(delivery)

    def _spawn(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def content_of(self, delivery: Delivery, use: Callable[[tuple[bytes, ...] | None], None]) -> None:
        """A site needs a message's octets that aren't in memory."""
        self._spawn(self._read_content(delivery, use))

    async def _read_content(self, delivery: Delivery, use: Callable[[tuple[bytes, ...] | None], None]) -> None:
        try:
            content = await self._spool.read(delivery.message)
        except (SpoolError, OSError) as error:
            self._log.error("spool_unreadable", queue_id=delivery.message.queue_id, error=str(error))
            reply = local_reply(451, "4.3.0", str(error))
            self._settle(delivery, tuple(reply for _ in delivery.recipients), "", {})
            use(None)
            return
        use((content,))

    def answered(self, delivery: Delivery, replies: tuple[Reply, ...], session: EgressSession) -> None:
        """A transaction ended: each recipient has its reply."""
        peer = session.peer
        facts = {
            "host": peer.host,
            "peer": f"{peer.address}:{peer.port}",
            "source": peer.source,
            "tls": session.secured,
            "seconds": round(self._loop.time() - session.started, 4),
        }
        if delivery.message.dsn is not None and "DSN" not in session.protocol.extensions:
            words = zip(delivery.recipients, replies, strict=True)
            taken = {index: word for index, word in words if word.positive}
            self._bouncer.relayed(delivery.message, taken, peer.host, b"".join(session.ended_content))
        self._settle(delivery, replies, peer.host, facts)

    def unreachable(self, deliveries: list[Delivery], reply: Reply) -> None:
        """A site takes no connections."""
        for delivery in deliveries:
            self._settle(delivery, tuple(reply for _ in delivery.recipients), "", {})

    def no_proxy(self, deliveries: list[Delivery], reason: str) -> None:
        """No proxy works: wait a little, and don't count it."""
        self._metrics.proxy_failures.inc()
        self._log.warning("proxy_failure", reason=reason, deliveries=len(deliveries), retry_in=PROXY_WAIT)
        now = time.time()
        fresh = [item for item in deliveries if now < item.message.received + self._policy.max_age]
        self._postpone(fresh, f"no outbound proxy works: {reason}", PROXY_WAIT)
        for delivery in deliveries:
            if now >= delivery.message.received + self._policy.max_age:
                reply = local_reply(451, "4.4.1", f"no outbound proxy works: {reason}")
                self._settle(delivery, tuple(reply for _ in delivery.recipients), "", {})

    def not_begun(self, delivery: Delivery) -> None:
        """A site that was told to drain won't make this delivery."""
        self._rest(delivery)
        self._arm()

    def site_empty(self, site: Site) -> None:
        """A site has nothing more to do."""
        if self.sites.get(site.name) is site:
            del self.sites[site.name]
        if self._draining and not self.sites:
            self._no_sites.set()

    def _settle(self, delivery: Delivery, replies: tuple[Reply, ...], host: str, facts: dict[str, Any]) -> None:
        """Sort recipients by their replies; each sort goes its own way from here on."""
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
        self._finish(part.message)

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
            self._spawn(self._bouncer.delayed(part, said, host, was_due=was_due))
        self._spool.record_outcome(part, Outcome.DEFERRED)
        self._report("deferral", part, reply, facts, next_attempt_in=round(due - now, 1))
        self._rest(part)
        self._arm()

    def _fail(self, part: Delivery, said: dict[int, Reply], host: str, facts: dict[str, Any]) -> None:
        """Tell the sender, then forget these recipients; in this order, so that no failure goes untold."""

        def told(error: SpoolError | None) -> None:
            if error is not None:
                self._postpone([part], f"the bounce could not be stored: {error}", BOUNCE_WAIT)
                return
            self._spool.record_outcome(part, Outcome.BOUNCED)
            self._metrics.bounced.inc(len(said))
            self._report("bounce", part, next(iter(said.values())), facts)
            self._finish(part.message)

        self._spawn(self._bouncer.tell_sender(part, said, host, told))

    def _finish(self, message: Message) -> None:
        if not message.deliveries:
            self._resident.release(message)
            self.messages.pop(message.id, None)
            self._metrics.finished.inc()

    def _postpone(self, deliveries: list[Delivery], reason: str, wait: float) -> None:
        """Try again soon without counting an attempt: the fault is on this side."""
        now = time.time()
        for delivery in deliveries:
            self._resident.release(delivery.message)
            delivery.due = now + wait * (1.0 + 0.2 * random.random())
            delivery.reply = f"451 4.4.1 {reason}"[:500]
            self._rest(delivery)
        self._arm()

    def _rest(self, delivery: Delivery) -> None:
        """Let a delivery wait for its time."""
        self._scheduled.push(delivery)
        if self._held:
            self.resting.note(delivery)

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
