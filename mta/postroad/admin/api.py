"""The admin port's API: each operation with what it takes, whoever answers it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from postroad.admin.http import AdminRoute, Handler
from postroad.admin.models import DrainRequest, LiftRequest, OrderRequest, RebindRequest, TakeBackRequest
from postroad.admin.openapi import with_description
from postroad.queue.survey import By, Order

MOST_ROWS = 1000
"""Of a list of what is queued."""
_MAX_BODY = 64 << 10

Handlers = Mapping[tuple[str, str], Handler]
"""Who answers, by method and path."""


@dataclass(frozen=True, slots=True)
class _Operation:
    about: str
    open: bool = False
    text: bool = False
    query: Mapping[str, str] = field(default_factory=dict)
    takes: type[msgspec.Struct] | None = None
    batch: bool = False
    """Its body is of another MTA, octets and not JSON."""


_OPERATIONS = {
    ("GET", "/ready"): _Operation("Whether mail should be sent here; 503 if not.", open=True, text=True),
    ("GET", "/health"): _Operation("Whether the process works at all.", open=True, text=True),
    ("GET", "/metrics"): _Operation("All metrics, as Prometheus reads them.", open=True, text=True),
    ("GET", "/build"): _Operation("Which build runs."),
    ("GET", "/workers"): _Operation("The processes that this MTA is made of; none where it is a single one."),
    ("GET", "/queue"): _Operation("What is queued: in all, and the largest sites and domains."),
    ("GET", "/queue/top"): _Operation(
        "What waits for its time, summed up: the most first, or the oldest.",
        query={
            "by": ", ".join(item.value for item in By),
            "first": ", ".join(item.value for item in Order),
            "limit": f"rows, 1 to {MOST_ROWS}",
        },
    ),
    ("GET", "/message"): _Operation(
        "Where a queued message is, and what became of it so far.", query={"id": "that of the 250"}
    ),
    ("POST", "/flush"): _Operation("Make everything due now that isn't suspended."),
    ("GET", "/orders"): _Operation("The orders that stand."),
    ("POST", "/orders"): _Operation("Suspend, bounce or discard mail until the order ends.", takes=OrderRequest),
    ("POST", "/orders/lift"): _Operation("End an order; what it suspended is due now.", takes=LiftRequest),
    ("POST", "/rebind"): _Operation(
        "Give queued mail another tenant or campaign, and look its route up anew.", takes=RebindRequest
    ),
    ("GET", "/drain"): _Operation("How far the drain is."),
    ("POST", "/drain"): _Operation("Move everything to other MTAs, so that the host may go.", takes=DrainRequest),
    ("DELETE", "/drain"): _Operation("End the drain: take mail and deliver again."),
    ("POST", "/drain/take-back"): _Operation(
        "Deliver from here what was offered to a target that is gone for good.", takes=TakeBackRequest
    ),
    ("GET", "/spool/receive"): _Operation("For other MTAs: which spool this is."),
    ("POST", "/spool/receive"): _Operation("For other MTAs: take a batch of messages.", batch=True),
    ("POST", "/spool/withdraw"): _Operation("For other MTAs: what was taken of a batch; no more of it is.", batch=True),
}


def admin_routes(handlers: Handlers, *, version: str, max_batch: int) -> dict[tuple[str, str], AdminRoute]:
    """The routes of an admin port, and their description among them.

    Args:
        handlers: one for each operation.
        max_batch: octets of the largest batch of another MTA.
    """
    routes = {
        key: AdminRoute(
            handlers[key],
            open=operation.open,
            max_body=max_batch if operation.batch else _MAX_BODY if operation.takes is not None else 0,
            about=operation.about,
            query=operation.query,
            takes=operation.takes,
            text=operation.text,
        )
        for key, operation in _OPERATIONS.items()
    }
    return with_description(routes, version=version)
