"""What an answer to an offer means: the decision that loses no message and delivers none twice.

A request that wasn't answered may still arrive, even after later ones. So a message returns to this spool only if it is
certain that no request can bring it to the other: each that was made was answered, or the other spool has withdrawn
the batch, after which it takes nothing more of it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum, auto


@dataclass(frozen=True, slots=True)
class Answered:
    """The other spool judged each message."""

    taken: frozenset[int]
    """It has them on disk, now or from before."""
    declined: dict[int, str] = field(default_factory=dict)
    """It will never take them, with the reason."""
    full: str = ""
    """Why it took no more, if it ran out of room."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The other spool takes nothing more of the batch; it has these."""

    taken: frozenset[int]


@dataclass(frozen=True, slots=True)
class Refused:
    """The other side answered that it did nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """No request was made: there is no connection."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The request may have been carried out, or may yet be."""

    reason: str


OfferAnswer = Answered | Refused | NotSent | Unanswered
WithdrawalAnswer = Withdrawn | Refused | NotSent | Unanswered


@dataclass(frozen=True, slots=True)
class Settle:
    """The batch is over: the other spool has `taken`, all others are here."""

    taken: frozenset[int]


class Next(Enum):
    """What to do with a batch that isn't over."""

    ASK_AGAIN = auto()
    """Offer it again as it is, later."""
    WITHDRAW = auto()
    """Have the other spool close it, now."""


def judge_offer(answer: OfferAnswer, offered: Collection[int], *, doubtful: bool) -> Settle | Next:
    """What follows from the answer to an offer.

    Args:
        doubtful: an earlier request for the same batch wasn't answered, or may have been made by a process before this.
    """
    match answer:
        case Unanswered():
            return Next.ASK_AGAIN
        case Answered(taken) if not doubtful or taken.issuperset(offered):
            return Settle(taken.intersection(offered))
        case NotSent() if doubtful:
            return Next.ASK_AGAIN
        case Refused() | NotSent() if not doubtful:
            return Settle(frozenset())
        case _:
            return Next.WITHDRAW


def judge_withdrawal(answer: WithdrawalAnswer, offered: Collection[int]) -> Settle | Next:
    """What follows from the answer to a withdrawal: only the other spool itself can end a doubt."""
    if isinstance(answer, Withdrawn):
        return Settle(answer.taken.intersection(offered))
    return Next.WITHDRAW
