"""What follows from an answer: a message comes back only if no request can still bring it to the other spool."""

import pytest
from postroad.drain.verdict import (
    Answered,
    Next,
    NotSent,
    OfferAnswer,
    Refused,
    Settle,
    Unanswered,
    WithdrawalAnswer,
    Withdrawn,
    judge_offer,
    judge_withdrawal,
)

OFFERED = {1, 2, 3}
ALL, SOME, NONE = frozenset({1, 2, 3}), frozenset({1, 2}), frozenset[int]()
AGAIN, WITHDRAW = Next.ASK_AGAIN, Next.WITHDRAW


@pytest.mark.parametrize(
    ("answer", "certain", "doubtful"),
    [
        (Answered(ALL), Settle(ALL), Settle(ALL)),
        (Answered(ALL | {9}), Settle(ALL), Settle(ALL)),
        (Answered(SOME, {3: "too large"}), Settle(SOME), WITHDRAW),
        (Answered(SOME, full="no room"), Settle(SOME), WITHDRAW),
        (Answered(NONE, full="no room"), Settle(NONE), WITHDRAW),
        (Refused("draining"), Settle(NONE), WITHDRAW),
        (NotSent("connection refused"), Settle(NONE), AGAIN),
        (Unanswered("timed out"), AGAIN, AGAIN),
    ],
)
def test_what_follows_from_the_answer_to_an_offer(
    answer: OfferAnswer, certain: Settle | Next, doubtful: Settle | Next
) -> None:
    assert judge_offer(answer, OFFERED, doubtful=False) == certain
    assert judge_offer(answer, OFFERED, doubtful=True) == doubtful


@pytest.mark.parametrize(
    ("answer", "step"),
    [
        (Withdrawn(SOME), Settle(SOME)),
        (Withdrawn(NONE), Settle(NONE)),
        (Withdrawn(frozenset({9})), Settle(NONE)),
        (Refused("is another spool"), WITHDRAW),
        (NotSent("connection refused"), WITHDRAW),
        (Unanswered("timed out"), WITHDRAW),
    ],
)
def test_only_the_other_spool_itself_ends_a_doubt(answer: WithdrawalAnswer, step: Settle | Next) -> None:
    assert judge_withdrawal(answer, OFFERED) == step
