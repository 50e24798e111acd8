"""How many connections there may be in all, and who gets the next one."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Protocol

from postroad.egress.shares import Budget, may_open, must_yield, to_shed

_SERVED_AT_ONCE = 64
SWEEP = 1.0
"""Seconds between looks for connections that hold back others."""


class Claimant(Protocol):
    """A site, as the budget sees it."""

    def grow(self) -> None:
        """It may be worth asking for connections again."""

    def stalls(self, now: float) -> bool:
        """Whether it was asked, and hasn't answered anything for a while, on any of its connections."""

    def shed(self, count: int) -> int:
        """Give up so many connections that don't get on, and lose no message by it; how many it gave up."""


class ConnectionBudget:
    """At most `limit` connections, shared by sites as `shares` says; those that wait are served in turn."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._held: dict[Claimant, int] = {}
        self._waiting: dict[Claimant, None] = {}
        self._idle: dict[Hashable, Callable[[], None]] = {}
        self._stalled: dict[Claimant, int] = {}
        self._stalled_in_all = 0
        self._sites: set[Claimant] = set()
        self._serving: asyncio.Handle | None = None
        self._sweeping: asyncio.TimerHandle | None = None

    @property
    def used(self) -> int:
        """Connections that are taken."""
        return self._used

    def take(self, site: Claimant) -> bool:
        """Take one if the site may; else its `grow` is called when it is worth asking again."""
        self._sites.add(site)
        mine = self._held.get(site, 0)
        if may_open(self._state, mine=mine, stalls=site in self._stalled):
            self._used += 1
            self._held[site] = mine + 1
            if site in self._stalled:
                self._stalled[site] += 1
                self._stalled_in_all += 1
            return True
        self._waiting[site] = None
        if self._used >= self._limit and self._idle:
            self._idle.pop(next(iter(self._idle)))()
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP, self._sweep)
        return False

    def give_back(self, site: Claimant) -> None:
        """A connection ended, or is no longer counted."""
        self._used -= 1
        mine = self._held[site] = self._held[site] - 1
        if not mine:
            del self._held[site]
            if site not in self._waiting:
                self._sites.discard(site)
        if self._stalled.get(site):
            self._stalled[site] -= 1
            self._stalled_in_all -= 1
        if self._waiting and self._serving is None:
            self._serving = asyncio.get_running_loop().call_soon(self._serve)

    def forget(self, site: Claimant) -> None:
        """The site has nothing to send any more, and no connection."""
        self._waiting.pop(site, None)
        self._sites.discard(site)
        self._stalled_in_all -= self._stalled.pop(site, 0)

    def idle(self, connection: Hashable, close: Callable[[], None]) -> None:
        """A connection is only kept for later: `close` it for a site that waits. The longest unused goes first."""
        if self._waiting and self._used >= self._limit:
            close()
        else:
            self._idle[connection] = close

    def busy(self, connection: Hashable) -> None:
        """A connection isn't idle any more."""
        self._idle.pop(connection, None)

    def must_yield(self, site: Claimant, messages: int) -> bool:
        """Whether a connection of this site is to be closed for others, though it could be used again."""
        if not self._waiting:
            return False
        return must_yield(self._state, mine=self._held.get(site, 0), messages=messages)

    @property
    def _state(self) -> Budget:
        return Budget(self._limit, self._used, len(self._sites) - len(self._stalled), self._stalled_in_all)

    def _serve(self) -> None:
        self._serving = None
        for _ in range(min(len(self._waiting), _SERVED_AT_ONCE)):
            if self._used >= self._limit:
                break
            site = next(iter(self._waiting))
            del self._waiting[site]
            site.grow()  # takes, waits again at the end, or has nothing to send any more
            if site not in self._waiting and site not in self._held:
                self._sites.discard(site)

    def _sweep(self) -> None:
        """While somebody waits: find who stalls, and take from them what is more than their part."""
        self._sweeping = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        # Who stalled and has nothing left still does, until it answers.
        known = self._held.keys() | self._stalled.keys() if self._waiting else ()
        self._stalled = {site: self._held.get(site, 0) for site in known if site.stalls(now)}
        self._stalled_in_all = sum(self._stalled.values())
        if not self._waiting:
            return
        if any(site not in self._stalled for site in self._waiting):
            self._shed(to_shed(self._state))
        self._sweeping = loop.call_later(SWEEP, self._sweep)
        self._serve()

    def _shed(self, excess: int) -> None:
        """Who has the most gives first, and keeps one for as long as that will do."""
        for keep in (1, 0):
            for site, count in sorted(self._stalled.items(), key=lambda item: -item[1]):
                if excess > 0 and count > keep:
                    excess -= site.shed(min(excess, count - keep))
