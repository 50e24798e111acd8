"""A cache whose entries end with their time to live."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class TtlCache(Generic[K, V]):
    """At most `size` values; the least recently used one makes room.

    Args:
        clock: seconds that never go back.
        floor, ceiling: bounds of the time to live, in seconds.
    """

    def __init__(self, *, size: int, clock: Callable[[], float], floor: float = 0.0, ceiling: float = 86400.0) -> None:
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._size = size
        self._clock = clock
        self._floor = floor
        self._ceiling = ceiling

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The value if it still holds."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: K, value: V, ttl: float) -> None:
        """Hold a value for `ttl` seconds, within the bounds."""
        self._entries[key] = (self._clock() + min(max(ttl, self._floor), self._ceiling), value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def forget(self, key: K) -> None:
        """Hold it no longer."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
