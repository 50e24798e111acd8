from postroad.smtp.parts import Budget, Parts


def test_a_message_beyond_its_limit_is_let_go_and_counted() -> None:
    budget = Budget(1000)
    parts = Parts(10, budget)
    parts.add(b"x" * 10)
    assert (budget.used, parts.too_large) == (10, False)
    parts.add(b"x")
    parts.add(b"x" * 100)
    assert (budget.used, parts.too_large, parts.size) == (0, True, 111)
    parts.clear()
    parts.add(b"again")
    assert parts.whole() == b"again"


def test_messages_share_a_budget_and_give_it_back_when_they_are_over() -> None:
    budget = Budget(100)
    first, second = Parts(80, budget), Parts(80, budget)
    first.add(b"x" * 60)
    second.add(b"x" * 30)
    second.add(b"x" * 30)
    assert second.no_room
    assert not first.no_room
    assert budget.used == 60
    second.add(b"x")
    assert budget.used == 60
    first.whole()
    assert budget.used == 60
    first.clear()
    assert budget.used == 0
    second.clear()
    second.add(b"x" * 70)
    assert not second.no_room
