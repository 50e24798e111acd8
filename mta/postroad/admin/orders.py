"""What the admin port answers to operators who suspend, bounce or rebind mail."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from postroad.admin.http import AdminRequest, AdminRoute, Answer
from postroad.queue.enforcement import Enforcement
from postroad.spool.orders import Action, Order, Scope

_MAX_BODY = 16 << 10
_LONGEST = 400 * 86400.0

Name = Annotated[str, msgspec.Meta(max_length=255)]


class ScopeFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which mail is meant: that which has all that is given."""

    tenant: Name | None = None
    campaign: Name | None = None
    domain: Name | None = None
    site: Annotated[str, msgspec.Meta(max_length=4096)] | None = None
    source: Name | None = None

    def scope(self) -> Scope:
        """The scope that is named."""
        domain = self.domain.lower() if self.domain is not None else None
        return Scope(self.tenant, self.campaign, domain, self.site, self.source)


class OrderRequest(ScopeFields, kw_only=True, forbid_unknown_fields=True):
    """An order on queued mail, and on mail that comes until it ends."""

    action: Literal["suspend", "bounce", "discard"]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    seconds: Annotated[float, msgspec.Meta(gt=0, le=_LONGEST)]
    """How long it stands."""
    number: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)] = 0
    """Its number where several processes shall know it by the same one; 0: a new one."""


class LiftRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The end of an order."""

    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{1,16}$")]


class RebindRequest(ScopeFields, kw_only=True, forbid_unknown_fields=True):
    """Another tenant or campaign for queued mail; with neither it is only routed anew."""

    to_tenant: Name | None = None
    to_campaign: Name | None = None


B = TypeVar("B", bound=msgspec.Struct)


def order_routes(enforcement: Enforcement, *, clock: Callable[[], float]) -> dict[tuple[str, str], AdminRoute]:
    """The routes of orders."""
    book = enforcement.book

    async def give(wanted: OrderRequest) -> dict[str, Any]:
        until = clock() + wanted.seconds
        order = await book.give(
            Action(wanted.action), wanted.scope(), reason=wanted.reason, until=until, number=wanted.number
        )
        return {"order": order_facts(order), "stopped": await enforcement.begin(order)}

    async def lift(wanted: LiftRequest) -> dict[str, Any]:
        try:
            order = await book.lift(int(wanted.id, 16))
        except KeyError:
            raise ValueError(f"no order {wanted.id} stands: see GET /orders") from None
        return {"order": order_facts(order), "due": await enforcement.end(order)}

    async def rebind(wanted: RebindRequest) -> dict[str, Any]:
        count = await enforcement.rebind(wanted.scope(), tenant=wanted.to_tenant, campaign=wanted.to_campaign)
        return {"messages": count}

    return {
        ("GET", "/orders"): AdminRoute(
            lambda _: Answer.json({"orders": [order_facts(order) for order in book.orders]}),
            about="The orders that stand.",
        ),
        ("POST", "/orders"): _route(OrderRequest, give, "Suspend, bounce or discard mail until the order ends."),
        ("POST", "/orders/lift"): _route(LiftRequest, lift, "End an order; what it suspended is due now."),
        ("POST", "/rebind"): _route(
            RebindRequest, rebind, "Give queued mail another tenant or campaign, and look its route up anew."
        ),
    }


def order_facts(order: Order) -> dict[str, Any]:
    """An order, for JSON."""
    return {
        "id": f"{order.number:x}",
        "action": order.action.value,
        **msgspec.structs.asdict(order.scope),
        "reason": order.reason,
        "since": order.since,
        "until": order.until,
    }


def _route(model: type[B], act: Callable[[B], Awaitable[dict[str, Any]]], about: str) -> AdminRoute:
    async def handle(request: AdminRequest) -> Answer:
        try:
            return Answer.json(await act(msgspec.json.decode(bytes(request.body), type=model)))
        except ValueError as error:
            return Answer.json({"error": str(error)}, 400)

    return AdminRoute(handle, max_body=_MAX_BODY, about=about, takes=model)
