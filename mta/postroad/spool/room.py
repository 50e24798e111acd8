"""Whether a file system has room for messages."""

import os
from collections.abc import Callable
from pathlib import Path

INTERVAL = 1.0
"""Seconds between two looks at the file system."""


class Room:
    """Free space of a folder's file system, looked up at most once per `INTERVAL`.

    Args:
        min_free: octets that messages may not use, so that outcomes still find room.
        clock: seconds, growing.
    """

    def __init__(self, folder: Path, min_free: int, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._min_free = min_free
        self._clock = clock
        self._checked = float("-inf")
        self._enough = True

    def enough(self) -> bool:
        """Whether a message may be stored."""
        now = self._clock()
        if now >= self._checked + INTERVAL:
            self._checked = now
            stat = os.statvfs(self._folder)
            self._enough = stat.f_bavail * stat.f_frsize >= self._min_free
        return self._enough

    def is_full(self) -> None:
        """A write found no room: there is none until the next look."""
        self._checked = self._clock()
        self._enough = False

    @property
    def shortage(self) -> str:
        """What is missing, for people."""
        return f"less than {self._min_free} octets free in {self._folder}"
