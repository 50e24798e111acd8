"""The admin port's API: each operation with what it takes, whoever answers it."""

from collections.abc import Mapping

from postroad.admin.http import AdminRoute, Answer, Handler
from postroad.admin.models import DrainRequest, LiftRequest, OrderRequest, RebindRequest, TakeBackRequest
from postroad.admin.openapi import Operation, describe
from postroad.queue.survey import By, Order

MOST_ROWS = 1000
"""Of a list of what is queued."""
_MAX_BODY = 64 << 10

Handlers = Mapping[tuple[str, str], Handler]
"""Who answers, by method and path."""


_DESCRIPTION = ("GET", "/openapi.json")
_OPERATIONS = {
    _DESCRIPTION: Operation("This description of the admin port (OpenAPI 3.1)."),
    ("GET", "/ready"): Operation("Whether mail should be sent here; 503 if not.", open=True, text=True),
    ("GET", "/health"): Operation("Whether the process works at all.", open=True, text=True),
    ("GET", "/metrics"): Operation("All metrics, as Prometheus reads them.", open=True, text=True),
    ("GET", "/build"): Operation("Which build runs."),
    ("GET", "/workers"): Operation("The processes that this MTA is made of; none where it is a single one."),
    ("GET", "/queue"): Operation("What is queued: in all, and the largest sites and domains."),
    ("GET", "/queue/top"): Operation(
        "What waits for its time, summed up: the most first, or the oldest.",
        query={
            "by": ", ".join(item.value for item in By),
            "first": ", ".join(item.value for item in Order),
            "limit": f"rows, 1 to {MOST_ROWS}",
        },
    ),
    ("GET", "/message"): Operation(
        "Where a queued message is, and what became of it so far.", query={"id": "that of the 250"}
    ),
    ("POST", "/flush"): Operation("Make everything due now that isn't suspended."),
    ("GET", "/orders"): Operation("The orders that stand."),
    ("POST", "/orders"): Operation("Suspend, bounce or discard mail until the order ends.", takes=OrderRequest),
    ("POST", "/orders/lift"): Operation("End an order; what it suspended is due now.", takes=LiftRequest),
    ("POST", "/rebind"): Operation(
        "Give queued mail another tenant or campaign, and look its route up anew.", takes=RebindRequest
    ),
    ("GET", "/drain"): Operation("How far the drain is."),
    ("POST", "/drain"): Operation("Move everything to other MTAs, so that the host may go.", takes=DrainRequest),
    ("DELETE", "/drain"): Operation("End the drain: take mail and deliver again."),
    ("POST", "/drain/take-back"): Operation(
        "Deliver from here what was offered to a target that is gone for good.", takes=TakeBackRequest
    ),
    ("GET", "/spool/receive"): Operation("For other MTAs: which spool this is."),
    ("POST", "/spool/receive"): Operation("For other MTAs: take a batch of messages.", octets=True),
    ("POST", "/spool/withdraw"): Operation("For other MTAs: what was taken of a batch; no more of it is.", octets=True),
}


def admin_routes(handlers: Handlers, *, version: str, max_batch: int) -> dict[tuple[str, str], AdminRoute]:
    """The routes of an admin port.

    Args:
        handlers: one for each operation but their description.
        max_batch: octets of the largest batch of another MTA.
    """
    description = Answer.json(describe(_OPERATIONS, version=version))
    handlers = {**handlers, _DESCRIPTION: lambda _: description}

    def largest(operation: Operation) -> int:
        return max_batch if operation.octets else _MAX_BODY if operation.takes is not None else 0

    return {
        key: AdminRoute(
            handlers[key],
            open=operation.open,
            max_body=largest(operation),
            # Batches of other MTAs are many, and in the log of what was moved.
            audited=key[0] != "GET" and not operation.octets,
        )
        for key, operation in _OPERATIONS.items()
    }
