"""Shares of the connection budget: who may open one more, and who gives one up. Pure decisions.

A site that stalls holds what it has for as long as the timeouts of RFC 5321 allow, up to ten minutes. So that a hundred
of them don't hold everything, a site must earn its connections (`growth`), a short budget is shared evenly, and sites
that stall get and keep no more than a part of it while others wait.
"""

import math
from dataclasses import dataclass

PATIENCE = 5.0
"""Seconds without any answer from a site after which it stalls: most that is alive answers far sooner."""
FIRST_CONNECTIONS = 2
TURN = 20
"""Messages that a connection carries at least, before it is given up for a site that has none."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The state of all connections."""

    limit: int
    used: int = 0
    sites: int = 1
    """Sites that have connections or wait for one, and don't stall."""
    stalled: int = 0
    """Connections of sites that stall."""

    @property
    def short(self) -> bool:
        """Whether there is so little left that sharing matters."""
        return self.used >= self.limit - self.limit // 4

    @property
    def share(self) -> int:
        """Connections that each site may have when there are too few for what all want."""
        return max(1, self.limit // max(1, self.sites))

    @property
    def stalled_share(self) -> int:
        """Connections that sites that stall may have together when there are too few."""
        return max(1, self.limit // 4)


def growth(waiting: int, finished: int, *, limit: int) -> int:
    """How many connections a site should have, by its ready queue and by what it has shown.

    Args:
        waiting: deliveries without a connection.
        finished: transactions that it answered since it last gave up connections for not answering.
        limit: the most it may have.

    The queue's part is KumoMTA's curve, which doesn't open a connection per message for a few of them.
    """
    if waiting <= 0:
        return 0
    wanted = max(1, min(limit, math.ceil(limit * (1.0 - math.exp(-0.023 * waiting)))))
    return min(wanted, FIRST_CONNECTIONS + finished)


def may_open(budget: Budget, *, mine: int, stalls: bool) -> bool:
    """Whether a site with `mine` connections may open another one."""
    if budget.used >= budget.limit:
        return False
    if not budget.short:
        return True
    if stalls:
        return mine == 0 and budget.stalled < budget.stalled_share
    return mine < budget.share


def must_yield(budget: Budget, *, mine: int, messages: int) -> bool:
    """Whether a connection that carried `messages` is given up rather than used again, now that others wait."""
    if mine > budget.share:
        return True
    return budget.sites > budget.limit and messages >= TURN


def to_shed(budget: Budget) -> int:
    """Connections to take from sites that stall, now that others wait."""
    return max(0, budget.stalled - budget.stalled_share) if budget.short else 0
