"""Where each recipient of a message stands: replayed from outcomes, turned into the deliveries that are left."""

from collections.abc import Sequence
from dataclasses import dataclass

from postroad.spool.message import MAX_RECIPIENTS, Delivery, Message
from postroad.spool.record import OutcomeMeta


@dataclass(slots=True)
class Schedule:
    """Where one recipient stands; `done` once it has its final answer."""

    done: bool = False
    attempts: int = 0
    due: float = 0.0
    reply: str = ""


def replay_outcome(schedules: list[Schedule], outcome: OutcomeMeta) -> None:
    """Let recipients have their outcome.

    Raises:
        IndexError: the message has no such recipient.
    """
    for index in (*outcome.delivered, *outcome.bounced):
        schedules[index].done = True
    for index in outcome.deferred:
        if not schedules[index].done:
            schedules[index] = Schedule(False, outcome.attempts, outcome.due, outcome.reply)


def plan_deliveries(message: Message, schedules: Sequence[Schedule]) -> None:
    """Give a message the deliveries that are still to be made: one per domain and schedule, as large as one may be."""
    groups: dict[tuple[bytes, int, float, str], list[int]] = {}
    for index, schedule in enumerate(schedules):
        if not schedule.done:
            domain = message.recipients[index].rpartition(b"@")[2].lower()
            groups.setdefault((domain, schedule.attempts, schedule.due, schedule.reply), []).append(index)
    message.deliveries = tuple(
        Delivery(message, domain, tuple(indexes[first : first + MAX_RECIPIENTS]), attempts, due, reply)
        for (domain, attempts, due, reply), indexes in groups.items()
        for first in range(0, len(indexes), MAX_RECIPIENTS)
    )
