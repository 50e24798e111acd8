"""Which order holds for a delivery."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from postroad.spool.orders import Action, Order, Scope


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a delivery when it is judged."""

    tenant: str = ""
    campaign: str = ""
    domain: str = ""
    site: str | None = None
    """None while no route is known: orders on sites don't hold for it yet."""
    sources: Collection[str] = ()
    """Those that it may leave from; none: orders on sources don't hold for it."""


def scope_problem(scope: Scope) -> str | None:
    """Why a scope can't be ordered about; None if it can."""
    given = (scope.tenant, scope.campaign, scope.domain, scope.site, scope.source)
    if all(value is None for value in given):
        return "name at least one of tenant, campaign, domain, site and source"
    if scope.source is not None and sum(value is not None for value in given) > 1:
        return "a source is shared by all mail: name it alone"
    if scope.domain is not None and scope.domain != scope.domain.lower():
        return "a domain is written in lower case"
    return None


def covers(scope: Scope, facts: Facts) -> bool:
    """Whether a scope names this delivery. One that names a source does so if the delivery may leave from there."""
    return (
        scope.tenant in (None, facts.tenant)
        and scope.campaign in (None, facts.campaign)
        and scope.domain in (None, facts.domain)
        and scope.site in (None, facts.site)
        and (scope.source is None or scope.source in facts.sources)
    )


def judge(orders: Iterable[Order], facts: Facts, now: float) -> Order | None:
    """The order that holds for a delivery at a time.

    One that bounces or discards goes before one that suspends; of several of a kind, the one that ends last holds.
    Orders on sources hold only when every source that the delivery may leave from has one, and then the mildest of
    them does: a source that is merely suspended comes back.
    """
    holding = [order for order in orders if now < order.until and covers(order.scope, facts)]
    found = [order for order in holding if order.scope.source is None]
    by_source: dict[str, Order] = {}
    for order in holding:
        source = order.scope.source
        if source is not None and (source not in by_source or _weight(order) > _weight(by_source[source])):
            by_source[source] = order
    if by_source and len(by_source) == len(set(facts.sources)):
        # It can go on as soon as the first of them ends.
        found.append(min(by_source.values(), key=_weight))
    return max(found, key=_weight, default=None)


def _weight(order: Order) -> tuple[bool, float]:
    return order.action is not Action.SUSPEND, order.until
