"""Orders carried out: which mail waits, fails or goes on because of them."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec

from postroad.clock import steady
from postroad.queue.judgement import Facts, covers
from postroad.queue.order_book import OrderBook
from postroad.smtp.replies import local_reply
from postroad.spool.message import Delivery
from postroad.spool.orders import Action, Order, Scope

if TYPE_CHECKING:
    from postroad.egress.site import Site
    from postroad.queue.dispatcher import Dispatcher

_SLICE = 1000
"""Deliveries that are looked at before others have their turn."""


class Enforcement:
    """Stops deliveries for which an order holds, when they are due, routed, or the order is given.

    Suspended mail waits in the scheduled queue until its order ends or it is too old; that is no attempt.
    """

    def __init__(self, book: OrderBook, dispatcher: "Dispatcher") -> None:
        self.book = book
        self._dispatcher = dispatcher

    def stopped(self, delivery: Delivery, site: str | None) -> bool:
        """Whether an order holds for a delivery that would begin now; it is dealt with then."""
        order = self.book.holding(delivery, site)
        if order is None:
            return False
        why = f"{order.scope}: {order.reason}"
        expiry = self._dispatcher.expiry(delivery.message)
        if order.action is not Action.SUSPEND:
            reply = local_reply(550, "5.7.1", f"bounced by order {order.number:x}, {why}")
            self._dispatcher.fail(delivery, reply, silent=order.action is Action.DISCARD)
        elif steady() >= expiry:
            self._dispatcher.fail(delivery, local_reply(554, "5.4.7", f"too old, while suspended, {why}"))
        else:
            delivery.suspended = order.number
            self._dispatcher.wait(delivery, min(order.until, expiry))
        return True

    async def give(
        self, action: Action, scope: Scope, *, reason: str, until: float, number: int = 0
    ) -> tuple[Order, int]:
        """Give an order, durably, and carry it out; `until` in Unix time. With the deliveries that it stopped at once.

        Raises:
            ValueError: nothing could be ordered so, with what is wrong.
        """
        order = await self.book.give(action, scope, reason=reason, until=until, number=number)
        return order, await self._begin(order)

    async def lift(self, number: int) -> tuple[Order, int]:
        """End an order, durably; what it suspended is due now. With the deliveries that are.

        Raises:
            KeyError: none has this number.
        """
        order = await self.book.lift(number)
        return order, await self._end(order)

    async def _begin(self, order: Order) -> int:
        """An order was given: deal with what waits for a connection, and, unless it suspends, with all that waits.

        Of mail that waits for its time, sites hold only where the route is known; other mail is judged when it is due.

        Returns:
            Deliveries that were stopped; more may follow until the order ends.
        """
        count = 0
        for site in list(self._dispatcher.sites.values()):
            count += self._stop_ready(site)
            if order.scope.source is not None:
                site.renew()
        if order.action is not Action.SUSPEND:
            async for delivery in self._waiting(order.scope):
                self._dispatcher.take(delivery)
                if not self.stopped(delivery, self._dispatcher.known_site(delivery.domain)):
                    self._dispatcher.wait(delivery, delivery.due)
                count += 1
        return count

    def _stop_ready(self, site: "Site") -> int:
        """Judge what waits for a connection to a site."""

        def judged(delivery: Delivery) -> bool:
            return self.book.holding(delivery, site.name) is not None

        taken = site.withdraw(judged)
        for delivery in taken:
            if not self.stopped(delivery, site.name):
                self._dispatcher.wait(delivery, steady())
        return len(taken)

    async def _end(self, order: Order) -> int:
        """An order was lifted: what it suspended is due now; how many deliveries that are."""
        count = 0
        scope = msgspec.structs.replace(order.scope, site=None)  # the route may have changed meanwhile
        async for delivery in self._waiting(scope):
            if delivery.suspended == order.number:
                self._dispatcher.take(delivery)
                delivery.suspended = 0
                self._dispatcher.wait(delivery, steady())
                count += 1
        return count

    async def rebind(self, scope: Scope, *, tenant: str | None, campaign: str | None) -> int:
        """Give waiting mail another tenant or campaign, or none (""), and make it due now by a route looked up anew.

        Only messages of which nothing is under way. With neither, mail is only routed again.

        Returns:
            Messages that are changed. It is on disk soon after; a crash before that leaves some as they were.
        """
        changed: dict[int, None] = {}
        async for delivery in self._waiting(scope):
            message = delivery.message
            if message.id in changed or not all(item.slot is not None for item in message.deliveries):
                continue
            changed[message.id] = None
            for item in message.deliveries:
                self._dispatcher.take(item)
            if tenant is not None:
                message.tenant = tenant
            if campaign is not None:
                message.campaign = campaign
            for item in message.deliveries:
                item.suspended = 0
                self._dispatcher.wait(item, steady())
            if tenant is not None or campaign is not None:
                await self._dispatcher.rewrite(message)
        return len(changed)

    async def _waiting(self, scope: Scope) -> AsyncIterator[Delivery]:
        """What waits for its time and is covered by a scope; others have their turn in between."""
        seen = 0
        for queue in list(self._dispatcher.queues.values()):
            key = queue.key
            domain = key.domain.decode("utf-8", "replace")
            site = self._dispatcher.known_site(key.domain) if scope.site is not None else None
            if not covers(scope, Facts(key.tenant, key.campaign, domain, site, self.book.sources)):
                continue
            for delivery in list(queue):
                if delivery.queue is queue:  # it may have begun while others had their turn
                    yield delivery
                seen += 1
                if seen % _SLICE == 0:
                    await asyncio.sleep(0)
