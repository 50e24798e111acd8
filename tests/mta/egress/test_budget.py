"""The budget with sites that only count: who gets connections, and who loses them."""

import asyncio
from collections.abc import Callable

from postroad.egress.budget import ConnectionBudget


class CountingSite:
    def __init__(self, budget: ConnectionBudget, wanted: int, *, stalled: bool = False) -> None:
        self.budget = budget
        self.wanted = wanted
        self.stalled = stalled
        self.open = 0

    def grow(self) -> None:
        while self.open < self.wanted and self.budget.take(self):
            self.open += 1

    def close(self, count: int = 1) -> None:
        for _ in range(count):
            self.open -= 1
            self.wanted -= 1
            self.budget.give_back(self)

    def stalls(self, now: float) -> bool:
        return self.stalled

    def shed(self, count: int) -> int:
        count = min(count, self.open)
        for _ in range(count):
            self.open -= 1
            self.budget.give_back(self)
        return count


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the budget tells only sites
            await asyncio.sleep(0.01)


async def test_what_is_given_back_goes_to_who_waits() -> None:
    budget = ConnectionBudget(4)
    first, second = CountingSite(budget, 4), CountingSite(budget, 2)
    first.grow()
    second.grow()
    assert (first.open, second.open) == (4, 0)
    first.close()
    await until(lambda: second.open == 1)
    first.close()
    await until(lambda: second.open == 2)
    assert budget.used == 4


async def test_who_has_more_than_its_share_yields_while_others_wait() -> None:
    budget = ConnectionBudget(10)
    first, second = CountingSite(budget, 10), CountingSite(budget, 10)
    first.grow()
    assert not budget.must_yield(first, 1)
    second.grow()
    while budget.must_yield(first, 1):
        before = second.open
        first.close()
        await until(lambda before=before: second.open > before)  # type: ignore[misc]
    assert (first.open, second.open) == (5, 5)


async def test_an_idle_connection_is_closed_for_who_waits() -> None:
    budget = ConnectionBudget(1)
    first, second = CountingSite(budget, 1), CountingSite(budget, 1)
    first.grow()
    budget.idle("its connection", first.close)
    second.grow()
    await until(lambda: second.open == 1)
    assert first.open == 0


async def test_an_idle_connection_that_is_used_again_is_not_closed() -> None:
    budget = ConnectionBudget(1)
    first, second = CountingSite(budget, 1), CountingSite(budget, 1)
    first.grow()
    budget.idle("its connection", first.close)
    budget.busy("its connection")
    second.grow()
    assert first.open == 1


async def test_sites_that_stall_keep_no_more_than_a_quarter_when_others_wait() -> None:
    budget = ConnectionBudget(20)
    stalled = [CountingSite(budget, 10, stalled=True) for _ in range(3)]
    for site in stalled:
        site.grow()
    assert sum(site.open for site in stalled) == 20
    good = CountingSite(budget, 30)
    good.grow()
    await until(lambda: good.open >= 5)
    await until(lambda: sum(site.open for site in stalled) <= 5)
    # What is left to them is spread: each can show that it is back.
    assert all(site.open for site in stalled)
    assert budget.used == good.open + sum(site.open for site in stalled)


async def test_many_sites_that_stall_leave_the_others_their_connections() -> None:
    budget = ConnectionBudget(8)
    stalled = [CountingSite(budget, 2, stalled=True) for _ in range(20)]
    for site in stalled:
        site.grow()
    good = [CountingSite(budget, 2) for _ in range(3)]
    for site in good:
        site.grow()
    await until(lambda: sum(site.open for site in good) == 6)
    await until(lambda: sum(site.open for site in stalled) == 2)


async def test_a_site_that_is_gone_is_not_served() -> None:
    budget = ConnectionBudget(1)
    first, second, third = (CountingSite(budget, 1) for _ in range(3))
    for site in (first, second, third):
        site.grow()
    budget.forget(second)
    first.close()
    await until(lambda: third.open == 1)
    assert second.open == 0
