"""What the admin port answers about single messages and the largest queues."""

from typing import TYPE_CHECKING, Any

from postroad.admin.api import MOST_ROWS, Handlers
from postroad.admin.http import AdminRequest, Answer
from postroad.clock import steady
from postroad.queue.survey import By, Order, top
from postroad.spool.message import Delivery, Message

if TYPE_CHECKING:
    from postroad.mta import Mta


def message_handlers(mta: "Mta") -> Handlers:
    """Who answers about messages and what they are summed up by."""

    def message(request: AdminRequest) -> Answer:
        wanted = request.parameters.get("id", "").lower()
        found = _find(mta, wanted)
        if found is None:
            return Answer.json({"error": f"no message {wanted!r} is queued: it was finished, or never here"}, 404)
        return Answer.json(_facts(mta, found))

    def sums(request: AdminRequest) -> Answer:
        asked = request.parameters
        try:
            by, first = By(asked.get("by", "domain")), Order(asked.get("first", "count"))
            limit = max(1, min(int(asked.get("limit", "20")), MOST_ROWS))
        except ValueError as error:
            kinds, orders = (", ".join(item.value for item in kind) for kind in (By, Order))
            return Answer.json({"error": f"{error}: by is one of {kinds}; first of {orders}; limit a number"}, 400)
        now = steady()
        rows = top(mta.dispatcher.queues.values(), by=by, first=first, limit=limit)
        return Answer.json(
            {
                "by": by.value,
                "first": first.value,
                "limit": limit,
                "queues": [
                    {
                        "name": list(row.name),
                        "deliveries": row.deliveries,
                        "recipients": row.recipients,
                        "oldest_seconds": round(max(0.0, now - row.oldest), 1),
                        "next_attempt_in": round(max(0.0, row.next_due - now), 1),
                        "last_reply": row.last_reply,
                    }
                    for row in rows
                ],
            }
        )

    return {("GET", "/message"): message, ("GET", "/queue/top"): sums}


def _find(mta: "Mta", wanted: str) -> Message | None:
    try:
        number = int(wanted, 16)
    except ValueError:
        return None
    messages = mta.dispatcher.messages
    # One that was moved here goes by the id of the spool that accepted it.
    return messages.get(number) or next((item for item in messages.values() if item.accepted_as == number), None)


def _facts(mta: "Mta", message: Message) -> dict[str, Any]:
    def text(octets: bytes) -> str:
        return octets.decode("utf-8", "replace")

    open_ones = {index for delivery in message.deliveries for index in delivery.recipients}
    return {
        "id": message.queue_id,
        "tenant": message.tenant,
        "campaign": message.campaign,
        "sender": text(message.sender),
        "size": message.size,
        "age_seconds": round(steady() - message.received, 1),
        "deliveries": [_delivery_facts(mta, delivery) for delivery in message.deliveries],
        "finished": [text(item) for index, item in enumerate(message.recipients) if index not in open_ones],
    }


def _delivery_facts(mta: "Mta", delivery: Delivery) -> dict[str, Any]:
    waits = delivery.slot is not None
    site = mta.dispatcher.known_site(delivery.domain)
    return {
        "domain": delivery.domain.decode("utf-8", "replace"),
        "recipients": [address.decode("utf-8", "replace") for address in delivery.addresses],
        "state": ("suspended" if delivery.suspended else "waits for its time") if waits else "ready or under way",
        "order": f"{delivery.suspended:x}" if waits and delivery.suspended else None,
        "site": site,
        "attempts": delivery.attempts,
        "next_attempt_in": round(max(0.0, delivery.due - steady()), 1) if waits else 0.0,
        "last_reply": delivery.reply,
    }
