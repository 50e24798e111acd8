"""The orders on queued mail that stand, in memory and in the log."""

from collections.abc import Callable, Sequence

from postroad.clock import steady
from postroad.queue.judgement import Facts, judge, scope_problem
from postroad.spool.log import Spool
from postroad.spool.message import Delivery
from postroad.spool.orders import Action, Order, Scope
from postroad.spool.standing import orders_record


class OrderBook:
    """Gives, lifts and lists orders; each is durable when its method returns, and survives restarts.

    Args:
        clock: Unix time.
    """

    def __init__(self, spool: Spool, sources: Sequence[str] = (), *, clock: Callable[[], float] = steady) -> None:
        self._spool = spool
        self.sources = frozenset(sources)
        """Names of the sources that mail leaves from."""
        self._clock = clock

    @property
    def any(self) -> bool:
        """Whether there is anything to judge by; quick."""
        return bool(self._spool.standing.orders)

    @property
    def orders(self) -> list[Order]:
        """Those that stand, in the order they were given."""
        now = self._clock()
        return [order for order in self._spool.standing.orders.values() if now < order.until]

    def holding(self, delivery: Delivery, site: str | None) -> Order | None:
        """The order that holds for a delivery; `site` is None while it isn't known."""
        message = delivery.message
        domain = delivery.domain.decode("utf-8", "replace")
        facts = Facts(message.tenant, message.campaign, domain, site, self.sources)
        return judge(self._spool.standing.orders.values(), facts, self._clock())

    def source_open(self, name: str) -> bool:
        """Whether a source may be connected from."""
        return not any(order.scope.source == name for order in self.orders)

    async def give(self, action: Action, scope: Scope, *, reason: str, until: float, number: int = 0) -> Order:
        """A new order.

        Args:
            number: where it is that of several spools; else it gets one that none had here.

        Raises:
            ValueError: nothing could be ordered so, with what is wrong.
        """
        if (problem := scope_problem(scope)) is not None:
            raise ValueError(problem)
        if scope.source is not None and scope.source not in self.sources:
            raise ValueError(f"no source is named {scope.source!r}; there are {', '.join(sorted(self.sources))}")
        now = self._clock()
        if not now < until < float("inf"):
            raise ValueError("an order must end at a time to come")
        order = Order(number or self._spool.next_id(), action, scope, reason, now, until)
        self._spool.standing.orders[order.number] = order
        await self._write()
        return order

    async def lift(self, number: int) -> Order:
        """End an order.

        Raises:
            KeyError: none has this number.
        """
        order = self._spool.standing.orders.pop(number)
        await self._write()
        return order

    async def _write(self) -> None:
        standing = self._spool.standing
        standing.orders = {order.number: order for order in self.orders}
        await self._spool.noted(orders_record(standing.orders.values()))
