"""How much happened within the last hour or minute, and who tried what how often."""

from collections import OrderedDict, deque

_SLOTS = 60
_REMEMBERED = 100_000


class SlidingCount:
    """Counts by key over a sliding span of time, to within a sixtieth of it.

    Args:
        span: its seconds, of any clock.
    """

    def __init__(self, span: float) -> None:
        self._slot = span / _SLOTS
        self._slots: dict[str, deque[tuple[int, int]]] = {}

    def add(self, key: str, at: float, count: int = 1) -> None:
        """Count something that happened at `at` (seconds of any clock, never going back)."""
        slots = self._slots.setdefault(key, deque(maxlen=_SLOTS + 1))
        number = int(at / self._slot)
        if slots and slots[-1][0] >= number:
            last, before = slots.pop()
            slots.append((last, before + count))
        else:
            slots.append((number, count))

    def within(self, key: str, now: float) -> int:
        """How much was counted in the span before `now`."""
        slots = self._slots.get(key)
        if not slots:
            return 0
        oldest = int(now / self._slot) - _SLOTS
        while slots and slots[0][0] <= oldest:
            slots.popleft()
        if not slots:
            del self._slots[key]
            return 0
        return sum(count for _, count in slots)

    def clear(self) -> None:
        """Forget everything."""
        self._slots.clear()

    def kept(self) -> dict[str, list[tuple[int, int]]]:
        """All of it, for JSON."""
        return {key: list(slots) for key, slots in self._slots.items()}

    def restore(self, kept: dict[str, list[tuple[int, int]]]) -> None:
        """Take up what `kept` gave."""
        self._slots = {key: deque(((a, b) for a, b in slots), maxlen=_SLOTS + 1) for key, slots in kept.items()}


class Tries:
    """How often something was tried; the longest untouched of more than 100,000 is forgotten."""

    def __init__(self) -> None:
        self._tries: OrderedDict[tuple[str, ...], int] = OrderedDict()

    def __getitem__(self, key: tuple[str, ...]) -> int:
        """Tries so far."""
        return self._tries.get(key, 0)

    def add(self, key: tuple[str, ...]) -> None:
        """One more."""
        self._tries[key] = self[key] + 1
        self._tries.move_to_end(key)
        if len(self._tries) > _REMEMBERED:
            self._tries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._tries.clear()

    def kept(self) -> list[tuple[list[str], int]]:
        """All of it, for JSON."""
        return [(list(key), count) for key, count in self._tries.items()]

    def restore(self, kept: list[tuple[list[str], int]]) -> None:
        """Take up what `kept` gave."""
        self._tries = OrderedDict((tuple(key), count) for key, count in kept)
