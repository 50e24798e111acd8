"""The dispatcher: takes every delivery from acceptance through routes, sites and retries to its last outcome."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from postroad.clock import steady
from postroad.egress.session import EgressSession
from postroad.egress.site import Site
from postroad.metrics import MtaMetrics
from postroad.queue.bouncer import Bouncer
from postroad.queue.destination import DestinationQueue
from postroad.queue.enforcement import Enforcement
from postroad.queue.order_book import OrderBook
from postroad.queue.resident import ResidentContent
from postroad.queue.resting import RestingMessages
from postroad.queue.retry import RetryPolicy
from postroad.queue.scheduled import ScheduledQueue
from postroad.queue.settlement import Settlement
from postroad.routing.route import NoRoute, Route, Router
from postroad.smtp.replies import Reply, local_reply
from postroad.spool.errors import SpoolError
from postroad.spool.log import Spool
from postroad.spool.message import Delivery, Message

PROXY_WAIT = 10.0
"""Seconds until mail is tried again that no proxy took: a fault on this side doesn't count as an attempt."""
BOUNCE_WAIT = 60.0
"""Seconds until a failure is told again whose notification found no room in the spool."""
LOOKUP_TIMEOUT = 120.0
"""Seconds for all that a route needs to be known; each question has a timeout of its own."""
_BATCH = 500
_SLICE = 0.005
"""Seconds after which others have their turn."""
_PAUSE = 0.005
"""Seconds of that turn."""


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
        orders: OrderBook | None = None,
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
        self.messages = spool.messages
        """All that is not finished, by id."""
        self._draining = False
        self._held = False
        self._settlement = Settlement(
            self, spool=spool, policy=policy, bouncer=bouncer, resident=resident, metrics=metrics, log=log
        )
        self.orders = orders if orders is not None else OrderBook(spool)
        self.enforcement = Enforcement(self.orders, self)
        self._sweep = self._loop.call_later(self._sweep_interval, self._expire)
        self.resting = RestingMessages(self._scheduled)
        """What can be taken while deliveries are held, by somebody who will `give_back` it or have it `gone`."""
        self._no_sites = asyncio.Event()
        metrics.queued.set_function(lambda: len(self.messages))
        metrics.scheduled.set_function(lambda: len(self._scheduled))
        metrics.ready.set_function(lambda: sum(site.waiting for site in self.sites.values()))

    def submit(self, message: Message) -> None:
        """Deliver a message that is on disk."""
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
        self._restore(iter(messages))

    def _restore(self, messages: Iterator[Message]) -> None:
        """Some of them; a million at once would hold all others up."""
        pause = self._loop.time() + _SLICE
        now = steady()
        longest = now + self._policy.max_delay * (1.0 + self._policy.spread)
        for count, message in enumerate(messages, 1):
            # Times that no clock of this MTA can have meant: it was set back in between, or is another host's.
            message.received = min(message.received, now)
            for delivery in message.deliveries:
                delivery.due = min(delivery.due, longest)
                self._rest(delivery)
            if count % _BATCH == 0 and self._loop.time() > pause:
                self._loop.call_later(_PAUSE, self._restore, messages)
                break
        self._arm()

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
            self._settlement.finish(message)

    def flush(self) -> int:
        """Make everything due now; how many deliveries that are."""
        count = self._scheduled.make_due(steady())
        self._arm()
        return count

    @property
    def scheduled(self) -> int:
        """Deliveries that wait for their time."""
        return len(self._scheduled)

    @property
    def queues(self) -> Mapping[tuple[str, str, bytes], DestinationQueue]:
        """What waits for its time, by tenant, campaign and domain."""
        return self._scheduled.queues

    def known_site(self, domain: bytes) -> str | None:
        """The site that mail for a domain goes to, as far as it is known."""
        route = self._router.known(domain)
        return route.site if isinstance(route, Route) else None

    def expiry(self, message: Message) -> float:
        """Unix time from which on nothing of a message is tried."""
        return message.received + self._policy.max_age

    def take(self, delivery: Delivery) -> None:
        """A delivery that waits for its time waits no longer; who takes it lets it `wait`, or `fail`."""
        self._scheduled.remove(delivery)

    def wait(self, delivery: Delivery, due: float) -> None:
        """Let a delivery wait; that counts as no attempt."""
        self._resident.release(delivery.message)
        delivery.due = due
        self._rest(delivery)
        self._arm()

    def fail(self, delivery: Delivery, reply: Reply, *, silent: bool = False) -> None:
        """A delivery of which nothing is under way is over; its sender is told unless `silent`."""
        self._settlement.fail(delivery, reply, silent=silent)

    def postpone(self, delivery: Delivery, reason: str) -> None:
        """Try again soon without counting an attempt: what failed must be told, and there was no room for that."""
        self._postpone([delivery], reason, BOUNCE_WAIT)

    @property
    def _sweep_interval(self) -> float:
        return min(60.0, self._policy.max_age / 10)

    def _expire(self) -> None:
        """Fail what has become too old where nothing comes due: in ready queues, and while deliveries are held."""
        self._sweep = self._loop.call_later(self._sweep_interval, self._expire)
        if self._draining:
            return
        oldest = steady() - self._policy.max_age
        for site in list(self.sites.values()):
            for delivery in site.withdraw(lambda item: item.message.received <= oldest):
                self.fail(
                    delivery, local_reply(554, "5.4.7", f"too old, while waiting for a connection to {site.name}")
                )
        if self._held:
            for delivery in [item for item in self._scheduled if item.message.received <= oldest]:
                self.take(delivery)
                self.fail(delivery, local_reply(554, "5.4.7", "too old, while deliveries are held"))

    async def rewrite(self, message: Message) -> None:
        """Write a message's envelope anew."""
        await self._spool.rewrite(message)

    def scheduled_deliveries(self) -> Iterable[Delivery]:
        """All of them, in no order."""
        return iter(self._scheduled)

    async def drain(self, grace: float, dot_timeout: float) -> None:
        """End deliveries: none begins, those under way get `grace` seconds, those whose message is sent `dot_timeout`.

        What is not delivered stays on disk and is taken up by the next start.
        """
        self._draining = True
        self._sweep.cancel()
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
        self._timer = self._loop.call_later(min(max(0.0, due - steady()), 60.0), self._wake)

    def _wake(self) -> None:
        self._timer = None
        due = self._scheduled.pop_due(steady(), _BATCH)
        for delivery in due:
            self._start(delivery)
        if len(due) == _BATCH and not (self._draining or self._held):
            # Many come due at once after a flush or a long stop: what is under way must get on meanwhile.
            self._timer_due = 0.0
            self._timer = self._loop.call_later(_PAUSE, self._wake)
        else:
            self._arm()

    def _start(self, delivery: Delivery) -> None:
        """Find the way for a delivery whose time has come."""
        if self.orders.any and self.enforcement.stopped(delivery, None):
            return
        route = self._router.known(delivery.domain)
        if route is not None:
            self._routed(delivery, route)
            return
        waiting = self._lookups.get(delivery.domain)
        if waiting is not None:
            waiting.append(delivery)
            return
        self._lookups[delivery.domain] = [delivery]
        self.spawn(self._look_up(delivery.domain))

    async def _look_up(self, domain: bytes) -> None:
        route: Route | NoRoute = NoRoute(local_reply(451, "4.4.3", "the lookup of its mail hosts did not end"))
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOKUP_TIMEOUT):
                    route = await self._router.find(domain)
        finally:
            # Also if a fault ended it: nothing may wait for an answer that never comes.
            for delivery in self._lookups.pop(domain):
                self._routed(delivery, route)

    def _routed(self, delivery: Delivery, route: Route | NoRoute) -> None:
        if self._draining:
            return
        if self._held:
            self._rest(delivery)
            return
        if isinstance(route, NoRoute):
            self._settlement.settle(delivery, tuple(route.reply for _ in delivery.recipients), "", {})
            return
        if self.orders.any and self.enforcement.stopped(delivery, route.site):
            return
        site = self.sites.get(route.site)
        if site is None:
            site = self.sites[route.site] = self._new_site(route, self)
        else:
            site.route = route  # addresses may have changed
        site.put(delivery)

    def spawn(self, work: Any) -> None:
        """Run a coroutine; an end of the process ends it."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def content_of(self, delivery: Delivery, use: Callable[[tuple[bytes, ...] | None], None]) -> None:
        """A site needs a message's octets that aren't in memory."""
        self.spawn(self._read_content(delivery, use))

    async def _read_content(self, delivery: Delivery, use: Callable[[tuple[bytes, ...] | None], None]) -> None:
        try:
            content = await self._spool.read(delivery.message)
        except (SpoolError, OSError) as error:
            self._log.error("spool_unreadable", queue_id=delivery.message.queue_id, error=str(error))
            reply = local_reply(451, "4.3.0", str(error))
            self._settlement.settle(delivery, tuple(reply for _ in delivery.recipients), "", {})
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
        self._settlement.settle(delivery, replies, peer.host, facts)

    def unreachable(self, deliveries: list[Delivery], reply: Reply) -> None:
        """A site takes no connections."""
        for delivery in deliveries:
            self._settlement.settle(delivery, tuple(reply for _ in delivery.recipients), "", {})

    def no_proxy(self, deliveries: list[Delivery], reason: str) -> None:
        """No proxy works: wait a little, and don't count it."""
        self._metrics.proxy_failures.inc()
        self._log.warning("proxy_failure", reason=reason, deliveries=len(deliveries), retry_in=PROXY_WAIT)
        now = steady()
        fresh = [item for item in deliveries if now < item.message.received + self._policy.max_age]
        self._postpone(fresh, f"no outbound proxy works: {reason}", PROXY_WAIT)
        for delivery in deliveries:
            if now >= delivery.message.received + self._policy.max_age:
                reply = local_reply(451, "4.4.1", f"no outbound proxy works: {reason}")
                self._settlement.settle(delivery, tuple(reply for _ in delivery.recipients), "", {})

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

    def _postpone(self, deliveries: list[Delivery], reason: str, wait: float) -> None:
        """Try again soon without counting an attempt: the fault is on this side."""
        now = steady()
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
