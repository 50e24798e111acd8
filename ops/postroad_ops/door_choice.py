"""Which door a client goes to: another one for a while after one didn't work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from postroad_ops.front_door import Door

SHUN_SECONDS = 5.0


class DoorChoice:
    """Shared by all connections of a client.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, doors: Sequence[Door], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._doors = list(doors)
        self._clock = clock
        self._until = dict.fromkeys(self._doors, 0.0)
        self._lock = threading.Lock()

    def choose(self, preferred: int) -> Door:
        """The preferred door or the next one that isn't shunned; if all are, the one that was shunned first."""
        now = self._clock()
        with self._lock:
            in_order = [self._doors[(preferred + step) % len(self._doors)] for step in range(len(self._doors))]
            return next(
                (door for door in in_order if self._until[door] <= now), min(in_order, key=self._until.__getitem__)
            )

    def shun(self, door: Door) -> None:
        """Stay away from it for a while."""
        with self._lock:
            self._until[door] = self._clock() + SHUN_SECONDS
