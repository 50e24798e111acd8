"""What the admin port answers to operators who suspend, bounce or rebind mail."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from postroad.admin.api import Handlers
from postroad.admin.http import AdminRequest, Answer, Handler
from postroad.admin.models import LiftRequest, OrderRequest, RebindRequest
from postroad.queue.enforcement import Enforcement
from postroad.spool.orders import Action, Order

B = TypeVar("B", bound=msgspec.Struct)


def order_handlers(enforcement: Enforcement, *, clock: Callable[[], float]) -> Handlers:
    """Who answers about orders."""
    book = enforcement.book

    async def give(wanted: OrderRequest) -> dict[str, Any]:
        until = clock() + wanted.seconds
        order, stopped = await enforcement.give(
            Action(wanted.action), wanted.scope(), reason=wanted.reason, until=until, number=wanted.number
        )
        return {"order": order_facts(order), "stopped": stopped}

    async def lift(wanted: LiftRequest) -> dict[str, Any]:
        try:
            order, due = await enforcement.lift(int(wanted.id, 16))
        except KeyError:
            raise ValueError(f"no order {wanted.id} stands: see GET /orders") from None
        return {"order": order_facts(order), "due": due}

    async def rebind(wanted: RebindRequest) -> dict[str, Any]:
        count = await enforcement.rebind(wanted.scope(), tenant=wanted.to_tenant, campaign=wanted.to_campaign)
        return {"messages": count}

    return {
        ("GET", "/orders"): lambda _: Answer.json({"orders": [order_facts(order) for order in book.orders]}),
        ("POST", "/orders"): _handler(OrderRequest, give),
        ("POST", "/orders/lift"): _handler(LiftRequest, lift),
        ("POST", "/rebind"): _handler(RebindRequest, rebind),
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


def _handler(model: type[B], act: Callable[[B], Awaitable[dict[str, Any]]]) -> Handler:
    async def handle(request: AdminRequest) -> Answer:
        try:
            return Answer.json(await act(msgspec.json.decode(bytes(request.body), type=model)))
        except ValueError as error:
            return Answer.json({"error": str(error)}, 400)

    return handle
