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
        min_free_inodes: inodes that messages may not use, where a file system has only so many.
        clock: seconds, growing.
    """

    def __init__(self, folder: Path, min_free: int, clock: Callable[[], float], *, min_free_inodes: int = 0) -> None:
        self._folder = folder
        self._min_free = min_free
        self._min_free_inodes = min_free_inodes
        self._clock = clock
        self._checked = float("-inf")
        self._enough = self._octets = True

    def enough(self) -> bool:
        """Whether a message may be stored."""
        now = self._clock()
        if now >= self._checked + INTERVAL:
            self._checked = now
            stat = os.statvfs(self._folder)
            self._octets = stat.f_bavail * stat.f_frsize >= self._min_free
            self._enough = self._octets and (not stat.f_files or stat.f_favail >= self._min_free_inodes)
        return self._enough

    def is_full(self) -> None:
        """A write found no room: there is none until the next look."""
        self._checked = self._clock()
        self._enough = self._octets = False

    @property
    def shortage(self) -> str:
        """What is missing, for people."""
        if self._octets and not self._enough:
            return f"fewer than {self._min_free_inodes} inodes free in {self._folder}"
        return f"less than {self._min_free} octets free in {self._folder}"
