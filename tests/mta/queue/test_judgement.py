import pytest
from postroad.queue.judgement import Facts, covers, judge, scope_problem
from postroad.spool.orders import Action, Order, Scope

FACTS = Facts("acme", "autumn", "y.test", "mx.y.test", ("one", "two"))


def order(number: int, action: Action, until: float = 100.0, **scope: str) -> Order:
    return Order(number, action, Scope(**scope), "because", 0.0, until)


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        (Scope(tenant="acme"), True),
        (Scope(tenant="other"), False),
        (Scope(tenant=""), False),
        (Scope(campaign="autumn"), True),
        (Scope(tenant="acme", campaign="spring"), False),
        (Scope(tenant="other", campaign="autumn"), False),
        (Scope(domain="y.test"), True),
        (Scope(domain="test"), False),
        (Scope(tenant="acme", domain="y.test", site="mx.y.test"), True),
        (Scope(site="mx.z.test"), False),
        (Scope(source="one"), True),
        (Scope(source="three"), False),
    ],
)
def test_a_scope_covers_what_has_all_that_it_says(scope: Scope, covered: bool) -> None:
    assert covers(scope, FACTS) is covered


def test_an_order_on_a_site_does_not_hold_before_the_route_is_known() -> None:
    assert not covers(Scope(site="mx.y.test"), Facts("acme", "autumn", "y.test", None))


SUSPEND, BOUNCE, DISCARD = Action.SUSPEND, Action.BOUNCE, Action.DISCARD


@pytest.mark.parametrize(
    ("orders", "number"),
    [
        ([], None),
        ([order(1, SUSPEND, tenant="acme")], 1),
        ([order(1, SUSPEND, tenant="other")], None),
        ([order(1, SUSPEND, 50.0, tenant="acme")], None),
        ([order(1, SUSPEND, 80.0, tenant="acme"), order(2, SUSPEND, 90.0, domain="y.test")], 2),
        ([order(1, BOUNCE, 80.0, tenant="acme"), order(2, SUSPEND, 90.0, domain="y.test")], 1),
        ([order(1, SUSPEND, 90.0, tenant="acme"), order(2, DISCARD, 80.0, site="mx.y.test")], 2),
        ([order(1, SUSPEND, source="one")], None),
        ([order(1, SUSPEND, 90.0, source="one"), order(2, SUSPEND, 80.0, source="two")], 2),
        ([order(1, BOUNCE, source="one"), order(2, SUSPEND, source="two")], 2),
        ([order(1, BOUNCE, 80.0, source="one"), order(2, BOUNCE, 90.0, source="two")], 1),
        ([order(1, SUSPEND, source="one"), order(2, SUSPEND, 70.0, source="one")], None),
        ([order(1, BOUNCE, tenant="acme"), order(2, SUSPEND, source="one"), order(3, SUSPEND, source="two")], 1),
    ],
)
def test_which_order_holds(orders: list[Order], number: int | None) -> None:
    found = judge(orders, FACTS, 60.0)
    assert (found.number if found is not None else None) == number


@pytest.mark.parametrize(
    ("scope", "problem"),
    [
        (Scope(), "at least one"),
        (Scope(source="one", tenant="acme"), "alone"),
        (Scope(domain="Y.test"), "lower case"),
        (Scope(tenant="acme", domain="y.test"), None),
        (Scope(tenant=""), None),
    ],
)
def test_what_can_be_ordered_about(scope: Scope, problem: str | None) -> None:
    found = scope_problem(scope)
    assert (found is None) if problem is None else (found is not None and problem in found)
