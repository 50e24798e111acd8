"""When no more mail is taken: the memory or the disk has no room."""

from collections.abc import Callable
from dataclasses import dataclass

INTERVAL = 1.0
"""Seconds between two looks at the memory."""
_TRIM_INTERVAL = 10.0


@dataclass(frozen=True, slots=True)
class Shortage:
    """What is missing."""

    reason: str
    """For metrics."""
    text: bytes
    """For the client; behind 421 and 452 alike."""


_MEMORY = Shortage("memory", b"4.3.1 short of memory, try again later")
_ROOM = Shortage("full", b"4.3.1 no room to store messages, try again later")


class Overload:
    """Whether this process can take more.

    Args:
        memory: octets that it may hold.
        resident: octets that it holds.
        trim: gives back what isn't used any more.
        has_room: whether the spool has.
        clock: seconds, growing.
    """

    def __init__(
        self,
        *,
        memory: int,
        resident: Callable[[], int],
        trim: Callable[[], None],
        has_room: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._memory = memory
        self._resident = resident
        self._trim = trim
        self._has_room = has_room
        self._clock = clock
        self._checked = self._trimmed = float("-inf")
        self._short = False

    def shortage(self) -> Shortage | None:
        """What is missing; None if mail is taken."""
        if self.short_of_memory():
            return _MEMORY
        return None if self._has_room() else _ROOM

    def short_of_memory(self) -> bool:
        """Whether more is held than may be; looked up once per `INTERVAL`."""
        now = self._clock()
        if now >= self._checked + INTERVAL:
            self._checked = now
            self._short = self._resident() > self._memory
            if self._short and now >= self._trimmed + _TRIM_INTERVAL:
                # A peak that is over leaves the allocator with memory that only looks held.
                self._trimmed = now
                self._trim()
                self._short = self._resident() > self._memory
        return self._short
