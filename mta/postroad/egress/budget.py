"""How many connections there may be in all, and who gets the next one."""

from collections import deque
from collections.abc import Callable


class ConnectionBudget:
    """At most `limit` connections; who asks in vain is called when one is given back, first come first served."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._limit = limit
        self._waiting: deque[Callable[[], None]] = deque()

    @property
    def used(self) -> int:
        """Connections that are taken."""
        return self._limit - self._free

    def take(self, otherwise: Callable[[], None]) -> bool:
        """Take one if there is one; else `otherwise` is called once when it is worth asking again."""
        if self._free > 0:
            self._free -= 1
            return True
        if otherwise not in self._waiting:
            self._waiting.append(otherwise)
        return False

    def give_back(self) -> None:
        """A connection ended."""
        self._free += 1
        if self._waiting:
            self._waiting.popleft()()
